"""gansynth_autoencode: recorded notes through an autoencoder: their codes, what is heard of them, what lies between."""

import pathlib

from absl import flags

from gansynth_tf import audio, build
from gansynth_tf.cli import entry

FLAGS = flags.FLAGS
flags.DEFINE_string("ckpt_dir", "/tmp/gansynth/train", "A run folder (train_root_dir) of an autoencoder.")
flags.DEFINE_list("notes", [], "Audio files of single notes, encoded and decoded again.")
flags.DEFINE_string("codes", "", "Instead of --notes: codes to decode (.json, .npz, .npy); this command writes some.")
flags.DEFINE_list("pitches", [], "MIDI pitch of each note; one for all; none: the model's lowest, where it is told.")
flags.DEFINE_integer("steps", 0, "With two notes or codes: also decode so many steps between them.", lower_bound=0)
flags.DEFINE_string("output_dir", "/tmp/gansynth/autoencoded", "Where codes.npy and the WAV files go.")


def main() -> None:
    """Writes codes.npz, a WAV file for each code, and those in between."""
    if bool(FLAGS.notes) == bool(FLAGS.codes):
        raise ValueError("Expected either --notes=a.wav,b.wav or --codes=codes.npz.")
    pitches = _parse_pitches()
    entry.load_tensorflow()
    import numpy as np

    from gansynth_tf.baselines.autoencoder import Autoencoder
    from gansynth_tf.generation import instruments

    model = build.load(pathlib.Path(FLAGS.ckpt_dir))
    if not isinstance(model, Autoencoder):
        raise ValueError(f"Expected the run folder of an autoencoder. Received: {FLAGS.ckpt_dir}, of a {model.name}.")
    codes = _codes(model)
    if FLAGS.steps and len(codes) != 2:
        raise ValueError(f"--steps expects two notes or codes to go between. Received: {len(codes)}")
    ends, pitches = np.stack(list(codes.values())), np.resize(pitches or model.pitches[:1], len(codes))
    output = pathlib.Path(FLAGS.output_dir).expanduser()
    output.mkdir(parents=True, exist_ok=True)
    instruments.save_instruments(output / "codes.npz", codes)
    _write(model, ends, pitches, output, list(codes))
    if FLAGS.steps:
        shares = np.linspace(0, 1, FLAGS.steps + 2)[1:-1, None]
        nearer = pitches[(shares[:, 0] >= 0.5).astype(int)]
        names = [f"between_{number:02d}" for number in range(1, FLAGS.steps + 1)]
        _write(model, (1 - shares) * ends[0] + shares * ends[1], nearer, output, names)
    print(f"Saved to {output}")


def _parse_pitches() -> list[int]:
    try:
        return [int(pitch) for pitch in FLAGS.pitches]
    except ValueError:
        raise ValueError(f"--pitches must be MIDI numbers such as 60,64. Received: {','.join(FLAGS.pitches)}") from None


def _codes(model) -> dict:
    """Of the files, or as they were saved; [latent] by name."""
    import numpy as np

    from gansynth_tf.generation import instruments

    if FLAGS.codes:
        return instruments.load_instruments(FLAGS.codes, model.latent_size)
    paths = [pathlib.Path(path).expanduser() for path in FLAGS.notes]
    names = [path.stem for path in paths]
    if len(set(names)) < len(names):
        names = [f"{row}_{name}" for row, name in enumerate(names)]
    waves = [audio.crop_or_pad(audio.load_audio(path, model.sample_rate), model.audio_length) for path in paths]
    return dict(zip(names, model.encode(np.stack(waves)), strict=True))


def _write(model, codes, pitches, output: pathlib.Path, names: list[str]) -> None:
    from gansynth_tf.generation import sound_files

    for name, pitch, wave in zip(names, pitches, model.generate(codes, pitches), strict=True):
        sound_files.save_note(output, name, wave, model.sample_rate, {"pitch": int(pitch), "ckpt_dir": FLAGS.ckpt_dir})


def console_entry_point() -> None:
    """Entry point of the console script."""
    entry.run(main)


if __name__ == "__main__":
    console_entry_point()
