"""Loops of sounds whose continuation is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gansynth_tf.generation import looping

RATE = 16000


def _sine(hz, seconds=3.0):
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


@pytest.mark.parametrize("hz", [32.7, 261.6, 1046.5, 3000.0])
def test_a_sine_goes_on(hz):
    """Off its nominal pitch by any amount, its phase goes on where the loop joins."""
    sound = looping.loop_wave(_sine(hz), 3 * RATE, RATE)
    wave = sound(0, 20 * RATE)
    # A sine obeys x[t+1] + x[t-1] = 2 cos(w) x[t]; a jump of phase does not.
    step = 2 * np.pi * hz / RATE
    error = wave[2:] + wave[:-2] - 2 * np.cos(step) * wave[1:-1]
    assert np.abs(error).max() < 0.12 * step
    # Out of phase, a cross-fade would be heard as a dip.
    levels = np.sqrt(np.mean(wave.reshape(-1, RATE // 10) ** 2, axis=1))
    np.testing.assert_allclose(levels, np.sqrt(0.5), rtol=0.1)


def test_a_decaying_note_neither_pulses_nor_dies():
    decay = np.exp(-np.arange(3 * RATE) / RATE / 1.5)
    sound = looping.loop_wave(_sine(440) * decay, 3 * RATE, RATE)
    wave = sound(0, 30 * RATE)
    frames = np.sqrt(np.mean(wave.reshape(-1, RATE // 5) ** 2, axis=1))
    kept = np.sqrt(0.5) * np.exp(-0.4 * 3 / 1.5)
    np.testing.assert_allclose(frames[8:], kept, rtol=0.15)


def test_the_beginning_is_the_notes_own():
    wave = np.random.default_rng(0).normal(size=4000)
    sound = looping.loop_wave(wave, 3000, 1000)
    np.testing.assert_array_equal(sound(0, 1200), wave[:1200])
    np.testing.assert_array_equal(np.concatenate([sound(0, 700), sound(700, 2001), sound(2001, 9000)]), sound(0, 9000))


@settings(max_examples=80, deadline=None)
@given(length=st.integers(1, 600), rate=st.sampled_from([100, 16000]), level=st.sampled_from([0.0, 1e-30, 1.0, 1e6]))
def test_any_wave_can_be_looped(length, rate, level):
    wave = (level * np.random.default_rng(length).normal(size=length)).astype(np.float32)
    sound = looping.loop_wave(wave, length, rate)(0, 5000)
    assert sound.shape == (5000,) and np.all(np.isfinite(sound))
    assert np.abs(sound).max() <= 4.01 * np.abs(wave).max() and (sound[2500:].any() or not wave.any())
