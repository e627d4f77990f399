"""GANSynth: representation, normaliser and networks together; (z, pitch) -> waves.

Engel et al. 2019. The generator writes normalised specgrams; `denormalize` brings them to physical units (natural log
power, instantaneous frequency over pi), which is what the critic is given, and `decode` brings those to waves.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from gansynth_tf import latents, layers
from gansynth_tf.networks import Discriminator, Generator
from gansynth_tf.normalizers import SpecgramNormalizer
from gansynth_tf.pitches import PitchClasses

_LARGEST_BATCH = 64  # Notes made in one pass, so that memory stays bounded however many are asked for.


class GANSynth(tf.Module):
    """A model that can be trained, asked for notes, and exported.

    Args:
        representation: Encodes and decodes waves.
        normalizer: Physical specgrams <-> [-1, 1].
        generator: The network under training.
        smoothed_generator: Its moving average; this one generates.
        discriminator: Critic and pitch head.
        pitch_classes: The pitches it knows.
    """

    def __init__(
        self,
        representation: keras.layers.Layer,
        normalizer: SpecgramNormalizer,
        generator: Generator,
        smoothed_generator: Generator,
        discriminator: Discriminator,
        pitch_classes: PitchClasses,
    ):
        super().__init__(name="gansynth")
        self.representation = representation
        self.normalizer = normalizer
        self.generator = generator
        self.smoothed_generator = smoothed_generator
        self.discriminator = discriminator
        self.pitch_classes = pitch_classes
        for network in (generator, smoothed_generator, discriminator):
            if not network.built:
                network.build()
        smoothed_generator.set_weights(generator.get_weights())
        self.num_blocks = generator.resolutions.num_resolutions
        self.fade: float | None = None
        # Nothing in them branches on a tensor, and reading their source would take a third of the time to a first note.
        self._specgrams = tf.function(layers.one_pass_norms()(self._make_specgrams), autograph=False)
        self._waves = tf.function(layers.one_pass_norms()(self._make_waves), autograph=False)

    # ------------------------------------------------------------------------------------------ properties

    @property
    def pitches(self) -> list[int]:
        """MIDI pitches the model knows, ascending."""
        return list(self.pitch_classes.pitches)

    @property
    def sample_rate(self) -> int:
        """Samples per second."""
        return self.representation.sample_rate

    @property
    def audio_length(self) -> int:
        """Samples in a note."""
        return self.representation.audio_length

    @property
    def latent_size(self) -> int:
        """Length of z."""
        return self.generator.latent_size

    @property
    def networks(self) -> tuple[keras.Model, ...]:
        """What is trained, and what is averaged."""
        return self.generator, self.smoothed_generator, self.discriminator

    def set_stage(self, num_blocks: int, fade: float | None) -> None:
        """Says which blocks generate: a model may stop, and be used, at any stage of its growth."""
        self.num_blocks, self.fade = num_blocks, fade

    # ------------------------------------------------------------------------------------------ generation

    def sample_z(self, n: int, seed: int | None = None) -> np.ndarray:
        """Random instruments.

        Args:
            n: How many.
            seed: The same seed gives the same latents; None draws new ones.

        Returns:
            float32 [n, latent], standard normal.
        """
        return latents.sample_instruments(n, self.latent_size, seed)

    def generate(self, z: np.ndarray, pitch: np.ndarray) -> np.ndarray:
        """Notes as waves.

        Args:
            z: [batch, latent], instruments.
            pitch: [batch], MIDI pitches the model knows.

        Returns:
            float32 [batch, samples].

        Raises:
            ValueError: For a pitch the model does not know, or shapes that do not match.
        """
        return self._in_batches(self._waves, z, pitch)

    def generate_specgrams(self, z: np.ndarray, pitch: np.ndarray) -> np.ndarray:
        """Notes as specgrams in physical units, before they are turned into waves.

        Args:
            z, pitch: See `generate`.

        Returns:
            float32 [batch, time, freq, 2].
        """
        return self._in_batches(self._specgrams, z, pitch)

    def _in_batches(self, make: Callable, z: np.ndarray, pitch: np.ndarray) -> np.ndarray:
        fade = None if self.fade is None else tf.constant(self.fade, tf.float32)

        def make_at_stage(z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
            return make(z, labels, self.num_blocks, fade)

        return in_batches(make_at_stage, z, pitch, self.latent_size, self.pitch_classes)

    def specgrams_from_labels(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """[batch, latent] and class indices [batch] -> whole specgrams [batch, time, freq, 2]; a graph's inside."""
        return self._make_specgrams(z, labels, self.num_blocks, self.fade)

    def waves_from_labels(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """[batch, latent] and class indices [batch] -> waves [batch, samples]; a graph's inside."""
        return self._make_waves(z, labels, self.num_blocks, self.fade)

    def encode(self, waves: tf.Tensor) -> tf.Tensor:
        """Waves [batch, samples] -> specgrams [batch, time, freq, 2] in physical units."""
        return self.representation.encode(waves)

    def _make_specgrams(self, z: tf.Tensor, labels: tf.Tensor, num_blocks: int, fade: tf.Tensor | None) -> tf.Tensor:
        specgrams = self.smoothed_generator(z, labels, num_blocks=num_blocks, fade=fade)
        full = layers.upscale(specgrams, self.generator.resolutions.scale_to_final(num_blocks))
        return self.normalizer.denormalize(full)

    def _make_waves(self, z: tf.Tensor, labels: tf.Tensor, num_blocks: int, fade: tf.Tensor | None) -> tf.Tensor:
        return self.representation.decode(self._make_specgrams(z, labels, num_blocks, fade))

    # ------------------------------------------------------------------------------------------ training

    def real_specgrams(self, waves: tf.Tensor, num_blocks: int, fade: tf.Tensor | None) -> tf.Tensor:
        """Recorded notes as the critic sees them: encoded, brought to the stage's resolution, faded.

        Args:
            waves: [batch, samples].
            num_blocks: Blocks that run in the stage.
            fade: Weight of the newest block, None in stable stages.

        Returns:
            [batch, time, freq, 2] in physical units, at the resolution of block `num_blocks`.
        """
        resolutions = self.generator.resolutions
        specgrams = self.representation.encode(waves)
        return layers.resize_to_stage(specgrams, resolutions.scale_to_final(num_blocks), resolutions.step, fade)

    def fake_specgrams(self, z: tf.Tensor, labels: tf.Tensor, num_blocks: int, fade: tf.Tensor | None) -> tf.Tensor:
        """Generated notes as the critic sees them, by the network under training; shapes as `real_specgrams`."""
        return self.normalizer.denormalize(self.generator(z, labels, num_blocks=num_blocks, fade=fade))

    def judge(
        self, specgrams: tf.Tensor, num_blocks: int, fade: tf.Tensor | None, labels: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The critic's scores [batch] and pitch logits [batch, pitches].

        Args:
            specgrams: [batch, time, freq, 2] in physical units.
            num_blocks, fade: See `real_specgrams`.
            labels: [batch], the notes' classes; each score gets the logit of its note's pitch added then, which makes
                the pitch head a projection (Miyato and Koyama 2018, equation 5).
        """
        return self._judge_image(self.normalizer.normalize(specgrams), num_blocks, fade, labels)

    def _judge_image(self, image, num_blocks, fade, labels, full_precision=False) -> tuple[tf.Tensor, tf.Tensor]:
        stage = {"num_blocks": num_blocks, "fade": fade, "full_precision": full_precision}
        scores, pitch_logits = self.discriminator(image, **stage)
        if labels is not None:
            scores += tf.gather(pitch_logits, labels, batch_dims=1)
        return scores, pitch_logits

    def score_gradients(
        self,
        specgrams: tf.Tensor,
        num_blocks: int,
        fade: tf.Tensor | None,
        normalised: bool = False,
        labels: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Scores, and their gradient's norm as the whole specgram would have it.

        A point of a stage's specgram stands for scale[0] * scale[1] equal points of the whole one, each with that share
        of its gradient, so the whole gradient is 1 / sqrt(scale[0] * scale[1]) as long as the stage's own.

        Args:
            specgrams: [batch, time, freq, 2] in physical units: the penalty is taken with respect to these, as in
                Magenta, not to the normalised image.
            num_blocks, fade: See `real_specgrams`.
            normalised: Take the gradient with respect to the normalised image after all.
            labels: See `judge`.

        Returns:
            Scores [batch] and gradients [batch, time, freq, 2], scaled so that their norm is the whole one's.
        """
        points = self.normalizer.normalize(specgrams) if normalised else specgrams
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(points)
            image = points if normalised else self.normalizer.normalize(points)
            # In full precision: squares of 16-bit gradients, and their gradients, would overflow.
            scores, _ = self._judge_image(image, num_blocks, fade, labels, full_precision=True)
        scale = self.generator.resolutions.scale_to_final(num_blocks)
        return scores, tape.gradient(scores, points) / float(np.sqrt(scale[0] * scale[1]))


def in_batches(make: Callable, z: np.ndarray, pitch: np.ndarray, latent_size: int, known: PitchClasses) -> np.ndarray:
    """Makes any number of notes, a bounded number at a time.

    Args:
        make: (z [batch, latent], class indices [batch] int32), tensors -> a tensor [batch, ...].
        z: [batch, latent].
        pitch: [batch], MIDI pitches.
        latent_size: Length of a latent.
        known: The pitches that `make` knows.

    Returns:
        What `make` gives, as one array [batch, ...].

    Raises:
        ValueError: For an unknown pitch, or shapes that do not match.
    """
    z, pitch = np.asarray(z, np.float32), np.asarray(pitch)
    if z.ndim != 2 or z.shape[1] != latent_size or pitch.shape != z.shape[:1]:
        raise ValueError(
            f"Expected z of shape [batch, {latent_size}] and as many pitches. "
            f"Received: z {list(z.shape)}, pitch {list(pitch.shape)}"
        )
    labels = known.to_index(pitch).astype(np.int32)
    if not len(z):
        # TensorFlow's convolutions lose their shape in an empty batch.
        return in_batches(make, np.zeros((1, latent_size)), known.pitches[:1], latent_size, known)[:0]
    parts = [slice(start, start + _LARGEST_BATCH) for start in range(0, len(z), _LARGEST_BATCH)]
    return np.concatenate([make(tf.constant(z[part]), tf.constant(labels[part])).numpy() for part in parts])
