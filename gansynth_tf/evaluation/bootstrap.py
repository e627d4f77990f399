"""Confidence intervals by resampling notes with repetition (Efron and Tibshirani 1993)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """From low to high."""

    low: float
    high: float


def percentile_interval(
    values: np.ndarray, confidence: float = 0.95, num_resamples: int = 1000, seed: int = 0
) -> Interval:
    """Interval of the mean of notes' own values, between percentiles of the resampled means.

    Args:
        values: [notes], finite.
        confidence: Between 0 and 1.
        num_resamples: How many sets are drawn.
        seed: Of the draw.

    Raises:
        ValueError: If there are no values.
    """
    values = np.asarray(values, np.float64)
    if not values.size:
        raise ValueError("Expected at least 1 value. Received none")
    rng = np.random.default_rng(seed)
    means = [np.mean(values[rng.integers(len(values), size=len(values))]) for _ in range(num_resamples)]
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def normal_interval(
    statistic: Callable[[np.ndarray], float],
    num_notes: int,
    estimate: float,
    confidence: float = 0.95,
    num_resamples: int = 50,
    seed: int = 0,
) -> Interval:
    """Interval around an estimate, as wide as its resampled values spread.

    For distances between sets. Repeated notes move such a distance itself, so that percentiles would miss the estimate;
    its spread is still right.

    Args:
        statistic: Places of the drawn notes, int [notes] -> the distance.
        num_notes: Notes in the set.
        estimate: The distance of the whole set.
        confidence: Between 0 and 1.
        num_resamples: How many sets are drawn, at least 2.
        seed: Of the draw.
    """
    from scipy import stats

    rng = np.random.default_rng(seed)
    values = [statistic(rng.integers(num_notes, size=num_notes)) for _ in range(num_resamples)]
    half = float(stats.norm.ppf((1 + confidence) / 2) * np.std(values, ddof=1))
    return Interval(estimate - half, estimate + half)
