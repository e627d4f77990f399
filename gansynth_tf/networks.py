"""Generator and discriminator of the progressive GAN (Engel et al. 2019, appendix A; Karras et al. 2018, table 2).

Both hold the variables of every block from the start; `num_blocks`, a Python integer, selects which blocks run. Block 1
is the coarsest. A specgram enters and leaves at the resolution of the last block that runs, in normalised units; `fade`
is the weight of that block while it comes in (None when it runs alone).
"""

import keras
import tensorflow as tf

from gansynth_tf import layers
from gansynth_tf.schedules import ResolutionSchedule

_SPECGRAM_CHANNELS = 2


# ---------------------------------------------------------------------------------------------------- generator


class GeneratorBlock(keras.layers.Layer):
    """Two convolutions, each with leaky ReLU and pixel norm, and a 1x1 convolution to the specgram's two channels.

    Args:
        first: The first layer: EqualisedStart for block 1, an upscaling convolution for the others.
        filters: Channels.
        kernel_size: (time, freq) of the second convolution.
    """

    def __init__(self, first: keras.layers.Layer, filters: int, kernel_size: tuple[int, int], **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.first = first
        self.second = layers.EqualisedConv(filters, kernel_size)
        self.to_specgram = layers.EqualisedConv(_SPECGRAM_CHANNELS, (1, 1), he_slope=1.0)

    def build(self, input_shape):
        self.first.build(input_shape)
        self.second.build((None, None, None, self.second.filters))
        self.to_specgram.build((None, None, None, self.second.filters))

    def call(self, x):
        x = layers.leaky_pixel_norm(self.first(x))
        return layers.leaky_pixel_norm(self.second(x))


class PlainUpscaleConv(layers.EqualisedConv):
    """Nearest-neighbour upscaling and a convolution, for the sizes that cannot be fused (see EqualisedUpscaleConv)."""

    def __init__(self, filters: int, kernel_size: tuple[int, int], step: tuple[int, int], **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        self.step = step

    def call(self, x):
        return super().call(layers.upscale(x, self.step))


def _pair(kernel_size: int | tuple[int, int]) -> tuple[int, int]:
    return (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)


def _upscale_conv(filters: int, kernel_size: tuple[int, int], step: tuple[int, int]) -> layers.EqualisedConv:
    fusible = max(step) == 2 and all(size % 2 == 1 for size in kernel_size)
    make = layers.EqualisedUpscaleConv if fusible else PlainUpscaleConv
    return make(filters, kernel_size, step)


class _Network(keras.Model):
    """Holds blocks under names of their own: a checkpoint does not look into a Keras model's lists.

    What goes into the first block has the precision that the policy computes in (`dtype="mixed_bfloat16"`); the blocks
    follow their input. What comes out is float32.
    """

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)

    def _hold(self, blocks: list[keras.layers.Layer]) -> None:
        self._num_blocks = len(blocks)
        for number, block in enumerate(blocks, start=1):
            setattr(self, f"block_{number}", block)

    @property
    def blocks(self) -> list[keras.layers.Layer]:
        """Block 1 first."""
        return [getattr(self, f"block_{number}") for number in range(1, self._num_blocks + 1)]


class Generator(_Network):
    """Latent vector and pitch -> normalised specgram.

    Args:
        resolutions: Resolution of each block.
        filters: Channels of block 0 .. num_resolutions (block 0 is not used here).
        latent_size: Length of z.
        num_pitches: Length of the one-hot pitch.
        kernel_size: Of every inner convolution, one number or (time, freq).
        activation: 'tanh' or 'linear', on the output. Magenta: `to_rgb_activation`.
        pitch_scale: Multiplies the one-hot pitch before pixel norm. Magenta: 1.

    Input shape:  z [batch, latent] float32 and labels [batch] int
    Output shape: [batch, time, freq, 2] at the resolution of block `num_blocks`
    """

    def __init__(
        self,
        resolutions: ResolutionSchedule,
        filters: tuple[int, ...],
        latent_size: int,
        num_pitches: int,
        kernel_size: int | tuple[int, int] = 3,
        activation: str = "tanh",
        pitch_scale: float = 1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if activation not in ("tanh", "linear"):
            raise ValueError(f"to_rgb_activation must be 'tanh' or 'linear'. Received: {activation!r}")
        # === Layers ===
        start = layers.EqualisedStart(filters[1], resolutions.start)
        kernel_size = _pair(kernel_size)
        blocks = [GeneratorBlock(start, filters[1], kernel_size, name="block_1")]
        for block in range(2, resolutions.num_resolutions + 1):
            first = _upscale_conv(filters[block], kernel_size, resolutions.step)
            blocks.append(GeneratorBlock(first, filters[block], kernel_size, name=f"block_{block}"))
        self._hold(blocks)
        # === Config ===
        self.resolutions = resolutions
        self.filters = tuple(filters)
        self.latent_size = latent_size
        self.num_pitches = num_pitches
        self.activation = activation
        self.pitch_scale = pitch_scale

    def build(self, input_shape=None):
        self.blocks[0].build((None, self.latent_size + self.num_pitches))
        for index, block in enumerate(self.blocks[1:], start=1):
            block.build((None, None, None, self.filters[index]))
        self.built = True

    def embed(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """What block 1 is given: z [batch, latent] and the one-hot pitch, normalised together."""
        one_hot = self.pitch_scale * tf.one_hot(labels, self.num_pitches, dtype=z.dtype)
        return layers.pixel_norm(tf.concat([z, one_hot], axis=-1))

    def call(self, z, labels, num_blocks: int | None = None, fade=None):
        num_blocks = num_blocks or len(self.blocks)
        x = tf.cast(self.embed(z, labels), self.compute_dtype)
        for block in self.blocks[:num_blocks]:
            coarse, x = x, block(x)
        specgrams = self._output(num_blocks, x)
        if fade is not None and num_blocks > 1:
            coarse = layers.upscale(self._output(num_blocks - 1, coarse), self.resolutions.step)
            specgrams = layers.blend(coarse, specgrams, fade)
        return specgrams

    def _output(self, block: int, x: tf.Tensor) -> tf.Tensor:
        x = tf.cast(self.blocks[block - 1].to_specgram(x), tf.float32)
        return tf.tanh(x) if self.activation == "tanh" else x

    def active_variables(self, num_blocks: int, fading: bool) -> list[keras.Variable]:
        """The variables that get a gradient in a stage."""
        active = [v for b in self.blocks[:num_blocks] for v in (*b.first.weights, *b.second.weights)]
        for block in self.blocks[max(0, num_blocks - 1 - fading) : num_blocks]:
            active += block.to_specgram.weights
        return active


# ---------------------------------------------------------------------------------------------------- discriminator


class DiscriminatorBlock(keras.layers.Layer):
    """From the specgram's channels by a 1x1 convolution, then two convolutions with leaky ReLU.

    Args:
        filters: Channels of the 1x1 and the first convolution.
        out_filters: Channels of the second convolution.
        kernel_size: (time, freq) of the first convolution.
        second: Kernel (time, freq) and padding of the second convolution.
        extra_channels: Channels that the first convolution sees beside `filters` (the minibatch deviation).
    """

    def __init__(
        self,
        filters: int,
        out_filters: int,
        kernel_size: tuple[int, int],
        second: tuple[tuple[int, int], str],
        extra_channels: int = 0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        self.from_specgram = layers.EqualisedConv(filters, (1, 1))
        self.first = layers.EqualisedConv(filters, kernel_size)
        self.second = layers.EqualisedConv(out_filters, second[0], padding=second[1])
        self.extra_channels = extra_channels

    def build(self, input_shape=None):
        filters = self.first.filters
        self.from_specgram.build((None, None, None, _SPECGRAM_CHANNELS))
        self.first.build((None, None, None, filters + self.extra_channels))
        self.second.build((None, None, None, filters))

    def call(self, x):
        return layers.leaky_relu(self.second(layers.leaky_relu(self.first(x))))

    def enter(self, specgrams: tf.Tensor) -> tf.Tensor:
        """[batch, time, freq, 2] -> [batch, time, freq, filters]."""
        return layers.leaky_relu(self.from_specgram(specgrams))


class Discriminator(_Network):
    """Normalised specgram -> critic's score and pitch logits, from one pass over shared features.

    Args:
        resolutions: Resolution of each block.
        filters: Channels of block 0 .. num_resolutions; block 0 is the feature vector.
        num_pitches: Classes of the pitch head.
        kernel_size: Of every inner convolution, one number or (time, freq).
        group_size: Of minibatch_stddev; a batch must be a multiple of it.

    Input shape:  [batch, time, freq, 2] at the resolution of block `num_blocks`
    Output shape: scores [batch] and pitch logits [batch, pitches], float32
    """

    def __init__(
        self,
        resolutions: ResolutionSchedule,
        filters: tuple[int, ...],
        num_pitches: int,
        kernel_size: int | tuple[int, int] = 3,
        group_size: int = 1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        # === Layers ===
        last = (resolutions.start, "VALID")
        kernel_size = _pair(kernel_size)
        blocks = [DiscriminatorBlock(filters[1], filters[0], kernel_size, last, extra_channels=1, name="block_1")]
        for block in range(2, resolutions.num_resolutions + 1):
            inner = (kernel_size, "SAME")
            blocks.append(
                DiscriminatorBlock(filters[block], filters[block - 1], kernel_size, inner, name=f"block_{block}")
            )
        self._hold(blocks)
        self.score = layers.EqualisedDense(1)
        self.pitch = layers.EqualisedDense(num_pitches)
        # === Config ===
        self.resolutions = resolutions
        self.filters = tuple(filters)
        self.group_size = group_size

    def build(self, input_shape=None):
        for block in self.blocks:
            block.build()
        self.score.build((None, self.filters[0]))
        self.pitch.build((None, self.filters[0]))
        self.built = True

    def call(self, specgrams, num_blocks: int | None = None, fade=None, full_precision: bool = False):
        num_blocks = num_blocks or len(self.blocks)
        step = self.resolutions.step
        specgrams = tf.cast(specgrams, tf.float32 if full_precision else self.compute_dtype)
        x = self.blocks[num_blocks - 1].enter(specgrams)
        for index in range(num_blocks - 1, 0, -1):
            x = layers.downscale(self.blocks[index](x), step)
            if fade is not None and index == num_blocks - 1:
                x = layers.blend(self.blocks[index - 1].enter(layers.downscale(specgrams, step)), x, fade)
        features = self.blocks[0](layers.minibatch_stddev(x, self.group_size))[:, 0, 0, :]
        scores, pitch_logits = self.score(features), self.pitch(features)
        return tf.cast(scores[:, 0], tf.float32), tf.cast(pitch_logits, tf.float32)

    def active_variables(self, num_blocks: int, fading: bool) -> list[keras.Variable]:
        """The variables that get a gradient in a stage."""
        active = [v for b in self.blocks[:num_blocks] for v in (*b.first.weights, *b.second.weights)]
        for block in self.blocks[max(0, num_blocks - 1 - fading) : num_blocks]:
            active += block.from_specgram.weights
        return active + self.score.weights + self.pitch.weights
