"""The whole model: notes of any number, by seed, at any stage of its growth."""

import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf import layers
from gansynth_tf.representations import LinearIF, Waveform
from gansynth_tf.schedules import ResolutionSchedule

SAMPLES, LATENT = 80, 11


@pytest.fixture(scope="module")
def model(make_tiny_model):
    return make_tiny_model()


@pytest.fixture
def notes(model):
    """Latents and pitches of four notes."""
    return model.sample_z(4, seed=2), np.array([50, 40, 43, 50])


def test_what_it_says_about_itself(model):
    assert model.pitches == [40, 43, 50]
    assert (model.sample_rate, model.audio_length, model.latent_size) == (2000, SAMPLES, LATENT)


def test_latents_by_seed(model):
    z = model.sample_z(7, seed=3)
    assert z.shape == (7, LATENT) and z.dtype == np.float32
    np.testing.assert_array_equal(model.sample_z(7, seed=3), z)
    assert not np.array_equal(model.sample_z(7, seed=4), z)
    assert not np.array_equal(model.sample_z(7), model.sample_z(7))
    many = model.sample_z(5000, seed=0)
    assert abs(many.mean()) < 0.02 and abs(many.std() - 1.0) < 0.02


def test_notes_and_specgrams(model, notes):
    waves, specgrams = model.generate(*notes), model.generate_specgrams(*notes)
    assert waves.shape == (4, SAMPLES) and specgrams.shape == (4, 8, 16, 2)
    assert isinstance(waves, np.ndarray) and waves.dtype == specgrams.dtype == np.float32
    assert np.isfinite(waves).all() and waves.std() > 0
    np.testing.assert_allclose(model.representation.decode(specgrams), waves, atol=1e-4 * np.abs(waves).max())
    np.testing.assert_array_equal(model.generate(*notes), waves)
    # The smoothed generator writes them, in [-1, 1] before they are brought to physical units.
    labels = model.pitch_classes.to_index(notes[1])
    written = model.smoothed_generator(notes[0], labels)
    np.testing.assert_allclose(model.normalizer.normalize(specgrams), written, atol=1e-5)


def test_tensors_and_lists_are_taken_too(model, notes):
    waves = model.generate(*notes)
    np.testing.assert_array_equal(model.generate(tf.constant(notes[0]), notes[1].tolist()), waves)
    np.testing.assert_array_equal(model.generate(notes[0].astype(np.float64), tf.constant(notes[1])), waves)


def test_many_notes_equal_one_by_one(model):
    number = 130  # Two full passes and a rest.
    z, pitches = model.sample_z(number, seed=6), np.resize([43, 50, 40, 50, 43], number)
    together = model.generate_specgrams(z, pitches)
    assert together.shape == (number, 8, 16, 2)
    for index in (0, 63, 64, 127, 128, 129):
        alone = model.generate_specgrams(z[index : index + 1], pitches[index : index + 1])
        # In the networks' units: one note and 64 are convolved in another order, which random weights spread by up to
        # 3e-5 of [-1, 1]. Physical ones are up to 15 times as large.
        written, expected = (model.normalizer.normalize(s).numpy() for s in (alone[0], together[index]))
        np.testing.assert_allclose(written, expected, atol=1e-4)
    assert model.generate(z, pitches).shape == (number, SAMPLES)


def test_notes_made_here_are_those_of_the_graph_that_is_exported(model, notes):
    labels = tf.constant(model.pitch_classes.to_index(notes[1]))
    exported = model.waves_from_labels(tf.constant(notes[0]), labels).numpy()
    # Pixel norm takes its mean of squares in one pass in the one, in two in the other (layers.one_pass_norms).
    np.testing.assert_allclose(model.generate(*notes), exported, atol=1e-4 * np.abs(exported).max())


def test_no_notes(model):
    nothing = np.zeros((0, LATENT)), np.zeros(0, int)
    assert model.generate(*nothing).shape == (0, SAMPLES)
    assert model.generate_specgrams(*nothing).shape == (0, 8, 16, 2)


def test_pitch_and_latent_both_matter(model, notes):
    z, pitches = notes
    waves = model.generate(z, pitches)
    assert np.abs(model.generate(z, np.full(4, 43)) - waves).max(axis=1)[2] == 0.0
    assert (np.abs(model.generate(z, [40, 43, 50, 43]) - waves).max(axis=1) > 0).all()
    assert (np.abs(model.generate(-z, pitches) - waves).max(axis=1) > 0).all()


