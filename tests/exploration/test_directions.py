"""Directions: those of a linear map are its singular vectors; those of a model are found, and repeat."""

import numpy as np
import pytest

from gansynth_tf.exploration import directions

RNG = np.random.default_rng(8)
LATENT, OUTPUTS = 6, 40


def _stretching_map(stretches):
    """A linear map whose right singular vectors are known: columns of `axes`, most stretched first."""
    axes, _ = np.linalg.qr(RNG.normal(size=(LATENT, LATENT)))
    outputs, _ = np.linalg.qr(RNG.normal(size=(OUTPUTS, LATENT)))
    return axes, (axes * stretches) @ outputs.T


def _alignment(found, axes):
    return [abs(float(each.latent @ axis)) for each, axis in zip(found, axes.T, strict=False)]


def test_components_of_a_linear_map_are_its_singular_vectors():
    stretches = np.array([9.0, 6.0, 4.0, 2.0, 1.0, 0.5])
    axes, weights = _stretching_map(stretches)
    z = RNG.normal(size=(6000, LATENT)).astype(np.float32)
    groups = np.resize([3, 8, 5], len(z))
    offsets = {3: 0.0, 8: 50.0, 5: -20.0}  # Groups far apart, along an axis that is no latent's.

    def activate(z, groups):
        shift = np.array([offsets[group] for group in groups.tolist()])
        return (z @ weights + shift[:, np.newaxis]).reshape(len(z), 5, 8)

    found = directions.component_directions(activate, z, groups, 4)
    assert min(_alignment(found, axes)) > 0.995
    shares = stretches**2 / np.sum(stretches**2)
    np.testing.assert_allclose([each.share for each in found], shares[:4], rtol=0.1)
    for each in found:
        assert each.latent.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(each.latent), 1, rtol=1e-5)
        assert each.latent[np.argmax(np.abs(each.latent))] > 0


def test_components_of_a_bent_map_are_the_latents_that_drive_it():
    z = RNG.normal(size=(5000, LATENT)).astype(np.float32)

    def activate(z, groups):
        return np.stack([np.tanh(3 * z[:, 2]) * 5, z[:, 4] ** 3 / 4, 0.1 * z[:, 0]], axis=1)

    first, second = directions.component_directions(activate, z, np.zeros(len(z), int), 2)
    assert first.latent[2] > 0.99 and second.latent[4] > 0.99


def test_factorisation_is_the_singular_value_decomposition():
    weights = RNG.normal(size=(LATENT, OUTPUTS))
    left, values, _ = np.linalg.svd(weights, full_matrices=False)
    found = directions.factorised_directions(weights, LATENT)
    np.testing.assert_allclose(_alignment(found, left), 1, rtol=1e-5)
    np.testing.assert_allclose([each.share for each in found], values**2 / np.sum(values**2), rtol=1e-6)


@pytest.mark.parametrize("num", [0, 7])
def test_impossible_numbers(num):
    with pytest.raises(ValueError, match=f"1 to 6 directions of this model. Received: {num}"):
        directions.factorised_directions(np.ones((LATENT, OUTPUTS)), num)
    with pytest.raises(ValueError, match=f"1 to 6 directions of this model. Received: {num}"):
        directions.component_directions(lambda z, groups: z, np.ones((50, LATENT)), np.zeros(50, int), num)


# ---------------------------------------------------------------------------------------------------- a model


def test_a_models_directions(make_tiny_model):
    model = make_tiny_model()
    found = directions.model_directions(model, 3, num_latents=700, seed=1)
    assert list(found) == ["pca_1", "pca_2", "pca_3", "sefa_1", "sefa_2", "sefa_3"]
    again = directions.model_directions(model, 3, num_latents=700, seed=1)
    for name, (latent, share) in found.items():
        assert latent.shape == (11,) and 0 < share <= 1
        np.testing.assert_allclose(again[name].latent, latent, atol=1e-4)


def test_factorisation_takes_the_rows_of_z(make_tiny_model):
    """Moving z along sefa_1 moves the first layer's output further than moving it along any random direction."""
    import tensorflow as tf

    model = make_tiny_model()
    layer = model.smoothed_generator.blocks[0].first
    found = directions.model_directions(model, 1, num_latents=100)["sefa_1"].latent
    others = RNG.normal(size=(200, 11)).astype(np.float32)
    steps = np.concatenate([found[np.newaxis], others / np.linalg.norm(others, axis=1, keepdims=True)])
    pitch_free = np.pad(steps, ((0, 0), (0, 3)))
    reach = np.linalg.norm((layer(tf.constant(pitch_free)) - layer.bias).numpy().reshape(201, -1), axis=1)
    assert np.argmax(reach) == 0


def test_the_fingerprint_follows_the_weights(make_tiny_model):
    one, same, other = make_tiny_model(), make_tiny_model(), make_tiny_model(seed=6)
    assert directions.weights_fingerprint(one) == directions.weights_fingerprint(same)
    assert directions.weights_fingerprint(one) != directions.weights_fingerprint(other)
