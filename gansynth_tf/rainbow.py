"""The colours of a rainbowgram: what a note's partials do, at a glance.

Engel et al. 2017 (NSynth), section 4: a constant-Q transform whose brightness is log magnitude and whose colour is
instantaneous frequency, so that a steady partial is a line of one colour.
"""

import math

import numpy as np

from gansynth_tf import compiled

# NSynth's picture: a hop of 16 ms, 40 bins an octave with filters of 0.8 times their natural length, 70 dB.
_HOP_SECONDS = 256 / 16000
BINS_PER_OCTAVE, _FILTER_SCALE = 40, 0.8
_PEAK_DB = 70.0
LOWEST_HZ, _OCTAVES = 440 * 2 ** (-45 / 12), 7  # From C1, below the lowest of the usual pitches; NSynth: C2, 6.
_SILENCE = 1e-6


def rainbow_image(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Computes the colours of a rainbowgram.

    Args:
        wave: One note, [samples].
        sample_rate: Samples per second.

    Returns:
        float32 [freq, time, 3] from 0 to 1: red, green, blue; lowest frequency first, 40 bins an octave from C1
        (32.7 Hz), as many octaves as the sample rate allows, at most 7.

    Raises:
        ValueError: If the wave is not one finite note.
    """
    import matplotlib

    magnitude_db, turn = _constant_q(wave, sample_rate)
    brightness = np.clip(magnitude_db / _PEAK_DB + 1, 0, 1)
    # The advance is a circle, so the hues must be one too: NSynth's 'rainbow' breaks a line that crosses half a turn.
    colours = matplotlib.colormaps["hsv"]((turn + 1) / 2)[..., :3]
    return (colours * brightness[..., np.newaxis]).astype(np.float32)


def _constant_q(wave: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Decibels under the loudest point, and phase advance per hop in units of pi, both [freq, time]."""
    librosa = compiled.load_librosa()
    wave = np.asarray(wave, np.float32)
    if wave.ndim != 1 or not wave.size or not np.all(np.isfinite(wave)):
        raise ValueError(f"Expected one note of finite samples, [samples]. Received shape: {wave.shape}")
    octaves = min(_OCTAVES, int(np.log2(sample_rate / 2 / 1.1 / LOWEST_HZ)))
    # Each octave of the transform halves the rate, so the hop must halve as often.
    hop = 2 ** (octaves - 1) * max(1, round(_HOP_SECONDS * sample_rate / 2 ** (octaves - 1)))
    num_frames = 1 + wave.size // hop
    # The lowest filters are longer than a short note: zeros behind it make room.
    longest = _FILTER_SCALE / (2 ** (1 / BINS_PER_OCTAVE) - 1) * sample_rate / LOWEST_HZ
    room = max(2 ** math.ceil(math.log2(2 * longest)), wave.size + hop)
    transform = librosa.cqt(
        np.pad(wave, (0, room - wave.size)),
        sr=sample_rate,
        hop_length=hop,
        fmin=LOWEST_HZ,
        n_bins=octaves * BINS_PER_OCTAVE,
        bins_per_octave=BINS_PER_OCTAVE,
        filter_scale=_FILTER_SCALE,
    )[:, : num_frames + 1]
    magnitude = np.abs(transform[:, :num_frames])
    loudest = max(float(magnitude.max()), _SILENCE)
    decibels = 20 * np.log10(np.maximum(magnitude, loudest * 10 ** (-_PEAK_DB / 20)) / loudest)
    advance = np.diff(np.angle(transform), axis=1) / np.pi
    return decibels, (advance + 1) % 2 - 1
