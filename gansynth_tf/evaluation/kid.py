"""Kernel distance between two sets of features: unbiased squared MMD, cubic polynomial kernel (Bińkowski et al. 2018).

k(x, y) = (x . y / size + 1)^3, the mean over random subsets. Unlike the Fréchet distance its expectation does not
depend on the number of notes, and it is 0 for two draws of one distribution (so it may come out below 0).
"""

from typing import NamedTuple

import numpy as np


class KernelDistance(NamedTuple):
    """Mean over the subsets, their standard deviation, and how many notes of each side a subset holds."""

    mean: float
    error: float
    subset_size: int


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased estimate for two sets (Gretton et al. 2012, equation 3).

    Args:
        x, y: Features, [notes, size], at least two on each side.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.shape[1:] != x.shape[1:] or min(len(x), len(y)) < 2:
        raise ValueError(f"Expected features [notes, size], 2 notes or more. Received shapes: {x.shape} and {y.shape}")
    among_x, among_y, across = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    own = [(np.sum(k) - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (among_x, among_y)]
    return float(own[0] + own[1] - 2 * np.mean(across))


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1) ** 3


def kernel_distance(
    x: np.ndarray, y: np.ndarray, num_subsets: int = 50, subset_size: int = 1000, seed: int = 0
) -> KernelDistance:
    """The mean of `squared_mmd` over random subsets.

    Args:
        x, y: Features, [notes, size], at least four on each side.
        num_subsets: How many subsets are drawn, each without repetition.
        subset_size: Notes of each side in a subset; at most half of the smaller side, so that subsets differ.
        seed: Of the draw.

    Returns:
        Mean, standard deviation over subsets, and the size used.

    Raises:
        ValueError: If there are fewer notes.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if min(len(x), len(y)) < 4:
        raise ValueError(f"Expected at least 4 notes on each side. Received: {len(x)} and {len(y)}")
    size = min(subset_size, len(x) // 2, len(y) // 2)
    rng = np.random.default_rng(seed)
    values = [
        squared_mmd(x[rng.choice(len(x), size, replace=False)], y[rng.choice(len(y), size, replace=False)])
        for _ in range(num_subsets)
    ]
    return KernelDistance(float(np.mean(values)), float(np.std(values)), size)
