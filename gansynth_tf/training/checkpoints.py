"""What a run keeps so that the same command goes on: one checkpoint series, and the names of a run folder's files."""

import pathlib
import shutil

import keras
import tensorflow as tf

from gansynth_tf.model import GANSynth

# ---------------------------------------------------------------------------------------------------- a run folder

EXPERIMENT_FILE = "experiment.json"  # Every hparam, flat, as Magenta writes it.
PITCHES_FILE = "pitches.json"  # The pitch classes and how often the data has each.
METRICS_FILE = "metrics.jsonl"
SNAPSHOT_METRICS_FILE = "snapshot_metrics.jsonl"  # What is measured of the snapshots, one line for each.
CHECKPOINTS_FOLDER = "checkpoints"
SAMPLES_FOLDER = "samples"


def latest_checkpoint(run: pathlib.Path) -> str | None:
    """Prefix of the newest complete checkpoint of a run folder whose files are there, or None.

    Raises:
        ValueError: When the list of complete checkpoints is damaged.
    """
    complete = _complete_checkpoints(run / CHECKPOINTS_FOLDER)
    return next((path for path in reversed(complete) if pathlib.Path(f"{path}.index").is_file()), None)


def _complete_checkpoints(folder: pathlib.Path) -> list[str]:
    """Prefixes in the order of their making; TensorFlow lists a checkpoint when it is complete."""
    listing = folder / "checkpoint"
    if not listing.is_file():
        return []
    try:
        state = tf.train.get_checkpoint_state(str(folder))
    except ValueError:
        state = None
    if state is None:
        raise ValueError(
            f"{listing} is damaged. To go on, make 'model_checkpoint_path: \"ckpt-N\"' its only line, where N is the "
            f"highest number of a file in {folder}."
        )
    paths = list(state.all_model_checkpoint_paths)
    return paths if state.model_checkpoint_path in paths else [*paths, state.model_checkpoint_path]


def read_model(model: GANSynth, checkpoint: str) -> tuple[int, int, float]:
    """Reads a model's weights for generation; every one of them must be there.

    Args:
        model: Built as the run's settings say.
        checkpoint: Prefix of a checkpoint that `TrainingState` wrote.

    Returns:
        Examples seen, the stage the run was in, and the seconds it had trained.

    Raises:
        ValueError: When the file does not hold this model.
    """
    seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
    state = tf.train.Checkpoint(
        model=model, examples_seen=_counter(tf.int64), stage=_counter(tf.int32), train_seconds=seconds
    )
    try:
        status = state.read(checkpoint)
        status.assert_existing_objects_matched()
        status.expect_partial()
    except _DAMAGE as error:
        raise _damaged(checkpoint, error) from None
    return int(state.examples_seen), int(state.stage), float(seconds)


# TensorFlow raises IndexError for a file that ends too early.
_DAMAGE = (AssertionError, ValueError, IndexError, tf.errors.OpError)


def _damaged(checkpoint: str, error: Exception) -> ValueError:
    reason = str(error).splitlines()[0]
    return ValueError(
        f"{checkpoint} is damaged, or does not hold the model that {EXPERIMENT_FILE} describes: {reason}. "
        f"Delete {checkpoint}.* to go on from the checkpoint before it."
    )


# ---------------------------------------------------------------------------------------------------- training state


def _counter(dtype: tf.DType, value: int = 0) -> tf.Variable:
    return tf.Variable(value, dtype=dtype, trainable=False)


class TrainingState:
    """Everything training owns: networks, smoothed generator, both optimizers, the clock.

    Randomness and the data's position are functions of `examples_seen` (see training/steps.py and data/pipeline.py), so
    they need no state of their own.

    Args:
        run: The run folder.
        model: What is trained.
        generator_optimizer, discriminator_optimizer: Built on all variables.
        keep: How many checkpoints stay on disk.
    """

    def __init__(
        self,
        run: pathlib.Path,
        model: GANSynth,
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        keep: int = 5,
    ):
        self._run = run
        _complete_checkpoints(run / CHECKPOINTS_FOLDER)  # A damaged list must not be taken for an empty one.
        self.examples_seen = _counter(tf.int64)
        self.stage = _counter(tf.int32, -1)
        self.train_seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self._manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(
                model=model,
                generator_optimizer=generator_optimizer,
                discriminator_optimizer=discriminator_optimizer,
                examples_seen=self.examples_seen,
                stage=self.stage,
                train_seconds=self.train_seconds,
            ),
            str(run / CHECKPOINTS_FOLDER),
            max_to_keep=keep,
        )

    def restore(self) -> bool:
        """Goes back to the newest complete checkpoint; False when there is none.

        Raises:
            ValueError: When its files are damaged, or hold another model.
        """
        self._remove_unfinished()
        newest = latest_checkpoint(self._run)
        if newest is None:
            return False
        try:
            self._manager.checkpoint.restore(newest).assert_existing_objects_matched()
        except _DAMAGE as error:
            raise _damaged(newest, error) from None
        return True

    def save(self) -> str:
        """Writes a checkpoint named by the examples seen; it counts only once it is complete."""
        try:
            return self._manager.save(checkpoint_number=int(self.examples_seen.numpy()))
        except BaseException:
            self._remove_unfinished()
            raise

    def _remove_unfinished(self) -> None:
        """Deletes what a process that was killed, or a full disk, left of a checkpoint that does not count."""
        folder = self._run / CHECKPOINTS_FOLDER
        complete = [int(path.rpartition("-")[2]) for path in _complete_checkpoints(folder)]
        for path in folder.glob("ckpt-*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif complete and int(path.name.partition(".")[0].rpartition("-")[2]) > max(complete):
                path.unlink(missing_ok=True)
