"""What both NSynth autoencoders offer (Engel et al. 2017): notes to codes, codes to notes, notes to start from.

An autoencoder has no prior over its codes. So the model keeps a few training notes, and the instruments that `sample_z`
draws are their codes.
"""

import numpy as np
import tensorflow as tf

from gansynth_tf.baselines.note_model import NoteModel
from gansynth_tf.latents import choose_latents
from gansynth_tf.pitches import PitchClasses

_BATCH = 16  # Notes encoded at once.


class Autoencoder(NoteModel):
    """A NoteModel whose z is the code of a note; subclasses also write `codes`.

    Args:
        pitch_classes, sample_rate, audio_length, latent_size, name: See NoteModel.
        num_kept: Training notes that the model keeps.
    """

    latents = "codes"

    def __init__(
        self,
        pitch_classes: PitchClasses,
        sample_rate: int,
        audio_length: int,
        latent_size: int,
        name: str,
        num_kept: int = 16,
    ):
        super().__init__(pitch_classes, sample_rate, audio_length, latent_size, name)
        self.kept_notes = tf.Variable(tf.zeros([num_kept, audio_length]), trainable=False, name="kept_notes")
        self._codes = tf.function(self.codes)

    def codes(self, waves: tf.Tensor) -> tf.Tensor:
        """Waves [batch, samples] -> codes [batch, latent]; a graph's inside."""
        raise NotImplementedError

    def keep(self, waves: np.ndarray) -> None:
        """Keeps notes [notes, samples] for `sample_z`, as many as there is room for, repeated when there are fewer."""
        self.kept_notes.assign(np.resize(waves, self.kept_notes.shape))

    def encode(self, waves: np.ndarray) -> np.ndarray:
        """Codes of recorded notes; `generate` makes them sound again, at their own pitch or at another.

        Args:
            waves: [batch, samples].

        Returns:
            float32 [batch, latent].

        Raises:
            ValueError: When the notes have another length than the model's.
        """
        waves = np.asarray(waves, np.float32)
        if waves.ndim != 2 or waves.shape[1] != self.audio_length:
            raise ValueError(f"Expected waves [batch, {self.audio_length}]. Received: {list(waves.shape)}")
        codes = [np.zeros([0, self.latent_size], np.float32)]
        for start in range(0, len(waves), _BATCH):
            codes.append(self._codes(tf.constant(waves[start : start + _BATCH])).numpy())
        return np.concatenate(codes)

    def sample_z(self, n: int, seed: int | None = None) -> np.ndarray:
        """Codes of kept notes, float32 [n, latent], each note once before one comes again; by seed."""
        return choose_latents(self.encode(self.kept_notes.numpy()), n, seed)
