"""Trains GANSynth and its baselines for the same time on the same notes, scores them, and draws a note of each.

    python benchmarks/quality_table.py --out=runs/comparison

Each small preset is given `--minutes`; then a pitch classifier is trained, everything is scored beside held-out notes,
and one note of the same pitch of each is drawn as a rainbowgram and folded modulo its period. Every step is one of the
commands, printed as it is run, and all go on where they were stopped. With 40 minutes it takes about five hours on two
cores. In OUT stand a run folder for each system, `evaluation.md`, and `notes/` with the notes and their picture.
"""

import argparse
import json
import pathlib
import shlex
import subprocess
import sys

import numpy as np

from gansynth_tf import audio, build_data, settings
from gansynth_tf.hparams import HParams

SYSTEMS = {
    "GANSynth": "laptop", "progressive waveform GAN": "wave_prog_laptop", "WaveGAN": "wavegan_laptop",
    "WaveNet": "wavenet_laptop", "WaveNet autoencoder": "wavenet_autoencoder_laptop",
    "spectral autoencoder": "spectral_autoencoder_laptop",
}  # fmt: skip
DATA = "laptop"  # The preset whose notes all of them learn.


def run(command: str, *arguments: str) -> None:
    """One of the commands, in a process of its own."""
    print(shlex.join([f"gansynth_{command}", *arguments]), flush=True)
    subprocess.run([sys.executable, "-m", f"gansynth_tf.cli.{command}", *arguments], check=True)


def train(out: pathlib.Path, minutes: float) -> None:
    """Every system, on one folder of notes."""
    for preset in SYSTEMS.values():
        values = {
            "train_root_dir": str(out / preset),
            "records_dir": str(out / "data"),
            "train_time_limit": 60 * minutes,
        }
        run("train", f"--config={preset}", f"--hparams={json.dumps(values)}")


def score(out: pathlib.Path, num_notes: int) -> None:
    """The judge, then the table."""
    data = f"--hparams={json.dumps({'train_root_dir': str(out / DATA), 'records_dir': str(out / 'data')})}"
    run("train_classifier", f"--config={DATA}", data, f"--output_dir={out / 'classifier'}")
    compared = ",".join(f"{name}={out / preset}" for name, preset in SYSTEMS.items())
    run(
        "evaluate", f"--config={DATA}", data, f"--compare={compared}", f"--classifier={out / 'classifier'}",
        f"--num_notes={num_notes}", f"--output_dir={out}",
    )  # fmt: skip


def draw(out: pathlib.Path, pitch: int) -> None:
    """A note of each system at one pitch, beside a held-out one, which the autoencoders are given to encode."""
    notes = out / "notes"
    hparams = HParams().override(settings.read_preset(DATA))
    hparams = hparams.override({"train_root_dir": str(out / DATA), "records_dir": str(out / "data")})
    split = next(name for name in ("valid", "test", "train") if _holds(hparams, name, pitch))
    real = build_data.load_real_notes(hparams, split)
    wave = real["audio"][int(np.flatnonzero(real["pitch"] == pitch)[0])]
    notes.mkdir(parents=True, exist_ok=True)
    audio.save_wav(notes / "0_real.wav", wave, hparams.sample_rate)
    for place, (name, preset) in enumerate(SYSTEMS.items(), start=1):
        folder = out / preset / "one_note"
        if "autoencoder" in preset:
            run("autoencode", f"--ckpt_dir={out / preset}", f"--notes={notes / '0_real.wav'}", f"--pitches={pitch}",
                f"--output_dir={folder}")  # fmt: skip
            made = folder / "0_real.wav"
        else:
            run("generate", f"--ckpt_dir={out / preset}", f"--pitch={pitch}", "--num_notes=1", "--seed=0",
                f"--output_dir={folder}")  # fmt: skip
            made = folder / "generated_0.wav"
        audio.save_wav(notes / f"{place}_{name.replace(' ', '_')}.wav", *_read(made, hparams.sample_rate))
    run("plot", str(notes), f"--pitch={pitch}")


def _holds(hparams: HParams, split: str, pitch: int) -> bool:
    try:
        return pitch in build_data.load_real_notes(hparams, split)["pitch"]
    except ValueError:
        return False  # An empty split.


def _read(path: pathlib.Path, sample_rate: int) -> tuple[np.ndarray, int]:
    return audio.load_audio(path, sample_rate), sample_rate


def main() -> None:
    """Trains, scores, draws."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="runs/comparison", help="Where everything goes.")
    parser.add_argument("--minutes", type=float, default=40.0, help="Of training for each system.")
    parser.add_argument("--num_notes", type=int, default=1000, help="Of each system in the table.")
    parser.add_argument("--pitch", type=int, default=60, help="Of the notes that are drawn.")
    given = parser.parse_args()
    out = pathlib.Path(given.out)
    train(out, given.minutes)
    score(out, given.num_notes)
    draw(out, given.pitch)


if __name__ == "__main__":
    main()
