"""Specgrams on the mel scale and back: Engel et al. 2019 (arXiv 1902.08710), section 2.2 ("IF-Mel").

mel = 1127 * ln(1 + hertz / 700) (HTK); power and instantaneous frequency are multiplied by one matrix of mel triangles.
"""

import math

import numpy as np
import tensorflow as tf

from gansynth_tf import spectral

_BREAK_HZ = 700.0
_MELS_PER_E_FOLD = 1127.0

# Narrowest triangle, in linear bins; narrower ones would miss every bin. Magenta: 1.5.
_NARROWEST_BINS = 1.5

_GROUP = 64  # Columns of a mel matrix that are multiplied together.


def hz_to_mel(hz: np.ndarray) -> np.ndarray:
    """Hertz to mels (HTK)."""
    return _MELS_PER_E_FOLD * np.log1p(np.asarray(hz, np.float64) / _BREAK_HZ)


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    """Mels (HTK) to hertz."""
    return _BREAK_HZ * np.expm1(np.asarray(mel, np.float64) / _MELS_PER_E_FOLD)


def linear_to_mel_weights(num_linear_bins: int, num_mel_bins: int, sample_rate: float) -> np.ndarray:
    """Matrix of mel triangles from 0 Hz to Nyquist, each at least 1.5 linear bins wide.

    Two faithfulnesses to Magenta, which its trained models depend on. The rows stand at linspace(0, Nyquist,
    num_linear_bins), as if row 0 were DC, though DC was dropped before: so row k, which holds (k + 1) * Nyquist /
    num_linear_bins, is read up to one bin too low, and row 0 has no weight. And the sides of a triangle are straight in
    hertz, not in mels.

    Args:
        num_linear_bins: Linear bins, without DC.
        num_mel_bins: Mel bands.
        sample_rate: Hz.

    Returns:
        float64 [num_linear_bins, num_mel_bins].

    Raises:
        ValueError: A size or the sample rate is not positive.
    """
    if min(num_linear_bins, num_mel_bins) < 1 or sample_rate <= 0:
        raise ValueError(
            "num_linear_bins, num_mel_bins and sample_rate must be positive, "
            f"got {num_linear_bins}, {num_mel_bins} and {sample_rate}"
        )
    nyquist = sample_rate / 2.0
    edges = mel_to_hz(_band_edges_mel(nyquist, num_mel_bins, _NARROWEST_BINS * nyquist / num_linear_bins))
    lower, center, upper = edges[:-2], edges[1:-1], edges[2:]
    bins = np.linspace(0.0, nyquist, num_linear_bins)[:, np.newaxis]
    weights = np.maximum(0.0, np.minimum((bins - lower) / (center - lower), (upper - bins) / (upper - center)))
    weights[0] = 0.0
    return weights


def _band_edges_mel(nyquist: float, num_mel_bins: int, narrowest_hz: float) -> np.ndarray:
    """Mels of the edges: band i goes from edge i over its peak, edge i + 1, to edge i + 2."""
    edges = np.linspace(0.0, hz_to_mel(nyquist), num_mel_bins + 2)
    for band in range(num_mel_bins):
        lower, center, upper = edges[band : band + 3]
        if mel_to_hz(upper) - mel_to_hz(lower) < narrowest_hz:
            half_width = _MELS_PER_E_FOLD * np.arcsinh(0.5 * narrowest_hz / (mel_to_hz(center) + _BREAK_HZ))
            # Written into the one array that all bands share, as Magenta does: widening a band also moves the peaks of
            # both neighbours, so low bands end up at least 3/4 of a bin apart, above their place on the mel scale.
            edges[band], edges[band + 2] = center - half_width, center + half_width
    return edges


def mel_to_linear_weights(linear_to_mel: np.ndarray) -> np.ndarray:
    """Approximate inverse of a mel matrix M: transpose(M) with columns scaled so that a flat spectrum comes back flat.

    Args:
        linear_to_mel: float64 [num_linear_bins, num_mel_bins].

    Returns:
        float64 [num_mel_bins, num_linear_bins]; a linear bin that no band covers gets zeros.
    """
    flat = linear_to_mel @ linear_to_mel.sum(axis=0)
    return linear_to_mel.T / np.where(np.abs(flat) > 1e-8, flat, 1.0)


