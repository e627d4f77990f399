"""gansynth_generate: notes, walks between instruments, or a MIDI file played by them, as sound files."""

import pathlib

from absl import flags

from gansynth_tf import build
from gansynth_tf.cli import entry

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "ckpt_dir", "", "A run folder (train_root_dir), an exported or a packed model; empty: the one that comes with this."
)
flags.DEFINE_string("output_dir", "/tmp/gansynth/samples", "Where the sound files go.")
flags.DEFINE_string("tfds_data_dir", "", "Accepted for Magenta's command lines; generating needs no data set.")
flags.DEFINE_integer("seed", None, "The same seed gives the same bytes; none: new sounds each time.", lower_bound=0)

# What is played.
flags.DEFINE_integer(
    "batch_size", 8, "How many random notes; also how many notes are in memory at once, at most.", lower_bound=1
)
flags.DEFINE_integer("num_notes", None, "How many notes, whatever --batch_size says.", lower_bound=1)
flags.DEFINE_list("pitch", [], "Pitches: 60, C4, 48-60 or all; several with commas. Empty: random ones.")
flags.DEFINE_list("interpolate", [], "Walk through these instruments, as A,B or A B: names, or numbers of random ones.")
flags.DEFINE_integer("steps", 7, "Instruments on the walk, both ends included.", lower_bound=2)

# The instruments.
flags.DEFINE_string("z_file", "", "Instruments (.json, .npz, .npy) to play; empty: random ones, called 0, 1, ...")
flags.DEFINE_list("instrument", [], "Which of them: NAME or 0.7*NAME+0.3*NAME; several with commas. Empty: all.")
flags.DEFINE_string("save_z", "", "Add the instruments that played to this file (.json or .npz).")
flags.DEFINE_list("save_names", [], "Their names there, one for each; empty: as they are called.")
flags.DEFINE_float("truncation", 1.0, "Below 1, instruments are nearer to the average one: more typical, more alike.")

# Music.
flags.DEFINE_string("midi_file", "", "Play this MIDI file; empty: notes.")
flags.DEFINE_bool("tune", False, "Play a prelude by Bach; its MIDI file, tune.mid, is kept beside the sound.")
flags.DEFINE_float("secs_per_instrument", 6.0, "Seconds from one instrument to the next in a MIDI file.")
flags.DEFINE_enum(
    "tracks", "morph", ["morph", "own"], "Tracks pass through the instruments together, or each has its own."
)
flags.DEFINE_enum("long_notes", "cut", ["cut", "loop"], "What becomes of notes longer than the model's.")

# The files.
flags.DEFINE_enum("format", "wav", ["wav", "flac"], "Of the sound files.")
flags.DEFINE_enum("bit_depth", "", ["", "float", "16", "24"], "Empty: float for WAV, 24 for FLAC.")
flags.DEFINE_integer("sample_rate", None, "Of the files, in Hz; none: the model's.")
flags.DEFINE_enum("normalize", "none", ["none", "peak", "loudness"], "What each sound is brought to.")
flags.DEFINE_float("loudness", -23.0, "LUFS that --normalize=loudness brings a sound to.")

_GRID_COLUMNS, _GRID_ROWS = 9, 6  # More would not fit on a screen.


def main(given: list[str]) -> None:
    """Writes sound files, each with a JSON file beside it, and the latents they were made from.

    Args:
        given: What was given beside the flags: the rest of --interpolate's instruments.
    """
    import numpy as np

    from gansynth_tf.generation import midi, sound_files, tune

    if given and not FLAGS.interpolate:
        raise ValueError(f"Expected flags only. Received: {' '.join(given)} (--help lists the flags)")
    FLAGS.interpolate = [*FLAGS.interpolate, *given]
    if FLAGS.tune and FLAGS.midi_file:
        raise ValueError("Expected --tune or --midi_file. Received both; drop one")
    if (FLAGS.tune or FLAGS.midi_file) and (FLAGS.interpolate or FLAGS.pitch or FLAGS.num_notes):
        raise ValueError(
            "Expected --tune or --midi_file alone, or --pitch, --num_notes, --interpolate. Received both; drop some"
        )
    if "://" in FLAGS.output_dir:
        raise ValueError(f"Expected --output_dir to be a folder of this machine. Received: {FLAGS.output_dir}")
    sound_format = sound_files.SoundFormat(
        FLAGS.format, FLAGS.bit_depth, FLAGS.sample_rate, FLAGS.normalize, FLAGS.loudness
    )
    output = pathlib.Path(FLAGS.output_dir).expanduser()
    if FLAGS.tune:
        FLAGS.midi_file = str(output / "tune.mid")
        tune.write_tune(FLAGS.midi_file)
    music = midi.read_midi(FLAGS.midi_file) if FLAGS.midi_file else None
    seed = int(np.random.default_rng().integers(2**31)) if FLAGS.seed is None else FLAGS.seed
    entry.load_tensorflow()
    model = build.load(FLAGS.ckpt_dir)
    if music is not None:
        _write_clip(model, output, seed, sound_format, music)
    elif FLAGS.interpolate:
        _write_walk(model, output, seed, sound_format)
    else:
        _write_notes(model, output, seed, sound_format)


def _ensemble(model, seed: int, num: int, wanted: list[str]):
    """The instruments asked for; without --z_file they are random ones, the first `num` if none is asked for."""
    from gansynth_tf.generation import instruments, writing
    from gansynth_tf.latents import truncate

    if FLAGS.z_file:
        pool = instruments.load_instruments(FLAGS.z_file, model.latent_size)
    else:
        asked = [name for text in wanted for _, name in instruments.shares(text)]
        num = max([num, *(int(name) + 1 for name in asked if name.isdecimal())])
        pool = {str(row): z for row, z in enumerate(model.sample_z(num, seed))}
    names = wanted or list(pool)
    z = truncate(instruments.choose(pool, names), FLAGS.truncation)
    facts = {"seed": seed, "truncation": FLAGS.truncation}
    return writing.Ensemble(names, z, facts | ({"instruments_file": FLAGS.z_file} if FLAGS.z_file else {}))


