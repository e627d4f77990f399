"""Encoding: distances that are 0 for equal sounds, and a latent found again from its note."""

import numpy as np
import pytest
import tensorflow as tf

import gansynth_tf
from gansynth_tf import latents
from gansynth_tf.exploration import encoding
from gansynth_tf.representations import MelIF
from gansynth_tf.schedules import ResolutionSchedule


def _tone(hz, num_samples=3000, level=0.3, phase=0.0):
    return (level * np.sin(2 * np.pi * hz * np.arange(num_samples) / 16000 + phase)).astype(np.float32)


def test_spectral_distance_hears_timbre_not_level_or_phase():
    note = _tone(500) + 0.5 * _tone(1000)
    others = [note, 0.1 * note, _tone(500, phase=1.0) + 0.5 * _tone(1000, phase=2.0)]
    others += [_tone(500) + 0.4 * _tone(1000), _tone(500), _tone(700)]
    same, softer, other_phases, near, further, other_pitch = encoding.spectral_distance(np.stack(others), note).numpy()
    np.testing.assert_allclose([same, softer], 0, atol=1e-3)
    assert max(other_phases, near) < further < other_pitch


def test_spectral_distance_of_silence_is_finite_with_its_gradient():
    note = tf.constant(_tone(500))
    waves = tf.Variable(np.zeros((2, 3000), np.float32))
    with tf.GradientTape() as tape:
        distance = encoding.spectral_distance(waves, note)
    assert np.all(np.isfinite(distance)) and np.all(np.isfinite(tape.gradient(distance, waves)))


def test_specgram_distance_by_hand():
    def specgram(magnitudes, turns):
        return np.stack([np.log(magnitudes), turns], axis=-1).astype(np.float32)

    target = specgram([[1.0, 0.5]], [[0.9, 0.0]])
    same_sound = specgram([[10.0, 5.0]], [[0.9, 0.0]])  # Louder only.
    # The second point is twice as loud: ln 2 in one of two points. The first turns over the circle's end, by 0.2, and
    # weighs two thirds.
    other = specgram([[1.0, 1.0]], [[-0.9, 0.0]])
    found = encoding.specgram_distance(tf.stack([same_sound, other]), tf.constant(target), log_scale=1.0).numpy()
    np.testing.assert_allclose(found, [0, np.log(2) / 2 + 0.2 * 2 / 3], atol=1e-6)
    halved = encoding.specgram_distance(tf.constant(other[np.newaxis]), tf.constant(target), log_scale=0.5).numpy()
    weight = 1 / (1 + np.sqrt(0.5))
    np.testing.assert_allclose(halved, [np.log(2) / 4 + 0.2 * weight], atol=1e-6)


def test_silence_before_a_note_is_cut():
    note = _tone(500)
    padded = np.concatenate([np.zeros(4000, np.float32), note])
    cut = encoding.cut_to_onset(padded, 16000)
    assert len(note) <= len(cut) <= len(note) + 161
    np.testing.assert_array_equal(cut[-len(note) :], note)
    np.testing.assert_array_equal(encoding.cut_to_onset(note, 16000), note)
    assert len(encoding.cut_to_onset(np.zeros(50), 16000)) == 50


# ---------------------------------------------------------------------------------------------------- optimisation


@pytest.fixture(scope="module")
def synthesizer():
    """Six harmonics, their levels the exponentials of six latents: what encoding does can be seen in z."""
    angles = 2 * np.pi * 220 / 16000 * np.outer(np.arange(1, 7), np.arange(3000))
    harmonics = tf.constant(np.sin(angles), tf.float32)
    return encoding.NoteMaker(lambda z: tf.exp(0.7 * z) @ harmonics, lambda waves: waves[:, tf.newaxis, :, tf.newaxis])


