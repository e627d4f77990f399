"""Bins and their test against statsmodels' formula by hand, SciPy's divergence, and the two ends of the scale."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from gansynth_tf.evaluation.ndb import Bins, compare_bins, two_proportion_p_values


def test_p_values_by_hand():
    # Bin 0: 30 of 100 against 50 of 100; pooled 0.4, error sqrt(0.24 * 0.02), z = -2.8868.
    a, b = np.array([30.0, 70, 0]), np.array([50.0, 50, 0])
    np.testing.assert_allclose(two_proportion_p_values(a, b), [0.0038924, 0.0038924, 1], rtol=1e-4)


def test_p_values_equal_a_chi_square_test_of_two_by_two():
    a, b = np.array([12.0, 30, 58, 4]), np.array([40.0, 35, 60, 9])
    expected = [
        stats.chi2_contingency([[x, a.sum() - x], [y, b.sum() - y]], correction=False).pvalue
        for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(two_proportion_p_values(a, b), expected)


def test_divergence_equals_scipys():
    a, b = np.array([1.0, 5, 0, 9]), np.array([4.0, 0, 0, 7])
    assert compare_bins(a, b).divergence == pytest.approx(jensenshannon(a, b) ** 2)
    assert compare_bins([5, 0], [0, 9]).divergence == pytest.approx(np.log(2))


def test_notes_go_to_the_nearest_centre():
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0], [10, 0], [0, 10]])
    notes = np.repeat(centres, [20, 30, 50], axis=0) + rng.normal(scale=0.1, size=[100, 2])
    bins = Bins(notes, num_bins=3)
    assert sorted(bins.counts) == [20, 30, 50]
    np.testing.assert_array_equal(bins.counts, np.bincount(bins.assign(notes), minlength=3))
    assert len(set(bins.assign(centres + 3).tolist())) == 3


def test_the_two_ends_of_the_scale():
    rng = np.random.default_rng(1)

    def draw(num):
        return rng.normal(size=[num, 3]).astype(np.float32)

    bins = Bins(draw(3000), num_bins=40, seed=2)
    sets = draw(1500), np.tile(draw(5), (300, 1)), 9 * draw(1500)
    counts = [np.bincount(bins.assign(notes), minlength=40) for notes in sets]
    same, collapsed, noise = (compare_bins(bins.counts, count) for count in counts)
    assert same.num_different <= 6 and same.divergence < 0.02  # By chance 2 of 40.
    assert collapsed.num_different > 30 and noise.num_different > 20
    assert min(collapsed.divergence, noise.divergence) > 0.2


def test_what_cannot_be_compared():
    with pytest.raises(ValueError, match="more notes than 5 bins"):
        Bins(np.zeros([5, 2]), num_bins=5)
    with pytest.raises(ValueError, match="two histograms"):
        compare_bins([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="with notes"):
        compare_bins([1, 2], [0, 0])
