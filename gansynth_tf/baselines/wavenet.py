"""WaveNet: each sample from those before it, by dilated causal convolutions (van den Oord et al. 2016).

The decoder is that of the NSynth autoencoder (Engel et al. 2017): 30 gated layers in 3 stacks, kernel 3, dilations 1
to 512, 512 channels, 256 skip channels. In GANSynth's comparison its conditions are the pitch and when the note is
held, written out over time (Engel et al. 2019, appendix). `GatedLayer.unit` is all the arithmetic of a layer; training
calls it for many moments at once, sampling (wavenet_sampling.py) for one, so the two cannot disagree.
"""

import typing

import keras
import numpy as np
import tensorflow as tf


def shift(x: tf.Tensor, steps: int) -> tf.Tensor:
    """Delays x [batch, samples, channels] by `steps` along time; zeros come in front, the end is lost."""
    length = x.shape[1]
    if not steps:
        return x
    return tf.pad(x[:, : max(0, length - steps)], [[0, 0], [min(steps, length), 0], [0, 0]])


def delayed_taps(x: tf.Tensor, kernel_size: int, dilation: int) -> tf.Tensor:
    """What a causal kernel sees at every moment: [batch, samples, channels] -> [batch, samples, kernel * channels].

    The oldest tap comes first; before the first sample there are zeros.
    """
    return tf.concat([shift(x, tap * dilation) for tap in range(kernel_size - 1, -1, -1)], axis=-1)