def test_a_latent_is_found_again_from_its_note(synthesizer):
    z = np.array([[0.9, -1.2, 0.3, 1.4, -0.4, 0.2]], np.float32)
    wave = 0.03 * synthesizer.waves(z)[0].numpy()  # At any level.
    heard = []
    settings = {"num_starts": 3, "num_candidates": 24, "num_steps": 80, "seed": 1}
    found = encoding.encode_note(synthesizer, wave, 6, progress=heard.append, **settings)
    # All levels a little higher are the same sound.
    shift = found.z - z[0]
    np.testing.assert_allclose(shift, shift.mean(), atol=0.05)
    assert found.distance < 0.03 and found.random > 0.5
    np.testing.assert_allclose(found.wave, synthesizer.waves(found.z[np.newaxis])[0], atol=1e-5)
    assert len(heard) == 80 and heard == sorted(heard, reverse=True)
    np.testing.assert_allclose([heard[-1], found.starts[0]], found.distance, atol=1e-3)
    assert found.starts.shape == (3,) and list(found.starts) == sorted(found.starts)


def test_without_steps_the_nearest_random_latent_is_taken(synthesizer):
    z = latents.sample_instruments(30, 6, seed=5)
    wave = synthesizer.waves(z[17:18])[0].numpy()
    found = encoding.encode_note(synthesizer, wave, 6, num_starts=2, num_candidates=30, num_steps=0, seed=5)
    np.testing.assert_array_equal(found.z, z[17])
    assert found.distance < 1e-3 < found.starts[1] < found.random


@pytest.fixture(scope="module")
def model(make_tiny_model):
    return make_tiny_model(MelIF((32, 64), audio_length=1000, sample_rate=4000), ResolutionSchedule((8, 16), 3))


@pytest.mark.slow
def test_gradients_reach_z_through_a_models_inverse_transform(model):
    maker = encoding.make_note_maker(model, 43)
    z = model.sample_z(3, seed=40)
    labels = tf.constant(model.pitch_classes.to_index([43] * 3))
    np.testing.assert_allclose(maker.waves(z), model.waves_from_labels(tf.constant(z), labels), atol=1e-5)
    heard = []
    settings = {"num_starts": 3, "num_candidates": 12, "num_steps": 8, "seed": 1, "learning_rate": 0.03}
    encoding.encode_note(maker, maker.waves(z)[0].numpy(), model.latent_size, progress=heard.append, **settings)
    assert heard[-1] < heard[0]


@pytest.mark.slow
def test_an_imported_model_has_gradients(golden_dir):
    model = gansynth_tf.load(golden_dir / "magenta_small_mel_hires")
    note = np.load(golden_dir / "nsynth_examples.npy")[11]
    maker = encoding.make_note_maker(model, 60)
    z = tf.Variable(model.sample_z(1, seed=0))
    with tf.GradientTape() as tape:
        waves = maker.waves(z)
        encoded, target = maker.encode(waves), maker.encode(tf.constant(note[np.newaxis]))[0]
        distance = encoding.spectral_distance(waves, note) + encoding.specgram_distance(encoded, target, 0.5)
    gradient = tape.gradient(distance, z).numpy()
    assert np.all(np.isfinite(gradient)) and np.linalg.norm(gradient) > 1e-3


@pytest.mark.parametrize("wave", [np.zeros(1000), np.full(1000, np.nan), np.ones((2, 1000))])
def test_notes_that_cannot_be_encoded(model, wave):
    with pytest.raises(ValueError, match="one finite note that can be heard"):
        encoding.encode_note(encoding.make_note_maker(model, 40), wave, model.latent_size)


def test_numbers_out_of_range(model):
    maker = encoding.make_note_maker(model, 40)
    for numbers in ({"num_starts": 5, "num_candidates": 4}, {"num_starts": 0}, {"num_steps": -1}):
        with pytest.raises(ValueError, match="1 <= starts <= candidates"):
            encoding.encode_note(maker, np.ones(1000), model.latent_size, **numbers)
    with pytest.raises(ValueError, match="3 pitches from 40 to 50. Received: 41"):
        encoding.make_note_maker(model, 41)
