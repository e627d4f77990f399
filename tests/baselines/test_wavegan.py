"""WaveGAN: the published parameter counts and shapes, phase shuffle, conditioning, the model's notes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf.baselines import wavegan
from gansynth_tf.pitches import PitchClasses


def num_parameters(network: keras.Model) -> int:
    network.build()
    return network.count_params()


@pytest.mark.parametrize(
    ("length", "generator", "discriminator"),
    # Summed by hand from the published layers: a dense layer and five or six filters of 25 taps.
    [(16384, 19_065_345, 17_427_969), (32768, 73_149_953, 69_875_201), (65536, 73_149_953, 69_875_201)],
)
def test_published_parameter_counts(length, generator, discriminator):
    assert num_parameters(wavegan.Generator(length, 100)) == generator
    assert num_parameters(wavegan.Discriminator(length)) == discriminator


@pytest.mark.parametrize("length", wavegan.STRIDES)
def test_shapes_of_every_length(length):
    generator = wavegan.Generator(length, 5, 3, dim=2)
    critic = wavegan.Discriminator(length, 3, dim=2)
    generator.build()
    critic.build()
    waves = generator(tf.random.stateless_normal([2, 5], [0, 1]), tf.constant([0, 2]))
    assert waves.shape == (2, length) and np.abs(waves).max() <= 1
    scores, logits = critic(waves, tf.constant([3, 4]))
    assert scores.shape == (2,) and logits.shape == (2, 3)


def test_wave_length():
    assert [wavegan.wave_length(samples) for samples in (5, 16384, 16385, 64000)] == [16384, 16384, 32768, 65536]
    with pytest.raises(ValueError, match="up to 65536 samples"):
        wavegan.wave_length(65537)


def test_phase_shuffle_shifts_by_each_count_and_reflects():
    x = np.random.default_rng(0).normal(size=[3, 9, 2]).astype(np.float32)
    found = {}
    for number in range(60):
        shuffled = wavegan.phase_shuffle(tf.constant(x), 2, tf.constant([number, 1])).numpy()
        for shift in range(-2, 3):
            kept = slice(max(0, shift), 9 + min(0, shift))
            if np.array_equal(shuffled[:, kept], np.roll(x, shift, axis=1)[:, kept]):
                found.setdefault(shift, []).append(shuffled)
    assert sorted(found) == [-2, -1, 0, 1, 2] and sum(map(len, found.values())) == 60
    assert min(map(len, found.values())) >= 4  # Of 60 draws 12 are expected.
    # The sample at the edge is the mirror's line: it is not repeated.
    np.testing.assert_array_equal(found[2][0][:, :2], x[:, [2, 1]])
    np.testing.assert_array_equal(found[-1][0][:, -1], x[:, -2])
    assert wavegan.phase_shuffle(x, 0, tf.constant([0, 1])) is x


def test_critic_shuffles_only_when_it_is_given_a_seed():
    keras.utils.set_random_seed(0)
    critic = wavegan.Discriminator(16384, dim=2)
    critic.build()
    waves = tf.random.stateless_uniform([2, 16384], [0, 1], -1, 1)
    plain = critic(waves)[0].numpy()
    np.testing.assert_array_equal(critic(waves)[0], plain)
    shuffled = np.array([critic(waves, tf.constant([seed, 0]))[0] for seed in range(3)])
    assert len(np.unique(np.round(shuffled[:, 0], 6))) == 3
    # The same seed, in a graph.
    np.testing.assert_allclose(tf.function(critic)(waves, tf.constant([1, 0]))[0], shuffled[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("num_pitches", [0, 3])
def test_model_makes_notes(num_pitches):
    keras.utils.set_random_seed(1)
    model = wavegan.WaveGAN(
        lambda: wavegan.Generator(16384, 7, num_pitches, dim=2),
        wavegan.Discriminator(16384, num_pitches, dim=2),
        PitchClasses((40, 43, 50), (2, 1, 5)),
        sample_rate=8000,
        audio_length=12000,
    )
    z = model.sample_z(4, seed=0)
    assert z.dtype == np.float32 and z.min() >= -1 and z.max() < 1 and z.shape == (4, 7)
    waves = model.generate(np.repeat(z[:1], 2, axis=0), [40, 50])
    assert waves.shape == (2, 12000) and model.generate(z[:0], []).shape == (0, 12000)
    assert np.array_equal(waves[0], waves[1]) == (num_pitches == 0)
    assert not np.allclose(waves[0], model.generate(z[1:2], [40])[0])
    np.testing.assert_array_equal(model.pad(tf.constant(waves))[:, 12000:], np.zeros([2, 4384]))
    with pytest.raises(ValueError, match="41"):
        model.generate(z[:1], [41])
    with pytest.raises(ValueError, match=r"shape \[batch, 7\]"):
        model.generate(z[:, :3], [40] * 4)
