"""gansynth_train: trains a GANSynth; the same command goes on where it stopped."""

from __future__ import annotations

import os
import pathlib
import shlex
import sys
import typing

from absl import flags

from gansynth_tf import build, build_evaluation, build_training, files, settings
from gansynth_tf.cli import entry, plan
from gansynth_tf.hparams import HParams, parse_overrides

if typing.TYPE_CHECKING:
    import tensorflow as tf

    from gansynth_tf.model import GANSynth

FLAGS = flags.FLAGS
flags.DEFINE_string("config", "", "Preset: a name such as 'quickstart', or the path of a .py file that sets `hparams`.")
flags.DEFINE_string("hparams", "{}", "JSON object of settings that override the preset.")
flags.DEFINE_string("soundfont", "", "SoundFont file to render the notes from (hparam soundfont_path).")
flags.DEFINE_string(
    "init_from",
    "",
    "Start from the weights of this model: a run folder, a packed model, one of Magenta's, or 'box', the one that "
    "comes with the package (hparam init_from); without --config its settings hold, too, but for notes, files and "
    "length.",
)
flags.DEFINE_integer("seed", None, "Seed of everything random (hparam seed).")
flags.DEFINE_bool("dry_run", False, "Print the settings and the plan, and exit.")
flags.DEFINE_bool(
    "deterministic", False, "Make the weights the same bit for bit in every run on one device, at some cost in speed."
)
flags.DEFINE_enum(
    "strategy", "auto", ["auto", "one_device", "mirrored", "multi_worker", "tpu"], "How tf.distribute spreads the work."
)


def settings_from_flags() -> HParams:
    """The run's settings, by precedence (see hparams.py)."""
    overrides = parse_overrides(FLAGS.hparams)
    if FLAGS.soundfont:
        overrides["soundfont_path"] = str(pathlib.Path(FLAGS.soundfont).expanduser().resolve())
    if FLAGS.seed is not None:
        overrides["seed"] = FLAGS.seed
    if FLAGS.init_from:
        source = settings.find_model(FLAGS.init_from).resolve()
        inherited = {} if FLAGS.config else build.inherited_settings(source, overrides.get("train_root_dir", ""))
        overrides = {"train_progressive": False} | inherited | overrides | {"init_from": str(source)}
    return settings.resolve_hparams(FLAGS.config, overrides)


def main() -> int:
    """Trains; 0 at the end and after a stop, 1 when the losses diverged or another worker is gone."""
    hparams = settings_from_flags()
    entry.load_tensorflow(open_devices=not os.environ.get("TF_CONFIG"))
    if FLAGS.dry_run:
        print(plan.describe(hparams))
        return 0
    if FLAGS.deterministic:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        # Grappler rewrites sums in an order that differs from process to process: same numbers, other rounding.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    from gansynth_tf.training import strategy
    from gansynth_tf.training.cluster import Cluster

    chosen, run = strategy.make_strategy(FLAGS.strategy), pathlib.Path(hparams.train_root_dir)
    if not Cluster(chosen).is_chief:
        return _train(hparams, chosen)
    with files.locked(run, "training in"):
        return _train(hparams, chosen)


def _train(hparams: HParams, strategy: tf.distribute.Strategy) -> int:
    from gansynth_tf.snapshots import SnapshotWriter
    from gansynth_tf.training.checkpoints import SAMPLES_FOLDER
    from gansynth_tf.training.cluster import WorkerLost
    from gansynth_tf.training.reporting import TrainingDiverged

    run = pathlib.Path(hparams.train_root_dir)
    if missing := plan.what_is_missing(hparams):
        print(missing)
    stop = entry.StopSignal()
    score = build_evaluation.SnapshotScorer(hparams)
    snapshots = SnapshotWriter(run / SAMPLES_FOLDER, hparams.fake_batch_size, hparams.seed, run)

    def on_snapshot(model: GANSynth, examples: int, seconds: float) -> dict[str, float]:
        snapshots.write(model, examples, seconds)
        return score(model)

    try:
        loop = build_training.make_training(hparams, strategy, on_snapshot, stop)
    except KeyboardInterrupt:
        print(f"Stopped before the training. The same command starts it:\n  {_own_command()}")
        return 0
    loop.updates.times_data = not FLAGS.deterministic
    stop.wait_for_the_loop()
    try:
        finished = loop.run()
    except (TrainingDiverged, WorkerLost) as error:
        print(f"gansynth_train: {error}", file=sys.stderr)
        return 1
    finally:
        loop.reporter.close()
    if finished:
        print(f"Finished at {loop.examples} examples. Model and samples: {hparams.train_root_dir}")
    else:
        print(
            f"Stopped at {loop.examples} examples; everything is saved. The same command goes on:\n  {_own_command()}"
        )
    return 0


def _own_command() -> str:
    return shlex.join(["gansynth_train", *sys.argv[1:]])


def console_entry_point() -> None:
    """Entry point of the console script."""
    entry.run(main)


if __name__ == "__main__":
    console_entry_point()
