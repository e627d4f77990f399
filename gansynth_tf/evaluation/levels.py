"""How loud notes are, and how many are silent, clipped or broken: what no distance between normalised spectra shows."""

from typing import NamedTuple

import numpy as np

SILENT_DB = -60.0  # Root mean square, under full scale.


class Levels(NamedTuple):
    """Each [batch]: root mean square and peak in decibels under full scale (-inf for zeros, NaN for broken notes)."""

    rms_db: np.ndarray
    peak_db: np.ndarray


class LevelSummary(NamedTuple):
    """Median level and its spread (standard deviation) over notes that sound, in dB; shares of the whole set."""

    rms_db: float
    rms_spread_db: float
    silent: float
    clipped: float
    broken: float


def note_levels(waves: np.ndarray) -> Levels:
    """Measures notes.

    Args:
        waves: [batch, samples], full scale is 1.
    """
    waves = np.asarray(waves, np.float64)
    if waves.ndim != 2 or not waves.shape[1]:
        raise ValueError(f"Expected waves [batch, samples]. Received shape: {waves.shape}")
    finite = np.all(np.isfinite(waves), axis=1)
    waves = np.where(finite[:, np.newaxis], waves, 0)
    with np.errstate(divide="ignore"):
        rms = 10 * np.log10(np.mean(waves**2, axis=1))
        peak = 20 * np.log10(np.max(np.abs(waves), axis=1))
    return Levels(np.where(finite, rms, np.nan), np.where(finite, peak, np.nan))


def summarise_levels(levels: Levels) -> LevelSummary:
    """Summarises a set: silent is below -60 dB, clipped is a peak over full scale, broken is not finite.

    Args:
        levels: Of at least one note.
    """
    rms, peak = np.asarray(levels.rms_db), np.asarray(levels.peak_db)
    if not rms.size:
        raise ValueError("Expected at least 1 note. Received none")
    sounding = rms[np.isfinite(rms) & (rms >= SILENT_DB)]
    median, spread = (np.median(sounding), np.std(sounding)) if sounding.size else (np.nan, np.nan)
    shares = (rms < SILENT_DB, peak > 0, np.isnan(rms))
    return LevelSummary(float(median), float(spread), *(float(np.mean(share)) for share in shares))
