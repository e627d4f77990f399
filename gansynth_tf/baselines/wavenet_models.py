"""WaveNets as models of notes: the one under a pitch condition, and the NSynth autoencoder.

Both are trained by the likelihood of chunks of notes, and generate by the average of their weights (Engel et al. 2017).
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from gansynth_tf.baselines.autoencoder import Autoencoder
from gansynth_tf.baselines.distributions import SampleDistribution
from gansynth_tf.baselines.note_model import NoteModel
from gansynth_tf.baselines.wavenet import PitchWaveNet, WaveNet
from gansynth_tf.baselines.wavenet_autoencoder import WaveNetAutoencoderNetwork
from gansynth_tf.baselines.wavenet_sampling import CachedSampler, latent_noise
from gansynth_tf.pitches import PitchClasses

SEED_SIZE = 2  # Numbers in the z of a WaveNet, whose bits are the seed of its draws.


def num_frames(audio_length: int, hop: int) -> int:
    """Frames that hold a note."""
    return -(-audio_length // hop)


def _whole_frames(waves: tf.Tensor, hop: int) -> tf.Tensor:
    """Waves [batch, samples], with zeros up to a whole number of frames."""
    return tf.pad(waves, [[0, 0], [0, num_frames(waves.shape[1], hop) * hop - waves.shape[1]]])


def _cut(frames: tf.Tensor, starts: tf.Tensor, length: int) -> tf.Tensor:
    """`length` frames of each row from its start: [batch, frames, ...], [batch] -> [batch, length, ...]."""
    return tf.gather(frames, starts[:, None] + tf.range(length), batch_dims=1)


def random_chunks(waves: tf.Tensor, hop: int, chunk_frames: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts a chunk out of each note, at the beginning of a random frame.

    Args:
        waves: [batch, samples].
        hop: Samples in a frame.
        chunk_frames: Frames in a chunk; a note with fewer is taken whole.
        seed: int32 [2].

    Returns:
        Chunks [batch, chunk_frames * hop], and the frame each begins with, int32 [batch].
    """
    whole = _whole_frames(waves, hop)
    frames = whole.shape[1] // hop
    length = min(chunk_frames, frames)
    starts = tf.random.stateless_uniform(tf.shape(waves)[:1], seed, 0, frames - length + 1, tf.int32)
    chunks = _cut(tf.reshape(whole, [-1, frames, hop]), starts, length)
    return tf.reshape(chunks, [-1, length * hop]), starts


