"""Levels in specgrams, whatever logarithm they hold."""

import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf.exploration.specgrams import find_log_scale, relative_levels
from gansynth_tf.representations import LinearIF, LinearPhase, MelIF, Waveform

LOUDEST_AND_OTHERS = np.array([[5.0, 0.5], [5e-9, 2.5]])


@pytest.mark.parametrize("log_scale", [1.0, 0.5])
def test_levels_by_hand(log_scale):
    logs = np.log(LOUDEST_AND_OTHERS)[np.newaxis] / log_scale
    specgrams = tf.constant(np.stack([logs, logs + 3], axis=-1), tf.float32)
    expected = [[0, np.log(0.1)], [-4 * np.log(10), np.log(0.5)]]  # -80 dB for what is softer.
    np.testing.assert_allclose(relative_levels(specgrams, log_scale)[0], expected, atol=1e-5)
    np.testing.assert_allclose(relative_levels(specgrams + 2.0, log_scale)[0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("representation", "expected"), [(LinearIF, 1.0), (LinearPhase, 1.0), (MelIF, 0.5), (Waveform, None)]
)
def test_what_channel_0_holds(representation, expected):
    shape = None if representation is Waveform else (8, 32)
    parts = representation(shape, audio_length=112, sample_rate=2000)
    assert find_log_scale(parts.encode, 112) == expected
