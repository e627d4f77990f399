"""Fréchet distance against hand-computed values, SciPy's matrix root, and the two ends of its scale."""

import numpy as np
import pytest
from scipy import linalg

from gansynth_tf.evaluation.fid import GaussianStatistics, features_distance, frechet_distance


def _draw(rng, num, size, shift=0.0):
    return rng.normal(size=[num, size]) @ np.diag(np.linspace(0.5, 2, size)) + shift


def test_one_dimension_by_hand():
    # Means 2 and 5, variances 1 and 4: (2 - 5)^2 + 1 + 4 - 2 * sqrt(1 * 4) = 10.
    a, b = np.array([[1.0], [2], [3]]), np.array([[3.0], [5], [7]])
    assert features_distance(a, b) == pytest.approx(9 + 1 + 4 - 4)
    assert features_distance(b, a) == pytest.approx(10)


def test_equals_the_formula_with_a_matrix_root():
    rng = np.random.default_rng(0)
    a, b = _draw(rng, 300, 7), _draw(rng, 211, 7, 0.4) @ rng.normal(size=[7, 7])
    means, covariances = (a.mean(0), b.mean(0)), (np.cov(a.T), np.cov(b.T))
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = np.sum((means[0] - means[1]) ** 2) + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert features_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_fewer_notes_than_features():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=[5, 12]), rng.normal(size=[6, 12])
    roots = np.linalg.eigvals(np.cov(a.T) @ np.cov(b.T))
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(np.cov(a.T) + np.cov(b.T))
    expected -= 2 * np.sum(np.sqrt(np.maximum(roots.real, 0)))
    assert features_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_statistics_streamed_are_those_of_the_whole():
    features = 1e4 + np.random.default_rng(2).normal(size=[103, 5])
    streamed = GaussianStatistics(5)
    for part in np.split(features.astype(np.float32), [40, 41, 41, 90]):
        streamed.add(part)
    whole = features.astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(streamed.mean, whole.mean(0), rtol=1e-12)
    np.testing.assert_allclose(streamed.covariance, np.cov(whole.T), rtol=1e-9)
    assert streamed.num == 103


def test_the_two_ends_of_the_scale():
    rng = np.random.default_rng(3)
    real, again = _draw(rng, 4000, 6), _draw(rng, 4000, 6)
    assert features_distance(real, real) == pytest.approx(0, abs=1e-9)
    assert features_distance(real, again) < 0.05
    assert features_distance(real, 10 * rng.normal(size=[4000, 6])) > 100


def test_what_cannot_be_measured():
    with pytest.raises(ValueError, match="at least 2 notes"):
        frechet_distance(GaussianStatistics(3).add(np.zeros([1, 3])), GaussianStatistics(3).add(np.zeros([4, 3])))
    with pytest.raises(ValueError, match=r"\[batch, 3\]"):
        GaussianStatistics(3).add(np.zeros([4, 2]))
