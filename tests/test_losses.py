"""The objective's terms by hand, against finite differences, and where they are delicate."""

import math

import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf import losses
from gansynth_tf.representations import LinearIF, LinearPhase, MelIF, Waveform

REAL, FAKE = tf.constant([1.0, -2.0, 3.0, 6.0]), tf.constant([0.5, -1.5, 0.0, 3.0])


# ---------------------------------------------------------------------------------------------------- scores


def test_scores_by_hand():
    assert losses.critic_loss(REAL, FAKE).numpy() == -1.5  # 0.5 - 2
    assert losses.generator_loss(FAKE).numpy() == -0.5
    assert losses.score_drift(REAL).numpy() == 12.5  # (1 + 4 + 9 + 36) / 4


def test_pitch_loss_by_hand():
    logits = tf.math.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [0.2, 0.7, 0.1], [0.25, 0.25, 0.5]])
    labels = tf.constant([0, 2, 2, 1])
    expected = -(math.log(0.5) + math.log(0.8) + math.log(0.1) + math.log(0.25)) / 4
    for shift in (0.0, 7.0):
        np.testing.assert_allclose(losses.pitch_loss(logits + shift, labels), expected, rtol=1e-5)
    # Knowing nothing costs log(pitches).
    np.testing.assert_allclose(losses.pitch_loss(tf.zeros([4, 3]), labels), math.log(3), rtol=1e-6)


# ---------------------------------------------------------------------------------------------------- gradient penalty


def test_gradient_norms_by_hand():
    gradients = np.zeros((3, 2, 4, 2), np.float32)
    gradients[0, 1, 3] = [3.0, -4.0]
    gradients[1] = 0.5  # 16 points.
    np.testing.assert_allclose(losses.gradient_norms(tf.constant(gradients)), [5.0, 2.0, 0.0], atol=1e-9)


def test_gradient_penalty_by_hand():
    norms = tf.constant([0.0, 1.0, 2.0, 4.0])
    assert losses.gradient_penalty(norms, 1.0).numpy() == 2.75  # (1 + 0 + 1 + 9) / 4
    assert losses.gradient_penalty(norms, 2.0).numpy() == 0.5625  # (1 + 0.25 + 0 + 1) / 4


def test_gradient_norms_are_smooth_at_zero():
    for size in (0.0, 1e-30, 1e-12, 1e-6, 1e6):
        gradients = tf.Variable(np.full((3, 2, 4, 2), size, np.float32))
        with tf.GradientTape() as tape:
            norms = losses.gradient_norms(gradients)
            penalty = losses.gradient_penalty(norms, 1.0)
        slopes = tape.gradient(penalty, gradients).numpy()
        assert np.isfinite(norms).all() and np.isfinite(slopes).all(), size
        if not size:
            np.testing.assert_array_equal(slopes, 0.0)


