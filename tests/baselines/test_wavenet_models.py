"""WaveNets as models of notes: chunks, losses, codes, notes that depend on nothing but z and pitch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf.baselines import wavenet, wavenet_autoencoder, wavenet_models
from gansynth_tf.baselines.distributions import MuLawSoftmax
from gansynth_tf.pitches import PitchClasses

HOP, SAMPLES, RATE = 20, 190, 2000
CLASSES = PitchClasses((40, 43, 50), (2, 1, 5))
SMALL = {"width": 5, "skip_width": 6, "num_layers": 4, "layers_per_stack": 2}


def make_pitch_network():
    condition = wavenet.PitchCondition(3, wavenet.held_frames(10, HOP, 150), width=4)
    return wavenet.PitchWaveNet(condition, wavenet.WaveNet(256, 4, HOP, **SMALL))


def make_autoencoder_network(num_pitches: int):
    encoder = wavenet_autoencoder.TemporalEncoder(2, HOP, width=4, num_layers=4, layers_per_stack=3)
    decoder = wavenet.WaveNet(256, 2 + num_pitches, HOP, **SMALL)
    return wavenet_autoencoder.WaveNetAutoencoderNetwork(encoder, decoder, num_pitches)


@pytest.fixture(scope="module")
def waves():
    return tf.random.stateless_uniform([3, SAMPLES], [0, 1], -0.5, 0.5)


@pytest.fixture(scope="module")
def notes_model():
    keras.utils.set_random_seed(0)
    model = wavenet_models.WaveNetNotes(make_pitch_network, MuLawSoftmax(), CLASSES, RATE, SAMPLES, 4)
    for network in (model.trained, model.smoothed):  # So that an untrained network hears its condition.
        network.decoder.condition_kernel.assign(50 * network.decoder.condition_kernel)
    return model


@pytest.fixture(scope="module", params=[0, 3], ids=["code alone", "with pitch"])
def autoencoder(request):
    keras.utils.set_random_seed(0)
    make = lambda: make_autoencoder_network(request.param)  # noqa: E731
    return wavenet_models.WaveNetAutoencoder(make, MuLawSoftmax(), CLASSES, RATE, SAMPLES, 4)


def test_chunks_begin_with_every_frame():
    waves = tf.tile(tf.range(1.0, 191.0)[None], [200, 1])
    chunks, starts = wavenet_models.random_chunks(waves, HOP, 4, tf.constant([0, 1]))
    assert chunks.shape == (200, 80) and sorted(set(starts.numpy())) == list(range(7))
    # Ten frames hold 190 samples and ten zeros.
    whole = np.append(np.arange(1, 191), np.zeros(10))
    for chunk, start in zip(chunks.numpy(), starts.numpy(), strict=True):
        np.testing.assert_array_equal(chunk, whole[start * HOP : start * HOP + 80])
    whole_note, starts = wavenet_models.random_chunks(waves, HOP, 30, tf.constant([0, 1]))
    assert whole_note.shape == (200, 200) and not np.any(starts)


def test_published_chunks():
    """6,144 samples are twelve frames of 512."""
    waves = tf.zeros([2, 64000])
    assert wavenet_models.random_chunks(waves, 512, 12, tf.constant([0, 1]))[0].shape == (2, 6144)
    assert wavenet_models.num_frames(64000, 512) == 125


def test_loss_is_that_of_the_whole_network(notes_model, waves):
    """A chunk as long as the note, by hand."""
    keras.utils.set_random_seed(0)
    model = wavenet_models.WaveNetNotes(make_pitch_network, MuLawSoftmax(), CLASSES, RATE, SAMPLES, 10)
    labels = tf.constant([0, 2, 1])
    loss, _ = model.loss(waves, labels, tf.constant([0, 1]))
    inputs = MuLawSoftmax().waves_to_inputs(tf.pad(waves, [[0, 0], [0, 10]]))
    logits = model.trained.decoder(inputs, model.trained.condition(labels))
    expected = keras.losses.sparse_categorical_crossentropy(inputs * 128 + 128, logits, from_logits=True)
    np.testing.assert_allclose(loss, tf.reduce_mean(expected), rtol=1e-5)
    assert abs(float(loss) - np.log(256)) < 1.5  # Untrained, it knows next to nothing.


def test_notes_depend_on_z_and_pitch_alone(notes_model):
    z = notes_model.sample_z(3, seed=0)
    waves = notes_model.generate(z, [40, 43, 50])
    assert waves.shape == (3, SAMPLES) and np.abs(waves).max() <= 1 and np.std(waves) > 0.01
    again = notes_model.generate(z[[2, 0, 0]], [50, 40, 50])
    close = [np.mean(np.abs(again[0] - waves[2]) < 1e-4), np.mean(np.abs(again[1] - waves[0]) < 1e-4)]
    assert min(close) > 0.95
    assert np.mean(np.abs(again[1] - again[2]) < 1e-4) < 0.9


def test_autoencoder_codes_and_notes(autoencoder, waves):
    codes = autoencoder.encode(waves.numpy())
    assert codes.shape == (3, 10 * 2) == (3, autoencoder.latent_size)
    # A frame's code is the mean over its samples of what a stack of non-causal convolutions makes of them.
    inputs = MuLawSoftmax().waves_to_inputs(tf.pad(waves, [[0, 0], [0, 10]]))
    np.testing.assert_allclose(tf.reshape(autoencoder.trained.encoder(inputs), [3, 20]), codes, atol=1e-5)
    notes = autoencoder.generate(codes, [40, 43, 50])
    assert notes.shape == (3, SAMPLES) and np.std(notes) > 0.01
    conditions = autoencoder.trained.conditions(tf.reshape(codes, [3, 10, 2]), tf.constant([0, 1, 2]))
    assert conditions.shape == (3, 10, 2 + autoencoder.trained.num_pitches)
    loss, metrics = autoencoder.loss(waves, tf.constant([0, 1, 2]), tf.constant([0, 1]))
    assert abs(float(loss) - np.log(256)) < 1.5 and set(metrics) == {"loss"}


def test_encoder_hears_both_sides():
    encoder = wavenet_autoencoder.TemporalEncoder(2, HOP, width=4, num_layers=3, layers_per_stack=3)
    encoder.build()
    inputs = tf.Variable(tf.random.stateless_uniform([1, 200], [0, 1], -1, 1))
    with tf.GradientTape() as tape:
        code = tf.reduce_sum(encoder(inputs)[0, 5])
    touched = np.flatnonzero(tape.gradient(code, inputs)[0])
    # Samples 100 to 119 of the frame, and 1 + 1 + 2 + 4 more on either side.
    assert touched[0] >= 92 and touched[-1] <= 127 and {95, 99, 120, 124} <= set(touched)


def test_twins_begin_equal(notes_model):
    for trained, smoothed in zip(notes_model.trained.weights, notes_model.smoothed.weights, strict=True):
        np.testing.assert_array_equal(trained, smoothed)
    assert len(notes_model.generating_variables) == len(notes_model.smoothed.weights) > 30


def test_published_sizes():
    """NSynth's released sizes, summed by hand: each layer 3 x 512 x 1024 + 16 x 1024 + 1024 and 512 x 768 + 768."""
    decoder = wavenet.WaveNet(256, 16, 512)
    decoder.build()
    layer = 3 * 512 * 1024 + 16 * 1024 + 1024 + 512 * 768 + 768
    ends = 3 * 512 + 512 + 512 * 256 + 256 + 2 * (256 * 256 + 256) + 16 * 256
    assert decoder.count_params() == 30 * layer + ends == 59_796_736
    encoder = wavenet_autoencoder.TemporalEncoder(16, 512)
    encoder.build()
    layer = 3 * 128 * 128 + 128 + 128 * 128 + 128
    assert encoder.count_params() == 30 * layer + 3 * 128 + 128 + 128 * 16 + 16 == 1_976_336
