"""WaveGAN: a wave from a latent vector by transposed convolutions, and its critic (Donahue et al. 2019).

Filters of 25 taps, stride 4, twice as many channels at every coarser step; the critic's activations are shifted by a
few samples at random (phase shuffle), so that it cannot know generated waves by the phase of their artefacts. With
pitches it is the baseline of GANSynth's comparison: a one-hot pitch beside the latent, a pitch head beside the score.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from gansynth_tf.baselines.note_model import NoteModel
from gansynth_tf.latents import sample_uniform
from gansynth_tf.pitches import PitchClasses

KERNEL_SIZE = 25
START_LENGTH = 16  # Samples of the generator's first activation.
# Strides of the convolutions, first to last, by the length of the waves.
STRIDES = {16384: (4, 4, 4, 4, 4), 32768: (4, 4, 4, 4, 4, 2), 65536: (4, 4, 4, 4, 4, 4)}
SHUFFLED = 4  # Phase shuffle follows the critic's first four convolutions.


def wave_length(audio_length: int) -> int:
    """The shortest of WaveGAN's lengths that holds a note.

    Raises:
        ValueError: When the note is too long for all of them.
    """
    for length in sorted(STRIDES):
        if audio_length <= length:
            return length
    raise ValueError(f"WaveGAN makes waves of up to {max(STRIDES)} samples. Received: audio_length={audio_length}")


def phase_shuffle(x: tf.Tensor, radius: int, seed: tf.Tensor) -> tf.Tensor:
    """Shifts activations along time by a random count of samples; reflection fills the gap.

    One shift for the whole batch, each of -radius .. radius equally likely (the published code's).

    Args:
        x: [batch, samples, channels].
        radius: Largest shift; 0 shifts nothing.
        seed: int32 [2].

    Returns:
        The same shape as x; row t is x's row t - shift.
    """
    if not radius:
        return x
    shift = tf.random.stateless_uniform([], seed, -radius, radius + 1, tf.int32)
    padded = tf.pad(x, [[0, 0], [radius, radius], [0, 0]], mode="REFLECT")
    start = radius - shift
    return tf.ensure_shape(padded[:, start : start + x.shape[1]], x.shape)


class Generator(keras.Model):
    """Latent vector, and pitch, -> wave.

    Args:
        length: Samples, one of `STRIDES`.
        latent_size: Length of z. Published: 100.
        num_pitches: Length of the one-hot pitch; 0: unconditional, as published.
        dim: Channels of the last inner activation. Published: 64.

    Input shape:  z [batch, latent] and labels [batch] int
    Output shape: [batch, length] in [-1, 1]
    """

    def __init__(self, length: int, latent_size: int, num_pitches: int = 0, dim: int = 64, **kwargs):
        super().__init__(**kwargs)
        self.length, self.latent_size, self.num_pitches = length, latent_size, num_pitches
        strides = STRIDES[length]
        self.start_filters = dim * 2 ** (len(strides) - 1)
        self.start = keras.layers.Dense(START_LENGTH * self.start_filters)
        self._num_convolutions = len(strides)
        for number, stride in enumerate(strides):
            last = number == len(strides) - 1
            filters = 1 if last else self.start_filters // 2 ** (number + 1)
            layer = keras.layers.Conv1DTranspose(filters, KERNEL_SIZE, strides=stride, padding="same")
            setattr(self, f"convolution_{number}", layer)

    def build(self, input_shape=None):
        self.start.build((None, self.latent_size + self.num_pitches))
        samples, filters = START_LENGTH, self.start_filters
        for number in range(self._num_convolutions):
            layer = getattr(self, f"convolution_{number}")
            layer.build((None, samples, filters))
            samples, filters = samples * layer.strides[0], layer.filters
        self.built = True

    def call(self, z, labels):
        if self.num_pitches:
            z = tf.concat([z, tf.one_hot(labels, self.num_pitches)], axis=-1)
        x = tf.reshape(self.start(z), [-1, START_LENGTH, self.start_filters])
        for number in range(self._num_convolutions):
            x = getattr(self, f"convolution_{number}")(tf.nn.relu(x))
        return tf.tanh(x)[..., 0]


class Discriminator(keras.Model):
    """Wave -> critic's score, and pitch logits.

    Args:
        length: Samples, one of `STRIDES`.
        num_pitches: Classes of the pitch head; 0: none, as published.
        dim: Channels of the first activation. Published: 64.
        shuffle_radius: Of phase shuffle. Published: 2.

    Input shape:  [batch, length]; a seed int32 [2] for phase shuffle, None: no shuffle
    Output shape: scores [batch] and pitch logits [batch, pitches]
    """

    def __init__(self, length: int, num_pitches: int = 0, dim: int = 64, shuffle_radius: int = 2, **kwargs):
        super().__init__(**kwargs)
        self.length, self.shuffle_radius = length, shuffle_radius
        strides = STRIDES[length]  # In this order in both: the published critic of 32,768 samples, too, ends with 2.
        self._num_convolutions = len(strides)
        for number, stride in enumerate(strides):
            layer = keras.layers.Conv1D(dim * 2**number, KERNEL_SIZE, strides=stride, padding="same")
            setattr(self, f"convolution_{number}", layer)
        self.score = keras.layers.Dense(1)
        self.pitch = keras.layers.Dense(num_pitches) if num_pitches else None

    def build(self, input_shape=None):
        samples, filters = self.length, 1
        for number in range(self._num_convolutions):
            layer = getattr(self, f"convolution_{number}")
            layer.build((None, samples, filters))
            samples, filters = samples // layer.strides[0], layer.filters
        for head in filter(None, (self.score, self.pitch)):
            head.build((None, samples * filters))
        self.built = True

    def call(self, waves, shuffle_seed=None):
        x = waves[..., tf.newaxis]
        for number in range(self._num_convolutions):
            x = tf.nn.leaky_relu(getattr(self, f"convolution_{number}")(x), alpha=0.2)
            if shuffle_seed is not None and number < SHUFFLED:
                x = phase_shuffle(x, self.shuffle_radius, tf.random.fold_in(shuffle_seed, number))
        features = tf.reshape(x, [-1, x.shape[1] * x.shape[2]])
        logits = tf.zeros([tf.shape(waves)[0], 0]) if self.pitch is None else self.pitch(features)
        return self.score(features)[:, 0], logits


class WaveGAN(NoteModel):
    """A WaveGAN that can be trained, asked for notes, and exported.

    Args:
        make_generator: Makes one.
        discriminator: Its critic.
        pitch_classes, sample_rate, audio_length: See NoteModel.
    """

    latents = "uniform"

    def __init__(
        self,
        make_generator: Callable[[], Generator],
        discriminator: Discriminator,
        pitch_classes: PitchClasses,
        sample_rate: int,
        audio_length: int,
    ):
        generator = make_generator()
        super().__init__(pitch_classes, sample_rate, audio_length, generator.latent_size, "wavegan")
        self.generator, self.discriminator = generator, discriminator
        for network in (generator, discriminator):
            network.build()

    @property
    def networks(self) -> tuple[keras.Model, ...]:
        """See NoteModel."""
        return self.generator, self.discriminator

    @property
    def generating_variables(self) -> list[tf.Variable]:
        """See NoteModel."""
        return [variable.value for variable in self.generator.weights]

    def pad(self, waves: tf.Tensor) -> tf.Tensor:
        """Notes [batch, samples] followed by zeros, [batch, length]: what the critic is given."""
        return tf.pad(waves, [[0, 0], [0, self.generator.length - self.audio_length]])

    def waves_from_labels(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """See NoteModel."""
        return self.generator(z, labels)[:, : self.audio_length]

    def sample_z(self, n: int, seed: int | None = None) -> np.ndarray:
        """Random latents, float32 [n, latent], uniform in [-1, 1); the same seed gives the same ones."""
        return sample_uniform(n, self.latent_size, seed)