def test_penalty_and_its_slope_are_finite_differences():
    """A critic of 3 * 4 * 2 inputs and 5 hidden units, in float64."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(4, 3, 4, 2))
    hidden, out = rng.normal(size=(24, 5)), rng.normal(size=5)

    def scores(x, hidden):
        return np.tanh(x.reshape(len(x), -1) @ hidden) @ out

    def penalty(hidden):
        step, squares = 1e-5, 0.0
        for point in np.ndindex(inputs.shape[1:]):
            moved = np.zeros(inputs.shape[1:])
            moved[point] = step
            squares += ((scores(inputs + moved, hidden) - scores(inputs - moved, hidden)) / (2 * step)) ** 2
        return np.mean((np.sqrt(squares) / 1.5 - 1.0) ** 2)

    weights = tf.Variable(hidden)
    with tf.GradientTape() as outer:
        x = tf.constant(inputs)
        with tf.GradientTape() as inner:
            inner.watch(x)
            values = tf.linalg.matvec(tf.tanh(tf.reshape(x, [4, -1]) @ weights), out)
        ours = losses.gradient_penalty(losses.gradient_norms(inner.gradient(values, x)), 1.5)
    np.testing.assert_allclose(values, scores(inputs, hidden))
    np.testing.assert_allclose(ours, penalty(hidden), rtol=1e-7)

    slope = outer.gradient(ours, weights).numpy()
    for place in [(0, 0), (7, 3), (23, 4)]:
        moved = np.zeros_like(hidden)
        moved[place] = 1e-4
        expected = (penalty(hidden + moved) - penalty(hidden - moved)) / 2e-4
        np.testing.assert_allclose(slope[place], expected, rtol=1e-4)


# ---------------------------------------------------------------------------------------------------- STFT consistency


def test_stft_consistency_by_hand():
    magnitudes = np.zeros((2, 3, 4), np.float32)
    reanalysed = np.zeros((2, 3, 4), np.float32)
    # The louder peak of the first example is 8; the second is under 1, so it is not scaled.
    magnitudes[0, 1, 2], reanalysed[0, 1, 2], reanalysed[0, 0, 0] = 8.0, 4.0, 2.0
    magnitudes[1, 2, 3] = 0.5
    expected = ((0.5**2 + 0.25**2) + 0.5**2) / 24
    np.testing.assert_allclose(losses.stft_consistency(magnitudes, reanalysed), expected, rtol=1e-6)
    np.testing.assert_allclose(losses.stft_consistency(reanalysed, magnitudes), expected, rtol=1e-6)
    assert losses.stft_consistency(magnitudes, magnitudes).numpy() == 0.0


def bursts(length: int) -> np.ndarray:
    """Two notes that begin and end in silence and hold no DC, which the STFT drops."""
    time = np.arange(length) - length / 2
    tones = np.cos(2 * np.pi * np.array([[0.19], [0.31]]) * time)
    return (np.exp(-((time / (length / 12)) ** 2)) * tones).astype(np.float32)


@pytest.mark.parametrize("kind", [LinearIF, LinearPhase])
def test_stft_consistency_of_a_waves_specgram_is_zero(kind):
    representation = kind((32, 64), 1000, 8000)
    specgrams = representation.encode(bursts(1000))
    magnitudes, reanalysed = representation.consistency_magnitudes(specgrams)
    assert magnitudes.shape == reanalysed.shape == (2, 32, 64)
    assert magnitudes.numpy().max() > 5.0
    np.testing.assert_allclose(magnitudes, reanalysed, atol=1e-3)
    assert losses.stft_consistency(magnitudes, reanalysed).numpy() < 1e-10
    # Another phase makes the frames contradict each other.
    scrambled = specgrams.numpy()
    scrambled[..., 1] = np.random.default_rng(2).uniform(-1, 1, scrambled.shape[:-1])
    assert losses.stft_consistency(*representation.consistency_magnitudes(scrambled)).numpy() > 1e-4


REPRESENTATIONS = {
    "linear": LinearIF((16, 32), 300, 8000),
    "phase": LinearPhase((16, 32), 300, 8000),
    "mel": MelIF((16, 32), 300, 8000),
    "mel mean": MelIF((16, 8), 300, 8000, mel_downscale=4, mel_if="power_mean"),
    "wave": Waveform(None, 300, 8000),
}


@pytest.mark.parametrize("kind", list(REPRESENTATIONS)[:-1])
def test_reanalysed_magnitudes_are_numpys(kind):
    representation = REPRESENTATIONS[kind]
    rng = np.random.default_rng(4)
    shape = (3, *representation.specgram_shape[:2])
    specgrams = np.stack([rng.normal(-1.0, 1.0, shape), rng.uniform(-1.0, 1.0, shape)], axis=-1).astype(np.float32)
    magnitudes, reanalysed = representation.consistency_magnitudes(specgrams)
    assert magnitudes.shape == reanalysed.shape == (3, 16, 32)
    # Frames of 64 samples every 16; what is missing of their 15 * 16 + 64 = 304 samples stands in front.
    waves = np.pad(representation.decode(specgrams).numpy().astype(np.float64), [(0, 0), (4, 0)])
    frames = np.stack([waves[:, 16 * i : 16 * i + 64] for i in range(16)], axis=1)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    np.testing.assert_allclose(reanalysed, np.abs(np.fft.rfft(window * frames))[..., 1:], atol=1e-5)
    if kind in ("linear", "phase"):
        np.testing.assert_allclose(magnitudes, np.exp(specgrams[..., 0]), rtol=1e-5)


@pytest.mark.parametrize("kind", REPRESENTATIONS)
def test_consistency_has_a_finite_slope_everywhere(kind):
    representation = REPRESENTATIONS[kind]
    noise = np.random.default_rng(5).normal(size=(2, *representation.specgram_shape)).astype(np.float32)
    for specgrams in (noise, representation.encode(np.zeros((2, 300), np.float32)).numpy(), 0.0 * noise):
        variable = tf.Variable(specgrams)
        with tf.GradientTape() as tape:
            loss = losses.stft_consistency(*representation.consistency_magnitudes(variable))
        assert np.isfinite(loss) and np.isfinite(tape.gradient(loss, variable)).all()
        if specgrams is noise:
            assert (loss.numpy() == 0.0) == (kind == "wave")


def test_consistency_checks_the_shape():
    with pytest.raises(ValueError, match=r"must be \[batch, 16, 32, 2\], got \(3, 16, 16, 2\)"):
        REPRESENTATIONS["mel"].consistency_magnitudes(np.zeros((3, 16, 16, 2), np.float32))
