"""How well a note overlaps itself modulo its period: the measure behind Engel et al. 2019, figure 1 (top).

The middle of a note is cut into cycles of one period and the cycles are laid over each other. Coherence is the mean
inner product of two different cycles divided by their mean energy: 1 for a periodic wave, 0 for cycles that have
nothing in common.
"""

import numpy as np

from gansynth_tf.pitches import midi_to_hz

_SECONDS = 1028 / 16000  # The figure shows 1028 samples from the middle.
_MIN_CYCLES = 8  # Low pitches get longer: two cycles say little.
_POINTS = 64  # Points of a cycle.
_CENTS = np.arange(-60.0, 60.5, 3.0)  # A note may be somewhat out of tune and still coherent.
_OVERSAMPLING = 8
_SILENCE = 1e-4  # Peaks under -80 dB have no cycles to speak of.


def phase_coherences(waves: np.ndarray, sample_rate: int, pitches: np.ndarray) -> np.ndarray:
    """Measures each note at the period, within 60 cents of the asked one, at which its cycles overlap best.

    The search lifts noise a little above 0 (to about 0.1).

    Args:
        waves: Notes, [batch, samples].
        sample_rate: Samples per second.
        pitches: Asked MIDI pitches, [batch].

    Returns:
        float64 [batch], at most 1; NaN for a note that is silent, not finite, or shorter than three periods.

    Raises:
        ValueError: If shapes do not fit.
    """
    waves, pitches = np.asarray(waves, np.float64), np.asarray(pitches, np.float64)
    if waves.ndim != 2 or pitches.shape != waves.shape[:1]:
        shapes = f"{waves.shape} and {pitches.shape}"
        raise ValueError(f"Expected waves [batch, samples] and pitches [batch]. Received shapes: {shapes}")
    return np.array([_coherence(w, sample_rate, p) for w, p in zip(waves, pitches, strict=True)], np.float64)


def _coherence(wave: np.ndarray, sample_rate: int, pitch: float) -> float:
    from scipy import signal

    period = sample_rate / float(midi_to_hz(pitch))
    longest = period * 2 ** (-_CENTS[0] / 1200)
    num_cycles = int(min(max(_SECONDS * sample_rate / longest, _MIN_CYCLES), (wave.size - 1) / longest))
    if num_cycles < 3 or not np.all(np.isfinite(wave)) or np.max(np.abs(wave)) < _SILENCE:
        return np.nan
    span = num_cycles * longest
    start = (wave.size - 1 - span) / 2
    # A margin for the interpolation, which is linear between oversampled points.
    first, last = max(0, int(start) - 32), min(wave.size, int(start + span) + 32)
    fine = signal.resample_poly(wave[first:last], _OVERSAMPLING, 1)
    periods = period * 2 ** (-_CENTS / 1200)
    cycles = (np.arange(num_cycles)[:, np.newaxis] + np.arange(_POINTS) / _POINTS) * periods[:, np.newaxis, np.newaxis]
    at = (start - first + cycles) * _OVERSAMPLING
    return float(np.max(cycle_overlaps(np.interp(at, np.arange(fine.size), fine))))


def cycle_overlaps(cycles: np.ndarray) -> np.ndarray:
    """Mean inner product of two different cycles over their mean energy, the mean level taken away.

    Args:
        cycles: [..., cycles, points], at least two cycles.

    Returns:
        float64 [...], from -1 / (cycles - 1) to 1; 0 where there is only silence.
    """
    cycles = np.asarray(cycles, np.float64)
    cycles = cycles - cycles.mean(axis=(-2, -1), keepdims=True)
    num = cycles.shape[-2]
    energy = np.sum(cycles**2, axis=(-2, -1))
    together = np.sum(cycles.sum(axis=-2) ** 2, axis=-1)  # Every pair of cycles, each with itself among them.
    return np.where(energy > 0, (together - energy) / np.where(energy > 0, (num - 1) * energy, 1), 0.0)
