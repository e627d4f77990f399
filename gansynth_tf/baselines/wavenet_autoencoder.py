"""The NSynth WaveNet autoencoder: 16 numbers for every 512 samples, and a WaveNet that turns them into sound.

Engel et al. 2017, section 2.1. The encoder is a stack of 30 non-causal dilated convolutions, averaged over each frame;
the frames condition the decoder of wavenet.py.
"""

import keras
import tensorflow as tf

from gansynth_tf.baselines.wavenet import WaveNet


class TemporalEncoder(keras.Model):
    """Inputs -> one code for each frame.

    Args:
        code_size: Numbers in a frame. Published: 16.
        hop: Samples in a frame. Published: 512.
        width: Channels. Published: 128.
        num_layers, layers_per_stack: See WaveNet. Published: 30 and 10.
        kernel_size: Published: 3.

    Input shape:  [batch, samples] in [-1, 1], a multiple of `hop`
    Output shape: [batch, samples / hop, code_size]
    """

    def __init__(
        self,
        code_size: int,
        hop: int,
        width: int = 128,
        num_layers: int = 30,
        layers_per_stack: int = 10,
        kernel_size: int = 3,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.code_size, self.hop, self.width = code_size, hop, width
        self._num_layers = num_layers
        self.start = keras.layers.Conv1D(width, kernel_size, padding="same")
        for number in range(num_layers):
            dilation = 2 ** (number % layers_per_stack)
            dilated = keras.layers.Conv1D(width, kernel_size, dilation_rate=dilation, padding="same")
            setattr(self, f"dilated_{number}", dilated)
            setattr(self, f"residual_{number}", keras.layers.Conv1D(width, 1))
        self.bottleneck = keras.layers.Conv1D(code_size, 1)

    def build(self, input_shape=None):
        shape = (None, None, self.width)
        self.start.build((None, None, 1))
        for number in range(self._num_layers):
            getattr(self, f"dilated_{number}").build(shape)
            getattr(self, f"residual_{number}").build(shape)
        self.bottleneck.build(shape)
        self.built = True

    def call(self, inputs):
        x = self.start(inputs[..., tf.newaxis])
        for number in range(self._num_layers):
            y = getattr(self, f"dilated_{number}")(tf.nn.relu(x))
            x += getattr(self, f"residual_{number}")(tf.nn.relu(y))
        frames = tf.reshape(self.bottleneck(x), [-1, inputs.shape[1] // self.hop, self.hop, self.code_size])
        return tf.reduce_mean(frames, axis=2)


class WaveNetAutoencoderNetwork(keras.Model):
    """Encoder and decoder together: what is trained, and what is averaged.

    Args:
        encoder: Inputs -> codes.
        decoder: Inputs and conditions -> parameters; its conditions are a code and, with `num_pitches`, the pitch.
        num_pitches: Length of the one-hot pitch beside each frame's code; 0: the code alone says the pitch.
    """

    def __init__(self, encoder: TemporalEncoder, decoder: WaveNet, num_pitches: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.decoder, self.num_pitches = encoder, decoder, num_pitches

    def build(self, input_shape=None):
        self.encoder.build()
        self.decoder.build()
        self.built = True

    def conditions(self, codes: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Codes [batch, frames, code] and class indices [batch] -> conditions [batch, frames, code + pitches]."""
        if not self.num_pitches:
            return codes
        one_hot = tf.one_hot(labels, self.num_pitches)[:, tf.newaxis]
        return tf.concat([codes, tf.repeat(one_hot, codes.shape[1], axis=1)], axis=-1)
