"""The MIDI pitch of a recorded note, measured by probabilistic YIN (Mauch and Dixon 2014)."""

import numpy as np

from gansynth_tf import audio, compiled, pitches
from gansynth_tf.data.notes import UNKNOWN

_LOWEST_HZ, _HIGHEST_HZ = 27.5, 2200.0  # A0 to above C#7: a semitone more than the highest pitch that counts.
_RATE = 32000  # YIN needs a dozen samples in a period, or it answers an octave low.
_FRAME, _HOP = 4096, 1024
_SECONDS = 1.5  # Of the note, from its loudest moment on.
_MIN_VOICED_FRAMES = 3
_SURE = 0.1  # Probability of a pitch in the middle one of the voiced frames; noise has 0.01, tones have over 0.5.
_STEADY_SEMITONES = 1.0  # Half of the frames lie within this of each other in a note of one pitch.


def detect_pitch(wave: np.ndarray, sample_rate: int) -> int:
    """Measures a note's pitch.

    Args:
        wave: [samples]; finite.
        sample_rate: Hz.

    Returns:
        The nearest MIDI pitch, or `notes.UNKNOWN` where the sound has no steady pitch between A0 and C7.
    """
    librosa = compiled.load_librosa()
    wave = audio.resample(wave, sample_rate, _RATE)
    level = np.convolve(np.square(wave), np.ones(_HOP), "same")
    start = int(np.argmax(level))
    part = wave[start : start + int(_SECONDS * _RATE)]
    if len(part) < 2 * _FRAME:
        part = wave
    part = part[: len(np.trim_zeros(part, "b"))]
    if len(part) < _FRAME:
        return UNKNOWN
    f0, voiced, probability = librosa.pyin(
        part / np.abs(part).max(), sr=_RATE, fmin=_LOWEST_HZ, fmax=_HIGHEST_HZ, frame_length=_FRAME, hop_length=_HOP,
        resolution=0.2, fill_na=None,
    )  # fmt: skip
    found = pitches.hz_to_midi(f0[voiced])
    if len(found) < _MIN_VOICED_FRAMES or np.median(probability[voiced]) < _SURE:
        return UNKNOWN
    if np.subtract(*np.percentile(found, [75, 25])) > _STEADY_SEMITONES:
        return UNKNOWN
    return int(round(float(np.median(found))))