def _write_notes(model, output: pathlib.Path, seed: int, sound_format):
    from gansynth_tf.generation import notes, writing

    pitches = notes.parse_pitches(FLAGS.pitch, model.pitches)
    each = max(len(pitches), 1)  # Notes of an instrument: every pitch that is asked for, or one at random.
    num_random = -(-FLAGS.num_notes // each) if FLAGS.num_notes else max(FLAGS.batch_size // each, 1)
    ensemble = _ensemble(model, seed, num_random, FLAGS.instrument)
    instruments, places = notes.pair_notes(len(ensemble.z), each, FLAGS.num_notes)
    _keep(ensemble, seed)
    pitches = pitches[places] if len(pitches) else notes.random_pitches(model, len(places), seed)
    files = writing.write_notes(model, output, ensemble, instruments, pitches, sound_format, FLAGS.batch_size)
    for _, path, _ in files:
        print(f"Saved to {path}")


def _write_walk(model, output: pathlib.Path, seed: int, sound_format):
    import numpy as np

    from gansynth_tf import plots
    from gansynth_tf.generation import notes, writing
    from gansynth_tf.latents import interpolation_path

    if len(FLAGS.interpolate) < 2:
        raise ValueError(f"Expected --interpolate=A,B or more. Received: {','.join(FLAGS.interpolate)}")
    corners = _ensemble(model, seed, 0, FLAGS.interpolate)
    route, steps = " to ".join(corners.names), FLAGS.steps
    ensemble = writing.Ensemble(
        [f"{route}, step {step}" for step in range(steps)], interpolation_path(corners.z, steps), corners.facts
    )
    pitches = notes.parse_pitches(FLAGS.pitch or [str(model.pitches[len(model.pitches) // 2])], model.pitches)
    _keep(ensemble, seed)
    columns = np.unique(np.linspace(0, steps - 1, min(steps, _GRID_COLUMNS)).round().astype(int))
    grid = np.zeros([min(len(pitches), _GRID_ROWS), len(columns), model.audio_length], np.float32)
    files = writing.write_notes(
        model, output, ensemble, np.tile(np.arange(steps), len(pitches)), np.repeat(pitches, steps), sound_format,
        FLAGS.batch_size, "interpolation",
    )  # fmt: skip
    for index, path, wave in files:
        if index % steps in columns and index // steps < len(grid):
            grid[index // steps, np.searchsorted(columns, index % steps)] = wave
        print(f"Saved to {path}")
    picture = output / "interpolation.png"
    rows = [f"pitch {pitch}" for pitch in pitches[: len(grid)]]
    plots.plot_note_grid(grid, model.sample_rate, picture, rows, [f"step {step}" for step in columns])
    print(f"Saved to {picture}")


def _write_clip(model, output: pathlib.Path, seed: int, sound_format, music):
    import tqdm

    from gansynth_tf.generation import writing

    performance = writing.Performance(FLAGS.tracks == "own", FLAGS.secs_per_instrument, FLAGS.long_notes == "loop")
    ensemble = _ensemble(model, seed, performance.num_instruments(music), FLAGS.instrument)
    _keep(ensemble, seed)
    path, facts = writing.write_clip(
        model, output, writing.Ensemble(ensemble.names, ensemble.z, {"midi_file": FLAGS.midi_file, **ensemble.facts}),
        music, performance, sound_format, FLAGS.batch_size,
        lambda blocks, total: tqdm.tqdm(blocks, "rendering", total, unit="block", disable=None),
    )  # fmt: skip
    changes = {
        "num_folded": "moved by octaves into the model's range",
        "num_long": "longer than the model's notes and " + ("looped" if performance.loop else "cut"),
        "num_drums_skipped": "of drums skipped",
        "num_unreleased": "without an end, held to the end of their track",
    }
    for name, what in changes.items():
        if facts[name]:
            print(f"{facts[name]} notes {what}")
    if facts["num_bends"]:
        print(f"{facts['num_bends']} pitch bends skipped")
    for part, name in facts.get("parts", {}).items():
        print(f"{part}: instrument {name}")
    print(f"Saved to {path}")


def _keep(ensemble, seed: int) -> None:
    """Adds the instruments to the file of --save_z, if one is named."""
    if not FLAGS.save_z:
        return
    from gansynth_tf.generation import instruments

    prefix = "" if FLAGS.z_file else f"seed{seed}_"
    names = [name.strip() for name in FLAGS.save_names]
    names = names or [instruments.plain_name(prefix + name) for name in ensemble.names]
    if len(names) != len(ensemble.names):
        raise ValueError(f"Expected {len(ensemble.names)} --save_names. Received: {len(names)}")
    path = pathlib.Path(FLAGS.save_z).expanduser()
    kept = instruments.load_instruments(path, ensemble.z.shape[1]) if path.exists() else {}
    for name in sorted(kept.keys() & set(names)):
        print(f"Replaced the instrument {name}")
    instruments.save_instruments(path, kept | dict(zip(names, ensemble.z, strict=True)))
    print(f"Saved {len(names)} instruments to {path}, which has {len(kept.keys() | set(names))}")


def console_entry_point() -> None:
    """Entry point of the console script."""
    entry.run(main, "[B ...]")


if __name__ == "__main__":
    console_entry_point()
