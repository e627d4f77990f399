"""Levels of notes whose level is known."""

import numpy as np
import pytest

from gansynth_tf.evaluation.levels import note_levels, summarise_levels

SINE = np.sin(2 * np.pi * np.arange(1000) / 100)


def test_decibels_by_hand():
    found = note_levels(np.stack([SINE, 0.1 * SINE, np.ones(1000), np.zeros(1000)]))
    np.testing.assert_allclose(found.rms_db, [-3.0103, -23.0103, 0, -np.inf], atol=1e-4)
    np.testing.assert_allclose(found.peak_db, [0, -20, 0, -np.inf], atol=1e-9)


def test_summary_by_hand():
    waves = np.stack([0.1 * SINE, 0.2 * SINE, 2 * SINE, 1e-5 * SINE, np.zeros(1000)] + [np.full(1000, np.nan)] * 3)
    summary = summarise_levels(note_levels(waves))
    # Sounding: -23.01, -16.99, +3.01 dB. Silent: two of eight; one is clipped; three are not finite.
    np.testing.assert_allclose(summary, [-16.9897, np.std([-20, -13.9794, 6.0206]), 2 / 8, 1 / 8, 3 / 8], atol=1e-3)


def test_a_set_of_silence_has_no_level():
    summary = summarise_levels(note_levels(np.zeros([3, 20])))
    assert np.isnan(summary.rms_db) and summary.silent == 1


def test_wrong_shapes():
    with pytest.raises(ValueError, match="waves"):
        note_levels(np.zeros(5))
    with pytest.raises(ValueError, match="at least 1 note"):
        summarise_levels(note_levels(np.zeros([0, 5])))
