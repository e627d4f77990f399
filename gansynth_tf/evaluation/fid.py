"""Fréchet distance between two sets of features, each taken for a Gaussian (Heusel et al. 2017, equation 6).

|m_a - m_b|^2 + Tr(C_a + C_b - 2 (C_a C_b)^(1/2)). Engel et al. 2019 take the features from a pitch classifier. The
estimate falls with the number of notes: compare only distances of equally many.
"""

import numpy as np


class GaussianStatistics:
    """Mean and covariance of a stream of features, in float64 (the update of Chan et al. 1983).

    Args:
        size: Numbers in a feature.
    """

    def __init__(self, size: int):
        self.num = 0
        self.mean = np.zeros(size)
        self._scatter = np.zeros([size, size])

    def add(self, features: np.ndarray) -> "GaussianStatistics":
        """Takes in a batch, [batch, size]; returns itself."""
        features = np.asarray(features, np.float64)
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise ValueError(f"Expected features [batch, {len(self.mean)}]. Received shape: {features.shape}")
        if not len(features):
            return self
        mean, total = features.mean(axis=0), self.num + len(features)
        apart = mean - self.mean
        centred = features - mean
        self._scatter += centred.T @ centred + np.outer(apart, apart) * (self.num * len(features) / total)
        self.mean = self.mean + apart * (len(features) / total)
        self.num = total
        return self

    @property
    def covariance(self) -> np.ndarray:
        """Unbiased covariance, float64 [size, size].

        Raises:
            ValueError: Of fewer than two features.
        """
        if self.num < 2:
            raise ValueError(f"Expected at least 2 notes for a covariance. Received: {self.num}")
        return self._scatter / (self.num - 1)


def frechet_distance(a: GaussianStatistics, b: GaussianStatistics) -> float:
    """The distance between two sets; 0 when means and covariances are equal.

    Args:
        a, b: Statistics of features of one size, of at least two notes each.
    """
    covariances = a.covariance, b.covariance
    # The roots of C_a C_b are those of the symmetric C_a^(1/2) C_b C_a^(1/2): no complex numbers, no failing sqrtm.
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    roots = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ covariances[1] @ root), 0))
    apart = a.mean - b.mean
    distance = apart @ apart + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * roots.sum()
    return float(max(distance, 0.0))


def features_distance(a: np.ndarray, b: np.ndarray) -> float:
    """`frechet_distance` of two arrays [notes, size]."""
    a, b = np.asarray(a), np.asarray(b)
    return frechet_distance(GaussianStatistics(a.shape[1]).add(a), GaussianStatistics(b.shape[1]).add(b))
