"""Is a note at the pitch it was asked for? Measured by the fundamental, not by a classifier that noise can fool.

The fundamental comes from probabilistic YIN (Mauch and Dixon 2014).
"""

from typing import NamedTuple

import numpy as np

from gansynth_tf import compiled
from gansynth_tf.pitches import midi_to_hz

_LOWEST_HZ, _HIGHEST_HZ = 27.5, 1400.0  # Where a fundamental is looked for; octaves more for pitches near the edges.
_ROOM_BELOW, _ROOM_ABOVE = 2 ** (2 / 12), 2 ** (5 / 12)  # A note off its pitch by this must be found where it is.
_RATE = 16000  # YIN needs a dozen samples in a period, or it answers an octave low.
_FRAME_SECONDS, _HOP_SECONDS = 2048 / 16000, 512 / 16000
_MIN_VOICED_FRAMES = 3
_SILENCE = 1e-4  # Peaks under -80 dB have no pitch to speak of.
_BATCH = 16  # Notes tracked at once: shares the transition matrix, bounds the memory.


class InTune(NamedTuple):
    """Share of notes in tune, with a Wilson score interval from low to high."""

    fraction: float
    low: float
    high: float
    num_in_tune: int
    num_notes: int


def note_f0_cents(waves: np.ndarray, sample_rate: int, pitches: np.ndarray, resolution: float = 0.1) -> np.ndarray:
    """Measures how far each note's fundamental lies from the pitch it was asked for.

    The fundamental is the median over the voiced frames, over all frames when fewer than 3 are voiced.

    Args:
        waves: Notes, [batch, samples]; any length from one sample up.
        sample_rate: Samples per second; two periods of the lowest pitch should fit into a note.
        pitches: Asked MIDI pitches, [batch].
        resolution: Step of the pitch grid in semitones; 0.1 means steps of 10 cents. 0.2 is five times as fast.

    Returns:
        float64 [batch], cents: positive is sharp, NaN for a silent note or one with samples that are not finite.

    Raises:
        ValueError: If shapes do not fit, or a pitch lies above half the sample rate.
    """
    waves, pitches = np.asarray(waves, np.float32), np.asarray(pitches, np.float64)
    if waves.ndim != 2 or not waves.shape[1] or pitches.shape != waves.shape[:1]:
        raise ValueError(
            f"Expected waves [batch, samples] and pitches [batch]. Received shapes: {waves.shape} and {pitches.shape}"
        )
    cents = np.full(len(waves), np.nan)
    if not len(waves):
        return cents
    wanted_hz = midi_to_hz(pitches)
    if wanted_hz.max() * 2 >= sample_rate:
        limit = f"{sample_rate / 2:.0f} Hz, half the sample rate"
        raise ValueError(f"Expected pitches below {limit}. Received: {wanted_hz.max():.0f} Hz; leave them out")
    peaks = np.max(np.abs(waves), axis=1)
    audible = np.isfinite(peaks) & (peaks > _SILENCE)
    # The search depends on the note alone, so that its neighbours in the batch cannot change the answer.
    octaves_down = np.maximum(np.ceil(np.log2(_LOWEST_HZ * _ROOM_BELOW / wanted_hz)), 0).astype(int)
    octaves_up = np.maximum(np.ceil(np.log2(wanted_hz * _ROOM_ABOVE / _HIGHEST_HZ)), 0).astype(int)
    for down, up in sorted(set(zip(octaves_down.tolist(), octaves_up.tolist(), strict=True))):
        members = np.flatnonzero(audible & (octaves_down == down) & (octaves_up == up))
        for start in range(0, len(members), _BATCH):
            rows = members[start : start + _BATCH]
            f0 = _median_f0(waves[rows] / peaks[rows, np.newaxis], sample_rate, down, up, resolution)
            cents[rows] = 1200 * np.log2(f0 / wanted_hz[rows])
    return cents


def measure_pitch(wave: np.ndarray, sample_rate: int) -> float:
    """Measures the pitch of a note that nobody asked for.

    Args:
        wave: [samples].
        sample_rate: Samples per second.

    Returns:
        A MIDI pitch with its fraction, from 21 to 89; NaN for a silent note.
    """
    return 60 + float(note_f0_cents(np.asarray(wave)[np.newaxis], sample_rate, np.array([60.0]))[0]) / 100


def _median_f0(waves: np.ndarray, sample_rate: int, octaves_down: int, octaves_up: int, resolution: float):
    """Fundamentals in Hz, [batch], searched in a range widened by whole octaves."""
    from scipy import signal

    librosa = compiled.load_librosa()
    factor = -(-_RATE * 2**octaves_up // sample_rate)
    rate = sample_rate * factor
    f0, voiced, _ = librosa.pyin(
        signal.resample_poly(waves, factor, 1, axis=1) if factor > 1 else waves,
        sr=rate,
        fmin=_LOWEST_HZ / 2**octaves_down,
        fmax=_HIGHEST_HZ * 2**octaves_up,
        frame_length=round(_FRAME_SECONDS * 2**octaves_down * rate),
        hop_length=round(_HOP_SECONDS * rate),
        resolution=resolution,
        fill_na=None,
    )
    enough = np.sum(voiced, axis=1, keepdims=True) >= _MIN_VOICED_FRAMES
    return np.nanmedian(np.where(voiced | ~enough, f0, np.nan), axis=1)


def in_tune_fraction(cents: np.ndarray, tolerance: float = 50.0, confidence: float = 0.95) -> InTune:
    """Counts the notes within a tolerance of their pitch.

    Args:
        cents: Errors as `note_f0_cents` gives them, [batch]; NaN counts as out of tune.
        tolerance: Largest error that is in tune, in cents, exclusive: 50 is half a semitone.
        confidence: Of the interval, between 0 and 1.

    Returns:
        The fraction, its Wilson interval and the counts.

    Raises:
        ValueError: If there is no note.
    """
    from scipy import stats

    cents = np.asarray(cents, np.float64)
    if not cents.size:
        raise ValueError("Expected at least 1 note. Received none")
    num_in_tune = int(np.count_nonzero(np.abs(cents) < tolerance))
    interval = stats.binomtest(num_in_tune, cents.size).proportion_ci(confidence, method="wilson")
    return InTune(num_in_tune / cents.size, float(interval.low), float(interval.high), num_in_tune, cents.size)
