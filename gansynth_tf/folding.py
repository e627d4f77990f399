"""A note's waveform folded modulo its period: where phases are coherent, all cycles lie on one line.

Engel et al. 2019, the figure on phase coherence: 1028 samples from the middle of a note, wrapped at its fundamental.
"""

from typing import NamedTuple

import numpy as np

NUM_SAMPLES = 1028  # At 16 kHz; as long at other rates.
_PAPERS_RATE = 16000
_SEARCHED_CENTS, _STEP_CENTS = 50, 1
_SEARCHED_HARMONICS = 12
_AUDIBLE = 1e-2  # Of the peak: -40 dB.
_SILENCE = 1e-8  # Mean square under which there is nothing to fold.


class Folded(NamedTuple):
    """A stretch of a note, each sample with its place in its cycle.

    `position`: [samples], from 0 to 1, in periods. `cycle`: int [samples], which period it belongs to, from 0.
    `values`: [samples], the waveform. `hz`: the fundamental that was used. `coherence`: the share of the energy that
    repeats from cycle to cycle, corrected for chance: 1 for a periodic wave, about 0 for noise, NaN where it cannot be
    said: in silence, or where the stretch has no two cycles.
    """

    position: np.ndarray
    cycle: np.ndarray
    values: np.ndarray
    hz: float
    coherence: float


def fold(wave: np.ndarray, sample_rate: int, hz: float, num_samples: int | None = None) -> Folded:
    """Folds the middle of a note modulo its period; the middle of what sounds of it, where the note's own is silent.

    The period is the one within half a semitone of the given pitch that repeats best: a recorded note is a few cents
    off, which over sixty cycles would look like incoherence.

    Args:
        wave: One note, [samples].
        sample_rate: Samples per second.
        hz: About the fundamental; a quarter of a semitone off is near enough.
        num_samples: Length of the stretch; None: the paper's, 1028 at 16 kHz. A shorter note is taken whole.

    Returns:
        The folded stretch.

    Raises:
        ValueError: If the wave is not one finite note, or the pitch is not between 0 and half the sample rate.
    """
    wave = np.asarray(wave, np.float64)
    if wave.ndim != 1 or not wave.size or not np.all(np.isfinite(wave)):
        raise ValueError(f"Expected one note of finite samples, [samples]. Received shape: {wave.shape}")
    if not 0 < hz < sample_rate / 2:
        raise ValueError(f"Expected a fundamental between 0 and {sample_rate / 2:g} Hz. Received: {hz:g}")
    length = min(num_samples or round(NUM_SAMPLES * sample_rate / _PAPERS_RATE), wave.size)
    start = _middle(wave, length)
    values = wave[start : start + length]
    coherence = np.nan
    if np.mean(np.square(values)) > _SILENCE:
        steps = np.arange(-_SEARCHED_CENTS, _SEARCHED_CENTS + 1, _STEP_CENTS)
        steps = steps[np.argsort(np.abs(steps), kind="stable")]  # Among equally good ones the nearest is taken.
        candidates = hz * 2 ** (steps / 1200)
        hz = float(max(candidates, key=lambda f: _repeating_share(values, f / sample_rate, _SEARCHED_HARMONICS)))
        if 2 <= length * hz / sample_rate:
            coherence = _repeating_share(values, hz / sample_rate)
    turns = np.arange(length) * hz / sample_rate
    return Folded(turns % 1, turns.astype(int), values.astype(np.float32), hz, coherence)


def _middle(wave: np.ndarray, length: int) -> int:
    """Where a stretch of this length begins."""
    start = (wave.size - length) // 2
    sounding = np.flatnonzero(np.abs(wave) > _AUDIBLE * np.max(np.abs(wave)))
    if sounding.size and not start <= sounding[-1] - length:  # A plucked string has died away before its middle.
        start = int(np.clip((sounding[0] + sounding[-1] - length) // 2, 0, wave.size - length))
    return start


def _repeating_share(values: np.ndarray, turns_per_sample: float, most: int | None = None) -> float:
    """How much of the variance a sum of harmonics explains: R squared, adjusted for the number of harmonics."""
    harmonics = np.arange(1, int(min(0.5 / turns_per_sample, most or np.inf)) + 1)
    angles = 2 * np.pi * turns_per_sample * np.outer(np.arange(len(values)), harmonics)
    waves = np.concatenate([np.ones((len(values), 1)), np.cos(angles), np.sin(angles)], axis=1)
    spare = len(values) - waves.shape[1]
    if spare < 1:
        return np.nan
    weights, *_ = np.linalg.lstsq(waves, values, rcond=None)
    unexplained = np.sum(np.square(values - waves @ weights)) / spare
    return float(1 - unexplained / max(np.var(values, ddof=1), _SILENCE * 1e-6))
