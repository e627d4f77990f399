"""gansynth_pack: a run folder -> a packed model, a few megabytes that play, and from which a run can start."""

import pathlib

from absl import flags

from gansynth_tf import build, files, settings
from gansynth_tf.cli import entry

FLAGS = flags.FLAGS
flags.DEFINE_string("ckpt_dir", "/tmp/gansynth/train", "A run folder (train_root_dir), or a model of Magenta's.")
flags.DEFINE_string("output_dir", "/tmp/gansynth/packed", "The folder to write: a new one, or a packed model.")


def main() -> None:
    """Packs the newest checkpoint."""
    if files.is_remote(FLAGS.output_dir):
        raise ValueError(f"--output_dir must be a folder of this machine. Received: {FLAGS.output_dir}")
    entry.load_tensorflow()
    from gansynth_tf import packed
    from gansynth_tf.hparams import HParams
    from gansynth_tf.model import GANSynth

    run, output = settings.find_model(FLAGS.ckpt_dir), pathlib.Path(FLAGS.output_dir).expanduser()
    model = build.load(run)
    if not isinstance(model, GANSynth):
        raise ValueError(
            f"Expected --ckpt_dir to name a GANSynth with its critic, such as a run folder. Received: {run}, "
            f"{type(model).__name__}"
        )
    facts = build.describe_run(run)
    packed.pack(model, output, HParams().override(facts.pop("hparams")).without_files().to_dict(), facts)
    print(f"Saved to {output}: {files.folder_bytes(output) / 1e6:.1f} MB. It plays with")
    print(f"  gansynth_generate --ckpt_dir={output}")


def console_entry_point() -> None:
    """Entry point of the console script."""
    entry.run(main)


if __name__ == "__main__":
    console_entry_point()
