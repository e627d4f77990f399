"""Are a model's timbres as many, and as close to real ones, as those of real notes?

Distances between notes of the same pitch: the root mean square difference of their log-mel spectrograms, in decibels.
"""

from typing import NamedTuple

import numpy as np

from gansynth_tf import compiled

_WINDOW_SECONDS = 0.064
_NUM_MELS = 64
_RANGE_DB = 80.0  # Under the loudest point of the real notes; what is softer counts as equally silent.


class Diversity(NamedTuple):
    """Distances relative to those among real notes; means over pitches.

    `ratio`: mean distance between two generated notes of a pitch over that between two real ones. 1: as diverse as
    real notes; 0: one timbre only. Noise is diverse too, so read it beside the other two.
    `generated_to_real`: mean distance of a generated note to the nearest real one, over that of a real note to the
    nearest other real one. 1: as close as real notes are to each other.
    `real_to_generated`: likewise from each real note to the nearest generated one; large when timbres are missing.
    `num_pitches`: pitches with at least two notes on both sides; only these were compared.
    """

    ratio: float
    generated_to_real: float
    real_to_generated: float
    num_pitches: int


def log_mels(waves: np.ndarray, sample_rate: int) -> np.ndarray:
    """Computes log-mel spectrograms.

    Args:
        waves: [batch, samples], finite.
        sample_rate: Samples per second.

    Returns:
        float32 [batch, freq, time], decibels; -200 where there is nothing.

    Raises:
        ValueError: If waves are not finite or not [batch, samples].
    """
    librosa = compiled.load_librosa()
    waves = np.asarray(waves, np.float32)
    if waves.ndim != 2 or not waves.size or not np.all(np.isfinite(waves)):
        raise ValueError(f"Expected finite waves [batch, samples], at least one note. Received shape: {waves.shape}")
    window = 2 ** round(np.log2(_WINDOW_SECONDS * sample_rate))
    waves = np.pad(waves, ((0, 0), (0, max(window - waves.shape[1], 0))))
    power = [librosa.feature.melspectrogram(y=w, sr=sample_rate, n_fft=window, n_mels=_NUM_MELS) for w in waves]
    return (10 * np.log10(np.maximum(power, 1e-20))).astype(np.float32)


def diversity(
    generated: np.ndarray, generated_pitches: np.ndarray, real: np.ndarray, real_pitches: np.ndarray, sample_rate: int
) -> Diversity:
    """Compares the spread of generated notes with that of real notes, pitch by pitch.

    Args:
        generated: Notes, [batch, samples], of several latents for each pitch.
        generated_pitches: Their MIDI pitches, [batch].
        real: Notes, [batch, samples], as long as the generated ones, of several instruments for each pitch.
        real_pitches: Their MIDI pitches, [batch].
        sample_rate: Samples per second.

    Returns:
        The three ratios and the number of pitches compared.

    Raises:
        ValueError: If shapes do not fit, or no pitch has two notes on both sides, or real notes are all the same.
    """
    generated_pitches, real_pitches = np.asarray(generated_pitches), np.asarray(real_pitches)
    generated, real = _comparable(generated, generated_pitches, real, real_pitches, sample_rate)
    rows = []
    for pitch in np.intersect1d(generated_pitches, real_pitches):
        ours, theirs = generated[generated_pitches == pitch], real[real_pitches == pitch]
        if len(ours) >= 2 and len(theirs) >= 2:
            rows.append(_distances(ours, theirs))
    if not rows:
        raise ValueError("Expected a pitch with at least 2 generated and 2 real notes. Received none; give more notes")
    spread, real_spread, to_real, to_generated, real_to_real = np.mean(rows, axis=0)
    if real_to_real <= 0:
        raise ValueError("Expected different real notes of a pitch. Received: an exact copy of each; remove copies")
    return Diversity(
        float(spread / real_spread), float(to_real / real_to_real), float(to_generated / real_to_real), len(rows)
    )


def _comparable(generated, generated_pitches, real, real_pitches, sample_rate) -> tuple[np.ndarray, np.ndarray]:
    """Log-mel vectors [batch, points] of both sides, cut at the same floor and scaled so that distances are RMS."""
    if np.shape(generated)[1:] != np.shape(real)[1:]:
        raise ValueError(
            f"Expected equally long generated and real notes. Received: {np.shape(generated)} and {np.shape(real)}"
        )
    for waves, pitches in ((generated, generated_pitches), (real, real_pitches)):
        if pitches.shape != np.shape(waves)[:1]:
            found = f"{pitches.shape} pitches and {np.shape(waves)} waves"
            raise ValueError(f"Expected a pitch for each note. Received: {found}")
    generated, real = log_mels(generated, sample_rate), log_mels(real, sample_rate)
    floor = real.max() - _RANGE_DB
    generated, real = (np.maximum(x, floor).reshape(len(x), -1) for x in (generated, real))
    scale = np.sqrt(real.shape[1])
    return generated / scale, real / scale


def _distances(generated: np.ndarray, real: np.ndarray) -> tuple[float, float, float, float, float]:
    """Mean pairwise distances of both sides; mean nearest-neighbour distances across, back, and among real notes."""
    from scipy.spatial import distance

    among_real = distance.cdist(real, real)
    across = distance.cdist(generated, real)
    spread, real_spread = np.mean(distance.pdist(generated)), np.mean(distance.pdist(real))
    np.fill_diagonal(among_real, np.inf)
    return spread, real_spread, *(np.mean(d.min(axis=1)) for d in (across, across.T, among_real))
