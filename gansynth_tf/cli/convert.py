"""gansynth_convert: a model of Magenta's -> a run folder, from which training can go on."""

import pathlib
import shlex

from absl import flags

from gansynth_tf import build, files
from gansynth_tf.cli import entry
from gansynth_tf.hparams import parse_overrides

FLAGS = flags.FLAGS
flags.DEFINE_string("ckpt_dir", "/tmp/gansynth/acoustic_only", "Magenta's model: folder, zip, stage, or checkpoint.")
flags.DEFINE_string("output_dir", "/tmp/gansynth/converted", "The run folder to write: a new or an empty one.")
flags.DEFINE_string("hparams", "{}", "JSON object of settings for the training that goes on, such as its data.")


def main() -> None:
    """Writes the run folder and says what was read, what was left, and how to go on."""
    overrides = parse_overrides(FLAGS.hparams)
    if files.is_remote(FLAGS.output_dir):
        raise ValueError(f"--output_dir must be a folder of this machine. Received: {FLAGS.output_dir}")
    run = pathlib.Path(FLAGS.output_dir).expanduser()
    if run.exists() and (not run.is_dir() or any(run.iterdir())):
        raise ValueError(f"--output_dir must be a new or an empty folder. Received: {run}, which holds something.")
    entry.load_tensorflow()
    from gansynth_tf import build_training, magenta_folders

    if not magenta_folders.is_magenta(FLAGS.ckpt_dir):
        expected = "a model of Magenta's: a folder with stage_NNNNN folders in it, its zip, a stage, or a checkpoint"
        raise ValueError(f"--ckpt_dir must be {expected}. Received: {FLAGS.ckpt_dir}")
    model, source, leftovers = build.load_magenta(FLAGS.ckpt_dir, overrides | {"train_root_dir": str(run)})
    hparams = source.hparams
    with files.replacing_folder(run) as folder:
        build_training.write_run(folder, hparams, model, source.examples_seen, source.found.stage, source.train_seconds)
    for remark in source.remarks:
        print(remark)
    last = 2 * hparams.num_resolutions - 2
    print(
        f"Read {source.found.checkpoint.name}: stage {source.found.stage} of 0 to {last}, {model.num_blocks} of "
        f"{hparams.num_resolutions} blocks, {source.examples_seen} examples seen, {len(model.pitches)} pitches."
    )
    left = ", ".join(f"{len(names)} {kind} ({names[0]}, …)" for kind, names in leftovers.items())
    print(f"Left in it: {left or 'nothing'}. The optimizers start afresh.")
    print(f"Saved to {run}. Training goes on with")
    print(f"  gansynth_train --config={shlex.quote(str(run / 'experiment.json'))}")


def console_entry_point() -> None:
    """Entry point of the console script."""
    entry.run(main)


if __name__ == "__main__":
    console_entry_point()
