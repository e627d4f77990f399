"""Several sets of notes as one stream: which of them the next comes from is a pure function of the seed and the place.

Places are counted in items, each a group of notes that stay together (one note, where nothing is grouped).
"""

import numpy as np
import tensorflow as tf

_MIX_BLOCK = 1000  # Items within which the sets' shares are exact.


def mix_counts(weights: list[float]) -> np.ndarray:
    """How many of every thousand items each set gives, by the largest remainders; at least one.

    Args:
        weights: Of the sets.

    Returns:
        int64 [sets], a thousand in all.

    Raises:
        ValueError: A weight is not positive.
    """
    weights = np.asarray(weights, np.float64)
    if not np.all(np.isfinite(weights) & (weights > 0)):
        raise ValueError(f"Expected positive weights. Received: {weights.tolist()}.")
    wanted = weights / weights.sum() * _MIX_BLOCK
    counts = np.maximum(1, np.floor(wanted)).astype(np.int64)
    while counts.sum() != _MIX_BLOCK:
        step = 1 if counts.sum() < _MIX_BLOCK else -1
        counts[np.argmax(step * (wanted - counts) - 1e9 * (counts + step < 1))] += step
    return counts


def _mix_order(counts: np.ndarray, seed: int | tf.Tensor, block: int | tf.Tensor) -> tf.Tensor:
    """Which set each item of a block comes from: int64 [1000]."""
    pattern = tf.constant(np.repeat(np.arange(len(counts)), counts))
    key = tf.stack([tf.cast(seed, tf.int64), -1 - tf.cast(block, tf.int64)])
    return tf.random.experimental.stateless_shuffle(pattern, key)


def mix_starts(counts: np.ndarray, seed: int, start: int) -> list[int]:
    """How many items each set has given before the one at `start`.

    Args:
        counts: Of `mix_counts`.
        seed: Decides the order.
        start: Items of the whole stream to pass over.
    """
    if len(counts) == 1:
        return [start]
    block, rest = divmod(start, _MIX_BLOCK)
    begun = _mix_order(counts, seed, block).numpy()[:rest]
    return (block * counts + np.bincount(begun, minlength=len(counts))).tolist()


def mix(streams: list[tf.data.Dataset], counts: np.ndarray, seed: int, start: int) -> tf.data.Dataset:
    """One stream of several.

    Args:
        streams: Endless, of items alike, each from where `mix_starts` says.
        counts, seed, start: As for `mix_starts`.
    """
    first_block, rest = divmod(start, _MIX_BLOCK)
    blocks = tf.data.Dataset.range(first_block, np.iinfo(np.int64).max)
    choices = blocks.map(lambda block: _mix_order(counts, seed, block)).unbatch().skip(rest)
    return tf.data.Dataset.choose_from_datasets(streams, choices)


def set_seed(seed: int, place: int) -> int:
    """Another seed for each set; the first keeps the run's own."""
    value = (seed + place * 0x9E3779B97F4A7C15) % 2**64
    return value - 2**64 if value >= 2**63 else value
