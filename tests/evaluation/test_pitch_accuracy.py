"""Errors, entropies and confusions of hand-made probabilities."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix

from gansynth_tf.evaluation.pitch_accuracy import confusion_counts, pitch_entropies, pitch_errors


def test_errors_in_semitones():
    heard, asked = [60, 61, 59, 72, 60], [60, 60, 60, 60, 61]
    errors = pitch_errors(np.eye(128)[heard], np.array(asked))
    assert errors.tolist() == [0, 1, -1, 12, -1]
    assert np.mean(errors == 0) == 0.2 and np.mean(np.abs(errors) <= 1) == 0.8


def test_entropies_in_nats():
    p = np.random.default_rng(0).dirichlet(np.full(128, 0.1), size=9)
    np.testing.assert_allclose(pitch_entropies(p), stats.entropy(p, axis=1), rtol=1e-9)
    np.testing.assert_allclose(pitch_entropies([np.eye(128)[3], np.full(128, 1 / 128)]), [0, np.log(128)])


def test_confusions_equal_sklearns():
    rng = np.random.default_rng(1)
    asked, heard = rng.integers(30, 40, 200), rng.integers(28, 42, 200)
    counts = confusion_counts(np.eye(128)[heard], asked)
    np.testing.assert_array_equal(counts, confusion_matrix(asked, heard, labels=range(128)))


def test_wrong_shapes():
    with pytest.raises(ValueError, match="pitches"):
        pitch_errors(np.zeros([3, 128]), np.zeros(4))
