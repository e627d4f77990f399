"""gansynth_prepare: renders a run's notes into TFRecord shards before the training, and says what they are."""

import pathlib

from absl import flags

from gansynth_tf import build_data, settings
from gansynth_tf.cli import entry
from gansynth_tf.hparams import parse_overrides

FLAGS = flags.FLAGS
flags.DEFINE_string("config", "", "Preset, as for gansynth_train.")
flags.DEFINE_string("hparams", "{}", "JSON object of settings that override the preset.")
flags.DEFINE_string("soundfont", "", "SoundFont file to render the notes from (hparam soundfont_path).")
flags.DEFINE_string("output_dir", "", "Where the shards go (hparam records_dir); empty: the run's own folder.")


def main() -> None:
    """Renders once; a second call finds everything done."""
    overrides = parse_overrides(FLAGS.hparams)
    if FLAGS.soundfont:
        overrides["soundfont_path"] = str(pathlib.Path(FLAGS.soundfont).expanduser().resolve())
    if FLAGS.output_dir:
        overrides["records_dir"] = FLAGS.output_dir
    hparams = settings.resolve_hparams(FLAGS.config, overrides)
    entry.load_tensorflow()
    folder = build_data.prepare_data(hparams)

    from gansynth_tf.data import records

    manifest = records.read_manifest(folder)
    for split, facts in manifest["splits"].items():
        print(f"{split}: {facts['num_notes']} notes at {len(facts['pitches'])} pitches")
    print(f"{len(manifest['instruments'])} instruments, {len(manifest['skipped'])} notes skipped. Saved to {folder}")


def console_entry_point() -> None:
    """Entry point of the console script."""
    entry.run(main)


if __name__ == "__main__":
    console_entry_point()
