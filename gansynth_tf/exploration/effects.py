"""What a step along a direction does to a note: its loudness, its brightness, how it dies away, measured."""

from collections.abc import Callable

import numpy as np

_SILENCE = 1e-5  # RMS; -100 dB.
_FRAME = 1024  # Samples.
_STEP = 2.0  # Standard deviations to either side: what a slider's user would try.


def measure_notes(waves: np.ndarray, sample_rate: int) -> dict[str, np.ndarray]:
    """Measures three qualities of notes.

    Args:
        waves: [batch, samples].
        sample_rate: Samples per second.

    Returns:
        float64 [batch] each: "loudness_db", the RMS level; "brightness_octaves", log2 of the power spectrum's
        centroid in Hz; "sustain_db", the level of the note's third quarter over that of its first.
    """
    from scipy import signal

    waves = np.asarray(waves, np.float64)
    hz, _, transform = signal.stft(waves, sample_rate, nperseg=min(_FRAME, waves.shape[1]))
    spectrum = np.square(np.abs(transform)).sum(axis=2)
    centroid = spectrum @ hz / np.maximum(spectrum.sum(axis=1), _SILENCE**2)
    quarter = waves.shape[1] // 4
    first, third = waves[:, :quarter], waves[:, 2 * quarter : 3 * quarter]
    return {
        "loudness_db": _level(waves),
        "brightness_octaves": np.log2(np.maximum(centroid, 1.0)),
        "sustain_db": _level(third) - _level(first),
    }


def _level(waves: np.ndarray) -> np.ndarray:
    return 20 * np.log10(np.sqrt(np.mean(np.square(waves), axis=1)) + _SILENCE)


def measure_effect(
    generate: Callable[[np.ndarray, np.ndarray], np.ndarray],
    move: Callable[[np.ndarray, float], np.ndarray],
    z: np.ndarray,
    pitches: np.ndarray,
    sample_rate: int,
) -> dict[str, float]:
    """Measures what a slider does, on average over notes, for each step of 1.

    Args:
        generate: (z [batch, latent], pitches [batch]) -> waves [batch, samples].
        move: (z, value of the slider) -> z.
        z: The notes to try it on, [batch, latent].
        pitches: Their MIDI pitches, [batch].
        sample_rate: Samples per second.

    Returns:
        The qualities of `measure_notes`: the mean difference from -2 to +2, divided by 4.
    """
    low, high = (measure_notes(generate(move(z, step), pitches), sample_rate) for step in (-_STEP, _STEP))
    return {name: float(np.mean(high[name] - low[name]) / (2 * _STEP)) for name in low}
