"""A model made of sines, and music made by hand."""

import numpy as np
import pytest

from gansynth_tf.generation.midi import MidiNotes


class FakeModel:
    """Sines of the asked pitch, or the given wave; remembers what it was asked for."""

    latent_size = 3

    def __init__(self, sample_rate=16000, audio_length=64000, pitches=range(24, 85), wave=None):
        self.sample_rate, self.audio_length, self.pitches, self.wave = sample_rate, audio_length, list(pitches), wave
        self.asked, self.largest_batch, self.sampled = [], 0, []

    def sample_z(self, n, seed=None):
        self.sampled.append(n)
        return np.random.default_rng(seed).normal(size=(n, self.latent_size)).astype(np.float32)

    def generate(self, z, pitch):
        assert set(np.asarray(pitch).tolist()) <= set(self.pitches)
        self.asked += [(*map(float, row), int(p)) for row, p in zip(z, pitch, strict=True)]
        self.largest_batch = max(self.largest_batch, len(z))
        if self.wave is not None:
            return np.tile(np.asarray(self.wave, np.float32), (len(z), 1))
        seconds = np.arange(self.audio_length) / self.sample_rate
        hz = 440 * 2 ** ((np.asarray(pitch) - 69) / 12)
        return (0.3 * np.sin(2 * np.pi * hz[:, np.newaxis] * seconds)).astype(np.float32)


@pytest.fixture(scope="session")
def fake_model():
    """Makes a fake model of a sample rate, a length, pitches and, if wanted, one wave for all notes."""
    return FakeModel


@pytest.fixture(scope="session")
def constant_model():
    """Makes a fake model whose every sample is the same."""

    def make(value=0.5, **settings):
        model = FakeModel(**settings)
        model.wave = np.full(model.audio_length, value, np.float32)
        return model

    return make


@pytest.fixture(scope="session")
def music():
    """Makes notes from rows of (pitch, velocity, start, end)."""

    def make(*rows, **others):
        return MidiNotes(*zip(*rows, strict=True), **others)

    return make
