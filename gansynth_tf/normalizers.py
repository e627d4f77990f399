"""Affine scaling of specgrams into [-1, 1], with statistics saved in the model: Engel et al. 2019, appendix D.

y = clip(a * x + b, -1, 1), per channel or per frequency bin and channel.
"""

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

# A channel or bin whose values span less than this counts as constant: float32 could not hold its scale.
_SMALLEST_RANGE = 1e-4


@keras.saving.register_keras_serializable("gansynth_tf")
class SpecgramNormalizer(keras.layers.Layer):
    """Scales specgrams by saved constants, a * x + b; the identity until `assign` is called.

    Args:
        num_bins: None for one pair of constants per channel, else the number of bins, each with its own.
        clip: Whether `normalize` clips to [-1, 1].
        name: Layer name.

    Input shape:  [batch, time, freq, 2]; with num_bins, freq may also be num_bins divided by a whole number.
    Output shape: the same.
    """

    def __init__(self, num_bins: int | None = None, clip: bool = True, name: str | None = None):
        super().__init__(name=name, dtype="float32", autocast=False, trainable=False)
        self.num_bins = None if num_bins is None else int(num_bins)
        self.clip = bool(clip)
        shape = (2,) if num_bins is None else (self.num_bins, 2)
        # autocast=False: an enclosing bfloat16 layer must not round the constants either.
        self.a = self.add_weight(shape=shape, initializer="ones", trainable=False, autocast=False, name="a")
        self.b = self.add_weight(shape=shape, initializer="zeros", trainable=False, autocast=False, name="b")
        self.built = True

    def assign(self, a: np.ndarray, b: np.ndarray) -> None:
        """Sets the constants.

        Args:
            a: Scale, [2] or [freq, 2], finite and not 0.
            b: Offset, same shape, finite.

        Raises:
            ValueError: Wrong shape, or values that cannot be undone.
        """
        a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
        shape = tuple(self.a.shape)
        if a.shape != shape or b.shape != shape:
            raise ValueError(f"a and b must have shape {shape}, got {a.shape} and {b.shape}")
        if not (np.isfinite(a).all() and np.isfinite(b).all() and (a != 0.0).all()):
            raise ValueError(
                f"a must be finite and not 0, b finite; got a {a.min()} to {a.max()}, b {b.min()} to {b.max()}"
            )
        self.a.assign(a)
        self.b.assign(b)

    def normalize(self, specgrams: tf.Tensor) -> tf.Tensor:
        """Physical units to [-1, 1].

        Args:
            specgrams: float [batch, time, freq, 2].

        Returns:
            float32, same shape.
        """
        specgrams = tf.cast(specgrams, tf.float32)
        a, b = self._constants(specgrams.shape[-2])
        scaled = a * specgrams + b
        return tf.clip_by_value(scaled, -1.0, 1.0) if self.clip else scaled

    def denormalize(self, specgrams: tf.Tensor) -> tf.Tensor:
        """[-1, 1] to physical units.

        Args:
            specgrams: float [batch, time, freq, 2].

        Returns:
            float32, same shape.
        """
        specgrams = tf.cast(specgrams, tf.float32)
        a, b = self._constants(specgrams.shape[-2])
        return (specgrams - b) / a

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Same as `normalize`."""
        return self.normalize(inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's shape."""
        return tuple(input_shape)

    def get_config(self) -> dict:
        """Constructor arguments; the constants are weights."""
        return {"num_bins": self.num_bins, "clip": self.clip, "name": self.name}

    def _constants(self, num_bins: int | None) -> tuple[tf.Tensor, tf.Tensor]:
        """a and b for specgrams of a stage's own resolution."""
        a, b = tf.convert_to_tensor(self.a), tf.convert_to_tensor(self.b)
        if self.num_bins is None or num_bins == self.num_bins:
            return a, b
        if not num_bins or self.num_bins % num_bins:
            raise ValueError(f"freq must be {self.num_bins} or that divided by a whole number, got {num_bins}")
        # A coarse bin is the mean of fine ones, so it takes the mean of their constants.
        blocks = [num_bins, self.num_bins // num_bins, 2]
        return tf.reduce_mean(tf.reshape(a, blocks), axis=1), tf.reduce_mean(tf.reshape(b, blocks), axis=1)


def identity_normalizer() -> SpecgramNormalizer:
    """Leaves specgrams as they are and does not clip (Magenta's "none")."""
    return SpecgramNormalizer(clip=False)


def prespecified_normalizer(
    mag_a: float = 0.0661371661726, mag_b: float = 0.113718730221, p_a: float = 0.8, p_b: float = 0.0
) -> SpecgramNormalizer:
    """Constants given by hand; the defaults are Magenta's, which belong to log mel power and IF.

    Args:
        mag_a: Scale of the magnitude channel.
        mag_b: Offset of the magnitude channel.
        p_a: Scale of the IF or phase channel.
        p_b: Offset of the IF or phase channel.

    Returns:
        The normalizer.

    Raises:
        ValueError: A constant is not finite, or a scale is 0.
    """
    normalizer = SpecgramNormalizer()
    normalizer.assign([mag_a, p_a], [mag_b, p_b])
    return normalizer


def fit_simple_normalizer(specgrams: np.ndarray | Iterable[np.ndarray], margin: float = 0.8) -> SpecgramNormalizer:
    """Maps the range of each channel to [-margin, margin] (Magenta's "specgrams_simple_normalizer").

    Args:
        specgrams: One batch [batch, time, freq, 2], or an iterable of batches, read once.
        margin: In (0, 1]. Magenta: 0.8.

    Returns:
        The normalizer, with constants of shape [2].

    Raises:
        ValueError: No specgrams, values that are not finite, or a margin outside (0, 1].
    """
    return _fit(specgrams, margin, axes=(0, 1, 2))


def fit_freq_normalizer(specgrams: np.ndarray | Iterable[np.ndarray], margin: float = 0.8) -> SpecgramNormalizer:
    """Maps the range of each frequency bin and channel to [-margin, margin] (Magenta's "specgrams_freq_normalizer").

    Args, Raises: as `fit_simple_normalizer`.

    Returns:
        The normalizer, with constants of shape [freq, 2].
    """
    return _fit(specgrams, margin, axes=(0, 1))


def _fit(specgrams: np.ndarray | Iterable[np.ndarray], margin: float, axes: tuple[int, ...]) -> SpecgramNormalizer:
    if not 0.0 < margin <= 1.0:
        raise ValueError(f"margin must be in (0, 1], got {margin}")
    low, high = _range(specgrams, axes)
    span = high - low
    # Magenta divides by zero where a bin is silent. Here such a bin maps to 0, at the scale of its whole channel, so
    # that coarse stages may average it with its neighbours; a channel that is constant altogether keeps its unit.
    channel_span = high.reshape(-1, 2).max(axis=0) - low.reshape(-1, 2).min(axis=0)
    channel_span = np.where(channel_span < _SMALLEST_RANGE, 2.0 * margin, channel_span)
    a = 2.0 * margin / np.where(span < _SMALLEST_RANGE, channel_span, span)
    b = -0.5 * a * (low + high)
    normalizer = SpecgramNormalizer(num_bins=None if a.ndim == 1 else len(a))
    normalizer.assign(a, b)
    return normalizer


def _range(specgrams: np.ndarray | Iterable[np.ndarray], axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest values over all batches, float64."""
    batches = [specgrams] if getattr(specgrams, "ndim", None) == 4 else specgrams
    low, high = np.inf, -np.inf
    for batch in batches:
        batch = np.asarray(batch)
        if batch.ndim != 4 or batch.shape[-1] != 2:
            raise ValueError(f"specgrams must be [batch, time, freq, 2], got {list(batch.shape)}")
        if not batch.size:
            continue
        low, high = np.minimum(low, batch.min(axis=axes)), np.maximum(high, batch.max(axis=axes))
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise ValueError("specgrams to fit a normalizer must be finite, got NaN or infinity; check the audio")
    if np.ndim(low) == 0:
        raise ValueError("specgrams to fit a normalizer must hold at least one example, got none")
    return low.astype(np.float64), high.astype(np.float64)
