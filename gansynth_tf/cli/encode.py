"""gansynth_encode: finds the latent whose note sounds most like a recorded one."""

import pathlib

from absl import flags

from gansynth_tf import audio, build
from gansynth_tf.cli import entry

FLAGS = flags.FLAGS
flags.DEFINE_string("ckpt_dir", "/tmp/gansynth/train", "A run folder, an exported model, or 'box', our own.")
flags.DEFINE_string("output_dir", "", "Where the latent, its note and the picture go; empty: beside the recording.")
flags.DEFINE_integer("pitch", None, "MIDI pitch of the recorded note; none: measured by pyin.", 0, 127)
flags.DEFINE_integer("num_candidates", 64, "How many random latents are compared with the note.", lower_bound=1)
flags.DEFINE_integer("num_starts", 8, "How many of them, the nearest, are refined.", lower_bound=1)
flags.DEFINE_integer("num_steps", 200, "How many steps of Adam; 0: none.", lower_bound=0)
flags.DEFINE_float("learning_rate", 0.1, "Of Adam's first step, in standard deviations of z.", lower_bound=1e-6)
flags.DEFINE_integer("seed", 0, "Of the random latents.", lower_bound=0)


def main(paths: list[str]) -> None:
    """Writes the latent (JSON), its note (WAV, with a JSON file of facts) and a picture of both notes."""
    if len(paths) != 1:
        raise ValueError(f"Expected one audio file: gansynth_encode FILE.wav. Received: {' '.join(paths) or 'none'}")
    path = pathlib.Path(paths[0]).expanduser()
    if not path.is_file():
        raise ValueError(f"Expected an audio file. Received: {path}, which does not exist.")
    if FLAGS.num_starts > FLAGS.num_candidates:
        raise ValueError(f"--num_starts must be at most --num_candidates. Received: {FLAGS.num_starts}")
    entry.load_tensorflow()
    model = build.load(FLAGS.ckpt_dir)

    from gansynth_tf.exploration import encoding

    wave = encoding.cut_to_onset(audio.load_audio(path, model.sample_rate), model.sample_rate)
    pitch = _pitch(wave, model) if FLAGS.pitch is None else FLAGS.pitch
    maker = encoding.make_note_maker(model, pitch)
    wave = audio.crop_or_pad(wave, model.audio_length)
    found = _encode(maker, wave, model.latent_size)
    print(f"Distance {found.distance:.3f}; of random latents {found.random:.3f} (median)")
    _write(path, found, wave, pitch, model.sample_rate)


def _pitch(wave, model) -> int:
    """The nearest semitone to what is measured."""
    import numpy as np

    from gansynth_tf.evaluation.pitch_metrics import measure_pitch

    measured = measure_pitch(wave, model.sample_rate)
    if not np.isfinite(measured):
        raise ValueError("Expected a note with a pitch. Received silence; pass another file.")
    pitch = round(measured)
    print(f"Pitch {pitch} ({100 * (measured - pitch):+.0f} cents)")
    if pitch not in model.pitches:
        span = f"{model.pitches[0]} to {model.pitches[-1]}"
        raise ValueError(f"Expected a note of the model's pitches, {span}. Received one of pitch {pitch}.")
    return pitch


def _encode(maker, wave, latent_size: int):
    """The search, under a progress bar that shows the smallest distance."""
    from tqdm import tqdm

    from gansynth_tf.exploration import encoding

    with tqdm(total=FLAGS.num_steps, desc="encoding", unit="step") as bar:

        def step(distance: float) -> None:
            bar.set_postfix_str(f"distance {distance:.3f}", refresh=False)
            bar.update()

        return encoding.encode_note(
            maker,
            wave,
            latent_size,
            num_starts=FLAGS.num_starts,
            num_candidates=FLAGS.num_candidates,
            num_steps=FLAGS.num_steps,
            learning_rate=FLAGS.learning_rate,
            seed=FLAGS.seed,
            progress=step,
        )


def _write(path: pathlib.Path, found, wave, pitch: int, sample_rate: int) -> None:
    from gansynth_tf import plots
    from gansynth_tf.generation import instruments, sound_files
    from gansynth_tf.pitches import midi_to_hz

    output = pathlib.Path(FLAGS.output_dir).expanduser() if FLAGS.output_dir else path.parent
    name = f"{path.stem}_encoded"
    latent, picture = output / f"{name}_z.json", output / f"{name}.png"
    instruments.save_instruments(latent, {instruments.plain_name(path.stem): found.z})
    facts = {"recording": path.name, "pitch": pitch, "instruments_file": latent.name, "seed": FLAGS.seed}
    facts |= {"distance": found.distance, "random_distance": found.random, "start_distances": found.starts}
    sound = sound_files.save_note(output, name, found.wave, sample_rate, facts)
    hz = [float(midi_to_hz(pitch))] * 2
    plots.plot_notes([wave, found.wave], hz, sample_rate, picture, ["recorded", "encoded"])
    for written in (latent, sound, picture):
        print(f"Saved to {written}")


def console_entry_point() -> None:
    """Entry point of the console script."""
    entry.run(main, "FILE.wav")


if __name__ == "__main__":
    console_entry_point()
