"""Precision and recall against points on a line, an independent implementation, and the two ends of the scale."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from gansynth_tf.evaluation.precision_recall import precision_recall


def test_points_on_a_line():
    # With one neighbour the real balls reach 1 around 0, 1 and 3 around 4; the generated ones 0.5 and 9.5.
    real, generated = np.array([[0.0], [1], [4]]), np.array([[2.0], [2.5], [12]])
    result = precision_recall(real, generated, neighbours=1)
    assert result.realistic.tolist() == [True, True, False]
    assert result.covered.tolist() == [False, False, True]  # 4 lies within 9.5 of 12.
    assert (result.precision, result.recall) == pytest.approx((2 / 3, 1 / 3))


@pytest.mark.parametrize("neighbours", [1, 3, 5])
def test_equals_the_formula_of_prdc(neighbours):
    # Radii by partition of the full distance matrix, each point at distance 0 of itself among them.
    rng = np.random.default_rng(0)
    real, generated = rng.normal(size=[70, 6]), 0.8 * rng.normal(size=[83, 6]) + 0.3
    radii = [np.partition(cdist(x, x), neighbours, axis=1)[:, neighbours] for x in (real, generated)]
    across = cdist(real, generated)
    precision = np.mean(np.any(across < radii[0][:, np.newaxis], axis=0))
    recall = np.mean(np.any(across < radii[1][np.newaxis], axis=1))
    assert precision_recall(real, generated, neighbours)[:2] == pytest.approx((precision, recall))


def test_the_two_ends_of_the_scale():
    rng = np.random.default_rng(1)
    real, again = rng.normal(size=[1500, 4]), rng.normal(size=[1300, 4])
    assert precision_recall(real, real)[:2] == (1, 1)
    assert min(precision_recall(real, again)[:2]) > 0.9
    assert precision_recall(real, again + 30)[:2] == (0, 0)
    narrow = precision_recall(real, 0.05 * again)
    assert narrow.precision > 0.99 and narrow.recall < 0.1


def test_too_few_notes():
    with pytest.raises(ValueError, match="more than 3 notes"):
        precision_recall(np.zeros([3, 2]), np.zeros([9, 2]))
