"""Intervals against the normal theory and SciPy's bootstrap."""

import numpy as np
import pytest
from scipy import stats

from gansynth_tf.evaluation.bootstrap import normal_interval, percentile_interval

VALUES = np.random.default_rng(0).exponential(size=400)


def test_the_mean_as_theory_and_scipy_have_it():
    interval = percentile_interval(VALUES, num_resamples=4000)
    half = 1.96 * VALUES.std(ddof=1) / np.sqrt(400)
    np.testing.assert_allclose(interval, [VALUES.mean() - half, VALUES.mean() + half], atol=0.15 * half)
    expected = stats.bootstrap([VALUES], np.mean, method="percentile", rng=np.random.default_rng(1))
    np.testing.assert_allclose(interval, expected.confidence_interval, atol=0.15 * half)
    narrow = percentile_interval(VALUES, confidence=0.5)
    assert interval.low < narrow.low < VALUES.mean() < narrow.high < interval.high


def test_normal_interval_is_centred_on_the_estimate():
    interval = normal_interval(lambda places: VALUES[places].mean(), 400, 7.0, num_resamples=2000)
    assert np.mean(interval) == pytest.approx(7)
    assert interval.high - 7 == pytest.approx(1.96 * VALUES.std() / 20, rel=0.1)


def test_the_same_seed_gives_the_same_interval():
    first, again, other = (percentile_interval(VALUES, seed=seed) for seed in (3, 3, 4))
    assert first == again != other


def test_it_covers_as_often_as_it_says():
    rng = np.random.default_rng(5)
    intervals = [percentile_interval(rng.normal(1, 1, 60), num_resamples=200, seed=seed) for seed in range(200)]
    hits = [low <= 1 <= high for low, high in intervals]
    assert 0.88 < np.mean(hits) < 0.99


def test_nothing_has_no_interval():
    with pytest.raises(ValueError, match="at least 1 value"):
        percentile_interval([])
