"""gansynth_train: trains a GANSynth; the same command goes on where it stopped."""

from __future__ import annotations

import json
import pathlib
import shlex
import sys
import typing

from absl import flags

from gansynth_tf import build, build_evaluation, build_training, settings
from gansynth_tf.cli import entry
from gansynth_tf.hparams import HParams, parse_overrides
from gansynth_tf.pitches import PitchClasses

if typing.TYPE_CHECKING:
    from gansynth_tf.model import GANSynth

FLAGS = flags.FLAGS
flags.DEFINE_string("config", "", "Preset: a name such as 'quickstart', or the path of a .py file that sets `hparams`.")
flags.DEFINE_string("hparams", "{}", "JSON object of settings that override the preset.")
flags.DEFINE_string("soundfont", "", "SoundFont file to render the notes from (hparam soundfont_path).")
flags.DEFINE_integer("seed", None, "Seed of everything random (hparam seed).")
flags.DEFINE_bool("dry_run", False, "Print the settings and the plan, and exit.")
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
    return settings.resolve_hparams(FLAGS.config, overrides)


def describe(hparams: HParams) -> str:
    """The settings and the arithmetic of a run: what `--dry_run` prints."""
    resolutions, stages = build.make_schedules(hparams)
    filters = build.make_filters(hparams)
    shape = build.make_representation(hparams).specgram_shape
    lines = [f"{name} = {json.dumps(value)}" for name, value in hparams.to_dict().items()]
    lines.append(
        f"\nA note: {hparams.audio_length} samples at {hparams.sample_rate} Hz = "
        f"{hparams.audio_length / hparams.sample_rate:g} s -> specgram {list(shape)} ({hparams.data_type})"
    )
    for stage in stages.stages:
        block = stages.num_blocks(stage)
        time, freq = resolutions.resolution(block)
        start, end, batch = stages.stage_start(stage), stages.stage_end(stage), stages.batch_size(stage)
        kind = "fade to" if hparams.train_progressive and stages.is_transition(stage) else "train at"
        lines.append(
            f"Stage {stages.stages.index(stage) + 1} of {len(stages.stages)}: {kind} {time} x {freq}, "
            f"{filters[block]} filters, examples {start} to {end} in batches of {batch} = "
            f"{-(-(end - start) // batch)} updates"
        )
    if hparams.train_time_limit is not None:
        lines.append(f"The run is given {hparams.train_time_limit:g} s, divided over these stages.")
    pitches = PitchClasses.from_pitches(range(hparams.min_pitch, hparams.max_pitch + 1))
    model = build.make_model(hparams, pitches)
    sizes = [model.generator.count_params(), model.discriminator.count_params()]
    lines.append(
        f"Parameters with all {pitches.num_classes} pitches: generator {sizes[0]:,}, discriminator {sizes[1]:,}"
    )
    return "\n".join(lines)


def main() -> int:
    """Trains; 0 at the end and after a stop, 1 when the losses diverged."""
    hparams = settings_from_flags()
    entry.load_tensorflow()
    if FLAGS.dry_run:
        print(describe(hparams))
        return 0
    from gansynth_tf.snapshots import SnapshotWriter
    from gansynth_tf.training import strategy
    from gansynth_tf.training.checkpoints import SAMPLES_FOLDER
    from gansynth_tf.training.reporting import TrainingDiverged

    run = pathlib.Path(hparams.train_root_dir)
    stop = entry.StopSignal()
    score = build_evaluation.SnapshotScorer(hparams)
    snapshots = SnapshotWriter(run / SAMPLES_FOLDER, hparams.fake_batch_size, hparams.seed, run)

    def on_snapshot(model: GANSynth, examples: int, seconds: float) -> dict[str, float]:
        snapshots.write(model, examples, seconds)
        return score(model)

    try:
        loop = build_training.make_training(hparams, strategy.make_strategy(FLAGS.strategy), on_snapshot, stop)
    except KeyboardInterrupt:
        print(f"Stopped before the training. The same command starts it:\n  {_own_command()}")
        return 0
    stop.wait_for_the_loop()
    try:
        finished = loop.run()
    except TrainingDiverged as error:
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
