"""gansynth_export: a run folder -> a SavedModel that needs only TensorFlow."""

import pathlib

from absl import flags

from gansynth_tf import build
from gansynth_tf.cli import entry

FLAGS = flags.FLAGS
flags.DEFINE_string("ckpt_dir", "/tmp/gansynth/train", "A run folder (train_root_dir).")
flags.DEFINE_string(
    "export_dir", "/tmp/gansynth/export", "Where the SavedModel goes: a new folder or an earlier export."
)


def main() -> None:
    """Exports the smoothed generator with the inverse transform inside."""
    entry.load_tensorflow()
    from gansynth_tf import export

    if export.is_export(FLAGS.ckpt_dir):
        raise ValueError(f"--ckpt_dir must be a run folder. Received: {FLAGS.ckpt_dir}, which is an export already.")
    model = build.load(pathlib.Path(FLAGS.ckpt_dir))
    description = export.export_model(model, FLAGS.export_dir)
    seconds = description["audio_length"] / description["sample_rate"]
    inputs = f"z [batch, {description['latent_size']}] and pitch [batch]"
    print(f"Saved to {FLAGS.export_dir}: {inputs} -> {seconds:g} s of audio")


def console_entry_point() -> None:
    """Entry point of the console script."""
    entry.run(main)


if __name__ == "__main__":
    console_entry_point()
