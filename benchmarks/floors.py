"""How fast an update could be: its multiply-adds over the rate at which this machine multiplies matrices.

    python benchmarks/floors.py
    python benchmarks/floors.py --measure=0,4,8,12

Prints a Markdown table for the sizes of `mel_prog_hires`, batches of 8: multiply-adds of each network's forward pass,
of the gradient penalty with its double backward pass and of a whole update, for one note; the time they would take at
the machine's rate; with --measure also the time that an update takes.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from measure_ours import PITCHES, SIZES

from gansynth_tf import build_training
from gansynth_tf.hparams import HParams

BATCH = 8


def product_rate(size: int = 2048, runs: int = 9) -> float:
    """Multiply-adds a second of square float32 matrix products, the median of some."""
    a = tf.random.stateless_normal([size, size], [0, 1])
    product, seconds = tf.function(lambda: tf.matmul(a, a)), []
    for _ in range(runs + 1):
        began = time.perf_counter()
        product().numpy()
        seconds.append(time.perf_counter() - began)
    return size**3 / float(np.median(seconds[1:]))


def measure(stage: int) -> float:
    """Seconds of an update."""
    command = [sys.executable, str(pathlib.Path(__file__).with_name("measure_ours.py")), "update", f"--stage={stage}"]
    finished = subprocess.run([*command, "--runs=5"], capture_output=True, text=True, check=True)
    return json.loads(finished.stdout.splitlines()[-1])["median"]


def main() -> None:
    """Prints the rate and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", default="", help="Stages to measure too, such as 0,4,12.")
    measured = [int(stage) for stage in parser.parse_args().measure.split(",") if stage]
    costs = build_training.make_costs(HParams().override(SIZES), PITCHES.num_classes)
    rate = product_rate()
    print(f"Matrix products of 2048 x 2048, float32: {rate / 1e9:.0f} G multiply-adds a second.\n")
    print("| stage | generator | discriminator | penalty | update | floor of 8 notes | measured | share of the rate |")
    print("|---|---|---|---|---|---|---|---|")
    for stage in range(13):
        blocks = costs.schedule.num_blocks(stage)
        counts = [costs.generator(blocks), costs.discriminator(blocks), costs.penalty(blocks), costs.update(stage)]
        floor = BATCH * counts[-1] / rate
        cells = [str(stage), *(f"{count / 1e9:.3g} G" for count in counts), f"{floor:.3g} s"]
        if stage in measured:
            seconds = measure(stage)
            cells += [f"{seconds:.3g} s", f"{100 * floor / seconds:.0f} %"]
        print("| " + " | ".join(cells + [""] * (8 - len(cells))) + " |")


if __name__ == "__main__":
    main()
