"""Starting from another model: known pitches keep their sound, new ones begin as their neighbours."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf.model import GANSynth
from gansynth_tf.networks import Discriminator, Generator
from gansynth_tf.normalizers import prespecified_normalizer
from gansynth_tf.pitches import PitchClasses
from gansynth_tf.representations import MelIF
from gansynth_tf.schedules import ResolutionSchedule
from gansynth_tf.training import transfer

NEW = (38, 43, 47, 50, 61)  # The tiny model knows 40, 43, 50.


@pytest.fixture
def target():
    """Fresh, of the tiny model's architecture, with other pitches and another normaliser."""
    keras.utils.set_random_seed(77)
    resolutions, filters = ResolutionSchedule((2, 4), 3), (9, 7, 6, 5)
    return GANSynth(
        MelIF((8, 16), audio_length=80, sample_rate=2000),
        prespecified_normalizer(0.3, 0.2, 0.7, 0.1),
        Generator(resolutions, filters, 11, len(NEW)),
        Generator(resolutions, filters, 11, len(NEW)),
        Discriminator(resolutions, filters, len(NEW)),
        PitchClasses(NEW, (3,) * len(NEW)),
    )


@pytest.mark.parametrize(
    ("pitch", "like"),
    [(43, 43), (50, 50), (38, 40), (47, 50), (61, 50)],
    ids=["known", "last", "below", "between", "above"],
)
def test_a_pitch_sounds_as_the_nearest_known_one(make_tiny_model, target, pitch, like):
    source = make_tiny_model()
    assert transfer.copy_model(source, target) == [38, 47, 61]
    z = source.sample_z(4, seed=3)
    wanted = ((target, pitch), (source, like))
    labels = [tf.constant(model.pitch_classes.to_index([one] * 4)) for model, one in wanted]
    written = target.specgrams_from_labels(tf.constant(z), labels[0])
    np.testing.assert_allclose(written, source.specgrams_from_labels(tf.constant(z), labels[1]), rtol=1e-4, atol=1e-5)


def test_the_critic_scores_and_hears_as_before(make_tiny_model, target):
    source = make_tiny_model()
    transfer.copy_model(source, target)
    specgrams = tf.constant(np.random.default_rng(1).normal(size=[5, 8, 16, 2]), tf.float32)
    scores, logits = source.judge(specgrams, 3, None)
    found_scores, found_logits = target.judge(specgrams, 3, None)
    np.testing.assert_allclose(found_scores, scores, rtol=1e-5)
    np.testing.assert_allclose(found_logits, tf.gather(logits, [0, 1, 2, 2, 2], axis=1), rtol=1e-5, atol=1e-6)


def test_every_weight_is_taken_and_the_trained_network_differs_from_the_averaged(make_tiny_model, target):
    source = make_tiny_model()
    source.smoothed_generator.blocks[1].second.kernel.assign_add(
        tf.ones_like(source.smoothed_generator.blocks[1].second.kernel)
    )
    before = [[weight.numpy() for weight in network.weights] for network in target.networks]
    transfer.copy_model(source, target)
    for network, old in zip(target.networks, before, strict=True):
        assert all(np.any(weight.numpy() != was) for weight, was in zip(network.weights, old, strict=True))
    pair = [network.blocks[1].second.kernel.numpy() for network in target.networks[:2]]
    np.testing.assert_allclose(pair[1], pair[0] + 1, rtol=1e-6)


def test_equal_numbers_of_other_pitches(make_tiny_model):
    """Shapes are equal, so that nothing but the pitches tells that rows must move."""
    source, target = make_tiny_model(), make_tiny_model(seed=8)
    target.pitch_classes = PitchClasses((43, 50, 52), (1, 1, 1))
    assert transfer.copy_model(source, target) == [52]
    z = source.sample_z(3, seed=4)
    for pitch, like in ((43, 43), (50, 50), (52, 50)):
        expected = source.generate_specgrams(z, [like] * 3)
        np.testing.assert_allclose(target.generate_specgrams(z, [pitch] * 3), expected, rtol=1e-4, atol=1e-5)


def test_another_architecture_is_named(make_tiny_model):
    source, target = make_tiny_model(), make_tiny_model(pitch_scale=4.0)
    with pytest.raises(ValueError, match=r"same architecture.*pitch_scale 1\.0 there, 4\.0 here"):
        transfer.copy_model(source, target)


def test_another_representation_is_named(make_tiny_model):
    source = make_tiny_model(MelIF((8, 16), audio_length=72, sample_rate=2000))
    with pytest.raises(ValueError, match="audio_length 72 there, 80 here"):
        transfer.copy_model(source, make_tiny_model())


def test_a_model_that_still_grows_is_refused(make_tiny_model):
    source = make_tiny_model()
    source.set_stage(2, None)
    with pytest.raises(ValueError, match="2 of 3 blocks"):
        transfer.copy_model(source, make_tiny_model())


def test_nearest_classes():
    assert transfer.nearest_classes([40, 44, 50], [10, 42, 43, 47, 90]).tolist() == [0, 0, 1, 1, 2]
