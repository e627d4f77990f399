"""Kernel distance against a hand-computed value, scikit-learn's kernel, and the two ends of its scale."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from gansynth_tf.evaluation.kid import kernel_distance, squared_mmd


def test_two_notes_by_hand():
    # One number in a feature: k(x, y) = (x y + 1)^3. k(0, 1) = 1, k(2, 3) = 343; across: 1, 1, 27, 64.
    assert squared_mmd([[0.0], [1.0]], [[2.0], [3.0]]) == pytest.approx(1 + 343 - 2 * (1 + 1 + 27 + 64) / 4)


def test_equals_the_estimate_with_sklearns_kernel():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=[40, 9]), rng.normal(size=[53, 9]) + 0.3
    kernels = [polynomial_kernel(a, b, degree=3, gamma=1 / 9, coef0=1) for a, b in ((x, x), (y, y), (x, y))]
    own = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in kernels[:2]]
    assert squared_mmd(x, y) == pytest.approx(own[0] + own[1] - 2 * kernels[2].mean())


def test_mean_and_deviation_over_subsets():
    # As torch-fidelity has it: subsets without repetition, mean and population deviation of their estimates.
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=[60, 4]), rng.normal(size=[71, 4])
    result = kernel_distance(x, y, num_subsets=7, subset_size=20, seed=5)
    draw = np.random.default_rng(5)
    values = []
    for _ in range(7):
        chosen = draw.choice(60, 20, replace=False), draw.choice(71, 20, replace=False)
        values.append(squared_mmd(x[chosen[0]], y[chosen[1]]))
    np.testing.assert_allclose(result, (np.mean(values), np.std(values), 20))


def test_the_two_ends_of_the_scale():
    rng = np.random.default_rng(2)
    real, again = rng.normal(size=[3000, 8]), rng.normal(size=[900, 8])
    same = kernel_distance(real, again, subset_size=400)
    assert abs(same.mean) < 2 * same.error and same.subset_size == 400
    assert kernel_distance(real, 4 * rng.normal(size=[900, 8]), subset_size=400).mean > 30 * same.error


def test_unbiased_whatever_the_number_of_notes():
    rng = np.random.default_rng(3)
    small = [squared_mmd(rng.normal(size=[6, 3]), rng.normal(size=[8, 3])) for _ in range(4000)]
    assert abs(np.mean(small)) < 4 * np.std(small) / np.sqrt(4000)


def test_small_sets_get_small_subsets():
    rng = np.random.default_rng(4)
    assert kernel_distance(rng.normal(size=[11, 2]), rng.normal(size=[90, 2])).subset_size == 5
    with pytest.raises(ValueError, match="at least 4 notes"):
        kernel_distance(rng.normal(size=[3, 2]), rng.normal(size=[90, 2]))
    with pytest.raises(ValueError, match="2 notes or more"):
        squared_mmd(np.zeros([1, 2]), np.zeros([5, 2]))
