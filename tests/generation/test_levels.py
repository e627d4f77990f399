"""Loudness against the standard's own numbers and another implementation."""

import numpy as np
import pytest

from gansynth_tf.generation import levels


def _meter(wave, rate, parts=1):
    meter = levels.LevelMeter(rate)
    for block in np.array_split(wave, parts):
        meter.add(block)
    return meter


def test_filters_are_the_standards_at_48_khz():
    """ITU-R BS.1770-4, tables 1 and 2."""
    expected = [
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585],
        [1, -2, 1, 1, -1.99004745483398, 0.99007225036621],
    ]
    np.testing.assert_allclose(levels.k_weighting(48000), expected, atol=1e-11)


@pytest.mark.parametrize("rate", [44100, 48000, 96000])
def test_a_full_sine_of_997_hz_has_minus_3_01_lufs(rate):
    wave = np.sin(2 * np.pi * 997 * np.arange(3 * rate) / rate)
    # At 96 kHz the bilinear transform warps the shelf by 0.017 dB here.
    assert _meter(wave, rate).loudness == pytest.approx(-3.01, abs=0.02)
    assert _meter(wave / 10, rate).loudness == pytest.approx(-23.01, abs=0.02)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_equals_pyloudnorm_with_gates_and_in_pieces(rate):
    pyloudnorm = pytest.importorskip("pyloudnorm", reason="pyloudnorm is not installed")
    envelope = np.repeat([1, 0.001, 0.5, 0.2, 1e-5, 0, 0.1], rate)
    wave = 0.1 * np.random.default_rng(0).normal(size=7 * rate) * envelope
    # Its "DeMan" filters are the standard's analogue prototypes; its default ones miss the 997 Hz sine by 0.04 LU.
    expected = pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(wave)
    for parts in (1, 13, 4001):
        assert _meter(wave, rate, parts).loudness == pytest.approx(expected, abs=1e-6)


def test_sounds_shorter_than_a_block():
    tone = 0.5 * np.sin(2 * np.pi * 997 * np.arange(4800) / 48000)  # 0.1 s: a quarter of a block.
    assert _meter(tone, 48000).loudness == pytest.approx(-3.01 - 6.02 - 6.02, abs=0.2)
    assert _meter(np.zeros(0), 48000).loudness == -np.inf
    assert np.isfinite(_meter(np.ones(1), 800).loudness)


def test_gains():
    wave = 0.1 * np.sin(2 * np.pi * 997 * np.arange(48000) / 48000)
    meter = _meter(wave, 48000, 5)
    assert meter.gain("none", -23) == 1
    assert meter.gain("peak", -23) == pytest.approx(9.9, rel=1e-5)
    assert meter.gain("loudness", -33.01) == pytest.approx(10**-0.5, rel=2e-3)
    assert meter.gain("loudness", 0) == pytest.approx(9.9, rel=1e-5)  # Never beyond full scale.
    loud = levels.LevelMeter(8000, weigh=False)
    loud.add(np.array([0.2, -5.0, 1.0]))  # The peak is an absolute value.
    assert loud.gain("none", -23) == loud.gain("peak", -23) == pytest.approx(0.99 / 5)


@pytest.mark.parametrize("normalize", ["none", "peak", "loudness"])
@pytest.mark.parametrize("value", [0.0, 1e-42, 1e-30, 1e30])
def test_gains_are_finite(normalize, value):
    gain = _meter(np.full(5000, value), 8000).gain(normalize, -23)
    assert np.isfinite(gain) and gain > 0 and value * gain <= 0.9901
