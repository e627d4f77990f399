"""What every baseline offers to the commands: pitches, sizes, latents, and notes from (z, pitch)."""

import keras
import numpy as np
import tensorflow as tf

from gansynth_tf.latents import sample_instruments
from gansynth_tf.model import in_batches
from gansynth_tf.pitches import PitchClasses


class NoteModel(tf.Module):
    """A model that can be trained, asked for notes, and exported; subclasses write `waves_from_labels`.

    Args:
        pitch_classes: The pitches it knows.
        sample_rate: Hz.
        audio_length: Samples in a note.
        latent_size: Length of z.
        name: Of the module.
    """

    def __init__(self, pitch_classes: PitchClasses, sample_rate: int, audio_length: int, latent_size: int, name: str):
        super().__init__(name=name)
        self.pitch_classes = pitch_classes
        self.sample_rate = sample_rate
        self.audio_length = audio_length
        self.latent_size = latent_size
        self._make_waves = tf.function(self.waves_from_labels)

    @property
    def pitches(self) -> list[int]:
        """MIDI pitches the model knows, ascending."""
        return list(self.pitch_classes.pitches)

    # How `sample_z` draws: 'normal', 'uniform' (in [-1, 1)), or 'codes' of notes that the model keeps.
    latents = "normal"

    @property
    def networks(self) -> tuple[keras.Model, ...]:
        """What is trained, and what is averaged."""
        raise NotImplementedError

    @property
    def generating_variables(self) -> list[tf.Variable]:
        """What `waves_from_labels` reads: the variables that an exported model keeps.

        Raises:
            ValueError: When a library outside TensorFlow makes the waves, so that there is no such graph.
        """
        raise NotImplementedError

    def set_stage(self, num_blocks: int, fade: float | None) -> None:
        """Does nothing: a baseline has one stage."""

    def sample_z(self, n: int, seed: int | None = None) -> np.ndarray:
        """Random latents, float32 [n, latent], standard normal; the same seed gives the same ones."""
        return sample_instruments(n, self.latent_size, seed)

    def waves_from_labels(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """[batch, latent] and class indices [batch] -> waves [batch, samples]; a graph's inside."""
        raise NotImplementedError

    def generate(self, z: np.ndarray, pitch: np.ndarray) -> np.ndarray:
        """Notes as waves.

        Args:
            z: [batch, latent].
            pitch: [batch], MIDI pitches the model knows.

        Returns:
            float32 [batch, samples].

        Raises:
            ValueError: For a pitch the model does not know, or shapes that do not match.
        """
        return in_batches(self._make_waves, z, pitch, self.latent_size, self.pitch_classes)
