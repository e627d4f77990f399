"""Levels in specgrams of any model: under a note's loudest point, down to -80 dB, so that loudness does not count."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

_RANGE = 80 * np.log(10) / 20  # 80 dB in nepers, natural logarithms of magnitude.
Encode = Callable[[tf.Tensor], tf.Tensor]  # Waves [batch, samples] -> specgrams [batch, time, freq, channels].


def relative_levels(specgrams: tf.Tensor, log_scale: float) -> tf.Tensor:
    """Levels of channel 0.

    Args:
        specgrams: [batch, time, freq, channels].
        log_scale: See `find_log_scale`.

    Returns:
        [batch, time, freq], nepers under each note's loudest point: 0 to -9.2, which is -80 dB; softer points too.
    """
    levels = specgrams[..., 0] * log_scale
    return tf.maximum(levels - tf.reduce_max(levels, axis=(1, 2), keepdims=True), -_RANGE)


def find_log_scale(encode: Encode, num_samples: int) -> float | None:
    """Finds what channel 0 holds, by encoding the same noise at three levels.

    Args:
        encode: The model's.
        num_samples: Length of its notes.

    Returns:
        How much of a logarithm of magnitude one of channel 0 is: 1 for magnitudes, 0.5 for powers; None when channel 0
        is no logarithm.
    """
    noise = np.random.default_rng(0).normal(scale=0.1, size=[1, num_samples]).astype(np.float32)
    loudest = [float(np.max(encode(tf.constant(gain * noise))[..., 0])) for gain in (1, 2, 4)]
    first, second = np.diff(loudest)
    if first <= 0 or abs(second / first - 1) > 0.01:
        return None
    return round(2 * np.log(2) / first) / 2
