"""Spread and nearest neighbours of hand-made notes whose answer is known."""

import numpy as np
import pytest

from gansynth_tf.evaluation import diversity as module
from gansynth_tf.evaluation.diversity import diversity


def _notes(pitches, brightness, seed=0, num_samples=4000):
    """Harmonic tones whose partials fall off by `brightness` dB each, with random phases."""
    rng = np.random.default_rng(seed)
    numbers = np.arange(1, 9)
    waves = []
    for pitch, fall in zip(pitches, brightness, strict=True):
        hz = 440 * 2 ** ((pitch - 69) / 12)
        phases = 2 * np.pi * (np.outer(np.arange(num_samples) / 16000, numbers * hz) + rng.random(8))
        waves.append(np.sin(phases) @ 10 ** (-fall * numbers / 20))
    return np.asarray(waves, np.float32)


PITCHES = np.repeat([50, 57, 61], 5)
REAL = _notes(PITCHES, np.tile([1, 3, 5, 8, 12], 3))


def test_real_notes_against_themselves():
    result = diversity(REAL, PITCHES, REAL, PITCHES, 16000)
    np.testing.assert_allclose(result.ratio, 1)
    np.testing.assert_allclose([result.generated_to_real, result.real_to_generated], 0, atol=1e-6)
    assert result.num_pitches == 3


def test_one_timbre_has_no_diversity_and_misses_real_ones():
    result = diversity(REAL[PITCHES == 57][[2, 2, 2, 2]], np.full(4, 57), REAL, PITCHES, 16000)
    assert result.ratio == 0 and result.num_pitches == 1
    np.testing.assert_allclose(result.generated_to_real, 0, atol=1e-6)
    assert result.real_to_generated > 1.1


def test_two_draws_of_the_same_timbres_are_alike():
    other = _notes(PITCHES, np.tile([1.2, 2.8, 5.3, 8.2, 11.8], 3), seed=1)
    result = diversity(other, PITCHES, REAL, PITCHES, 16000)
    assert 0.9 < result.ratio < 1.1
    assert result.generated_to_real < 1 and result.real_to_generated < 1


def test_noise_is_far_from_real_notes():
    noise = 0.1 * np.random.default_rng(0).normal(size=REAL.shape)
    result = diversity(noise, PITCHES, REAL, PITCHES, 16000)
    assert result.ratio > 0.1 and result.generated_to_real > 3 and result.real_to_generated > 3


def test_only_notes_of_the_same_pitch_are_compared():
    result = diversity(REAL[[0, 0, 5, 5, 10, 10]], PITCHES[[0, 0, 5, 5, 10, 10]], REAL, PITCHES, 16000)
    assert result.ratio == 0


def test_ratios_by_hand(monkeypatch):
    monkeypatch.setattr(module, "log_mels", lambda waves, sample_rate: np.asarray(waves)[:, np.newaxis, :])
    real = [[0.0, 0], [3, 4], [6, 8], [-5, 0], [0, 0]]
    generated = [[0.0, 0], [0, 4], [-3, 0], [-5, 2]]
    # Two points in a note: distances are divided by sqrt(2) on both sides of each ratio.
    result = diversity(generated, [1, 1, 2, 2], real, [1, 1, 1, 2, 2], 16000)
    spread = (4 + 8**0.5) / 2
    real_spread = ((5 + 5 + 10) / 3 + 5) / 2
    to_real = ((0 + 3) / 2 + (2 + 2) / 2) / 2
    to_generated = ((0 + 3 + (36 + 16) ** 0.5) / 3 + (2 + 3) / 2) / 2
    expected = (spread / real_spread, to_real / 5, to_generated / 5)
    np.testing.assert_allclose(result[:3], expected, rtol=1e-6)


def test_loudness_far_below_the_real_notes_is_silence():
    result = diversity(REAL * 1e-9, PITCHES, REAL, PITCHES, 16000)
    assert result.ratio == 0


@pytest.mark.parametrize(("num_samples", "sample_rate"), [(500, 16000), (11025, 22050), (4000, 8000), (13230, 44100)])
def test_log_mels_of_any_length_and_rate(num_samples, sample_rate):
    mels = module.log_mels(_notes([60, 64], [3, 4], num_samples=num_samples), sample_rate)
    assert mels.shape[:2] == (2, 64) and np.all(np.isfinite(mels))


def test_what_cannot_be_compared():
    with pytest.raises(ValueError, match="2 generated and 2 real"):
        diversity(REAL[:1], PITCHES[:1], REAL, PITCHES, 16000)
    with pytest.raises(ValueError, match="equally long"):
        diversity(REAL[:, :99], PITCHES, REAL, PITCHES, 16000)
    with pytest.raises(ValueError, match="a pitch for each note"):
        diversity(REAL, PITCHES[:3], REAL, PITCHES, 16000)
    with pytest.raises(ValueError, match="exact copy"):
        diversity(REAL[:5], PITCHES[:5], REAL[[0, 0]], PITCHES[[0, 0]], 16000)
    with pytest.raises(ValueError, match="finite"):
        diversity(REAL * np.nan, PITCHES, REAL, PITCHES, 16000)
