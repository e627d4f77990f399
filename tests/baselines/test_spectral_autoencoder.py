"""The spectral autoencoder: its magnitudes against librosa, its network's shapes, notes by Griffin and Lim."""

import keras
import librosa
import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf.baselines import spectral_autoencoder as spectral
from gansynth_tf.pitches import PitchClasses


def tone(hz: float, num_samples: int, sample_rate: int = 16000) -> np.ndarray:
    time = np.arange(num_samples) / sample_rate
    harmonics = sum(np.sin(2 * np.pi * k * hz * time) / k for k in range(1, 5))
    return (0.3 * harmonics * np.exp(-3 * time)).astype(np.float32)


def test_magnitudes_are_librosas():
    waves = np.stack([tone(330, 5000), 0.01 * tone(700, 5000)])
    found = spectral.waves_to_magnitudes(tf.constant(waves)).numpy()
    assert found.shape == (2, 32, 512, 1) and not np.any(found[:, 20:])
    for wave, magnitudes in zip(waves, found[..., 0], strict=True):
        powers = np.abs(librosa.stft(wave, n_fft=1024, hop_length=256)) ** 2
        expected = librosa.power_to_db(powers, amin=1e-13, top_db=120.0, ref=np.max) / 120 + 1
        expected = expected[:512].T
        np.testing.assert_allclose(magnitudes[:20], expected, atol=1e-2)
        loud = expected > 0.2  # The bins near -120 dB are the rounding of either FFT.
        np.testing.assert_allclose(magnitudes[:20][loud], expected[loud], atol=1e-4)


def test_sizes_of_notes():
    assert [spectral.padded_frames(samples) for samples in (64000, 16000, 255, 65535)] == [256, 64, 1, 256]
    with pytest.raises(ValueError, match="at most 65535"):
        spectral.padded_frames(65536)


def test_frequency_weights_fall_to_4_khz():
    weights = spectral.frequency_weights(16000)
    assert weights[0] == 10 and np.all(weights[255:] == 1) and np.all(np.diff(weights[:256]) < 0)
    np.testing.assert_allclose(np.diff(weights[:256]), -9 / 255, rtol=1e-4)


def test_magnitudes_become_the_tone_again():
    wave = tone(440, 8000)
    magnitudes = spectral.waves_to_magnitudes(tf.constant(wave[None])).numpy()[0, ..., 0]
    again = spectral.magnitudes_to_wave(magnitudes, 8000, 60)
    assert again.shape == (8000,) and np.abs(again).max() == pytest.approx(1)
    heard = spectral.waves_to_magnitudes(tf.constant(again[None])).numpy()[0, ..., 0]
    loud = magnitudes > 0.75  # Within 30 dB of the peak.
    assert np.abs(heard - magnitudes)[loud].mean() < 2 / 120  # 2 dB.


@pytest.mark.parametrize("num_frames", [256, 8])
def test_network_shapes(num_frames):
    keras.utils.set_random_seed(0)
    network = spectral.SpectralNetwork(num_frames, 3, code_size=7, width=2)
    network.build()
    magnitudes = tf.random.stateless_uniform([2, num_frames, 512, 1], [0, 1])
    codes = network.encode(magnitudes)
    assert codes.shape == (2, 7)
    found = network.decode(codes, tf.constant([0, 2]))
    assert found.shape == magnitudes.shape and np.all((found > 0) & (found < 1))
    assert not np.allclose(found, network.decode(codes, tf.constant([1, 1])))


def test_model_encodes_and_makes_notes():
    keras.utils.set_random_seed(0)
    network = spectral.SpectralNetwork(16, 3, code_size=7, width=2)
    model = spectral.SpectralAutoencoder(network, PitchClasses((40, 43, 50), (2, 1, 5)), 16000, 4000, iterations=2)
    notes = np.stack([tone(hz, 4000) for hz in (100, 150, 200)])
    model.keep(notes)
    kept = model.kept_notes.numpy()
    assert kept.shape == (16, 4000) and np.array_equal(kept[3], notes[0])
    z = model.encode(notes)
    assert z.shape == (3, 7) and model.encode(notes[:0]).shape == (0, 7)
    drawn = model.sample_z(20, seed=1)
    assert np.abs(drawn[:, None] - z).max(axis=-1).min(axis=1).max() < 1e-4  # Each is the code of a kept note.
    np.testing.assert_array_equal(drawn, model.sample_z(20, seed=1))
    waves = model.generate(z, [40, 43, 50])
    peak = np.abs(kept).max(axis=1).mean()
    np.testing.assert_allclose(np.abs(waves).max(axis=1), peak, rtol=1e-5)
    loss, metrics = model.loss(tf.constant(notes), tf.constant([0, 1, 2]), tf.constant([0, 0]))
    assert 0 < float(loss) < 10 and metrics["loss"] is loss
    with pytest.raises(ValueError, match="gansynth_generate"):
        model.generating_variables  # noqa: B018
    with pytest.raises(ValueError, match=r"\[batch, 4000\]"):
        model.encode(notes[:, :100])
