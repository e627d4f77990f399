"""The NSynth baseline: a convolutional autoencoder of log magnitudes; the phase by Griffin and Lim's iteration.

Engel et al. 2017, section 2.2 and appendix. Magnitudes of an STFT of 1024 samples every 256, in decibels below the
note's peak, 120 dB to 0 dB as 0 to 1: 256 frames of 512 bins for four seconds. Ten convolutions lead to one point of
1024 channels and from there to 1984 numbers, as many as in 124 frames of the WaveNet autoencoder's code; an embedding
of the pitch stands beside them in the decoder.
"""

import keras
import numpy as np
import tensorflow as tf

from gansynth_tf import compiled
from gansynth_tf.baselines.autoencoder import Autoencoder
from gansynth_tf.pitch_classifier import log_magnitudes
from gansynth_tf.pitches import PitchClasses

NUM_FFT, HOP, NUM_BINS = 1024, 256, 512
_RANGE_DB = 120.0
_PITCH_SIZE = 128
_WEIGHT_AT_0_HZ, _FLAT_FROM_HZ = 10.0, 4000.0
_HALVINGS = 8  # Of 256 frames to one.
# Kernel and channels of the convolutions of stride 2; the last of the encoder and of the decoder halve and double only
# the frequency axis.
_ENCODER = ((5, 128), (4, 128), (4, 128), (4, 256), (4, 256), (4, 256), (4, 512), (4, 512), (4, 512))
_DECODER = ((4, 512), (4, 512), (4, 256), (4, 256), (4, 256), (4, 128), (4, 128), (5, 128), (5, 128))
_INNERMOST = 1024

# ---------------------------------------------------------------------------------------------------- magnitudes


