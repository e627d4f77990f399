"""gansynth_export: a run folder -> a SavedModel that needs only TensorFlow, or a TFLite file."""

import pathlib

from absl import flags

from gansynth_tf import build, settings
from gansynth_tf.cli import entry

FLAGS = flags.FLAGS
flags.DEFINE_string("ckpt_dir", "/tmp/gansynth/train", "A run folder (train_root_dir), or 'box', our own.")
flags.DEFINE_string(
    "export_dir", "/tmp/gansynth/export", "Where versions 1, 2, … of the exported model go; the next number is written."
)
flags.DEFINE_multi_enum(
    "format", ["saved_model"], ["saved_model", "tflite"], "What a version holds; give the flag twice for both."
)


def main() -> None:
    """Exports the smoothed generator with the inverse transform inside."""
    entry.load_tensorflow()
    from gansynth_tf import export

    run = settings.find_model(FLAGS.ckpt_dir)
    if export.find_export(run):
        raise ValueError(f"--ckpt_dir must be a run folder. Received: {run}, which is an export already.")
    export.check_place(FLAGS.export_dir)
    model = build.load(run)
    facts = build.describe_run(run) | _sliders(run, model)
    folder = export.export_model(model, FLAGS.export_dir, facts, FLAGS.format)
    seconds = model.audio_length / model.sample_rate
    print(f"Saved to {folder}: z [batch, {model.latent_size}] and pitch [batch] -> {seconds:g} s of audio")


def _sliders(run: pathlib.Path, model) -> dict:
    """The run's sliders for gansynth.json, where they belong to these weights."""
    from gansynth_tf.exploration import directions, sliders

    path = run / sliders.SLIDERS_FILE
    if not path.is_file():
        return {}
    found, fingerprint = sliders.load_sliders(path, model.latent_size)
    if fingerprint != directions.weights_fingerprint(model):
        print(f"{path} was found before the model's last training, and is left out; gansynth_explore finds new sliders")
        return {}
    return sliders.to_json(found, fingerprint)


def console_entry_point() -> None:
    """Entry point of the console script."""
    entry.run(main)


if __name__ == "__main__":
    console_entry_point()
