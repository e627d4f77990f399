"""The training objective: Wasserstein scores, gradient penalty, score drift, pitch, STFT consistency.

Every function takes tensors and returns a float32 scalar; weights are applied where the terms are added
(training/objectives.py, training/steps.py).
Gulrajani et al. 2017 (WGAN-GP), Karras et al. 2018 (drift), Odena et al. 2017 (auxiliary classifier); Goodfellow et al.
2014 (non-saturating logistic loss), Mescheder et al. 2018 (R1, R2), Jolicoeur-Martineau 2019 (relativistic pairs).
"""

import tensorflow as tf


def critic_loss(real_scores: tf.Tensor, fake_scores: tf.Tensor) -> tf.Tensor:
    """mean D(fake) - mean D(real): the negative Wasserstein estimate, which the critic minimises.

    Args:
        real_scores, fake_scores: [batch].
    """
    return tf.reduce_mean(fake_scores) - tf.reduce_mean(real_scores)


def generator_loss(fake_scores: tf.Tensor) -> tf.Tensor:
    """-mean D(fake), which the generator minimises.

    Args:
        fake_scores: [batch].
    """
    return -tf.reduce_mean(fake_scores)


def gradient_norms(gradients: tf.Tensor) -> tf.Tensor:
    """Euclidean norm of each example's gradient.

    Args:
        gradients: [batch, ...].

    Returns:
        [batch]. The gradient of the norm at 0 is 0, not NaN.
    """
    squares = tf.reduce_sum(tf.square(gradients), axis=list(range(1, gradients.shape.rank)))
    return tf.sqrt(squares + 1e-20)


def gradient_penalty(norms: tf.Tensor, target: float) -> tf.Tensor:
    """mean (norm / target - 1)**2: two-sided, Gulrajani et al. 2017, equation 3.

    Args:
        norms: [batch], critic's gradient norms between real and fake.
        target: Desired norm. Magenta: 1.
    """
    return tf.reduce_mean(tf.square(norms / target - 1.0))


def logistic_loss(scores: tf.Tensor, real: bool) -> tf.Tensor:
    """mean softplus(-score) where the notes should be taken for real, mean softplus(score) where for fakes.

    The critic minimises it on both kinds; the generator minimises the first on fakes (Goodfellow et al. 2014, section
    3, the form that does not saturate).

    Args:
        scores: [batch].
        real: What they should be taken for.
    """
    return tf.reduce_mean(tf.nn.softplus(-scores if real else scores))


def relativistic_loss(winners: tf.Tensor, losers: tf.Tensor) -> tf.Tensor:
    """mean softplus(loser - winner): each note is judged against one of the other kind (Jolicoeur-Martineau 2019).

    The critic minimises it with reals as winners, the generator with fakes.

    Args:
        winners, losers: Scores, [batch] each.
    """
    return tf.reduce_mean(tf.nn.softplus(losers - winners))


def r1_penalty(norms: tf.Tensor) -> tf.Tensor:
    """mean norm**2 / 2: R1, and R2 where it is taken at fakes (Mescheder et al. 2018, equation 9).

    Args:
        norms: [batch], critic's gradient norms.
    """
    return tf.reduce_mean(tf.square(norms)) / 2.0


def score_drift(real_scores: tf.Tensor) -> tf.Tensor:
    """mean D(real)**2: keeps the scores near zero (Karras et al. 2018, appendix A.1).

    Args:
        real_scores: [batch].
    """
    return tf.reduce_mean(tf.square(real_scores))


def pitch_loss(pitch_logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean cross-entropy of the pitch head, in nats.

    Args:
        pitch_logits: [batch, pitches].
        labels: [batch], int, class indices.
    """
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=pitch_logits))


def stft_consistency(magnitudes: tf.Tensor, reanalysed: tf.Tensor) -> tf.Tensor:
    """How far a specgram is from that of the wave it decodes to (Griffin & Lim 1984); 0 for a true STFT.

    Both are divided by the larger peak of the two, at least 1, as in Magenta.

    Args:
        magnitudes: [batch, time, freq], linear STFT magnitudes.
        reanalysed: The same of the decoded wave.
    """
    peaks = [tf.reduce_max(m, axis=[1, 2], keepdims=True) for m in (magnitudes, reanalysed)]
    scale = tf.maximum(1.0, tf.maximum(*peaks))
    return tf.reduce_mean(tf.square((magnitudes - reanalysed) / scale))
