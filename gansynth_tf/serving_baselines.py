"""A baseline as a graph that needs only TensorFlow: (z, pitch) -> audio."""

import numpy as np
import tensorflow as tf

from gansynth_tf.baselines.note_model import NoteModel

_MIDI_PITCHES = 128


class ServedBaseline(tf.Module):
    """What is saved of a baseline: the weights that make notes.

    Args:
        model: Whose sampling is a graph.
    """

    def __init__(self, model: NoteModel):
        super().__init__(name=model.name)
        self._model = [model]  # In a list, so that what is not needed for notes is not saved.
        self.weights = model.generating_variables
        known = model.pitch_classes
        nearest = np.array([known.nearest(pitch) for pitch in range(_MIDI_PITCHES)])
        self._labels = known.to_index(nearest).astype(np.int32)

    def signatures(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """`serving_default`: z [batch, latent] float32 and pitch [batch] int32 -> audio [batch, samples].

        Raises:
            ValueError: When the model's sampling is no graph.
        """
        model = self._model[0]
        z = tf.TensorSpec([None, model.latent_size], tf.float32, name="z")
        pitch = tf.TensorSpec([None], tf.int32, name="pitch")
        served = tf.function(self._audio, input_signature=[z, pitch])
        served.get_concrete_function()
        return {"serving_default": served}

    def _audio(self, z: tf.Tensor, pitch: tf.Tensor) -> dict[str, tf.Tensor]:
        """A pitch that the model does not know is played by the nearest one it knows."""
        labels = tf.gather(self._labels, tf.clip_by_value(pitch, 0, _MIDI_PITCHES - 1))
        return {"audio": self._model[0].waves_from_labels(z, labels)}
