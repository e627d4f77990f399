"""Coherence of tones, detuned tones, jittered cycles and noise."""

import numpy as np
import pytest

from gansynth_tf.evaluation.phase_coherence import cycle_overlaps, phase_coherences


def _tones(pitches, cents=0.0, rate=16000, num_samples=8000, phase_noise=0.0):
    """Harmonic tones; `phase_noise` moves every partial's phase about, in radians per 4 ms."""
    rng = np.random.default_rng(0)
    hz = 440 * 2 ** ((np.asarray(pitches, float) - 69 + cents / 100) / 12)
    waves = np.zeros([len(hz), num_samples])
    for number in range(1, 6):
        steps = rng.normal(scale=phase_noise, size=[len(hz), num_samples // 64 + 1])
        walk = np.repeat(np.cumsum(steps, axis=1), 64, axis=1)[:, :num_samples]
        waves += np.sin(2 * np.pi * number * np.outer(hz, np.arange(num_samples)) / rate + walk) / number
    return 0.1 * waves


PITCHES = np.array([24, 36, 60, 61, 84])


def test_overlaps_by_hand():
    same = [[1.0, -1], [1, -1], [1, -1]]
    opposed = [[1.0, -1], [-1, 1]]
    unrelated = [[1.0, -1, 0, 0], [0, 0, 1, -1]]
    # Inner products of the three pairs: 2, -2, -2; energies 2 each: the mean -2/3 over 2.
    mixed = [[1.0, -1], [1, -1], [-1, 1]]
    assert cycle_overlaps([same, mixed]).tolist() == pytest.approx([1, -1 / 3])
    assert cycle_overlaps(opposed) == pytest.approx(-1) and cycle_overlaps(unrelated) == pytest.approx(0)
    assert cycle_overlaps(np.zeros([4, 5])) == 0


@pytest.mark.parametrize("cents", [-45.0, 0.0, 30.0])
def test_periodic_tones_overlap_whatever_their_tuning_and_rate(cents):
    assert phase_coherences(_tones(PITCHES, cents), 16000, PITCHES).min() > 0.98
    assert phase_coherences(_tones(PITCHES, cents, rate=11025), 11025, PITCHES).min() > 0.98


def test_noise_does_not_overlap():
    noise = 0.1 * np.random.default_rng(0).normal(size=[40, 8000])
    assert np.mean(phase_coherences(noise, 16000, np.full(40, 60))) < 0.15


def test_wandering_phases_lower_it():
    steady, wandering, wild = (
        np.mean(phase_coherences(_tones(PITCHES[2:], phase_noise=noise), 16000, PITCHES[2:])) for noise in (0, 0.2, 1)
    )
    assert steady > 0.98 and 0.3 < wandering < 0.95 and wild < 0.4


def test_real_notes(golden_dir):
    notes = np.load(golden_dir / "nsynth_examples.npy")
    pitches = np.array([32, 52, 76, 42, 48, 45, 60, 61, 33, 48, 52, 60, 71, 67, 68, 56])
    coherence = phase_coherences(notes, 16000, pitches)
    assert np.median(coherence) > 0.9
    assert np.median(phase_coherences(notes, 16000, pitches + 4)) < 0.6


def test_loudness_and_mean_level_do_not_matter():
    waves = _tones(PITCHES, phase_noise=0.2)
    expected = phase_coherences(waves, 16000, PITCHES)
    np.testing.assert_allclose(phase_coherences(7 * waves, 16000, PITCHES), expected, atol=1e-9)
    np.testing.assert_allclose(phase_coherences(waves + 0.5, 16000, PITCHES), expected, atol=0.02)


def test_silent_broken_and_short_notes():
    waves = np.stack([np.zeros(8000), np.full(8000, np.nan), _tones([60])[0]])
    assert np.isnan(phase_coherences(waves, 16000, [60, 60, 60])).tolist() == [True, True, False]
    assert np.isnan(phase_coherences(_tones([30], num_samples=700), 16000, [30]))[0]  # A cycle has 346 samples.
    assert phase_coherences(np.zeros([0, 50]), 16000, []).shape == (0,)
    with pytest.raises(ValueError, match="Expected waves"):
        phase_coherences(np.zeros([2, 50]), 16000, [60])
