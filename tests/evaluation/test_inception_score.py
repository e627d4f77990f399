"""Inception score against hand-computed values and SciPy's relative entropy."""

import numpy as np
import pytest
from scipy import stats

from gansynth_tf.evaluation.inception_score import inception_score


def test_sure_and_evenly_spread_is_the_number_of_classes():
    assert inception_score(np.eye(7)[np.arange(21) % 7]) == pytest.approx(7)
    assert inception_score(np.eye(9)[[0, 0, 4, 4]]) == pytest.approx(2)  # Unused classes do not count.


def test_clueless_or_all_alike_is_one():
    assert inception_score(np.full([5, 8], 1 / 8)) == pytest.approx(1)
    assert inception_score(np.eye(8)[[3] * 5]) == pytest.approx(1)


def test_by_hand():
    # Rows (1, 0) and (1/2, 1/2), their mean (3/4, 1/4).
    divergences = (np.log(4 / 3), 0.5 * np.log(2 / 3) + 0.5 * np.log(2))
    assert inception_score([[1, 0], [0.5, 0.5]]) == pytest.approx(np.exp(np.mean(divergences)))


def test_equals_scipys_relative_entropy():
    p = np.random.default_rng(0).dirichlet(np.full(12, 0.3), size=31)
    expected = np.exp(np.mean([stats.entropy(row, p.mean(axis=0)) for row in p]))
    assert inception_score(p.astype(np.float32)) == pytest.approx(expected, rel=1e-5)


def test_nothing_has_no_score():
    with pytest.raises(ValueError, match="at least one note"):
        inception_score(np.zeros([0, 5]))
