"""Changes of a note that keep its pitch, for the eyes of the critic: what a small set lacks in variety.

Reals and fakes are changed alike, by operations through which gradients flow (Zhao et al. 2020, "Differentiable
Augmentation"), so that the critic cannot learn the training notes by heart and the generator does not learn the
changes. A specgram's polarity is in no channel, so there is nothing to change about it.
"""

import math

import tensorflow as tf

from gansynth_tf.spectral import LOG_FLOOR

NUM_DRAWS = 12  # Random numbers for a note: which of the four changes, and two for each.
LARGEST_GAIN_DB = 6.0  # Of a mel specgram's log power; twice that where the channel is a log magnitude.
LARGEST_SHIFT = 1 / 8  # Of the frames, either way.
LARGEST_MASK = 1 / 6  # Of the frames, and of the bands.
_LOG_POWER_PER_DB = 0.1 * 2.302585


_SILENCE = (math.log(LOG_FLOOR), 0.0)


def augment(specgrams: tf.Tensor, probability: float, draws: tf.Tensor) -> tf.Tensor:
    """Changes each note's level, place in time, frames and bands, each with a probability of its own.

    Args:
        specgrams: [batch, time, freq, 2] in physical units; not waves.
        probability: Of each of the four changes, for each note.
        draws: Uniform in [0, 1), [batch, NUM_DRAWS].

    Returns:
        The same shape.
    """
    chosen, amounts = draws[:, :4] < probability, tf.reshape(draws[:, 4:], [-1, 4, 2])
    specgrams = _change_level(specgrams, chosen[:, 0], amounts[:, 0])
    specgrams = _shift(specgrams, chosen[:, 1], amounts[:, 1])
    frames = _masked(specgrams.shape[1], chosen[:, 2], amounts[:, 2])
    bands = _masked(specgrams.shape[2], chosen[:, 3], amounts[:, 3])
    hidden = frames[:, :, None] | bands[:, None, :]
    return tf.where(hidden[..., None], tf.constant(_SILENCE), specgrams)


def _change_level(specgrams: tf.Tensor, chosen: tf.Tensor, amounts: tf.Tensor) -> tf.Tensor:
    """Louder or softer by up to LARGEST_GAIN_DB."""
    gain = LARGEST_GAIN_DB * _LOG_POWER_PER_DB * (2 * amounts[:, 0] - 1)
    gain = tf.where(chosen, gain, 0.0)[:, None, None]
    return tf.stack([specgrams[..., 0] + gain, specgrams[..., 1]], axis=-1)


def _shift(specgrams: tf.Tensor, chosen: tf.Tensor, amounts: tf.Tensor) -> tf.Tensor:
    """Earlier or later by up to LARGEST_SHIFT of the frames; the frame at the edge is held."""
    frames = specgrams.shape[1]
    largest = max(1, round(frames * LARGEST_SHIFT))
    steps = tf.cast(tf.floor(amounts[:, 0] * (2 * largest + 1)), tf.int32) - largest
    places = tf.range(frames) - tf.where(chosen, steps, 0)[:, None]
    return tf.gather(specgrams, tf.clip_by_value(places, 0, frames - 1), batch_dims=1)


def _masked(length: int, chosen: tf.Tensor, amounts: tf.Tensor) -> tf.Tensor:
    """Which of `length` places lie in a stretch of up to LARGEST_MASK of them: bool [batch, length]."""
    width = tf.where(chosen, amounts[:, 0], 0.0) * LARGEST_MASK * length
    first = amounts[:, 1] * (length - width)
    places = tf.range(length, dtype=tf.float32) + 0.5  # Middles, so that both edges are as likely.
    return (places >= first[:, None]) & (places < (first + width)[:, None])
