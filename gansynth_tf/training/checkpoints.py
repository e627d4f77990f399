"""What a run keeps so that the same command goes on: one checkpoint series, and the names of a run folder's files."""

import pathlib
import shutil
import warnings

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
    """Prefix of the newest complete checkpoint of a run folder whose files are there, or None."""
    return next(iter(_newest_first(run)), None)


def _newest_first(run: pathlib.Path) -> list[str]:
    """Prefixes of the complete checkpoints whose files are there."""
    complete = reversed(_complete_checkpoints(run / CHECKPOINTS_FOLDER))
    return [path for path in complete if pathlib.Path(f"{path}.index").is_file()]


def _complete_checkpoints(folder: pathlib.Path) -> list[str]:
    """Prefixes in the order of their making; TensorFlow lists a checkpoint when it is complete.

    Where the list is damaged, all that are there count: one that is torn will not be readable.
    """
    listing = folder / "checkpoint"
    if not listing.is_file():
        return []
    try:
        state = tf.train.get_checkpoint_state(str(folder))
    except ValueError:
        state = None
    if state is None:
        found = [path.with_suffix("") for path in folder.glob("ckpt-*.index")]
        return [str(path) for path in sorted(found, key=_count)]
    paths = list(state.all_model_checkpoint_paths)
    return paths if state.model_checkpoint_path in paths else [*paths, state.model_checkpoint_path]


def _mend_listing(folder: pathlib.Path) -> None:
    """Writes a damaged list of checkpoints anew, since TensorFlow's manager will not start with it."""
    complete = _complete_checkpoints(folder)
    try:
        damaged = complete and tf.train.get_checkpoint_state(str(folder)) is None
    except ValueError:
        damaged = True
    if damaged:
        names = [pathlib.PurePath(path).name for path in complete]
        tf.compat.v1.train.update_checkpoint_state(str(folder), names[-1], all_model_checkpoint_paths=names)


def _count(path: pathlib.PurePath | str) -> int:
    """The count of examples in a checkpoint's name."""
    return int(pathlib.PurePath(path).name.partition(".")[0].partition("-")[2])


def read_newest_model(model: GANSynth, run: pathlib.Path) -> tuple[int, int, float]:
    """`read_model` of the newest checkpoint that is readable; warns of those that are not.

    Raises:
        ValueError: When there is none.
    """
    problems = []
    for checkpoint in _newest_first(run):
        try:
            found = read_model(model, checkpoint)
        except ValueError as error:
            problems.append(error)
            continue
        for problem in problems:
            warnings.warn(f"Skipped: {problem}", stacklevel=2)
        return found
    raise problems[0] if problems else ValueError(f"{run} holds no finished checkpoint yet.")


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
        "Without a readable one before it, put a copy in its place."
    )


# ---------------------------------------------------------------------------------------------------- training state


def _counter(dtype: tf.DType, value: int = 0) -> tf.Variable:
    return tf.Variable(value, dtype=dtype, trainable=False)


class TrainingState:
    """Everything training owns: networks, smoothed generator, optimizers, the clock.

    Randomness and the data's position are functions of `examples_seen` (see training/steps.py and data/pipeline.py), so
    they need no state of their own.

    Args:
        run: The run folder.
        model: What is trained.
        optimizers: By their names in the checkpoint, built on all variables.
        keep: How many checkpoints stay on disk.
    """

    def __init__(
        self,
        run: pathlib.Path,
        model: GANSynth,
        optimizers: dict[str, keras.optimizers.Optimizer],
        keep: int = 5,
    ):
        self._run = run
        self.skipped: list[str] = []  # What `restore` could not read.
        self.examples_seen = _counter(tf.int64)
        self.stage = _counter(tf.int32, -1)
        self.train_seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        _mend_listing(run / CHECKPOINTS_FOLDER)
        self._manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(
                model=model,
                **optimizers,
                examples_seen=self.examples_seen,
                stage=self.stage,
                train_seconds=self.train_seconds,
            ),
            str(run / CHECKPOINTS_FOLDER),
            max_to_keep=keep,
        )

    def restore(self) -> bool:
        """Goes back to the newest complete checkpoint that is readable; False when there is none at all.

        Those that are not readable are named in `skipped`.

        Raises:
            ValueError: When no checkpoint is readable, or they hold another model.
        """
        problems = []
        for checkpoint in _newest_first(self._run):
            try:
                self._manager.checkpoint.restore(checkpoint).assert_existing_objects_matched()
            except _DAMAGE as error:
                problems.append(_damaged(checkpoint, error))
                continue
            self.skipped = [str(problem) for problem in problems]
            return True
        if problems:
            raise problems[0]
        return False

    @property
    def newest(self) -> str | None:
        """Prefix of the newest checkpoint."""
        return latest_checkpoint(self._run)

    def is_finite(self) -> bool:
        """Whether every weight is a finite number."""
        networks = self._manager.checkpoint.model.networks
        finite = [tf.reduce_all(tf.math.is_finite(v.value)) for network in networks for v in network.weights]
        return bool(tf.reduce_all(tf.stack(finite)))

    def save(self) -> str:
        """Writes a checkpoint named by the examples seen; it counts only once it is complete."""
        try:
            return self._manager.save(checkpoint_number=int(self.examples_seen.numpy()))
        except BaseException:
            self.remove_unfinished()
            raise

    def remove_unfinished(self) -> None:
        """Deletes what a process that was killed, or a full disk, left of a checkpoint that does not count."""
        folder = self._run / CHECKPOINTS_FOLDER
        complete = [_count(path) for path in _complete_checkpoints(folder)]
        for path in folder.glob("ckpt-*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif complete and _count(path) > max(complete):
                path.unlink(missing_ok=True)
