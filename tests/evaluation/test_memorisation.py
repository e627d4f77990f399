"""Nearest training notes, and the test for copies, at the ends of its scale."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from gansynth_tf.evaluation.memorisation import copying, nearest_distances


def test_nearest_by_scipy():
    rng = np.random.default_rng(0)
    notes, training = rng.normal(size=[40, 9]).astype(np.float32), rng.normal(size=[300, 9]).astype(np.float32)
    distances, places = nearest_distances(notes, training)
    every = cdist(notes, training)
    np.testing.assert_array_equal(places, every.argmin(axis=1))
    np.testing.assert_allclose(distances, every.min(axis=1) / 3, rtol=1e-6)


def test_an_exact_copy_is_at_distance_zero():
    training = 1e3 + np.random.default_rng(1).normal(size=[50, 7]).astype(np.float32)
    distances, places = nearest_distances(training[[4, 44]], training)
    assert distances.tolist() == [0, 0] and places.tolist() == [4, 44]


def test_statistic_by_hand():
    # Of six pairs the generated distance is larger in five: U = 5, expected 3, deviation sqrt(3 * 2 * 6 / 12).
    result = copying([2.0, 4, 5], [1.0, 3])
    assert result.z == pytest.approx((5 - 3) / np.sqrt(3))
    assert result.ratio == 2 and result.near == 0


def test_the_ends_of_the_scale():
    rng = np.random.default_rng(2)
    training, held_out, fresh = (rng.normal(size=[n, 5]) for n in (800, 200, 500))

    def test_of(notes):
        return copying(nearest_distances(notes, training)[0], nearest_distances(held_out, training)[0])

    same = test_of(fresh)
    assert abs(same.z) < 3 and same.near == pytest.approx(0.05, abs=0.04) and same.ratio == pytest.approx(1, abs=0.1)
    copies = test_of(training[:500] + 0.01 * fresh)
    assert copies.z < -10 and copies.near > 0.9 and copies.ratio < 0.1
    far = test_of(5 * fresh)
    assert far.z > 10 and far.ratio > 2


def test_what_cannot_be_tested():
    with pytest.raises(ValueError, match="on both sides"):
        copying([], [1.0])
    with pytest.raises(ValueError, match="not in the training set"):
        copying([1.0], [0.0, 0.0, 0.0])
