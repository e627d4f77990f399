"""How a WaveNet says what the next sample may be: a softmax over mu-law classes, or a mixture of logistics.

Both turn waves into the numbers that the network is fed and has to predict, measure them, and draw them. Everything
goes by "inputs": what the network is fed, float32 in [-1, 1]. van den Oord et al. 2016, section 2.2 (mu-law softmax);
Salimans et al. 2017, equation 2 (mixture of discretised logistics). Engel et al. 2019 tried both and kept the first.
"""

from typing import Protocol

import numpy as np
import tensorflow as tf

_SMALLEST_LOG_SCALE = -12.0  # Far below the width of a 16-bit step: a guard, not a setting.


class SampleDistribution(Protocol):
    """The distribution of one sample, given the network's outputs."""

    num_parameters: int

    def waves_to_inputs(self, waves: tf.Tensor) -> tf.Tensor:
        """Waves in [-1, 1] of any shape -> the nearest inputs that can be drawn, same shape."""

    def inputs_to_waves(self, inputs: tf.Tensor) -> tf.Tensor:
        """The inverse, up to quantisation."""

    def negative_log_likelihood(self, parameters: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
        """Nats: parameters [..., num_parameters] and inputs [...] -> [...]."""

    def sample(self, parameters: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Draws inputs [batch] from parameters [batch, num_parameters] and uniform numbers in [0, 1) [batch, 2]."""


def _choose(logits: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """Draws class indices by the inverse of the cumulative distribution: [batch, classes], [batch] -> int32 [batch]."""
    cumulated = tf.cumsum(tf.nn.softmax(logits), axis=-1)
    # The last sum may be a little less than 1, and noise above it: then no class is left, hence the minimum.
    passed = tf.reduce_sum(tf.cast(cumulated <= noise[:, None], tf.int32), axis=-1)
    return tf.minimum(passed, logits.shape[-1] - 1)


class MuLawSoftmax:
    """256 classes, the samples of 8-bit mu-law: sign(x) ln(1 + 255 |x|) / ln(256), in equal steps.

    Class 128 stands for silence and decodes to 0, as in NSynth's code.
    """

    num_parameters = 256
    _MU = 255.0
    _HALF = 128.0

    def waves_to_inputs(self, waves: tf.Tensor) -> tf.Tensor:
        """See SampleDistribution."""
        waves = tf.clip_by_value(waves, -1.0, 1.0)
        companded = tf.sign(waves) * tf.math.log1p(self._MU * tf.abs(waves)) / np.log1p(self._MU)
        return tf.minimum(tf.floor(companded * self._HALF), self._HALF - 1) / self._HALF

    def inputs_to_waves(self, inputs: tf.Tensor) -> tf.Tensor:
        """See SampleDistribution."""
        middle = inputs + 0.5 / self._HALF
        waves = tf.sign(middle) / self._MU * tf.math.expm1(np.log1p(self._MU) * tf.abs(middle))
        return tf.where(tf.equal(inputs, 0.0), 0.0, waves)

    def negative_log_likelihood(self, parameters: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
        """See SampleDistribution."""
        classes = tf.cast(tf.round(inputs * self._HALF + self._HALF), tf.int32)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=classes, logits=parameters)

    def sample(self, parameters: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """See SampleDistribution; uses the first uniform number."""
        classes = _choose(parameters, noise[:, 0])
        return (tf.cast(classes, tf.float32) - self._HALF) / self._HALF


class MixtureOfLogistics:
    """A mixture of logistic distributions, each integrated over the steps of a linear quantiser.

    Args:
        components: Of the mixture; each has a weight, a mean and a scale.
        levels: Steps of the quantiser over [-1, 1]; 65536 for 16 bits.
    """

    def __init__(self, components: int = 10, levels: int = 65536):
        self.components, self.levels = components, levels
        self.num_parameters = 3 * components
        self._half_step = 1.0 / (levels - 1)

    def waves_to_inputs(self, waves: tf.Tensor) -> tf.Tensor:
        """See SampleDistribution."""
        steps = tf.round((tf.clip_by_value(waves, -1.0, 1.0) + 1.0) / (2 * self._half_step))
        return steps * (2 * self._half_step) - 1.0

    def inputs_to_waves(self, inputs: tf.Tensor) -> tf.Tensor:
        """See SampleDistribution."""
        return inputs

    def negative_log_likelihood(self, parameters: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
        """See SampleDistribution.

        With a and b the upper and lower edge of the step in units of the scale, sigmoid(a) - sigmoid(b) =
        sigmoid(a) sigmoid(-b) (1 - exp(b - a)): its logarithm needs no difference of nearly equal numbers.
        """
        logits, means, scales = self._split(parameters)
        centred = (inputs[..., None] - means) / scales
        half = self._half_step / scales
        below_upper = tf.math.log_sigmoid(centred + half)
        above_lower = tf.math.log_sigmoid(half - centred)
        inner = below_upper + above_lower + tf.math.log(-tf.math.expm1(-2.0 * half))
        # The outermost steps reach to infinity.
        lowest = inputs[..., None] < -1.0 + self._half_step
        highest = inputs[..., None] > 1.0 - self._half_step
        masses = tf.where(lowest, below_upper, tf.where(highest, above_lower, inner))
        return -tf.reduce_logsumexp(tf.nn.log_softmax(logits) + masses, axis=-1)

    def sample(self, parameters: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """See SampleDistribution; the first uniform number chooses the component, the second a place in it."""
        logits, means, scales = self._split(parameters)
        chosen = tf.one_hot(_choose(logits, noise[:, 0]), self.components)
        mean, scale = tf.reduce_sum(chosen * means, axis=-1), tf.reduce_sum(chosen * scales, axis=-1)
        place = tf.clip_by_value(noise[:, 1], 1e-7, 1.0 - 1e-7)
        return self.waves_to_inputs(mean + scale * (tf.math.log(place) - tf.math.log1p(-place)))

    def _split(self, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Logits, means and scales of the components."""
        logits, means, log_scales = tf.split(parameters, 3, axis=-1)
        return logits, means, tf.exp(tf.maximum(log_scales, _SMALLEST_LOG_SCALE))