def _matmul(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """x [..., channels] by kernel [channels, filters], as one product of matrices."""
    if x.shape.rank == 2:
        return tf.matmul(x, kernel)
    flat = tf.matmul(tf.reshape(x, [-1, kernel.shape[0]]), kernel)
    return tf.reshape(flat, tf.concat([tf.shape(x)[:-1], kernel.shape[1:]], axis=0))


class UnitWeights(typing.NamedTuple):
    """What a gated layer multiplies with at every moment.

    Args:
        kernel: [kernel * width, 2 * width].
        output_kernel: [width, width + skip].
        output_bias: [width + skip].
    """

    kernel: tf.Tensor
    output_kernel: tf.Tensor
    output_bias: tf.Tensor


class GatedLayer(keras.layers.Layer):
    """A dilated causal convolution with a gate, and 1x1 convolutions to the residual and to the skip channels.

    Args:
        width: Residual channels.
        skip_width: Skip channels.
        condition_width: Channels of the condition.
        kernel_size: Taps.
        dilation: Samples between two taps.
    """

    def __init__(self, width: int, skip_width: int, condition_width: int, kernel_size: int, dilation: int, **kwargs):
        super().__init__(**kwargs)
        self.width, self.skip_width, self.condition_width = width, skip_width, condition_width
        self.kernel_size, self.dilation = kernel_size, dilation

    def build(self, input_shape=None):
        width = self.width
        self.kernel = self.add_weight(shape=(self.kernel_size * width, 2 * width), name="kernel")
        self.condition_kernel = self.add_weight(shape=(self.condition_width, 2 * width), name="condition_kernel")
        self.bias = self.add_weight(shape=(2 * width,), initializer="zeros", name="bias")
        self.output_kernel = self.add_weight(shape=(width, width + self.skip_width), name="output_kernel")
        self.output_bias = self.add_weight(shape=(width + self.skip_width,), initializer="zeros", name="output_bias")

    def project(self, condition: tf.Tensor) -> tf.Tensor:
        """The condition's share of the gate, and the gate's bias: [..., condition] -> [..., 2 * width]."""
        return _matmul(condition, tf.convert_to_tensor(self.condition_kernel)) + self.bias

    @property
    def unit_weights(self) -> UnitWeights:
        """The weights that `unit` takes."""
        return UnitWeights(*map(tf.convert_to_tensor, (self.kernel, self.output_kernel, self.output_bias)))

    def unit(
        self, taps: tf.Tensor, projected: tf.Tensor, weights: UnitWeights, multiply: typing.Callable = _matmul
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """All of the layer at one moment, or at many.

        Args:
            taps: [..., kernel * width], the oldest first.
            projected: [..., 2 * width], from `project`; broadcast.
            weights: `unit_weights`.
            multiply: x [..., channels], kernel -> product; another one may take kernels in another layout.

        Returns:
            What is added to the residual [..., width] and to the skip channels [..., skip].
        """
        gate, signal = tf.split(multiply(taps, weights.kernel) + projected, 2, axis=-1)
        y = multiply(tf.sigmoid(gate) * tf.tanh(signal), weights.output_kernel) + weights.output_bias
        return y[..., : self.width], y[..., self.width :]

    def call(self, x, condition):
        """x [batch, samples, width] under condition [batch, frames, condition], frames of equally many samples."""
        frames, hop = condition.shape[1], x.shape[1] // condition.shape[1]
        taps = delayed_taps(x, self.kernel_size, self.dilation)
        taps = tf.reshape(taps, [-1, frames, hop, taps.shape[-1]])
        residual, skip = self.unit(taps, self.project(condition)[:, :, tf.newaxis], self.unit_weights)
        merged = [-1, frames * hop]
        return x + tf.reshape(residual, [*merged, self.width]), tf.reshape(skip, [*merged, self.skip_width])


class WaveNet(keras.Model):
    """The samples before, and a condition -> the parameters of the next sample's distribution.

    Args:
        num_parameters: Of the distribution of a sample.
        condition_width: Channels of the condition.
        hop: Samples for which one frame of the condition stands.
        width: Residual channels. Published: 512.
        skip_width: Skip channels. Published: 256.
        num_layers: Published: 30.
        layers_per_stack: The dilation doubles from layer to layer and starts again at 1 after so many. Published: 10.
        kernel_size: Published: 3.

    Input shape:  inputs [batch, samples] in [-1, 1], condition [batch, samples / hop, condition]
    Output shape: [batch, samples, num_parameters]; those of a sample depend only on inputs before it
    """

    def __init__(
        self,
        num_parameters: int,
        condition_width: int,
        hop: int,
        width: int = 512,
        skip_width: int = 256,
        num_layers: int = 30,
        layers_per_stack: int = 10,
        kernel_size: int = 3,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_parameters, self.condition_width, self.hop = num_parameters, condition_width, hop
        self.width, self.skip_width, self.kernel_size = width, skip_width, kernel_size
        self._num_layers = num_layers
        for number in range(num_layers):
            # An attribute each: a checkpoint does not look into a Keras model's lists.
            dilation = 2 ** (number % layers_per_stack)
            layer = GatedLayer(width, skip_width, condition_width, kernel_size, dilation, name=f"gated_{number}")
            setattr(self, f"gated_{number}", layer)

    @property
    def gated_layers(self) -> list[GatedLayer]:
        """The first layer first."""
        return [getattr(self, f"gated_{number}") for number in range(self._num_layers)]

    @property
    def receptive_field(self) -> int:
        """How many earlier samples the parameters of a sample can depend on."""
        return 1 + (self.kernel_size - 1) * (1 + sum(layer.dilation for layer in self.gated_layers))

    def build(self, input_shape=None):
        for layer in self.gated_layers:
            layer.build()
        skip = self.skip_width
        sizes = {
            "start": (self.kernel_size, self.width), "start_skip": (self.width, skip), "hidden": (skip, skip),
            "output": (skip, self.num_parameters),
        }  # fmt: skip
        for name, shape in sizes.items():
            setattr(self, f"{name}_kernel", self.add_weight(shape=shape, name=f"{name}_kernel"))
            setattr(self, f"{name}_bias", self.add_weight(shape=shape[1:], initializer="zeros", name=f"{name}_bias"))
        self.condition_kernel = self.add_weight(shape=(self.condition_width, skip), name="condition_kernel")
        self.built = True

    def call(self, inputs, condition):
        before = tf.pad(inputs[:, :-1], [[0, 0], [1, 0]])[..., tf.newaxis]
        x, skip = self.start(delayed_taps(before, self.kernel_size, 1))
        for layer in self.gated_layers:
            x, more = layer(x, condition)
            skip += more
        hidden = tf.reshape(skip, [-1, condition.shape[1], self.hop, self.skip_width])
        parameters = self.finish(hidden, self.project_to_output(condition)[:, :, tf.newaxis])
        return tf.reshape(parameters, [-1, inputs.shape[1], self.num_parameters])

    # ------------------------------------------------------------------------------------------ its parts

    def start(self, taps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The last inputs [..., kernel] -> the first residual [..., width] and skip channels [..., skip]."""
        x = _matmul(taps, tf.convert_to_tensor(self.start_kernel)) + self.start_bias
        return x, _matmul(x, tf.convert_to_tensor(self.start_skip_kernel)) + self.start_skip_bias

    def project_to_output(self, condition: tf.Tensor) -> tf.Tensor:
        """The condition's share of the last hidden layer, [..., condition] -> [..., skip]."""
        return _matmul(condition, tf.convert_to_tensor(self.condition_kernel)) + self.hidden_bias

    def finish(self, skip: tf.Tensor, projected: tf.Tensor) -> tf.Tensor:
        """Summed skip channels [..., skip] and `project_to_output` -> parameters [..., num_parameters]."""
        hidden = tf.nn.relu(_matmul(tf.nn.relu(skip), tf.convert_to_tensor(self.hidden_kernel)) + projected)
        return _matmul(hidden, tf.convert_to_tensor(self.output_kernel)) + self.output_bias


# ---------------------------------------------------------------------------------------------------- conditions


class PitchCondition(keras.Model):
    """A pitch and when it is held, as one-hot vectors over time, -> conditions.

    Five dilated convolutions, dilations 2 to 32, then three plain ones (Engel et al. 2019, appendix), at the rate of
    the frames.

    Args:
        num_pitches: Classes.
        held: [frames], the share of each frame in which the note is held, 0 to 1.
        width: Channels. Published: 512.

    Input shape:  labels [batch], class indices
    Output shape: [batch, frames, width]
    """

    DILATIONS = (2, 4, 8, 16, 32, 1, 1, 1)
    _KERNEL_SIZE = 3

    def __init__(self, num_pitches: int, held: np.ndarray, width: int = 512, **kwargs):
        super().__init__(**kwargs)
        self.num_pitches, self.width = num_pitches, width
        self._held = np.asarray(held, np.float32)
        for number, dilation in enumerate(self.DILATIONS):
            layer = keras.layers.Conv1D(width, self._KERNEL_SIZE, dilation_rate=dilation, padding="same")
            setattr(self, f"convolution_{number}", layer)

    def build(self, input_shape=None):
        channels = self.num_pitches
        for number in range(len(self.DILATIONS)):
            getattr(self, f"convolution_{number}").build((None, len(self._held), channels))
            channels = self.width
        self.built = True

    def call(self, labels):
        x = tf.one_hot(labels, self.num_pitches)[:, tf.newaxis] * self._held[:, np.newaxis]
        for number in range(len(self.DILATIONS)):
            x = tf.nn.relu(getattr(self, f"convolution_{number}")(x))
        return x


def held_frames(num_frames: int, hop: int, held_samples: float) -> np.ndarray:
    """The share of each frame in which a note is held that begins with the first: float32 [num_frames]."""
    return np.clip(held_samples / hop - np.arange(num_frames), 0.0, 1.0).astype(np.float32)


class PitchWaveNet(keras.Model):
    """A WaveNet under a pitch condition: what is trained, and what is averaged.

    Args:
        condition: Labels -> conditions.
        decoder: Inputs and conditions -> parameters.
    """

    def __init__(self, condition: PitchCondition, decoder: WaveNet, **kwargs):
        super().__init__(**kwargs)
        self.condition, self.decoder = condition, decoder

    def build(self, input_shape=None):
        self.condition.build()
        self.decoder.build()
        self.built = True