def nearest_bands(linear_to_mel: np.ndarray) -> np.ndarray:
    """Mel band that weighs each linear bin most.

    Args:
        linear_to_mel: [num_linear_bins, num_mel_bins].

    Returns:
        int32 [num_linear_bins]; a bin without weight (row 0) takes the band of the nearest bin with weight.
    """
    covered = np.flatnonzero(linear_to_mel.max(axis=1) > 0.0)
    bins = np.arange(len(linear_to_mel))
    nearest = covered[np.abs(bins[:, np.newaxis] - covered).argmin(axis=1)]
    return linear_to_mel[nearest].argmax(axis=1).astype(np.int32)


def stfts_to_melspecgrams(stfts: tf.Tensor, linear_to_mel: np.ndarray) -> tf.Tensor:
    """Log mel power, and mel IF as Magenta has it: the unwrapped phase times the mel matrix, differenced over time.

    That difference is the wrapped product of the IF with the matrix, so no running sum is needed.

    Args:
        stfts: complex64 [batch, time, linear bins].
        linear_to_mel: float32 [linear bins, mel bands].

    Returns:
        float32 [batch, time, mel bands, 2]: log((|X| + 1e-6)**2 M + 1e-6), and IF in units of pi, whose first frame
        holds the product of the phase, not wrapped.
    """
    magnitude, phase = spectral.stfts_to_polar(stfts)
    power = tf.square(magnitude + spectral.LOG_FLOOR)
    log_power = tf.math.log(_times_matrix(power, linear_to_mel) + spectral.LOG_FLOOR)
    frequency = _times_matrix_exactly(spectral.instantaneous_frequency(phase), linear_to_mel)
    return tf.stack([log_power, _wrap_after_first(frequency)], axis=-1)


def melspecgrams_to_parts(
    melspecgrams: tf.Tensor, mel_to_linear: np.ndarray, float64: bool = True
) -> tuple[tf.Tensor, tf.Tensor]:
    """Approximate inverse of `stfts_to_melspecgrams`.

    The matrix multiplies the IF, never a reduced phase: its weights are not integers, so that a whole turn would not
    stay whole.

    Args:
        melspecgrams: float32 [batch, time, mel bands, 2].
        mel_to_linear: float32 [mel bands, linear bins].
        float64: Whether that product may use float64, which not every runtime has.

    Returns:
        Real and imaginary parts, float32 [batch, time, linear bins].
    """
    log_power, frequency = tf.unstack(melspecgrams, axis=-1)
    magnitude = _mel_power_to_magnitude(log_power, mel_to_linear)
    times_matrix = _times_matrix_exactly if float64 else _times_matrix
    frequency = _wrap_after_first(times_matrix(frequency, mel_to_linear))
    return spectral.polar_to_parts(magnitude, spectral.frequency_to_phase(frequency))


def stfts_to_mean_melspecgrams(stfts: tf.Tensor, linear_to_mel: np.ndarray) -> tf.Tensor:
    """Log mel power, and the power-weighted circular mean of the IF in each band (not Magenta's).

    mean[t] = angle(sum over bins of M X[t] conj(X[t - 1])): the weight of an IF, which lies between two frames, is the
    product of both magnitudes.

    The phase is taken at the middle of the frame, where the bins of one partial agree; at its start they alternate in
    sign, and the mean would be nothing. This changes no IF, except where sound begins.

    Args:
        stfts: complex64 [batch, time, linear bins].
        linear_to_mel: float32 [linear bins, mel bands].

    Returns:
        float32 [batch, time, mel bands, 2]: log mel power, and IF in units of pi in [-1, 1], whose first frame holds
        the mean of the phase.
    """
    real, imag = _centered_parts(stfts)
    mel_power = _times_matrix(tf.square(real) + tf.square(imag), linear_to_mel)

    # The first frame's angle is its phase: the difference to phase 0.
    first = tf.sqrt(tf.square(real[:, :1]) + tf.square(imag[:, :1]))
    before_real = tf.concat([first, real[:, :-1]], axis=1)
    before_imag = tf.concat([tf.zeros_like(first), imag[:, :-1]], axis=1)
    sum_real = _times_matrix(real * before_real + imag * before_imag, linear_to_mel)
    sum_imag = _times_matrix(imag * before_real - real * before_imag, linear_to_mel)

    # Scaled to at most 1, so that a quiet band is not taken for silence; the angle does not depend on it.
    loudness = tf.sqrt(tf.stop_gradient(mel_power))
    scale = tf.math.divide_no_nan(1.0, loudness * tf.concat([loudness[:, :1], loudness[:, :-1]], axis=1))
    _, angle = spectral.stfts_to_polar(tf.complex(scale * sum_real, scale * sum_imag))
    return tf.stack([tf.math.log(mel_power + spectral.LOG_FLOOR), angle / math.pi], axis=-1)


