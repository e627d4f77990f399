"""Folded waveforms: periodic waves lie on one line, whatever their exact pitch; noise does not."""

import numpy as np
import pytest

from gansynth_tf.folding import fold


def _note(hz, num_samples=16000, sample_rate=16000, harmonics=((1, 0.4, 0.3), (2, 0.2, 1.1), (5, 0.1, 2.0))):
    time = np.arange(num_samples) / sample_rate
    return sum(level * np.sin(2 * np.pi * k * hz * time + phase) for k, level, phase in harmonics)


@pytest.mark.parametrize(("hz", "cents"), [(261.63, 0), (261.63, 23), (82.41, -31), (1318.5, 12)])
def test_a_periodic_note_is_one_line_at_its_own_pitch(hz, cents):
    actual = hz * 2 ** (cents / 1200)
    folded = fold(_note(actual), 16000, hz)
    assert len(folded.values) == len(folded.position) == len(folded.cycle) == 1028
    np.testing.assert_allclose(1200 * np.log2(folded.hz / actual), 0, atol=1)
    assert folded.coherence > 0.9999 and folded.cycle[-1] == int(1027 * folded.hz / 16000)
    assert folded.position.min() >= 0 and folded.position.max() < 1
    # Samples at equal places of different cycles are equal.
    order = np.argsort(folded.position)
    jumps = np.abs(np.diff(folded.values[order]))
    assert jumps.max() < 0.1 * np.ptp(folded.values) if hz < 1000 else jumps.max() < 0.25


def test_the_stretch_is_the_middle():
    wave = np.arange(5000.0)
    np.testing.assert_array_equal(fold(wave, 16000, 200.0, num_samples=40).values, np.arange(2480.0, 2520.0))
    assert len(fold(_note(200.0, 44100, 44100), 44100, 200.0).values) == 2833


def test_a_decayed_note_is_folded_where_it_sounds():
    wave = np.concatenate([_note(261.63, 3000), np.zeros(13000)])
    assert fold(wave, 16000, 261.63).coherence > 0.9999


def test_noise_and_drifting_phases_do_not_repeat():
    rng = np.random.default_rng(4)
    for hz in (40.0, 261.63, 1000.0):
        assert abs(fold(rng.normal(size=4000), 16000, hz).coherence) < 0.15
    time = np.arange(16000) / 16000
    partials = (
        0.3 * np.sin(2 * np.pi * k * 261.63 * time + 2 * np.pi * rng.uniform() * k * time * 40) for k in (1, 2, 3)
    )
    assert fold(sum(partials), 16000, 261.63).coherence < 0.8


def test_real_notes_repeat(golden_dir):
    note = np.load(golden_dir / "nsynth_examples.npy")[1]
    folded = fold(note, 16000, 164.81)
    assert folded.coherence > 0.98 and abs(folded.hz - 164.3) < 0.5


def test_nothing_to_fold():
    for wave, hz in ((np.zeros(4000), 200.0), (_note(100.0, 200), 100.0), (np.ones(1), 50.0)):
        folded = fold(wave, 16000, hz)
        assert np.isnan(folded.coherence) and len(folded.values) == min(1028, len(wave))


@pytest.mark.parametrize("wave", [np.zeros(0), np.zeros((3, 50)), np.array([0.0, np.inf])])
def test_broken_waves(wave):
    with pytest.raises(ValueError, match="one note of finite samples"):
        fold(wave, 16000, 200.0)


@pytest.mark.parametrize("hz", [0.0, -3.0, 8000.0, np.nan])
def test_impossible_pitches(hz):
    with pytest.raises(ValueError, match="between 0 and 8000 Hz"):
        fold(np.ones(2000), 16000, hz)
