"""The adversarial games: their terms by hand, and the gradients that they penalise."""

import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf import losses
from gansynth_tf.training.objectives import OBJECTIVES

SCORES = np.array([1.5, -0.25, 0.0, 4.0, -30.0, 200.0], np.float32)


def test_logistic_losses_by_hand():
    wide = SCORES.astype(np.float64)
    assert float(losses.logistic_loss(tf.constant(SCORES), real=True)) == pytest.approx(np.mean(np.logaddexp(0, -wide)))
    assert float(losses.logistic_loss(tf.constant(SCORES), real=False)) == pytest.approx(np.mean(np.logaddexp(0, wide)))
    # A critic that knows nothing: log 2 on either side.
    assert float(losses.logistic_loss(tf.zeros([7]), real=True)) == pytest.approx(np.log(2))


def test_r1_by_hand():
    assert float(losses.r1_penalty(tf.constant([1.0, 2.0, 4.0]))) == pytest.approx(21 / 6)


def test_relativistic_loss_by_hand():
    losers = SCORES[::-1].copy()
    expected = np.mean(np.logaddexp(0, losers.astype(np.float64) - SCORES))
    assert float(losses.relativistic_loss(tf.constant(SCORES), tf.constant(losers))) == pytest.approx(expected)
    # A critic that knows nothing: log 2; what all notes share does not count.
    assert float(losses.relativistic_loss(tf.ones([7]), tf.ones([7]))) == pytest.approx(np.log(2))
    winners, losers = tf.constant(SCORES[:4]), tf.constant(losers[2:])
    moved = losses.relativistic_loss(winners + 8, losers + 8)
    assert float(moved) == pytest.approx(float(losses.relativistic_loss(winners, losers)))


@pytest.mark.parametrize("game", OBJECTIVES)
def test_generator_and_critic_want_opposite_things_of_fakes(game):
    objective = OBJECTIVES[game]
    fakes, reals = tf.constant(SCORES[:4]), tf.constant(SCORES[3::-1] + 0.5)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([fakes, reals])
        generator = objective.generator(fakes, reals if objective.paired else None)
        critic = objective.pair(reals, fakes) if objective.paired else objective.real(reals) + objective.fake(fakes)
    assert np.all(tape.gradient(generator, fakes) < 0)
    assert np.all(tape.gradient(critic, fakes) > 0)
    assert np.all(tape.gradient(critic, reals) < 0)


def test_where_the_gradient_is_penalised():
    reals, fakes = tf.ones([3, 4, 5, 2]), tf.zeros([3, 4, 5, 2])
    mixing = tf.constant([0.0, 0.5, 1.0])
    (points,) = OBJECTIVES["logistic_r1"].penalised(reals, fakes, mixing)
    np.testing.assert_array_equal(points, reals)
    (between,) = OBJECTIVES["wgan_gp"].penalised(reals, fakes, mixing)
    assert sorted(between[:, 0, 0, 0].numpy().tolist()) == [0.0, 0.5, 1.0]
    both = OBJECTIVES["relativistic_r1_r2"].penalised(reals, fakes, mixing)
    np.testing.assert_array_equal(both, [reals, fakes])
    # Half the mean square at reals and half of that at fakes, whatever the target.
    penalty = OBJECTIVES["relativistic_r1_r2"].penalty(tf.constant([1.0, 2.0, 3.0, 5.0]), 7.0)
    assert float(penalty) == pytest.approx(5 / 2 / 2 + 34 / 2 / 2)


@pytest.mark.parametrize("normalised", [False, True])
def test_gradients_of_scores_equal_finite_differences(make_tiny_model, normalised):
    model = make_tiny_model()
    rng = np.random.default_rng(2)
    specgrams = tf.constant(rng.normal(scale=0.3, size=(3, 8, 16, 2)).astype(np.float32))
    labels = tf.constant([2, 0, 1])
    _, gradients = model.score_gradients(specgrams, 3, None, normalised, labels)
    image = model.normalizer.normalize(specgrams)

    def total(step: float) -> float:
        direction = np.sign(gradients.numpy()) * step
        moved = model.normalizer.denormalize(image + direction) if normalised else specgrams + direction
        return float(tf.reduce_sum(model.judge(moved, 3, None, labels)[0]))

    step = 1e-3
    slope = (total(step) - total(-step)) / (2 * step)
    assert slope == pytest.approx(float(tf.reduce_sum(tf.abs(gradients))), rel=0.02)


def test_projection_adds_the_logit_of_the_pitch(make_tiny_model):
    model = make_tiny_model()
    specgrams = tf.constant(np.random.default_rng(2).normal(size=(5, 8, 16, 2)).astype(np.float32))
    labels = tf.constant([0, 2, 1, 1, 0])
    plain, logits = model.judge(specgrams, 3, None)
    projected, _ = model.judge(specgrams, 3, None, labels)
    np.testing.assert_allclose(projected - plain, logits.numpy()[np.arange(5), labels], atol=1e-5)