def mean_melspecgrams_to_parts(
    melspecgrams: tf.Tensor, mel_to_linear: np.ndarray, bands: np.ndarray
) -> tuple[tf.Tensor, tf.Tensor]:
    """Approximate inverse of `stfts_to_mean_melspecgrams`: every bin takes the phase of its nearest band.

    Args:
        melspecgrams: float32 [batch, time, mel bands, 2].
        mel_to_linear: float32 [mel bands, linear bins].
        bands: int32 [linear bins], from `nearest_bands`.

    Returns:
        Real and imaginary parts, float32 [batch, time, linear bins].
    """
    log_power, frequency = tf.unstack(melspecgrams, axis=-1)
    magnitude = _mel_power_to_magnitude(log_power, mel_to_linear) * _signs(len(bands))
    phase = spectral.frequency_to_phase(frequency)
    cosine, sine = (tf.gather(part, bands, axis=-1) for part in (tf.cos(phase), tf.sin(phase)))
    return magnitude * cosine, magnitude * sine


def _centered_parts(stfts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Real and imaginary parts with the phase of the frame's middle and magnitude |X| + 1e-6; phase 0 in silence."""
    signs = _signs(stfts.shape[-1])
    magnitude, _ = spectral.stfts_to_polar(stfts)
    silent = magnitude == 0.0
    longer = 1.0 + spectral.LOG_FLOOR / tf.where(silent, 1.0, magnitude)
    real = tf.where(silent, spectral.LOG_FLOOR, signs * tf.math.real(stfts) * longer)
    imag = tf.where(silent, 0.0, signs * tf.math.imag(stfts) * longer)
    return real, imag


def _mel_power_to_magnitude(log_power: tf.Tensor, mel_to_linear: np.ndarray) -> tf.Tensor:
    # Magenta: exp(0.5 * log(power + 1e-6)).
    return tf.sqrt(_times_matrix(tf.exp(log_power), mel_to_linear) + spectral.LOG_FLOOR)


def _wrap_after_first(frequency: tf.Tensor) -> tf.Tensor:
    """Wraps an IF in units of pi, but not its first frame, which is a phase that Magenta never wrapped."""
    return tf.concat([frequency[:, :1], spectral.wrap(frequency[:, 1:], period=2.0)], axis=1)


def _signs(num_bins: int) -> np.ndarray:
    """(-1)**k for bins k = 1 to num_bins: half a frame later, a whole number of half periods."""
    return (1.0 - 2.0 * (np.arange(1, num_bins + 1) % 2)).astype(np.float32)


def _times_matrix(values: tf.Tensor, matrix: np.ndarray) -> tf.Tensor:
    """[batch, time, n] times [n, m], by groups of columns.

    A mel band weighs few bins, which lie together, so a group needs a short range of them: of 1024 x 1024 numbers one
    in sixteen is multiplied.
    """
    rows = tf.reshape(values, [-1, matrix.shape[0]])
    products = []
    for first in range(0, matrix.shape[1], _GROUP):
        columns = matrix[:, first : first + _GROUP]
        used = np.flatnonzero(columns.any(axis=1))
        start, end = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 1)
        products.append(rows[:, start:end] @ columns[start:end])
    return tf.reshape(tf.concat(products, axis=1), [-1, values.shape[1], matrix.shape[1]])


def _times_matrix_exactly(values: tf.Tensor, matrix: np.ndarray) -> tf.Tensor:
    """Same, in float64: GPUs and TPUs round float32 products to 7 or 10 bits, and errors of an IF add up over time."""
    product = _times_matrix(tf.cast(values, tf.float64), matrix.astype(np.float64))
    return tf.cast(product, tf.float32)