def padded_frames(audio_length: int) -> int:
    """Frames of a note, with silent ones up to a power of two.

    Raises:
        ValueError: When the note is too long for the network.
    """
    frames = 1 << (audio_length // HOP).bit_length()
    if frames > 2**_HALVINGS:
        longest = 2**_HALVINGS * HOP - 1
        raise ValueError(f"Expected an audio_length of at most {longest}. Received: {audio_length}")
    return frames


def waves_to_magnitudes(waves: tf.Tensor) -> tf.Tensor:
    """Waves -> decibels below each note's peak, 0 (120 dB or more) to 1: the classifier's, up to a power of two frames.

    Args:
        waves: [batch, samples].

    Returns:
        [batch, time, 512, 1]: frames centred on multiples of 256 samples, silent ones at the end.
    """
    magnitudes = log_magnitudes(waves)
    num_frames = waves.shape[1] // HOP + 1
    missing = padded_frames(waves.shape[1]) - num_frames
    return tf.pad(magnitudes[:, :num_frames], [[0, 0], [0, missing], [0, 0], [0, 0]])


def magnitudes_to_wave(magnitudes: np.ndarray, audio_length: int, iterations: int) -> np.ndarray:
    """One note's scaled decibels [time, 512] -> wave [samples] of peak 1; librosa finds phases that fit."""
    librosa = compiled.load_librosa()
    kept = magnitudes[: audio_length // HOP + 1].T
    linear = 10.0 ** ((np.pad(kept, [[0, 1], [0, 0]]) - 1.0) * _RANGE_DB / 20.0)  # With Nyquist's bin again.
    wave = librosa.griffinlim(
        linear, n_iter=iterations, hop_length=HOP, n_fft=NUM_FFT, length=audio_length, random_state=0
    )
    return (wave / max(np.abs(wave).max(), 1e-9)).astype(np.float32)


def frequency_weights(sample_rate: int) -> np.ndarray:
    """Weights of the squared errors: 10 at 0 Hz, falling linearly to 1 at 4 kHz, float32 [freq]."""
    hz = np.arange(NUM_BINS) * sample_rate / NUM_FFT
    falling = int(np.searchsorted(hz, _FLAT_FROM_HZ))
    return np.concatenate([np.linspace(_WEIGHT_AT_0_HZ, 1.0, falling), np.ones(NUM_BINS - falling)]).astype(np.float32)


# ---------------------------------------------------------------------------------------------------- networks


class ConvolutionStack(keras.Model):
    """Convolutions, each with batch norm and leaky ReLU (slope 0.1).

    Args:
        convolutions: Keras layers.
        channels: Of the input.
        last_is_linear: The last one has no leaky ReLU.
    """

    def __init__(self, convolutions: list[keras.layers.Layer], channels: int, last_is_linear: bool, **kwargs):
        super().__init__(**kwargs)
        self._num_convolutions, self._channels, self._last_is_linear = len(convolutions), channels, last_is_linear
        for number, convolution in enumerate(convolutions):
            norm = keras.layers.BatchNormalization(momentum=0.999, epsilon=1e-3, scale=False)
            setattr(self, f"convolution_{number}", convolution)
            setattr(self, f"norm_{number}", norm)

    def build(self, input_shape=None):
        channels = self._channels
        for number in range(self._num_convolutions):
            convolution = getattr(self, f"convolution_{number}")
            convolution.build((None, None, None, channels))
            channels = convolution.filters
            getattr(self, f"norm_{number}").build((None, None, None, channels))
        self.built = True

    def call(self, x, training=False):
        for number in range(self._num_convolutions):
            x = getattr(self, f"convolution_{number}")(x)
            x = getattr(self, f"norm_{number}")(x, training=training)
            if number < self._num_convolutions - 1 or not self._last_is_linear:
                x = tf.nn.leaky_relu(x, alpha=0.1)
        return x


class SpectralNetwork(keras.Model):
    """Encoder and decoder.

    Args:
        num_frames: Of a note, a power of two up to 256.
        num_pitches: Classes of the pitch embedding.
        code_size: Length of the code. Published: 1984.
        width: Channels of the outermost convolutions; the others keep their proportion to it. Published: 128.

    Shapes: magnitudes [batch, time, 512, 1], codes [batch, code], labels [batch]
    """

    def __init__(self, num_frames: int, num_pitches: int, code_size: int = 1984, width: int = 128, **kwargs):
        super().__init__(**kwargs)
        self.code_size, self.num_pitches = code_size, num_pitches
        halvings = num_frames.bit_length() - 1
        self._encoder = ConvolutionStack(_downward(halvings, code_size, width), 1, last_is_linear=True)
        self._decoder = ConvolutionStack(_upward(halvings, width), code_size + _PITCH_SIZE, last_is_linear=False)
        self._embedding = keras.layers.Embedding(num_pitches, _PITCH_SIZE, keras.initializers.RandomNormal(stddev=1.0))
        self._output = keras.layers.Conv2D(1, 1, activation="sigmoid")
        self._output_channels = _scaled(_DECODER[-1][1], width)

    def build(self, input_shape=None):
        self._encoder.build()
        self._decoder.build()
        self._embedding.build()
        self._output.build((None, None, None, self._output_channels))
        self.built = True

    def encode(self, magnitudes: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Magnitudes -> codes."""
        return self._encoder(magnitudes, training=training)[:, 0, 0]

    def decode(self, codes: tf.Tensor, labels: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Codes and class indices -> magnitudes."""
        point = tf.concat([codes, self._embedding(labels)], axis=-1)[:, tf.newaxis, tf.newaxis]
        return self._output(self._decoder(point, training=training))


def _scaled(channels: int, width: int) -> int:
    return max(1, channels * width // 128)


def _downward(halvings: int, code_size: int, width: int) -> list[keras.layers.Layer]:
    """The encoder's convolutions; without a bias, which batch norm has."""
    layers = []
    for number, (kernel, channels) in enumerate(_ENCODER):
        strides = (2 if number < halvings else 1, 2)
        layers.append(keras.layers.Conv2D(_scaled(channels, width), kernel, strides, padding="same", use_bias=False))
    layers.append(keras.layers.Conv2D(_scaled(_INNERMOST, width), 1, use_bias=False))
    return [*layers, keras.layers.Conv2D(code_size, 1, use_bias=False)]


def _upward(halvings: int, width: int) -> list[keras.layers.Layer]:
    """The decoder's convolutions."""
    layers = [keras.layers.Conv2D(_scaled(_INNERMOST, width), 1, use_bias=False)]
    for number, (kernel, channels) in enumerate(_DECODER):
        strides = (2 if _HALVINGS - halvings <= number < _HALVINGS else 1, 2)
        make = keras.layers.Conv2DTranspose
        layers.append(make(_scaled(channels, width), kernel, strides, padding="same", use_bias=False))
    return layers


# ---------------------------------------------------------------------------------------------------- the model


class SpectralAutoencoder(Autoencoder):
    """The NSynth baseline as a model of notes.

    The level of a note is not in its magnitudes: what it makes has the mean peak of the notes it keeps.

    Args:
        network: What is trained.
        pitch_classes, sample_rate, audio_length: See NoteModel.
        iterations: Of Griffin and Lim. Published: 1000.
    """

    smoothed = None

    def __init__(
        self,
        network: SpectralNetwork,
        pitch_classes: PitchClasses,
        sample_rate: int,
        audio_length: int,
        iterations: int = 1000,
    ):
        size = network.code_size
        super().__init__(pitch_classes, sample_rate, audio_length, size, "spectral_autoencoder")
        network.build()
        self.trained, self.iterations = network, iterations
        self._weights = frequency_weights(sample_rate)[:, np.newaxis]
        self._magnitudes = tf.function(self.trained.decode)
        self._make_waves = self._invert

    @property
    def networks(self) -> tuple[keras.Model, ...]:
        """See NoteModel."""
        return (self.trained,)

    def loss(self, waves: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Mean weighted squared error of the magnitudes, and the metrics."""
        magnitudes = waves_to_magnitudes(waves)
        found = self.trained.decode(self.trained.encode(magnitudes, training=True), labels, training=True)
        loss = tf.reduce_mean(self._weights * tf.square(magnitudes - found))
        return loss, {"loss": loss}

    def codes(self, waves: tf.Tensor) -> tf.Tensor:
        """See Autoencoder."""
        return self.trained.encode(waves_to_magnitudes(waves))

    @property
    def generating_variables(self) -> list[tf.Variable]:
        """See NoteModel."""
        raise ValueError(
            "A spectral autoencoder cannot be exported: its phases are found by librosa, outside of any graph. "
            "Use gansynth_generate."
        )

    def _invert(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        magnitudes = self._magnitudes(z, labels).numpy()[..., 0]
        peak = np.abs(self.kept_notes.numpy()).max(axis=1).mean()
        return tf.stack([peak * magnitudes_to_wave(m, self.audio_length, self.iterations) for m in magnitudes])