def _likelihood_loss(
    decoder: WaveNet, distribution: SampleDistribution, inputs: tf.Tensor, condition: tf.Tensor
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    loss = tf.reduce_mean(distribution.negative_log_likelihood(decoder(inputs, condition), inputs))
    return loss, {"loss": loss}


def _draw(sampler: CachedSampler, condition: tf.Tensor, noise: tf.Tensor, audio_length: int) -> tf.Tensor:
    """Waves [batch, samples] under conditions."""
    drawn, _ = sampler(condition, noise)
    return sampler.distribution.inputs_to_waves(tf.transpose(drawn))[:, :audio_length]


class WaveNetNotes(NoteModel):
    """The WaveNet of GANSynth's comparison: notes of a pitch, held as long as those it was trained on.

    It has no latent: z seeds its draws.

    Args:
        make_network: Makes one; the first is trained, the second is its moving average and generates.
        distribution: Of a sample.
        pitch_classes, sample_rate, audio_length: See NoteModel.
        chunk_frames: Frames of a note that an update takes.
    """

    def __init__(
        self,
        make_network: Callable[[], PitchWaveNet],
        distribution: SampleDistribution,
        pitch_classes: PitchClasses,
        sample_rate: int,
        audio_length: int,
        chunk_frames: int,
    ):
        super().__init__(pitch_classes, sample_rate, audio_length, SEED_SIZE, "wavenet")
        self.trained, self.smoothed = make_twins(make_network)
        self.distribution, self.chunk_frames = distribution, chunk_frames
        self.hop = self.trained.decoder.hop
        self._sampler = CachedSampler(self.smoothed.decoder, distribution)

    @property
    def networks(self) -> tuple[keras.Model, ...]:
        """See NoteModel."""
        return self.trained, self.smoothed

    @property
    def generating_variables(self) -> list[tf.Variable]:
        """See NoteModel."""
        return [variable.value for variable in self.smoothed.weights]

    def loss(self, waves: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Mean negative log-likelihood of a sample in nats, of a random chunk of each note; and the metrics."""
        chunks, starts = random_chunks(waves, self.hop, self.chunk_frames, seed)
        condition = _cut(self.trained.condition(labels), starts, chunks.shape[1] // self.hop)
        inputs = self.distribution.waves_to_inputs(chunks)
        return _likelihood_loss(self.trained.decoder, self.distribution, inputs, condition)

    def waves_from_labels(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """See NoteModel."""
        noise = latent_noise(z, num_frames(self.audio_length, self.hop) * self.hop)
        return _draw(self._sampler, self.smoothed.condition(labels), noise, self.audio_length)


class WaveNetAutoencoder(Autoencoder):
    """The NSynth WaveNet autoencoder; its z is the code of a note, frames times numbers.

    Args:
        make_network, distribution, chunk_frames: See WaveNetNotes.
        pitch_classes, sample_rate, audio_length: See NoteModel; a network without pitches ignores the pitch it is asked
            for, since its code holds one.
    """

    def __init__(
        self,
        make_network: Callable[[], WaveNetAutoencoderNetwork],
        distribution: SampleDistribution,
        pitch_classes: PitchClasses,
        sample_rate: int,
        audio_length: int,
        chunk_frames: int,
    ):
        trained, smoothed = make_twins(make_network)
        self.hop, self.code_size = trained.encoder.hop, trained.encoder.code_size
        self.num_frames = num_frames(audio_length, self.hop)
        latent_size = self.num_frames * self.code_size
        super().__init__(pitch_classes, sample_rate, audio_length, latent_size, "wavenet_autoencoder")
        self.trained, self.smoothed = trained, smoothed
        self.distribution, self.chunk_frames = distribution, chunk_frames
        self._sampler = CachedSampler(self.smoothed.decoder, distribution)

    @property
    def networks(self) -> tuple[keras.Model, ...]:
        """See NoteModel."""
        return self.trained, self.smoothed

    @property
    def generating_variables(self) -> list[tf.Variable]:
        """See NoteModel."""
        return [variable.value for variable in self.smoothed.decoder.weights]

    def loss(self, waves: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Mean negative log-likelihood of a sample in nats, of a random chunk of each note; and the metrics."""
        chunks, _ = random_chunks(waves, self.hop, self.chunk_frames, seed)
        inputs = self.distribution.waves_to_inputs(chunks)
        condition = self.trained.conditions(self.trained.encoder(inputs), labels)
        return _likelihood_loss(self.trained.decoder, self.distribution, inputs, condition)

    def codes(self, waves: tf.Tensor) -> tf.Tensor:
        """See Autoencoder."""
        inputs = self.distribution.waves_to_inputs(_whole_frames(waves, self.hop))
        return tf.reshape(self.smoothed.encoder(inputs), [-1, self.latent_size])

    def waves_from_labels(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """See NoteModel; a code also seeds the draws."""
        codes = tf.reshape(z, [-1, self.num_frames, self.code_size])
        noise = latent_noise(z, self.num_frames * self.hop)
        return _draw(self._sampler, self.smoothed.conditions(codes, labels), noise, self.audio_length)


def make_twins(make_network: Callable[[], keras.Model]) -> tuple[keras.Model, keras.Model]:
    """A network, built, and a second one of the same weights, for their moving average."""
    networks = make_network(), make_network()
    for network in networks:
        network.build()
    networks[1].set_weights(networks[0].get_weights())
    return networks
