"""How near the cached WaveNet comes to what the machine can do.

    python benchmarks/wavenet_bound.py

Every sample reads all weights once and multiplies each note by them. So a sample takes at least the weights' bytes over
the rate at which memory is read, and at least the multiplications over the rate of large matrix products; the longer of
the two bounds it. Both rates and the sampler are measured in turns, and the best of each counts. Prints a Markdown
table.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from gansynth_tf.baselines import wavenet, wavenet_sampling
from gansynth_tf.baselines.distributions import MuLawSoftmax

CONDITION_WIDTH = 512  # Of the pitch-conditioned WaveNet.
_READ_BYTES = 2**30
_SIDE = 2048  # Of the square matrices.


def seconds_of(call: Callable[[], tf.Tensor]) -> float:
    """Wall-clock seconds of one call."""
    began = time.perf_counter()
    np.asarray(call())
    return time.perf_counter() - began


def make_reader() -> Callable[[], tf.Tensor]:
    """Reads a gigabyte, on all cores."""
    values = tf.random.uniform([16, _READ_BYTES // 64])
    return tf.function(lambda: tf.reduce_sum(values))


def make_product() -> Callable[[], tf.Tensor]:
    """A product of two large matrices, on all cores."""
    a, b = tf.random.uniform([_SIDE, _SIDE]), tf.random.uniform([_SIDE, _SIDE])
    return tf.function(lambda: tf.reduce_sum(tf.matmul(a, b)[0]))


def make_network(hop: int) -> wavenet.WaveNet:
    """The decoder at its published size, with frames of `hop` samples."""
    network = wavenet.WaveNet(MuLawSoftmax.num_parameters, CONDITION_WIDTH, hop)
    network.build()
    return network


def weights_per_sample(network: wavenet.WaveNet) -> int:
    """How many weights a sample multiplies with: all but those of the condition, which a frame multiplies with."""
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables if "condition" not in v.name)


def make_sampler(network: wavenet.WaveNet, batch: int, compiled: bool | None) -> Callable[[], tf.Tensor]:
    """Draws one frame of a batch of notes."""
    sampler = wavenet_sampling.CachedSampler(network, MuLawSoftmax(), compiled)
    condition = tf.random.normal([batch, 1, CONDITION_WIDTH])
    noise = tf.random.uniform([network.hop, batch, 2])
    return tf.function(lambda: sampler(condition, noise)[0])


def measure(samples: int, rounds: int, batches: list[int], compiled: bool | None) -> dict:
    """Best seconds of everything, measured in turns."""
    network = make_network(samples)
    calls = {"read": make_reader(), "product": make_product()}
    calls |= {batch: make_sampler(network, batch, compiled) for batch in batches}
    for call in calls.values():
        seconds_of(call)  # Traces, compiles, touches the memory.
    best = dict.fromkeys(calls, np.inf)
    for _ in range(rounds):
        for name, call in calls.items():
            best[name] = min(best[name], seconds_of(call))
    weights = weights_per_sample(network)
    found = {"bytes_per_second": _READ_BYTES / best["read"], "flops_per_second": 2 * _SIDE**3 / best["product"]}
    rows = []
    for batch in batches:
        by_memory, by_product = 4 * weights / found["bytes_per_second"], 2 * weights * batch / found["flops_per_second"]
        bound, seconds = max(by_memory, by_product), best[batch] / samples
        row = {"batch": batch, "seconds_per_sample": seconds, "bound": bound, "share": bound / seconds}
        rows.append(row | {"bound_by": "memory" if by_memory >= by_product else "matrix products"})
    return found | {"weights": weights, "samples": samples, "rows": rows}


def format_table(found: dict) -> str:
    """Markdown."""
    lines = [
        f"{found['weights']:,} weights a sample; memory is read at {found['bytes_per_second'] / 1e9:.1f} GB/s, large "
        f"matrices are multiplied at {found['flops_per_second'] / 1e9:.0f} GFLOP/s.",
        "",
        "| notes at once | a sample takes | at least | bounded by | share reached |",
        "|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        lines.append(
            f"| {row['batch']} | {1e3 * row['seconds_per_sample']:.2f} ms | {1e3 * row['bound']:.2f} ms | "
            f"{row['bound_by']} | {100 * row['share']:.0f} % |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=128, help="Drawn in one turn.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--compiled", choices=("auto", "yes", "no"), default="auto", help="By XLA.")
    given = parser.parse_args()
    chosen = {"auto": None, "yes": True, "no": False}[given.compiled]
    print(format_table(measure(given.samples, given.rounds, given.batches, chosen)))
