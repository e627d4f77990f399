"""gansynth_generate: random notes, or a MIDI file played by random instruments, as WAV files."""

import pathlib

from absl import flags

from gansynth_tf import build
from gansynth_tf.cli import entry

FLAGS = flags.FLAGS
flags.DEFINE_string("ckpt_dir", "/tmp/gansynth/acoustic_only", "A run folder (train_root_dir) or an exported model.")
flags.DEFINE_string("output_dir", "/tmp/gansynth/samples", "Where the WAV files go.")
flags.DEFINE_string("midi_file", "", "Play this MIDI file; empty: random notes.")
flags.DEFINE_integer("batch_size", 8, "How many random notes.", lower_bound=1)
flags.DEFINE_float("secs_per_instrument", 6.0, "Seconds from one random instrument to the next in a MIDI file.")
flags.DEFINE_integer("seed", None, "The same seed gives the same sound; none: a new one each time.", lower_bound=0)
flags.DEFINE_string("tfds_data_dir", "", "Accepted for Magenta's command lines; generating needs no data set.")


def main() -> None:
    """Writes WAV files, each with a JSON file beside it, and the latents they were made from."""
    import numpy as np

    seed = int(np.random.default_rng().integers(2**31)) if FLAGS.seed is None else FLAGS.seed
    music = None
    if FLAGS.midi_file:
        from gansynth_tf.generation import midi

        music = midi.read_midi(FLAGS.midi_file)
    entry.load_tensorflow()
    model = build.load(pathlib.Path(FLAGS.ckpt_dir))
    output = pathlib.Path(FLAGS.output_dir).expanduser()
    if music is None:
        _write_notes(model, output, seed)
    else:
        _write_clip(model, output, seed, music)


def _write_notes(model, output: pathlib.Path, seed: int) -> None:
    from gansynth_tf.generation import synthesis

    z = model.sample_z(FLAGS.batch_size, seed)
    pitches = synthesis.random_pitches(model, FLAGS.batch_size, seed)
    waves = synthesis.render_notes(model, z, pitches)
    z_file = output / "generated_z.npy"
    synthesis.save_latents(z_file, z)
    for index, (wave, pitch) in enumerate(zip(waves, pitches, strict=True)):
        facts = {"pitch": int(pitch), "velocity": 127, "seed": seed, "z_file": z_file.name, "z_row": index}
        path = synthesis.save_note(output, f"generated_{index}", wave, model.sample_rate, facts)
        print(f"Saved to {path}")


def _write_clip(model, output: pathlib.Path, seed: int, music) -> None:
    from gansynth_tf.generation import synthesis

    clip = synthesis.render_midi(model, music, FLAGS.secs_per_instrument, seed)
    z_file = output / "generated_clip_z.npy"
    synthesis.save_latents(z_file, clip.instruments)
    facts = {
        "midi_file": FLAGS.midi_file, "pitch": music.pitches, "velocity": music.velocities, "seed": seed,
        "z_file": z_file.name, "secs_per_instrument": FLAGS.secs_per_instrument, "num_folded": clip.num_folded,
        "num_shortened": clip.num_shortened, "num_drums_skipped": music.num_drums, "gain": clip.gain,
    }  # fmt: skip
    path = synthesis.save_note(output, "generated_clip", clip.wave, model.sample_rate, facts)
    changes = {
        "moved by octaves into the model's range": clip.num_folded,
        "longer than the model's notes and cut": clip.num_shortened,
        "of drums skipped": music.num_drums,
    }
    for what, count in changes.items():
        if count:
            print(f"{count} notes {what}")
    print(f"Saved to {path}")


def console_entry_point() -> None:
    """Entry point of the console script."""
    entry.run(main)


if __name__ == "__main__":
    console_entry_point()
