"""Quantisers and their distributions: round trips, sums of probabilities, frequencies of draws."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from gansynth_tf.baselines.distributions import MixtureOfLogistics, MuLawSoftmax


def mu_law_classes(waves: np.ndarray) -> np.ndarray:
    """8-bit mu-law, from its definition."""
    companded = np.sign(waves) * np.log(1 + 255 * np.abs(waves)) / np.log(256)
    return np.clip(np.floor(companded * 128), -128, 127)


def test_mu_law_is_the_definition():
    waves = np.random.default_rng(0).uniform(-1, 1, [5, 70])
    inputs = MuLawSoftmax().waves_to_inputs(tf.constant(waves, tf.float32))
    np.testing.assert_array_equal(inputs * 128, mu_law_classes(waves))


def test_mu_law_round_trip():
    law = MuLawSoftmax()
    inputs = (np.arange(256) - 128) / 128
    waves = law.inputs_to_waves(tf.constant(inputs, tf.float32)).numpy()
    assert waves[128] == 0 and np.all(np.diff(waves) > 0) and np.abs(waves).max() < 1
    np.testing.assert_array_equal(law.waves_to_inputs(waves), inputs)
    assert law.waves_to_inputs(tf.constant([1.0, -1.0, 3.0])).numpy().tolist() == [127 / 128, -1, 127 / 128]
    # The error of a decoded sample is a fixed share of it, beside a floor.
    dense = np.linspace(-1, 1, 4001).astype(np.float32)
    decoded = law.inputs_to_waves(law.waves_to_inputs(dense))
    assert np.all(np.abs(decoded - dense) < 0.025 * np.abs(dense) + 2e-4)


def test_mu_law_likelihood_is_the_softmax():
    law = MuLawSoftmax()
    logits = np.random.default_rng(0).normal(size=[3, 7, 256])
    classes = np.random.default_rng(1).integers(256, size=[3, 7])
    inputs = (classes - 128) / 128
    expected = -np.log(scipy.special.softmax(logits, axis=-1))
    expected = np.take_along_axis(expected, classes[..., None], axis=-1)[..., 0]
    found = law.negative_log_likelihood(tf.constant(logits, tf.float32), tf.constant(inputs, tf.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("levels", [16, 65536])
def test_logistic_probabilities_sum_to_one(levels):
    mixture = MixtureOfLogistics(3, levels)
    parameters = np.concatenate([[0.3, -1.0, 0.5], [-0.7, 0.1, 0.999], [-1.5, -3.0, -6.0]]).astype(np.float32)
    inputs = tf.linspace(-1.0, 1.0, levels)
    losses = mixture.negative_log_likelihood(tf.tile(parameters[None], [levels, 1]), inputs)
    assert abs(np.exp(-losses.numpy().astype(np.float64)).sum() - 1) < 1e-4
    np.testing.assert_allclose(mixture.waves_to_inputs(inputs), inputs, atol=1e-7)


def test_logistic_probability_is_that_of_scipy():
    mixture = MixtureOfLogistics(2, 64)
    parameters = np.array([0.4, -0.2, -0.3, 0.6, -2.0, -1.0])
    steps = np.array([-1 + 2 * k / 63 for k in (0, 5, 31, 63)])
    weights = scipy.special.softmax(parameters[:2])
    edges = [np.where(steps == 1, np.inf, steps + 1 / 63), np.where(steps == -1, -np.inf, steps - 1 / 63)]
    expected = 0
    for weight, mean, scale in zip(weights, parameters[2:4], np.exp(parameters[4:]), strict=True):
        upper, lower = (scipy.stats.logistic.cdf(edge, mean, scale) for edge in edges)
        expected = expected + weight * (upper - lower)
    found = mixture.negative_log_likelihood(np.tile(parameters, [4, 1]).astype(np.float32), steps.astype(np.float32))
    np.testing.assert_allclose(np.exp(-found), expected, rtol=2e-4)


def test_narrow_logistics_keep_finite_gradients():
    mixture = MixtureOfLogistics(2)
    parameters = tf.Variable([[0.0, 1.0, 0.5, -0.5, -30.0, 9.0]])
    with tf.GradientTape() as tape:
        loss = mixture.negative_log_likelihood(parameters, tf.constant([0.25]))
    assert np.all(np.isfinite(loss)) and np.all(np.isfinite(tape.gradient(loss, parameters)))


@pytest.mark.parametrize("distribution", [MuLawSoftmax(), MixtureOfLogistics(2, 8)], ids=["mu-law", "logistics"])
def test_draws_are_as_frequent_as_they_are_likely(distribution):
    rng = np.random.default_rng(0)
    parameters = rng.normal(size=[1, distribution.num_parameters]).astype(np.float32)
    if isinstance(distribution, MuLawSoftmax):
        parameters[:, 5:-3] = -20  # Eight classes of 256.
        grid = (np.r_[0:5, 253:256] - 128) / 128
    else:
        parameters = np.array([[0.4, -0.2, -0.3, 0.6, -2.0, -1.0]], np.float32)
        grid = np.linspace(-1, 1, 8)
    draws = 20000
    noise = tf.constant(rng.uniform(size=[draws, 2]), tf.float32)
    drawn = distribution.sample(tf.tile(parameters, [draws, 1]), noise).numpy()
    nearest = np.abs(drawn[:, None] - grid).argmin(axis=1)
    np.testing.assert_allclose(drawn, grid[nearest], atol=1e-6)
    losses = distribution.negative_log_likelihood(tf.tile(parameters, [8, 1]), tf.constant(grid, tf.float32))
    expected = draws * np.exp(-losses.numpy().astype(np.float64))
    counts = np.bincount(nearest, minlength=8)
    assert scipy.stats.chisquare(counts, expected * draws / expected.sum()).pvalue > 1e-3


def test_noise_at_the_ends_draws_something():
    for distribution in (MuLawSoftmax(), MixtureOfLogistics(2)):
        parameters = tf.zeros([2, distribution.num_parameters])
        drawn = distribution.sample(parameters, tf.constant([[0.0, 0.0], [np.nextafter(1, 0)] * 2], tf.float32))
        assert np.all(np.abs(drawn) <= 1)
