"""Number of statistically different bins: does a model fill the clusters of real notes as real notes do?

Richardson and Weiss 2018, section 3: k-means on training notes; each other note goes to the nearest centre; a bin
counts as different when a two-proportion z-test says so at 5 %. Two draws of one distribution differ in 5 % of the
bins; a model that drops or repeats modes differs in most. More notes make the test sharper, so compare only equal
counts.
"""

from typing import NamedTuple

import numpy as np

SIGNIFICANCE = 0.05


class BinDifference(NamedTuple):
    """Bins that differ, of how many, and the Jensen-Shannon divergence of the two histograms in nats (0 to log 2)."""

    num_different: int
    num_bins: int
    divergence: float


class Bins:
    """Clusters of training notes.

    Args:
        vectors: Training notes, [notes, size]; more notes than bins.
        num_bins: Clusters. Engel et al. 2019: 50.
        seed: Of k-means.

    Raises:
        ValueError: If there are too few notes.
    """

    def __init__(self, vectors: np.ndarray, num_bins: int = 50, seed: int = 0):
        from sklearn.cluster import KMeans

        if len(vectors) <= num_bins:
            raise ValueError(f"Expected more notes than {num_bins} bins. Received: {len(vectors)}; use fewer bins")
        self._clusters = KMeans(num_bins, n_init=3, max_iter=100, random_state=seed).fit(np.asarray(vectors))
        self.num_bins = num_bins
        self.counts = np.bincount(self._clusters.labels_, minlength=num_bins)

    def assign(self, vectors: np.ndarray) -> np.ndarray:
        """The nearest centre of each note, int [notes]."""
        return self._clusters.predict(np.asarray(vectors, self._clusters.cluster_centers_.dtype))


def compare_bins(a: np.ndarray, b: np.ndarray) -> BinDifference:
    """Compares two histograms over the same bins.

    Args:
        a, b: Notes in each bin, [bins].

    Returns:
        Number of bins whose shares differ, number of bins, Jensen-Shannon divergence.

    Raises:
        ValueError: If shapes differ or a side has no notes.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape != b.shape or a.ndim != 1 or a.sum() <= 0 or b.sum() <= 0:
        raise ValueError(f"Expected two histograms [bins] with notes. Received: {a.tolist()} and {b.tolist()}")
    different = int(np.count_nonzero(two_proportion_p_values(a, b) < SIGNIFICANCE))
    p, q = a / a.sum(), b / b.sum()
    middle = (p + q) / 2
    divergence = sum(np.sum(x[x > 0] * np.log(x[x > 0] / middle[x > 0])) for x in (p, q)) / 2
    return BinDifference(different, len(a), float(max(divergence, 0.0)))


def two_proportion_p_values(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Two-sided p-value of each bin, [bins]: z = (p_a - p_b) / sqrt(p (1 - p) (1 / n_a + 1 / n_b)), p pooled."""
    from scipy import stats

    num_a, num_b = np.sum(a), np.sum(b)
    pooled = (a + b) / (num_a + num_b)
    error = np.sqrt(pooled * (1 - pooled) * (1 / num_a + 1 / num_b))
    # Bins that are empty, or hold everything, on both sides have no error and no difference.
    z = (a / num_a - b / num_b) / np.where(error > 0, error, 1)
    return 2 * stats.norm.sf(np.abs(z))
