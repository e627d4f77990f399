"""Vectors of notes: their range, what they see and what they do not."""

import librosa
import numpy as np
import pytest

from gansynth_tf.evaluation.features import note_vectors


def _tone(hz, rate=16000, num_samples=8000, start=0):
    wave = 0.3 * np.sin(2 * np.pi * hz * np.arange(num_samples) / rate)
    wave[:start] = 0
    return wave


def test_bands_and_stretches():
    # The second half of the note sounds: its loudest band is that of the tone.
    vector = note_vectors(_tone(1000, start=4000)[np.newaxis], 16000).reshape(64, 32)
    centres = librosa.mel_frequencies(66, fmax=8000)[1:-1]
    assert abs(centres[vector[:, 24].argmax()] - 1000) < 60
    assert vector[:, :13].max() == -80 and vector[:, 20:].max() == pytest.approx(0, abs=0.5)


def test_equals_librosas_mel_spectrogram():
    wave = np.random.default_rng(0).normal(size=16000)
    power = librosa.feature.melspectrogram(y=wave, sr=16000, n_fft=1024, hop_length=250, n_mels=64, pad_mode="constant")
    edges = np.linspace(0, power.shape[1], 33).round().astype(int)
    pooled = np.stack([power[:, a:b].mean(axis=1) for a, b in zip(edges, edges[1:], strict=False)], axis=1)
    expected = 10 * np.log10(pooled / pooled.max())
    np.testing.assert_allclose(note_vectors(wave[np.newaxis], 16000)[0].reshape(64, 32), expected, atol=1e-2)


def test_level_does_not_matter():
    waves = np.stack([_tone(440), 1e-3 * _tone(440)])
    vectors = note_vectors(waves, 16000)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-3)
    assert vectors.dtype == np.float32 and vectors.min() == -80 and vectors.max() == 0


def test_silent_and_broken_notes():
    vectors = note_vectors(np.stack([np.zeros(8000), np.full(8000, np.nan)]), 16000)
    assert np.all(vectors == -80)


@pytest.mark.parametrize(("num_samples", "rate"), [(500, 16000), (40, 8000), (64000, 16000), (13230, 44100)])
def test_any_length_and_rate_gives_the_same_size(num_samples, rate):
    vectors = note_vectors(np.random.default_rng(0).normal(size=[3, num_samples]), rate)
    assert vectors.shape == (3, 2048) and np.all(np.isfinite(vectors))


def test_wrong_shapes():
    with pytest.raises(ValueError, match="waves"):
        note_vectors(np.zeros(40), 8000)
