"""How long a note of four seconds takes, of GANSynth and of what it was compared with, at published sizes.

    python benchmarks/speed_table.py

Seconds for one note and for eight, with random weights: they do not change the time. A WaveNet draws whole notes with
its cache, the making of the graph included, or only `--cached_samples` of them; without the cache it would take days,
so `--naive_samples` samples are timed and multiplied. Prints Markdown and writes every figure into
`benchmarks/speed_table.json`; the same command goes on where it was stopped. It takes about an hour on two cores, which
must have nothing else to do.
"""

import argparse
import json
import os
import pathlib
import platform
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
import wavenet_bound

from gansynth_tf import build, files, settings
from gansynth_tf.baselines import wavenet_sampling
from gansynth_tf.hparams import HParams
from gansynth_tf.pitches import PitchClasses

PAPERS_RATIO = 53880  # Engel et al. 2019: seconds of WaveNet over seconds of GANSynth, one note on one GPU.
PITCHES = PitchClasses(tuple(range(24, 85)), (1,) * 61)
BATCHES = (1, 8)
ROWS = {
    "GANSynth": "mel_prog_hires", "WaveGAN": "wavegan", "WaveNet, cached": "wavenet", "WaveNet, naive": "wavenet",
}  # fmt: skip


def make_model(preset: str):
    """With fresh weights."""
    return build.make_model(HParams().override(settings.read_preset(preset)), PITCHES)


def timed(call: Callable[[], object]) -> float:
    """Seconds of a call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def time_network(preset: str, batch: int, runs: int = 7) -> dict:
    """Median seconds of a batch, after two that are not counted."""
    model = make_model(preset)
    z, pitches = model.sample_z(batch, seed=0), np.linspace(24, 84, batch).round().astype(int)
    seconds = [timed(lambda: model.generate(z, pitches)) for _ in range(runs + 2)][2:]
    return {"seconds": float(np.median(seconds)), "runs": seconds}


def time_cached(batch: int, num_samples: int) -> dict:
    """Seconds of whole notes; from shorter ones, after one that is not counted, where `num_samples` is not 0."""
    hparams = HParams().override(settings.read_preset("wavenet"))
    whole, shorter = hparams.audio_length, num_samples or hparams.audio_length
    model = build.make_model(hparams.override({"audio_length": shorter}), PITCHES)
    z = model.sample_z(batch, seed=0)
    seconds = [timed(lambda: model.generate(z, [60] * batch)) for _ in range(2 if num_samples else 1)]
    return {"seconds": seconds[-1] * whole / shorter, "samples": shorter}


def time_naive(batch: int, num_samples: int) -> dict:
    """Seconds of whole notes, from those of their first samples."""
    model = make_model("wavenet")
    network, labels = model.smoothed.decoder, tf.zeros([batch], tf.int32)
    condition = tf.constant(model.smoothed.condition(labels).numpy())
    noise = tf.random.uniform([condition.shape[1] * network.hop, batch, 2])
    draw = tf.function(
        lambda count: wavenet_sampling.naive_sample(network, model.distribution, condition, noise, count)
    )
    timed(lambda: draw(tf.constant(1)).numpy())
    seconds = timed(lambda: draw(tf.constant(num_samples)).numpy()) / num_samples
    return {"seconds": seconds * model.audio_length, "samples": num_samples}


def measure(row: str, batch: int, naive_samples: int, cached_samples: int) -> dict:
    """One cell."""
    match row:
        case "WaveNet, cached":
            return time_cached(batch, cached_samples)
        case "WaveNet, naive":
            return time_naive(batch, naive_samples)
    return time_network(ROWS[row], batch)


def format_table(cells: dict) -> str:
    """Markdown: seconds, and how many times longer than GANSynth."""
    lines = ["| system | one note | over GANSynth's | eight notes | over GANSynth's |", "|---|---|---|---|---|"]
    for row in ROWS:
        texts = []
        for batch in BATCHES:
            own, fastest = cells[f"{row}, {batch}"]["seconds"], cells[f"GANSynth, {batch}"]["seconds"]
            texts += [f"{own:.3g} s" if own < 1000 else f"{own:,.0f} s", f"{own / fastest:,.1f}"]
        drawn = [cells[f"{row}, {batch}"].get("samples") for batch in BATCHES]
        extrapolated = f" ({' and '.join(f'{count:,}' for count in drawn)} samples drawn)" if drawn[0] else ""
        lines.append(f"| {row}{extrapolated} | {' | '.join(texts)} |")
    return "\n".join(
        [*lines, "", f"In the paper WaveNet takes {PAPERS_RATIO:,} times as long as GANSynth for one note."]
    )


def main() -> None:
    """Measures what is missing, then prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default=str(pathlib.Path(__file__).with_suffix(".json")), help="The figures.")
    parser.add_argument("--naive_samples", type=int, default=4, help="Timed of the WaveNet without a cache.")
    parser.add_argument("--cached_samples", type=int, default=0, help="Drawn by the one with a cache; 0: whole notes.")
    given = parser.parse_args()
    out = pathlib.Path(given.out)
    found = json.loads(out.read_text()) if out.is_file() else {"cells": {}}
    found["machine"] = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    found["machine"]["tensorflow"] = tf.__version__
    for row in ROWS:
        for batch in BATCHES:
            name = f"{row}, {batch}"
            if name not in found["cells"]:
                print(f"Measuring {name} …", flush=True)
                found["cells"][name] = measure(row, batch, given.naive_samples, given.cached_samples)
                files.write_json(out, found)
    if "bound" not in found:
        print("Measuring the WaveNet's bound …", flush=True)
        found["bound"] = wavenet_bound.measure(128, 10, list(BATCHES), None)
        files.write_json(out, found)
    print(f"{format_table(found['cells'])}\n\n{wavenet_bound.format_table(found['bound'])}")


if __name__ == "__main__":
    main()
