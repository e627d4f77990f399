"""Latents: seeds, great circles and the places where slerp has no unique answer."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gansynth_tf import latents


def test_same_seed_same_bytes_whatever_was_drawn_before():
    first = latents.sample_latents(3, 5, 17).numpy()
    latents.sample_latents(7, 5, 18)
    tf.random.set_seed(123)
    again = latents.sample_latents(3, 5, 17).numpy()
    assert first.dtype == np.float32 and first.shape == (3, 5)
    assert first.tobytes() == again.tobytes()
    assert not np.array_equal(first, latents.sample_latents(3, 5, 17 + 2**32).numpy())


def test_samples_are_standard_normal():
    z = latents.sample_latents(2000, 11, 2**64 - 1).numpy()
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=0.1)
    np.testing.assert_allclose(np.cov(z.T), np.eye(11), atol=0.12)


@pytest.mark.parametrize("seed", [0, 5, 2**40 + 3])
def test_players_and_trainers_draw_the_same_bits(seed):
    np.testing.assert_array_equal(latents.sample_instruments(7, 13, seed), latents.sample_latents(7, 13, seed))


def test_inside_a_function_with_a_tensor_seed_and_a_tensor_count():
    @tf.function
    def draw(num, seed):
        return latents.sample_latents(num, 4, seed)

    seed = tf.constant([0, 9])
    np.testing.assert_array_equal(draw(tf.constant(6), seed), latents.sample_latents(6, 4, 9))
    assert draw(tf.constant(3), seed).shape == (3, 4)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seed_out_of_range(seed):
    with pytest.raises(ValueError, match="Expected a seed"):
        latents.sample_latents(2, 3, seed)


def test_slerp_equals_the_textbook_formula_for_equal_norms():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 7))
    b *= np.linalg.norm(a) / np.linalg.norm(b)
    angle = np.arccos(a @ b / (a @ a))
    for t in (0.0, 0.3, 0.5, 1.0):
        expected = np.sin((1 - t) * angle) / np.sin(angle) * a + np.sin(t * angle) / np.sin(angle) * b
        np.testing.assert_allclose(latents.slerp(a, b, t), expected, rtol=1e-6, atol=1e-6)


def test_slerp_by_hand():
    np.testing.assert_allclose(latents.slerp([2.0, 0.0], [0.0, 4.0], 0.5), 3 * np.sqrt([0.5, 0.5]), rtol=1e-6)
    np.testing.assert_allclose(latents.slerp([1.0, 2.0], [2.0, 4.0], 0.25), [1.25, 2.5], rtol=1e-6)
    np.testing.assert_allclose(latents.slerp([0.0, 0.0], [2.0, 4.0], 0.25), [0.5, 1.0], rtol=1e-6)
    np.testing.assert_allclose(latents.slerp([2.0, 4.0], [0.0, 0.0], 0.25), [1.5, 3.0], rtol=1e-6)
    np.testing.assert_array_equal(latents.slerp([0.0, 0.0], [0.0, 0.0], 0.5), [0, 0])


def test_slerp_between_opposites_keeps_the_norm():
    z = np.random.default_rng(1).normal(size=(50, 6))
    middle = latents.slerp(z, -z, 0.5)
    np.testing.assert_allclose(np.linalg.norm(middle, axis=-1), np.linalg.norm(z, axis=-1), rtol=1e-6)
    np.testing.assert_allclose(np.sum(middle * z, axis=-1), 0, atol=1e-5)
    np.testing.assert_allclose(latents.slerp(z, -z, 1.0), -z, atol=1e-6)


def test_slerp_of_a_latent_with_itself_is_that_latent():
    z = np.random.default_rng(2).normal(size=(1000, 16)).astype(np.float32)
    np.testing.assert_allclose(latents.slerp(z, z, 0.37), z, rtol=1e-5, atol=1e-6)


_vectors = hnp.arrays(np.float32, 3, elements=st.floats(-(2.0**99), 2.0**99, width=32))


@settings(max_examples=200, deadline=None)
@given(_vectors, _vectors, st.floats(0, 1))
def test_slerp_is_always_finite_and_meets_its_ends(a, b, t):
    middle = latents.slerp(a, b, t)
    size = max(np.linalg.norm(a.astype(float)), np.linalg.norm(b.astype(float)))
    assert np.all(np.isfinite(middle))
    assert np.linalg.norm(middle.astype(float)) <= size * 1.00001
    np.testing.assert_allclose(latents.slerp(a, b, 0.0), a, rtol=1e-5, atol=size * 1e-6)
    np.testing.assert_allclose(latents.slerp(a, b, 1.0), b, rtol=1e-5, atol=size * 1e-6)


def test_path_through_corners():
    corners = latents.sample_latents(3, 5, 0).numpy()
    path = latents.interpolation_path(corners, 7)
    np.testing.assert_allclose(path[[0, 3, 6]], corners, rtol=1e-5)
    np.testing.assert_allclose(path[1], latents.slerp(corners[0], corners[1], 1 / 3), rtol=1e-5)
    np.testing.assert_allclose(latents.latents_at(corners, [-2, 99]), corners[[0, 2]], rtol=1e-5)


def test_path_of_one_corner_stays_there():
    corner = latents.sample_latents(1, 5, 0).numpy()
    np.testing.assert_allclose(latents.interpolation_path(corner, 4), np.repeat(corner, 4, axis=0), rtol=1e-5)


def test_impossible_paths():
    with pytest.raises(ValueError, match="at least 1 step"):
        latents.interpolation_path(np.zeros((0, 5)), 3)
    with pytest.raises(ValueError, match="num_steps"):
        latents.interpolation_path(np.zeros((2, 5)), 0)
    with pytest.raises(ValueError, match="finite"):
        latents.latents_at(np.zeros((2, 5)), [0.5, np.nan])


def test_truncate():
    z = np.array([[2.0, -4.0, 6.0]])
    np.testing.assert_array_equal(latents.truncate(z, 0.5), [[1, -2, 3]])
    np.testing.assert_array_equal(latents.truncate(z, 1.0), z)
    with pytest.raises(ValueError, match="psi"):
        latents.truncate(z, np.nan)


def test_mixtures_keep_the_norm():
    z = np.random.default_rng(3).normal(size=(3, 7))
    norms = np.linalg.norm(z, axis=1)
    mixed = latents.mix(z, [2, 1, 0])
    np.testing.assert_allclose(np.linalg.norm(mixed), (2 * norms[0] + norms[1]) / 3, rtol=1e-6)
    direction = 2 * z[0] / norms[0] + z[1] / norms[1]
    np.testing.assert_allclose(mixed / np.linalg.norm(mixed), direction / np.linalg.norm(direction), rtol=1e-5)
    np.testing.assert_allclose(latents.mix(z, [0, 5, 0]), z[1], rtol=1e-5)
    np.testing.assert_array_equal(latents.mix(np.zeros([2, 4]), [1, 1]), np.zeros(4))
    unit = z / norms[:, np.newaxis]
    np.testing.assert_allclose(latents.mix(unit[:2], [3, 3]), latents.slerp(unit[0], unit[1], 0.5), rtol=1e-5)


@pytest.mark.parametrize("weights", [[1], [0, 0], [1, -1], [1, np.nan], [1, np.inf]])
def test_impossible_mixtures(weights):
    with pytest.raises(ValueError, match="weight"):
        latents.mix(np.eye(2), weights)
    with pytest.raises(ValueError, match="cancel"):
        latents.mix([[1.0, 2.0], [-1.0, -2.0]], [1, 1])