def test_unknown_pitch_names_the_nearest(model, notes):
    with pytest.raises(ValueError, match="3 pitches from 40 to 50. Received: 48; the nearest is 50"):
        model.generate(notes[0], [40, 48, 43, 60])


@pytest.mark.parametrize(
    ("z", "pitch"),
    [(np.zeros((4, 12)), [40] * 4), (np.zeros(11), [40]), (np.zeros((4, 11)), [40] * 3), (np.zeros((4, 11)), 40)],
)
def test_wrong_shapes_say_what_is_expected(model, z, pitch):
    with pytest.raises(ValueError, match=r"z of shape \[batch, 11\] and as many pitches. Received: z \[") as raised:
        model.generate(z, pitch)
    assert "\n" not in str(raised.value)


# ---------------------------------------------------------------------------------------------------- growth


def test_every_stage_can_be_heard(make_tiny_model, notes):
    model = make_tiny_model()
    specgrams = {}
    for num_blocks, fade in [(1, None), (2, 0.0), (2, 0.4), (2, 1.0), (2, None), (3, 0.0), (3, None)]:
        model.set_stage(num_blocks, fade)
        specgrams[num_blocks, fade] = model.generate_specgrams(*notes)
        assert model.generate(*notes).shape == (4, SAMPLES)
    # A coarse stage is written at full size, each point repeated.
    coarse = specgrams[1, None]
    np.testing.assert_array_equal(coarse, np.repeat(np.repeat(coarse[:, ::4, ::4], 4, axis=1), 4, axis=2))
    np.testing.assert_allclose(specgrams[2, 0.0], specgrams[1, None], atol=1e-4)
    np.testing.assert_allclose(specgrams[2, 1.0], specgrams[2, None], atol=1e-4)
    np.testing.assert_allclose(specgrams[3, 0.0], specgrams[2, None], atol=1e-4)
    physical = 0.6 * specgrams[1, None] + 0.4 * specgrams[2, None]  # The scaling is affine.
    np.testing.assert_allclose(specgrams[2, 0.4], physical, atol=1e-4)
    assert np.abs(specgrams[3, None] - specgrams[2, None]).max() > 0.1


def test_reals_and_fakes_meet_the_critic_alike(model, notes):
    waves = np.random.default_rng(1).normal(size=(4, SAMPLES)).astype(np.float32)
    labels = model.pitch_classes.to_index(notes[1])
    full = model.representation.encode(waves)
    for num_blocks, fade in [(1, None), (2, 0.4), (3, None)]:
        reals = model.real_specgrams(waves, num_blocks, fade)
        fakes = model.fake_specgrams(notes[0], labels, num_blocks, fade)
        assert reals.shape == fakes.shape == (4, 2**num_blocks, 2 ** (num_blocks + 1), 2)
        scores, logits = model.judge(reals, num_blocks, fade)
        assert scores.shape == (4,) and logits.shape == (4, 3)
    np.testing.assert_array_equal(reals, full)
    coarse = layers.downscale(full, (4, 4))
    np.testing.assert_allclose(model.real_specgrams(waves, 1, None), coarse, atol=1e-5)


def test_the_trained_generator_is_not_the_one_that_plays(make_tiny_model, notes):
    model = make_tiny_model()
    before = model.generate(*notes)
    model.generator.set_weights([w + 0.1 for w in model.generator.get_weights()])
    np.testing.assert_array_equal(model.generate(*notes), before)
    model.smoothed_generator.set_weights(model.generator.get_weights())
    assert np.abs(model.generate(*notes) - before).max() > 0


@pytest.mark.parametrize(
    ("representation", "resolutions"),
    [
        (LinearIF((16, 8), 70, 2000), ResolutionSchedule((4, 2), 3)),
        (Waveform(None, 29, 2000), ResolutionSchedule((8, 1), 3, "H")),
    ],
)
def test_other_representations(make_tiny_model, notes, representation, resolutions):
    model = make_tiny_model(representation, resolutions)
    waves = model.generate(*notes)
    assert waves.shape == (4, representation.audio_length) and np.isfinite(waves).all()
    reals = model.real_specgrams(waves, 2, tf.constant(0.5))
    assert reals.shape == (4, *resolutions.resolution(2), 2)
