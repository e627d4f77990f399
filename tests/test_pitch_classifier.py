"""The classifier's input against librosa, its shape against the authors' early code, its losses by hand."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf.pitch_classifier import HEADS, TRUNKS, PitchClassifier, head_losses, log_magnitudes

RNG = np.random.default_rng(0)


def test_input_equals_librosas_log_magnitudes():
    wave = RNG.normal(size=16000).astype(np.float32) * np.exp(-np.arange(16000) / 900).astype(np.float32)
    power = np.abs(librosa.stft(wave, n_fft=1024, hop_length=256, pad_mode="constant")) ** 2
    expected = librosa.power_to_db(power[:-1], amin=1e-13, top_db=120, ref=np.max).T / 120 + 1
    found = log_magnitudes(wave[np.newaxis]).numpy()
    assert found.shape == (1, 64, 512, 1) and np.all(found[0, 63:] == 0)
    np.testing.assert_allclose(found[0, :63, :, 0], expected, atol=2e-4)


def test_input_does_not_depend_on_the_level_and_survives_silence():
    waves = RNG.normal(size=[1, 9000]).astype(np.float32) * np.array([[1.0], [0.03], [0.0]], np.float32)
    found = log_magnitudes(waves).numpy()
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)
    assert np.all(found[2] == 0) and found[0].max() == 1


def test_four_seconds_end_in_one_point_of_the_papers_sizes():
    # 251 frames of 64,000 samples, brought to 256: the ninth convolution leaves 1 x 1 of 512 channels.
    assert log_magnitudes(np.zeros([1, 64000], np.float32)).shape == (1, 256, 512, 1)
    large, small = TRUNKS["nsynth"], TRUNKS["small"]
    assert large.filters[-1] == 512 and large.last == 1024 and len(large.filters) == 9
    assert tuple(8 * f for f in small.filters) == large.filters and 8 * small.last == large.last


@pytest.fixture(scope="module")
def classifier():
    return PitchClassifier(4000, 3000, "small", ("pitch", "qualities", "family", "source"))


def test_outputs_and_parameters(classifier):
    outputs = classifier(RNG.normal(size=[3, 3000]).astype(np.float32))
    assert {k: tuple(v.shape) for k, v in outputs.items()} == {"features": (3, 64)} | {
        name: (3, HEADS[name]) for name in ("pitch", "family", "source", "qualities")
    }
    kernels = [5 * 5 * 1 * 16] + [16 * a * b for a, b in ((16, 16), (16, 16), (16, 32), (32, 32), (32, 32), (32, 64),
                                                        (64, 64), (64, 64))] + [64 * 128]  # fmt: skip
    channels = 3 * 16 + 3 * 32 + 3 * 64 + 128
    heads = 129 * (128 + 11 + 3 + 10)
    assert sum(int(np.prod(v.shape)) for v in classifier.trainable_variables) == sum(kernels) + 2 * channels + heads


def test_a_note_does_not_depend_on_its_batch_and_the_graph_agrees(classifier):
    waves = RNG.normal(size=[5, 3000]).astype(np.float32)
    together = classifier(waves)["pitch"].numpy()
    np.testing.assert_allclose(classifier(waves[3:4])["pitch"].numpy(), together[3:4], atol=1e-5)
    np.testing.assert_allclose(tf.function(classifier)(waves)["pitch"].numpy(), together, atol=1e-5)


def test_losses_by_hand():
    logits = tf.constant([[0.0, np.log(3.0)], [np.log(4.0), 0.0], [5.0, 5.0]])
    qualities = tf.constant([[0.0, np.log(3.0)]])
    outputs = {"features": tf.zeros([3, 4]), "pitch": logits, "family": logits, "qualities": qualities}
    labels = {"pitch": [1, 1, 0], "family": [1, -1, -1], "qualities": [[False, True]]}
    losses = head_losses(outputs, {name: tf.constant(value) for name, value in labels.items()})
    assert set(losses) == {"pitch", "family", "qualities"}
    assert float(losses["pitch"]) == pytest.approx(np.mean([np.log(4 / 3), np.log(5), np.log(2)]), rel=1e-6)
    assert float(losses["family"]) == pytest.approx(np.log(4 / 3), rel=1e-6)  # The others are not known.
    assert float(losses["qualities"]) == pytest.approx(np.log(2) + np.log(4 / 3), rel=1e-6)
    assert float(head_losses({"family": logits}, {"family": tf.constant([-1, -1, -1])})["family"]) == 0


def test_wrong_sizes_and_heads():
    with pytest.raises(ValueError, match="nsynth, small"):
        PitchClassifier(4000, 3000, "large")
    for heads in (("family",), ("pitch", "colour"), ("pitch", "pitch")):
        with pytest.raises(ValueError, match="pitch among them"):
            PitchClassifier(4000, 3000, "small", heads)
