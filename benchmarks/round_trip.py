"""What a specgram's shape costs: real notes through encode and decode, one row for each shape of a one-second note.

    python benchmarks/round_trip.py

Prints the share in tune, the log-spectral distance to the original in decibels (log-mel, bins within 80 dB of the
loudest) and the share of the level that is kept.
"""

import pathlib
import tempfile

import numpy as np

from gansynth_tf import build_data, settings
from gansynth_tf.evaluation import diversity, evaluate
from gansynth_tf.hparams import HParams
from gansynth_tf.representations import MelIF

SHAPES = (((64, 128), 4), ((32, 128), 8), ((32, 256), 4), ((64, 256), 2))  # (time, freq), linear bins in a band
NUM_NOTES = 40


def main() -> None:
    """Prints a Markdown table."""
    with tempfile.TemporaryDirectory() as folder:
        preset = settings.read_preset("laptop") | {"records_dir": str(pathlib.Path(folder) / "data")}
        hparams = HParams().override(preset)
        real = build_data.load_real_notes(hparams)
    chosen = np.random.default_rng(0).permutation(len(real["pitch"]))[:NUM_NOTES]
    waves, pitches = real["audio"][chosen], real["pitch"][chosen]
    original = diversity.log_mels(waves, hparams.sample_rate)
    floor = original.max() - 80
    print("| shape | linear bins in a band | in tune | log-spectral distance | level kept |\n|---|---|---|---|---|")
    for shape, downscale in SHAPES:
        layer = MelIF(shape, hparams.audio_length, hparams.sample_rate, downscale, "power_mean")
        decoded = layer.decode(layer.encode(waves)).numpy()
        in_tune = evaluate.measure_notes(decoded, pitches, hparams.sample_rate)["in_tune"]
        again = diversity.log_mels(decoded, hparams.sample_rate)
        distance = np.sqrt(np.mean((np.maximum(original, floor) - np.maximum(again, floor)) ** 2))
        level = np.sqrt(np.mean(decoded**2) / np.mean(waves**2))
        print(f"| {shape[0]} x {shape[1]} | {downscale} | {in_tune:.2f} | {distance:.1f} dB | {level:.2f} |")


if __name__ == "__main__":
    main()
