"""Waves to log-magnitude and instantaneous frequency, and back: Engel et al. 2019 (arXiv 1902.08710), section 2.1.

x -> STFT X -> log(|X| + 1e-6) and the wrapped first difference over time of angle(X), in units of pi.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

# Added to magnitudes, and to mel powers, before the logarithm. Magenta: 1e-6.
LOG_FLOOR = 1e-6

# |X|**2 under which a bin counts as digital silence: phase 0, and no gradient. |X| is then a thousandth of LOG_FLOOR;
# the second derivative of the angle divides by the square of this, which float32 still holds.
_SILENT_POWER = 1e-18

_TWO_PI = 2.0 * math.pi


@dataclasses.dataclass(frozen=True)
class Framing:
    """How samples fall into STFT frames: frames of 2 * num_bins samples, overlapping by 75 %.

    Attributes:
        num_frames: Frames (time).
        num_bins: Frequency bins, without DC and with Nyquist.
        num_samples: Length of the wave.
    """

    num_frames: int
    num_bins: int
    num_samples: int

    @property
    def frame_length(self) -> int:
        """Samples in one frame, which is also the FFT length."""
        return 2 * self.num_bins

    @property
    def hop_length(self) -> int:
        """Samples between two frames: a quarter of a frame."""
        return self.num_bins // 2

    @property
    def max_samples(self) -> int:
        """Samples that the frames cover."""
        return (self.num_frames - 1) * self.hop_length + self.frame_length

    @property
    def padding(self) -> int:
        """Zeros before the wave. Magenta pads only in front; so fewer than four frames cover the last three hops."""
        return self.max_samples - self.num_samples


def make_framing(specgram_shape: Sequence[int], audio_length: int, mel_downscale: int = 1) -> Framing:
    """Checks sizes and returns their framing.

    Args:
        specgram_shape: (time, freq), both powers of two.
        audio_length: Samples of the wave, at most (time - 1) * hop + frame.
        mel_downscale: Linear bins per bin of the specgram, a power of two.

    Returns:
        The framing over freq * mel_downscale linear bins.

    Raises:
        ValueError: Sizes that cannot work; the message names the nearest that do.
    """
    shape = tuple(int(size) for size in specgram_shape)
    if len(shape) != 2:
        raise ValueError(f"specgram_shape must be (time, freq), got {shape}")
    _check_powers_of_two(shape, mel_downscale)
    framing = Framing(shape[0], shape[1] * mel_downscale, int(audio_length))
    if framing.num_samples < 1:
        raise ValueError(f"audio_length must be at least 1 sample, got {audio_length}")
    if framing.num_samples > framing.max_samples:
        longer, wider = (_grow(shape, axis, framing.num_samples, mel_downscale) for axis in (0, 1))
        raise ValueError(
            f"audio_length must be at most {framing.max_samples} for specgram_shape "
            f"{_describe_shape(shape, mel_downscale)}, got {audio_length}; "
            f"it fits {_describe_shape(longer, mel_downscale)} or {_describe_shape(wider, mel_downscale)}"
        )
    return framing


def wrap(phase: tf.Tensor, period: float = _TWO_PI) -> tf.Tensor:
    """Brings phases into [-period / 2, period / 2], with gradient 1.

    Odd multiples of period / 2 keep their sign (pi stays pi, -pi stays -pi), as in numpy.unwrap.

    Args:
        phase: Float tensor of any shape.
        period: One turn, in the unit of `phase`: 2 * pi for radians, 2 for units of pi.

    Returns:
        Tensor of the same shape.
    """
    return phase - period * _nearest_turns(phase, period)


def unwrap(phase: tf.Tensor, axis: int = -2, period: float = _TWO_PI) -> tf.Tensor:
    """Adds whole turns so that neighbours along an axis differ by at most half a turn; equals numpy.unwrap.

    A jump of exactly half a turn stays as it is, whatever its sign. Turns are counted as integers, so that the running
    sum is exact.

    Args:
        phase: Float tensor.
        axis: Axis to unwrap along; by default the time axis of [batch, time, freq].
        period: One turn, in the unit of `phase`.

    Returns:
        Tensor of the same shape.
    """
    phase = tf.convert_to_tensor(phase)
    first, difference = _first_and_difference(phase, axis)
    turns = tf.cumsum(_nearest_turns(difference, period), axis=axis)
    return phase - period * tf.concat([tf.zeros_like(first), turns], axis=axis)


def instantaneous_frequency(phase: tf.Tensor, axis: int = -2) -> tf.Tensor:
    """Phase in radians to instantaneous frequency in units of pi: the wrapped first difference over time.

    Equal to the difference of the unwrapped phase (Magenta), without its running sum, so float32 loses nothing.

    Args:
        phase: Radians, [batch, time, freq].
        axis: Time axis.

    Returns:
        Same shape, in [-1, 1]; the first frame holds the first phase itself.
    """
    first, difference = _first_and_difference(tf.convert_to_tensor(phase) / math.pi, axis)
    return tf.concat([first, wrap(difference, period=2.0)], axis=axis)


def frequency_to_phase(frequency: tf.Tensor, axis: int = -2) -> tf.Tensor:
    """Instantaneous frequency in units of pi back to phase in radians: the running sum over time.

    Args:
        frequency: Units of pi, [batch, time, freq]; the first frame holds the first phase.
        axis: Time axis.

    Returns:
        Radians, same shape, reduced to [-pi, pi]: it only enters sine and cosine.
    """
    return math.pi * wrap(tf.cumsum(frequency, axis=axis), period=2.0)


def waves_to_stfts(waves: tf.Tensor, framing: Framing) -> tf.Tensor:
    """Short-time Fourier transform with a periodic Hann window; DC is dropped and Nyquist kept.

    Args:
        waves: float32 [batch, samples].
        framing: Sizes; samples = framing.num_samples.

    Returns:
        complex64 [batch, time, freq].
    """
    # Magenta pads only in front, so that every note ends where the last frame ends.
    waves = tf.pad(waves, [[0, 0], [framing.padding, 0]])
    stfts = tf.signal.stft(
        waves,
        frame_length=framing.frame_length,
        frame_step=framing.hop_length,
        fft_length=framing.frame_length,
        window_fn=lambda _, dtype: tf.constant(_hann(framing.frame_length), dtype),
    )
    return tf.ensure_shape(stfts[:, :, 1:], [None, framing.num_frames, framing.num_bins])


def stfts_to_waves(stfts: tf.Tensor, framing: Framing) -> tf.Tensor:
    """Inverse of `waves_to_stfts`: overlap-add with the matching synthesis window.

    Args:
        stfts: complex64 [batch, time, freq], without DC.
        framing: Sizes.

    Returns:
        float32 [batch, samples].
    """
    # Four squared Hann windows, a quarter of a frame apart, sum to 3/2 everywhere.
    waves = tf.signal.inverse_stft(
        tf.pad(stfts, [[0, 0], [0, 0], [1, 0]]),
        frame_length=framing.frame_length,
        frame_step=framing.hop_length,
        fft_length=framing.frame_length,
        window_fn=lambda _, dtype: tf.constant(_hann(framing.frame_length) / 1.5, dtype),
    )
    return tf.ensure_shape(waves[:, framing.padding :], [None, framing.num_samples])


def parts_to_waves(real: tf.Tensor, imag: tf.Tensor, framing: Framing) -> tf.Tensor:
    """`stfts_to_waves` in real arithmetic, for runtimes without complex numbers or Fourier transforms.

    The inverse transform is a product with cosines and sines. In time the cosines are even and the sines odd, so half
    a frame of each gives the whole frame.

    Args:
        real, imag: float32 [batch, time, freq], parts of the STFT without DC.
        framing: Sizes.

    Returns:
        float32 [batch, samples].
    """
    cosines, sines = _inverse_dft(framing.num_bins)
    rows = [-1, framing.num_bins]
    even, odd = tf.reshape(real, rows) @ cosines, tf.reshape(imag, rows) @ sines
    late = tf.reverse((even + odd)[:, 1:-1], axis=[1])
    hops = tf.reshape(tf.concat([even - odd, late], axis=1), [-1, framing.num_frames, 4, framing.hop_length])
    summed = sum(tf.pad(hops[:, :, hop], [[0, 0], [hop, 3 - hop], [0, 0]]) for hop in range(4))
    return tf.reshape(summed, [-1, framing.max_samples])[:, framing.padding :]


def stfts_to_polar(stfts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Magnitude and phase, with finite gradients at 0.

    Args:
        stfts: complex64 of any shape.

    Returns:
        Magnitude, and phase in [-pi, pi], both float32. Silent bins (|X| under 1e-9) have both 0 and gradient 0.
    """
    real, imag = tf.math.real(stfts), tf.math.imag(stfts)
    power = tf.square(real) + tf.square(imag)
    silent = power < _SILENT_POWER
    # The inner `where` keeps 1 / 0 out of the gradients; the outer one alone would leave 0 * inf.
    magnitude = tf.where(silent, 0.0, tf.sqrt(tf.where(silent, 1.0, power)))
    phase = tf.atan2(tf.where(silent, 0.0, imag), tf.where(silent, 1.0, real))
    return magnitude, phase


