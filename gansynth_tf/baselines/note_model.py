"""What every baseline offers to the commands: pitches, sizes, latents, and notes from (z, pitch)."""

import numpy as np
import tensorflow as tf

from gansynth_tf import latents
from gansynth_tf.pitches import PitchClasses

_LARGEST_BATCH = 64  # Notes made in one pass, so that memory stays bounded however many are asked for.


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

    @property
    def generating_variables(self) -> list[tf.Variable]:
        """What `waves_from_labels` reads: the variables that an exported model keeps."""
        raise NotImplementedError

    def set_stage(self, num_blocks: int, fade: float | None) -> None:
        """Does nothing: a baseline has one stage."""

    def sample_z(self, n: int, seed: int | None = None) -> np.ndarray:
        """Random latents, float32 [n, latent], standard normal; the same seed gives the same ones."""
        return latents.sample_instruments(n, self.latent_size, seed)

    def waves_from_labels(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """[batch, latent] and class indices [batch] -> waves [batch, samples]; a graph's inside.

        Raises:
            ValueError: When a library outside TensorFlow makes the waves, so that there is no such graph.
        """
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
        z, pitch = np.asarray(z, np.float32), np.asarray(pitch)
        if z.ndim != 2 or z.shape[1] != self.latent_size or pitch.shape != z.shape[:1]:
            raise ValueError(
                f"Expected z of shape [batch, {self.latent_size}] and as many pitches. "
                f"Received: z {list(z.shape)}, pitch {list(pitch.shape)}"
            )
        labels = self.pitch_classes.to_index(pitch).astype(np.int32)
        notes = [np.zeros([0, self.audio_length], np.float32)]
        for start in range(0, len(z), _LARGEST_BATCH):
            rows = slice(start, start + _LARGEST_BATCH)
            notes.append(np.asarray(self._make_waves(tf.constant(z[rows]), tf.constant(labels[rows]))))
        return np.concatenate(notes)
