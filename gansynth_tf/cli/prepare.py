"""gansynth_prepare: makes a run's notes before the training, into TFRecord shards, and says what they are."""

import pathlib

from absl import flags

from gansynth_tf import build_data, settings
from gansynth_tf.cli import entry
from gansynth_tf.hparams import parse_overrides

FLAGS = flags.FLAGS
flags.DEFINE_string("config", "", "Preset, as for gansynth_train.")
flags.DEFINE_string("hparams", "{}", "JSON object of settings that override the preset.")
flags.DEFINE_string("source", "", "Where the notes come from: folder, soundfont, nsynth_tfds, … (hparam dataset_name).")
flags.DEFINE_string("data_path", "", "Folder of audio, or NSynth's official TFRecords (hparam data_path).")
flags.DEFINE_string("soundfont", "", "SoundFont file to render the notes from (hparam soundfont_path).")
flags.DEFINE_string("output_dir", "", "Where the shards go (hparam records_dir); empty: the run's own folder.")
flags.DEFINE_bool("detect_pitch", None, "Measure the pitch of files that nothing else says (hparam detect_pitch).")
flags.DEFINE_bool("trim_silence", None, "Begin files at their sound (hparam trim_silence).")
flags.DEFINE_list(
    "beam_options", [], "Prepare a folder by Apache Beam with these options of its own, as --runner=DirectRunner."
)


def _overrides() -> dict:
    overrides = parse_overrides(FLAGS.hparams)
    if FLAGS.soundfont:
        overrides["soundfont_path"] = str(pathlib.Path(FLAGS.soundfont).expanduser().resolve())
    if FLAGS.output_dir:
        overrides["records_dir"] = FLAGS.output_dir
        if not FLAGS.config:
            overrides.setdefault("train_root_dir", FLAGS.output_dir)  # No run: only its notes.
    named = {"dataset_name": FLAGS.source, "data_path": FLAGS.data_path}
    overrides |= {name: value for name, value in named.items() if value}
    chosen = {"detect_pitch": FLAGS.detect_pitch, "trim_silence": FLAGS.trim_silence}
    return overrides | {name: value for name, value in chosen.items() if value is not None}


def main() -> None:
    """Prepares once; a second call finds everything done."""
    hparams = settings.resolve_hparams(FLAGS.config, _overrides())
    entry.load_tensorflow()
    if FLAGS.beam_options:
        folder = build_data.prepare_with_beam(hparams, FLAGS.beam_options)
    else:
        folder = build_data.prepare_data(hparams)
    print(build_data.report_data(folder))


def console_entry_point() -> None:
    """Entry point of the console script."""
    entry.run(main)


if __name__ == "__main__":
    console_entry_point()