def polar_to_parts(magnitude: tf.Tensor, phase: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Magnitude and phase in radians to real and imaginary parts, all of one shape."""
    return magnitude * tf.cos(phase), magnitude * tf.sin(phase)


def stfts_to_specgrams(stfts: tf.Tensor, instantaneous: bool = True) -> tf.Tensor:
    """Log-magnitude, and IF or phase.

    Args:
        stfts: complex64 [batch, time, freq].
        instantaneous: True for IF, False for phase.

    Returns:
        float32 [batch, time, freq, 2]: log(|X| + 1e-6), and IF or phase in units of pi.
    """
    magnitude, phase = stfts_to_polar(stfts)
    second = instantaneous_frequency(phase) if instantaneous else phase / math.pi
    return tf.stack([tf.math.log(magnitude + LOG_FLOOR), second], axis=-1)


def specgrams_to_parts(specgrams: tf.Tensor, instantaneous: bool = True) -> tuple[tf.Tensor, tf.Tensor]:
    """Inverse of `stfts_to_specgrams`; like Magenta's it leaves the 1e-6 in the magnitude.

    Args:
        specgrams: float32 [batch, time, freq, 2].
        instantaneous: Whether channel 1 is IF (True) or phase (False).

    Returns:
        Real and imaginary parts, float32 [batch, time, freq].
    """
    log_magnitude, second = tf.unstack(specgrams, axis=-1)
    phase = frequency_to_phase(second) if instantaneous else math.pi * second
    return polar_to_parts(tf.exp(log_magnitude), phase)


def waves_to_specgrams(waves: tf.Tensor, framing: Framing, instantaneous: bool = True) -> tf.Tensor:
    """[batch, samples] to [batch, time, freq, 2]; see `waves_to_stfts` and `stfts_to_specgrams`."""
    return stfts_to_specgrams(waves_to_stfts(waves, framing), instantaneous)


def specgrams_to_waves(specgrams: tf.Tensor, framing: Framing, instantaneous: bool = True) -> tf.Tensor:
    """[batch, time, freq, 2] to [batch, samples]; see `specgrams_to_parts` and `stfts_to_waves`."""
    return stfts_to_waves(tf.complex(*specgrams_to_parts(specgrams, instantaneous)), framing)


def _nearest_turns(phase: tf.Tensor, period: float) -> tf.Tensor:
    """Whole turns nearest to a phase, halves towards zero; no gradient."""
    phase = tf.stop_gradient(phase)
    return tf.sign(phase) * tf.math.ceil(tf.abs(phase) / period - 0.5)


def _first_and_difference(values: tf.Tensor, axis: int) -> tuple[tf.Tensor, tf.Tensor]:
    """First slice along an axis, and the differences of neighbours along it."""

    def part(start: int | None, stop: int | None) -> tf.Tensor:
        index = [slice(None)] * values.shape.rank
        index[axis] = slice(start, stop)
        return values[tuple(index)]

    return part(None, 1), part(1, None) - part(None, -1)


@functools.cache
def _hann(length: int) -> np.ndarray:
    """Periodic Hann window, float64."""
    return 0.5 - 0.5 * np.cos(_TWO_PI * np.arange(length) / length)


@functools.cache
def _inverse_dft(num_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines of bins 1 to num_bins over the first half of a frame, both ends included, windowed.

    Returns:
        Two float32 [bins, bins + 1], with the synthesis window of `stfts_to_waves` and the transform's 1 / frame.
    """
    bins, samples = np.arange(1, num_bins + 1), np.arange(num_bins + 1)
    angles = math.pi / num_bins * (np.outer(bins, samples) % (2 * num_bins))
    # Each bin but Nyquist stands for its mirror image, too.
    weights = np.where(bins < num_bins, 2.0, 1.0)[:, np.newaxis] / (2 * num_bins)
    weights = weights * _hann(2 * num_bins)[: num_bins + 1] / 1.5
    return (weights * np.cos(angles)).astype(np.float32), (weights * np.sin(angles)).astype(np.float32)


def _check_powers_of_two(shape: tuple[int, int], mel_downscale: int) -> None:
    if not _is_power_of_two(mel_downscale):
        nearest = " or ".join(map(str, _nearest_powers_of_two(mel_downscale)))
        raise ValueError(f"mel_downscale must be a power of two, got {mel_downscale}; use {nearest}")
    smallest_freq = max(1, 2 // mel_downscale)
    if not (_is_power_of_two(shape[0]) and _is_power_of_two(shape[1]) and shape[1] >= smallest_freq):
        options = [
            _describe_shape((time, freq), mel_downscale)
            for time in _nearest_powers_of_two(shape[0])
            for freq in _nearest_powers_of_two(max(shape[1], smallest_freq))
        ]
        raise ValueError(
            f"specgram_shape must be powers of two (freq at least {smallest_freq}), got {shape}; "
            f"nearest: {', '.join(options)}"
        )


def _is_power_of_two(size: int) -> bool:
    return size >= 1 and size & (size - 1) == 0


def _nearest_powers_of_two(size: int) -> list[int]:
    """The powers of two around a size, or the size itself."""
    below = 1 << max(0, int(size).bit_length() - 1) if size >= 1 else 1
    return [below] if size <= below else [below, 2 * below]


def _grow(shape: tuple[int, int], axis: int, num_samples: int, mel_downscale: int) -> tuple[int, int]:
    """Doubles one size until the frames cover the samples."""
    grown = list(shape)
    while Framing(grown[0], grown[1] * mel_downscale, 0).max_samples < num_samples:
        grown[axis] *= 2
    return tuple(grown)


def _describe_shape(shape: tuple[int, int], mel_downscale: int) -> str:
    """A shape with the arithmetic of the samples that it holds."""
    framing = Framing(shape[0], shape[1] * mel_downscale, 0)
    frames = f"({framing.num_frames} - 1) * {framing.hop_length} + {framing.frame_length}"
    return f"{shape} [holds {frames} = {framing.max_samples} samples]"
