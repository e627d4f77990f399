"""The adversarial games that critic and generator can play: the paper's, and one that others found to learn faster.

Each says what the critic minimises of its scores of reals and of fakes, what the generator minimises of the scores of
its fakes, where the critic's gradient is penalised and how.
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from gansynth_tf import layers, losses


@dataclasses.dataclass(frozen=True)
class Objective:
    """One game.

    Args:
        real, fake: Critic's scores [batch] -> what it minimises.
        generator: Scores of fakes [batch] -> what the generator minimises.
        penalised: (reals, fakes, mixing [batch]) -> specgrams at which the gradient is penalised.
        penalty: (gradient norms [batch], target) -> the penalty.
        normalised: Whether gradients are taken in normalised units, in which a specgram lies in [-1, 1], or in physical
            ones, as Magenta does.
    """

    real: Callable[[tf.Tensor], tf.Tensor]
    fake: Callable[[tf.Tensor], tf.Tensor]
    generator: Callable[[tf.Tensor], tf.Tensor]
    penalised: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
    penalty: Callable[[tf.Tensor, float], tf.Tensor]
    normalised: bool


def _between(reals: tf.Tensor, fakes: tf.Tensor, mixing: tf.Tensor) -> tf.Tensor:
    return layers.blend(reals, fakes, mixing[:, None, None, None])


OBJECTIVES = {
    # Gulrajani et al. 2017, as in the paper.
    "wgan_gp": Objective(
        real=lambda scores: -tf.reduce_mean(scores),
        fake=tf.reduce_mean,
        generator=losses.generator_loss,
        penalised=_between,
        penalty=losses.gradient_penalty,
        normalised=False,
    ),
    # Mescheder et al. 2018; Karras et al. 2020. The target of the norm is 0.
    "logistic_r1": Objective(
        real=lambda scores: losses.logistic_loss(scores, real=True),
        fake=lambda scores: losses.logistic_loss(scores, real=False),
        generator=lambda scores: losses.logistic_loss(scores, real=True),
        penalised=lambda reals, fakes, mixing: reals,
        penalty=lambda norms, target: losses.r1_penalty(norms),
        normalised=True,
    ),
}
