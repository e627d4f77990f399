"""The network that judges notes: log-magnitude spectrogram in, pitch out, and family, source and qualities if asked.

Engel et al. 2019, section 4.2, measure with a pitch classifier trained on NSynth, in place of an Inception network. Its
shape is the encoder of NSynth's spectral baseline (Engel et al. 2017, appendix A): ten convolutions with batch
normalisation and leaky ReLU. The ninth, before its activation, gives the features of the Fréchet distance.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

NUM_PITCHES = 128  # Every MIDI pitch, whichever occur in the data, so that classifiers of different data compare.
# Head -> outputs. Qualities do not exclude each other; the others do.
HEADS = {"pitch": NUM_PITCHES, "family": 11, "source": 3, "qualities": 10}

_FRAME, _HOP = 1024, 256
_RANGE_DB = 120.0
_TIME_MULTIPLE = 16  # 251 frames of NSynth's four seconds become 256.


@dataclasses.dataclass(frozen=True)
class Trunk:
    """Sizes of the convolutions.

    Args:
        filters: Of the first nine; all but the last halve time and frequency, the last only frequency.
        last: Filters of the tenth, 1 x 1.
    """

    filters: tuple[int, ...]
    last: int


TRUNKS = {
    "nsynth": Trunk((128, 128, 128, 256, 256, 256, 512, 512, 512), 1024),
    "small": Trunk((16, 16, 16, 32, 32, 32, 64, 64, 64), 128),  # An eighth of it: minutes on two cores.
}


def log_magnitudes(waves: tf.Tensor) -> tf.Tensor:
    """Log-magnitude spectrograms as NSynth's baseline takes them: the note's loudest point is 1, 120 dB under it 0.

    STFT of 1024 samples every 256, centred, the Nyquist bin left out; zeros behind bring the frames to a multiple of
    16.

    Args:
        waves: [batch, samples], float32.

    Returns:
        [batch, time, 512, 1], from 0 to 1; 0 for a silent note.
    """
    waves = tf.pad(waves, [[0, 0], [_FRAME // 2, _FRAME // 2]])
    power = tf.square(tf.abs(tf.signal.stft(waves, _FRAME, _HOP)))[..., :-1]
    loudest = tf.reduce_max(power, axis=[1, 2], keepdims=True)
    relative = power / tf.maximum(loudest, 1e-13)
    floor = 10.0 ** (-_RANGE_DB / 10)
    decibels = 10.0 / tf.math.log(10.0) * tf.math.log(tf.maximum(relative, floor))
    missing = -tf.shape(power)[1] % _TIME_MULTIPLE
    return tf.pad(decibels / _RANGE_DB + 1.0, [[0, 0], [0, missing], [0, 0]])[..., tf.newaxis]


class NormalisedConv(keras.layers.Layer):
    """Convolution and batch normalisation, without an activation.

    Args:
        filters: Channels.
        kernel_size: In time and frequency.
        strides: Of time and frequency.
    """

    def __init__(self, filters: int, kernel_size: int, strides: tuple[int, int]):
        super().__init__(dtype="float32")
        # No bias: the normalisation has one.
        self.convolution = keras.layers.Conv2D(filters, kernel_size, strides, padding="same", use_bias=False)
        self.norm = keras.layers.BatchNormalization(momentum=0.9)

    def call(self, x, training=False):
        return self.norm(self.convolution(x), training=training)


def _leaky(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.leaky_relu(x, alpha=0.1)


class PitchClassifier(keras.Model):
    """Classifies notes.

    Args:
        sample_rate: Of the notes, samples per second.
        audio_length: Samples in a note.
        size: A name in `TRUNKS`.
        heads: Names in `HEADS`, "pitch" among them.

    Input shape:
        Waves, float32 [batch, samples].

    Output shape:
        Dict: "features" [batch, size], and for each head its logits, [batch, outputs].
    """

    def __init__(self, sample_rate: int, audio_length: int, size: str = "small", heads: Sequence[str] = ("pitch",)):
        super().__init__(name="pitch_classifier", dtype="float32")
        _check(size, heads)
        self.sample_rate, self.audio_length, self.size, self.heads = sample_rate, audio_length, size, tuple(heads)
        trunk = TRUNKS[size]
        self._num_blocks = len(trunk.filters)
        # Attributes, not lists: a TensorFlow checkpoint does not look into the lists of a Keras model.
        for place, filters in enumerate(trunk.filters):
            strides = (2, 2) if place < self._num_blocks - 1 else (1, 2)
            setattr(self, f"block_{place}", NormalisedConv(filters, 5 if place == 0 else 4, strides))
        self.last_block = NormalisedConv(trunk.last, 1, (1, 1))
        for name in self.heads:
            setattr(self, f"{name}_head", keras.layers.Dense(HEADS[name]))
        self(tf.zeros([1, audio_length]))

    def call(self, waves, training=False):
        x = log_magnitudes(tf.cast(waves, tf.float32))
        for place in range(self._num_blocks):
            before = getattr(self, f"block_{place}")(x, training=training)
            x = _leaky(before)
        # One point is left of four seconds; of more, their mean.
        features = tf.reduce_mean(before, axis=[1, 2])
        x = tf.reduce_mean(_leaky(self.last_block(x, training=training)), axis=[1, 2])
        return {"features": features} | {name: getattr(self, f"{name}_head")(x) for name in self.heads}


def _check(size: str, heads: Sequence[str]) -> None:
    if size not in TRUNKS:
        raise ValueError(f"Expected a size among {', '.join(TRUNKS)}. Received: {size!r}")
    unknown = [head for head in heads if head not in HEADS]
    if unknown or "pitch" not in heads or len(set(heads)) < len(heads):
        raise ValueError(f"Expected heads among {', '.join(HEADS)}, pitch among them. Received: {', '.join(heads)}")


def head_losses(outputs: Mapping[str, tf.Tensor], labels: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Mean cross-entropy of each head in nats, of qualities the sum over the ten sigmoids.

    Args:
        outputs: Of a PitchClassifier.
        labels: For each of its heads int [batch], where a negative one is not known and not counted; for qualities bool
            [batch, 10].

    Returns:
        Scalars by head; training adds them up.
    """
    losses = {}
    for name, logits in outputs.items():
        if name == "qualities":
            targets = tf.cast(labels[name], tf.float32)
            each = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
            losses[name] = tf.reduce_mean(tf.reduce_sum(each, axis=1))
        elif name != "features":
            known = labels[name] >= 0
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.maximum(labels[name], 0), logits=logits)
            losses[name] = tf.math.divide_no_nan(
                tf.reduce_sum(tf.where(known, each, 0.0)), tf.reduce_sum(tf.cast(known, tf.float32))
            )
    return losses
