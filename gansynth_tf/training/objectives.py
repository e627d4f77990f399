"""The adversarial games that critic and generator can play: the paper's, and two that others found to learn faster.

Each says what the critic minimises of its scores of reals and of fakes, what the generator minimises, where the
critic's gradient is penalised and how.
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from gansynth_tf import layers, losses

Scores = tf.Tensor  # [batch]


@dataclasses.dataclass(frozen=True)
class Objective:
    """One game.

    Args:
        generator: Scores of (fakes, reals) -> what the generator minimises; the reals' matter in a paired game only.
        penalised: (reals, fakes, mixing [batch]) -> the batches of specgrams at which the gradient is penalised.
        penalty: (gradient norms of all of them, target) -> the penalty.
        normalised: Whether gradients are taken in normalised units, in which a specgram lies in [-1, 1], or in physical
            ones, as Magenta does.
        real, fake: Critic's scores -> what it minimises, where reals and fakes count for themselves.
        pair: Scores of (reals, fakes) -> what the critic minimises in a paired game, in which each fake has a real note
            of its pitch beside it.
        num_penalised: How many batches `penalised` gives.
    """

    generator: Callable[[Scores, Scores | None], tf.Tensor]
    penalised: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, ...]]
    penalty: Callable[[tf.Tensor, float], tf.Tensor]
    normalised: bool
    real: Callable[[Scores], tf.Tensor] | None = None
    fake: Callable[[Scores], tf.Tensor] | None = None
    pair: Callable[[Scores, Scores], tf.Tensor] | None = None
    num_penalised: int = 1

    @property
    def paired(self) -> bool:
        """Whether each fake is judged against a real note."""
        return self.pair is not None


def _between(reals: tf.Tensor, fakes: tf.Tensor, mixing: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return (layers.blend(reals, fakes, mixing[:, None, None, None]),)


OBJECTIVES = {
    # Gulrajani et al. 2017, as in the paper.
    "wgan_gp": Objective(
        real=lambda scores: -tf.reduce_mean(scores),
        fake=tf.reduce_mean,
        generator=lambda fakes, reals: losses.generator_loss(fakes),
        penalised=_between,
        penalty=losses.gradient_penalty,
        normalised=False,
    ),
    # Mescheder et al. 2018; Karras et al. 2020. The target of the norm is 0.
    "logistic_r1": Objective(
        real=lambda scores: losses.logistic_loss(scores, real=True),
        fake=lambda scores: losses.logistic_loss(scores, real=False),
        generator=lambda fakes, reals: losses.logistic_loss(fakes, real=True),
        penalised=lambda reals, fakes, mixing: (reals,),
        penalty=lambda norms, target: losses.r1_penalty(norms),
        normalised=True,
    ),
    # Huang et al. 2024, equations 1 and 2: R1 and R2, the halves of the mean over both kinds.
    "relativistic_r1_r2": Objective(
        pair=losses.relativistic_loss,
        generator=losses.relativistic_loss,
        penalised=lambda reals, fakes, mixing: (reals, fakes),
        num_penalised=2,
        penalty=lambda norms, target: 2.0 * losses.r1_penalty(norms),
        normalised=True,
    ),
}


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """What each term of the objective counts.

    Args:
        adversarial: The game, a name in training/objectives.py.
        gradient_penalty, gradient_penalty_target: Weight and desired gradient norm.
        gradient_penalty_interval: The penalty is taken every k-th update, with k times the weight.
        score_drift: Weight of the mean squared real score.
        generator_pitch, discriminator_pitch: Weights of the pitch loss on fakes and on reals.
        consistency: Weight of the STFT-consistency loss, used in the last stage only.
        projection: Whether the logit of a note's pitch is part of its score; see GANSynth.judge.
        group_size: So many neighbours in a batch of fakes share their pitch, as the data's do.
    """

    adversarial: str = "wgan_gp"
    gradient_penalty: float = 10.0
    gradient_penalty_target: float = 1.0
    gradient_penalty_interval: int = 1
    score_drift: float = 0.001
    generator_pitch: float = 10.0
    discriminator_pitch: float = 10.0
    consistency: float = 0.0
    projection: bool = False
    group_size: int = 1
