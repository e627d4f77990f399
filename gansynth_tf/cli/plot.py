"""gansynth_plot: pictures of a run, of an exported model, of audio files or of folders of them."""

import pathlib

from absl import flags

from gansynth_tf import audio, build, build_data, magenta_folders, settings
from gansynth_tf.cli import entry

FLAGS = flags.FLAGS
flags.DEFINE_string("ckpt_dir", "/tmp/gansynth/train", "A run folder, an export, or 'box'; drawn if no PATH is given.")
flags.DEFINE_string("output_dir", "", "Where pictures go; empty: a model's folder `plots`, or beside the audio files.")
flags.DEFINE_enum("format", "png", ["png", "svg"], "Of the pictures.")
flags.DEFINE_integer("seed", 0, "Of a model's latents.", lower_bound=0)
flags.DEFINE_float("pitch", None, "MIDI pitch of the notes in audio files; none: measured by pyin.", 0, 127)
_ROWS, _COLUMNS, _STEPS = 4, 5, 7
_NOTES_PER_PICTURE = 8
_MOST_SAMPLES = 2**27  # Of training notes that are looked through, half a gibibyte.
_AUDIO_RATE = 16000  # Rainbowgrams end at 4.2 kHz.
_AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")


def main(paths: list[str]) -> None:
    """Draws every path as what it is."""
    for path in map(settings.find_model, paths or [FLAGS.ckpt_dir]):
        files = _audio_files(path)
        if files:
            _draw_audio(path, files)
        else:
            _draw_model(path)


def _audio_files(path: pathlib.Path) -> list[pathlib.Path]:
    """A file itself, or the audio files in a folder that holds no model."""
    if path.is_file():
        return [path]
    if not path.is_dir() or any((path / name).is_file() for name in ("experiment.json", "gansynth.json")):
        return []
    return sorted(file for file in path.iterdir() if file.suffix.lower() in _AUDIO_SUFFIXES)


def _draw_audio(path: pathlib.Path, files: list[pathlib.Path]) -> None:
    """One picture of a file, as many as it needs of a folder."""
    import numpy as np

    from gansynth_tf import plots
    from gansynth_tf.evaluation.pitch_metrics import measure_pitch
    from gansynth_tf.pitches import midi_to_hz

    output = pathlib.Path(FLAGS.output_dir).expanduser() if FLAGS.output_dir else files[0].parent
    for start in range(0, len(files), _NOTES_PER_PICTURE):
        shown = files[start : start + _NOTES_PER_PICTURE]
        waves = [audio.load_audio(file, _AUDIO_RATE) for file in shown]
        known = FLAGS.pitch is not None
        midi = [FLAGS.pitch if known else measure_pitch(wave, _AUDIO_RATE) for wave in waves]
        hz = [float(midi_to_hz(pitch)) if np.isfinite(pitch) else None for pitch in midi]
        picture = output / f"{path.stem if path.is_file() else f'notes_{start:03d}'}.{FLAGS.format}"
        plots.plot_notes(waves, hz, _AUDIO_RATE, picture, [file.stem for file in shown])
        print(f"Saved to {picture}")


# ---------------------------------------------------------------------------------------------------- a model


def _draw_model(path: pathlib.Path) -> None:
    """Training curves, generated and real notes, notes between two latents, waveforms folded modulo their period."""
    entry.load_tensorflow()
    model = build.load(path)

    import numpy as np

    from gansynth_tf import latents, plots
    from gansynth_tf.pitches import midi_to_hz

    output = pathlib.Path(FLAGS.output_dir).expanduser() if FLAGS.output_dir else settings.folder_for(path, "plots")

    def draw(name, plot, *arguments, **titles):
        plot(*arguments, output / f"{name}.{FLAGS.format}", **titles)
        print(f"Saved to {output / name}.{FLAGS.format}")

    if (path / "metrics.jsonl").is_file():
        draw("training", plots.plot_training_curves, path / "metrics.jsonl")
    rate = model.sample_rate
    places = np.linspace(0, len(model.pitches) - 1, _COLUMNS).round().astype(int)
    pitches = np.array(model.pitches)[places]
    titles = [f"pitch {pitch}" for pitch in pitches]
    z = model.sample_z(_ROWS, FLAGS.seed)
    waves = model.generate(np.repeat(z, _COLUMNS, axis=0), np.tile(pitches, _ROWS)).reshape(_ROWS, _COLUMNS, -1)
    draw("generated", plots.plot_note_grid, waves, rate, column_titles=titles)
    path_z = np.concatenate([latents.interpolation_path(z[row : row + 2], _STEPS) for row in range(_ROWS - 1)])
    between = model.generate(path_z, np.full(len(path_z), pitches[_COLUMNS // 2])).reshape(_ROWS - 1, _STEPS, -1)
    positions = [f"{position:.2f}" for position in np.linspace(0, 1, _STEPS)]
    pairs = [f"z {row} to z {row + 1}" for row in range(_ROWS - 1)]
    draw("interpolation", plots.plot_note_grid, between, rate, row_titles=pairs, column_titles=positions)
    real = _real_notes(path, pitches)
    if real is not None:
        draw("real", plots.plot_note_grid, real, rate, column_titles=titles)
    folded = {"generated": waves[:2]} | ({} if real is None else {"real": real[:2]})
    rows = [f"{name} {row}" for name in folded for row in range(2)]
    both = np.concatenate(list(folded.values()))
    draw("folded", plots.plot_folded, both, midi_to_hz(pitches), rate, row_titles=rows, column_titles=titles)


def _real_notes(path: pathlib.Path, pitches):
    """Training notes of these pitches, [rows, columns, samples]; None when the model has come without them."""
    import numpy as np

    from gansynth_tf import packed

    if not (path / "experiment.json").is_file() or magenta_folders.is_magenta(path) or packed.is_packed(path):
        return None
    hparams = settings.read_experiment(path / "experiment.json").override({"train_root_dir": str(path)})
    try:
        real = build_data.load_real_notes(hparams, limit=_MOST_SAMPLES // hparams.audio_length)
    except (ValueError, OSError, RuntimeError) as error:  # RuntimeError: tensorflow-datasets, without a network.
        print(f"No real notes are drawn: {str(error).splitlines()[0]}")
        return None
    drawn = np.zeros([_ROWS, len(pitches), hparams.audio_length], np.float32)
    for column, pitch in enumerate(pitches):
        found = real["audio"][real["pitch"] == pitch][:_ROWS]
        drawn[: len(found), column] = found
    return drawn


def console_entry_point() -> None:
    """Entry point of the console script."""
    entry.run(main, "[PATH ...]")


if __name__ == "__main__":
    console_entry_point()
