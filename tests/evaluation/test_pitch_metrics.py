"""Fundamentals of sines, harmonic tones and real notes whose detuning is known."""

import numpy as np
import pytest

from gansynth_tf.evaluation import pitch_metrics


def _tones(pitches, cents, sample_rate, num_samples, partials=1):
    hz = 440 * 2 ** ((np.asarray(pitches) - 69 + np.asarray(cents) / 100) / 12)
    seconds = np.arange(num_samples) / sample_rate
    numbers = np.arange(1, partials + 1)[:, np.newaxis]
    partial_hz = numbers * hz[:, np.newaxis, np.newaxis]
    audible = partial_hz < sample_rate / 2
    waves = np.sum(audible * np.sin(2 * np.pi * partial_hz * seconds) / numbers, axis=1)
    return (0.1 * waves).astype(np.float32)


@pytest.mark.parametrize(("sample_rate", "num_samples"), [(16000, 8000), (16000, 16123), (22050, 11025), (8000, 4000)])
def test_detuned_tones(sample_rate, num_samples):
    pitches, cents = [24, 36, 48, 60, 72, 84], [-40, 30, 0, 120, -70, 10]
    waves = _tones(pitches, cents, sample_rate, num_samples, partials=3)
    np.testing.assert_allclose(pitch_metrics.note_f0_cents(waves, sample_rate, pitches), cents, atol=15)


def test_pitches_outside_the_usual_search():
    pitches, cents = [12, 17, 21, 89, 96, 108], [0, 30, -20, 20, -90, 40]
    waves = _tones(pitches, cents, 16000, 12000, partials=2)
    np.testing.assert_allclose(pitch_metrics.note_f0_cents(waves, 16000, pitches), cents, atol=20)


def test_real_notes(golden_dir):
    notes = np.load(golden_dir / "nsynth_examples.npy")[:, :16000]
    pitches = [32, 52, 76, 42, 48, 45, 60, 61, 33, 48, 52, 60, 71, 67, 68, 56]
    cents = pitch_metrics.note_f0_cents(notes, 16000, pitches)
    assert pitch_metrics.in_tune_fraction(cents).num_in_tune == 16


def test_a_note_does_not_depend_on_its_neighbours_and_loudness():
    waves = _tones([40, 52, 64, 76, 43], [0, 10, 20, 30, 40], 16000, 8000)
    waves = np.tile(waves, (4, 1)) * np.linspace(0.01, 9, 20)[:, np.newaxis]
    together = pitch_metrics.note_f0_cents(waves, 16000, [40, 52, 64, 76, 43] * 4)
    alone = [pitch_metrics.note_f0_cents(w[np.newaxis], 16000, [76])[0] for w in waves[[3, 18]]]
    np.testing.assert_array_equal(together[[3, 18]], alone)
    with_a_high_one = pitch_metrics.note_f0_cents(waves[:2], 16000, [40, 90])
    assert with_a_high_one[0] == together[0]


def test_a_note_shorter_than_a_frame():
    waves = _tones([69], [0], 16000, 700)
    assert abs(pitch_metrics.note_f0_cents(waves, 16000, [69])[0]) < 50


def test_few_voiced_frames_fall_back_to_all_frames():
    noise = np.random.default_rng(0).normal(size=(3, 8000))
    assert np.all(np.isfinite(pitch_metrics.note_f0_cents(noise, 16000, [60, 61, 62])))


def test_silent_and_broken_notes_have_no_pitch():
    waves = np.concatenate([np.zeros([1, 8000]), _tones([60, 60], [0, 0], 16000, 8000)])
    waves[1, 77] = np.nan
    cents = pitch_metrics.note_f0_cents(waves, 16000, [60, 60, 60])
    np.testing.assert_array_equal(np.isnan(cents), [True, True, False])
    assert pitch_metrics.in_tune_fraction(cents)[3:] == (1, 3)


def test_no_notes_and_wrong_shapes():
    assert pitch_metrics.note_f0_cents(np.zeros([0, 80]), 16000, []).shape == (0,)
    with pytest.raises(ValueError, match=r"\(80,\)"):
        pitch_metrics.note_f0_cents(np.zeros(80), 16000, [60])
    with pytest.raises(ValueError, match="below 8000 Hz"):
        pitch_metrics.note_f0_cents(np.zeros([2, 80]), 16000, [60, 120])


def test_fraction_and_wilson_interval_by_hand():
    result = pitch_metrics.in_tune_fraction([0, 49.9, -49.9, 50, -50, 51, np.nan, 700])
    assert (result.fraction, result.num_in_tune, result.num_notes) == (0.375, 3, 8)
    z, share, n = 1.959964, 0.375, 8
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    np.testing.assert_allclose([result.low, result.high], [centre - half, centre + half], rtol=1e-5)


def test_fraction_of_nothing():
    with pytest.raises(ValueError, match="at least 1 note"):
        pitch_metrics.in_tune_fraction([])
