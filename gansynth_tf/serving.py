"""A trained model as graphs that need only TensorFlow: what a SavedModel of it can be asked.

Signatures as TensorFlow Serving calls them, and the interface of TF-Hub's reusable SavedModels
(tensorflow.org/hub/reusable_saved_models): a callable object with variables, and parts that are callable too.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from gansynth_tf import latents
from gansynth_tf.model import GANSynth

_MIDI_PITCHES = 128


def make_specgrams(model: GANSynth) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function of z [batch, latent] and MIDI pitches [batch] to specgrams that takes any numbers.

    A pitch that the model does not know is played by the nearest it knows; NaN and infinity in z count as 0.
    """
    known = model.pitch_classes
    nearest = [known.nearest(pitch) for pitch in range(_MIDI_PITCHES)]
    labels = known.to_index(np.array(nearest)).astype(np.int32)

    def specgrams(z: tf.Tensor, pitch: tf.Tensor) -> tf.Tensor:
        z = tf.where(tf.math.is_finite(z), z, 0.0)  # One NaN would make the whole note NaN.
        return model.specgrams_from_labels(z, tf.gather(labels, tf.clip_by_value(pitch, 0, _MIDI_PITCHES - 1)))

    return specgrams


def served_variables(model: GANSynth) -> tuple[list[tf.Variable], list[tf.Variable]]:
    """All variables that generate at the model's stage, and those of them that a gradient can train."""
    networks = model.smoothed_generator.active_variables(model.num_blocks, model.fade is not None)
    weights = [variable.value for variable in networks]
    return weights + [variable.value for variable in model.normalizer.weights], weights


class Part(tf.Module):
    """Something callable with weights.

    Args:
        call: One argument, a tensor or a dict of tensors.
        inputs: What it takes: alternatives, each a TensorSpec or a dict of them.
        variables: The weights it reads.
        trainable_variables: Those of them that a gradient reaches.
        name: Of the module.
    """

    # tf.Module computes these from its attributes; a loaded object has only what was assigned.
    variables: list[tf.Variable] = ()
    trainable_variables: list[tf.Variable] = ()
    regularization_losses: list[Callable] = ()

    def __init__(self, call: Callable, inputs: list, variables=(), trainable_variables=(), name: str = "part"):
        super().__init__(name=name)
        self.variables = list(variables)
        self.trainable_variables = list(trainable_variables)
        self.regularization_losses = []
        self._call = call
        for spec in inputs:
            for training in (False, True):
                self.__call__.get_concrete_function(spec, training=training)

    @tf.function
    def __call__(self, inputs, training=False):
        # Nothing differs in training, but a reusable SavedModel must let itself be told.
        return self._call(inputs)


class ServedGANSynth(Part):
    """What is saved: the smoothed generator, the normaliser's numbers and both transforms.

    Called with {'z': [batch, latent] float32, 'pitch': [batch] int32 or int64} it gives audio [batch, samples]. Parts:
    `generator` (the same -> specgrams [batch, time, freq, 2] in physical units), `decode` (specgrams -> audio) and
    `encode` (audio [batch, samples] -> specgrams).

    Args:
        model: Standing at the stage that shall generate.
    """

    def __init__(self, model: GANSynth):
        graphs = _Graphs(model)
        variables, weights = served_variables(model)
        notes = [{"z": graphs.z, "pitch": tf.TensorSpec([None], kind, name="pitch")} for kind in (tf.int32, tf.int64)]
        super().__init__(lambda note: graphs.audio(**_as_int32(note)), notes, variables, weights, "gansynth")
        self.generator = Part(
            lambda note: graphs.specgrams(**_as_int32(note)), notes, variables, weights, name="generator"
        )
        self.encode = Part(graphs.encode, [graphs.waves], name="encode")
        self.decode = Part(graphs.decode, [graphs.whole_specgrams], name="decode")
        self._graphs = graphs  # Holds functions only, none of the model's other variables.

    def signatures(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """Name -> function of named tensors, each with the batch first, to a dict of tensors with the batch first."""
        graphs = self._graphs
        pitch = tf.TensorSpec([None], tf.int32, name="pitch")

        def signature(answer: Callable, **inputs: tf.TensorSpec):
            named = [tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in inputs.items()]
            return tf.function(answer, input_signature=named)

        scalars = {kind: tf.TensorSpec([None], kind) for kind in (tf.int32, tf.float32)}
        return {
            "serving_default": signature(graphs.answer_audio, z=graphs.z, pitch=pitch),
            "random": signature(graphs.answer_random, pitch=pitch, seed=scalars[tf.int32]),
            "interpolate": signature(
                graphs.answer_interpolation, z_from=graphs.z, z_to=graphs.z, position=scalars[tf.float32], pitch=pitch
            ),
            "wav": signature(graphs.answer_wav, z=graphs.z, pitch=pitch),
            "specgram": signature(graphs.answer_specgram, z=graphs.z, pitch=pitch),
        }


def _as_int32(note: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {"z": note["z"], "pitch": tf.cast(tf.clip_by_value(note["pitch"], 0, _MIDI_PITCHES - 1), tf.int32)}


class _Graphs:
    """The functions that all signatures and parts share, so that each graph, with its matrices, is saved once."""

    def __init__(self, model: GANSynth):
        self._sample_rate = model.sample_rate
        self._latent_size = model.latent_size
        self.z = tf.TensorSpec([None, model.latent_size], tf.float32, name="z")
        self.waves = tf.TensorSpec([None, model.audio_length], tf.float32, name="audio")
        self.whole_specgrams = tf.TensorSpec([None, *model.representation.specgram_shape], tf.float32, name="specgram")
        pitch = tf.TensorSpec([None], tf.int32, name="pitch")
        self.specgrams = tf.function(make_specgrams(model), input_signature=[self.z, pitch])
        self.decode = tf.function(model.representation.decode, input_signature=[self.whole_specgrams])
        self.encode = tf.function(model.representation.encode, input_signature=[self.waves])

    def audio(self, z: tf.Tensor, pitch: tf.Tensor) -> tf.Tensor:
        return self.decode(self.specgrams(z, pitch))

    # ------------------------------------------------------------------------------------------ answers

    def answer_audio(self, z: tf.Tensor, pitch: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"audio": self.audio(z, pitch)}

    def answer_specgram(self, z: tf.Tensor, pitch: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"specgram": self.specgrams(z, pitch)}

    def answer_random(self, pitch: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Each note by a seed of its own: the latent does not depend on what else is in the batch."""

        def sample(seed: tf.Tensor) -> tf.Tensor:
            # The words of the 64-bit seed, so that it gives what `sample_z(1, seed)` gives.
            return latents.sample_latents(1, self._latent_size, tf.stack([0, seed]))[0]

        z = tf.map_fn(sample, seed, fn_output_signature=tf.TensorSpec([self._latent_size], tf.float32))
        return {"audio": self.audio(z, pitch), "z": z}

    def answer_interpolation(
        self, z_from: tf.Tensor, z_to: tf.Tensor, position: tf.Tensor, pitch: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        position = tf.clip_by_value(tf.where(tf.math.is_finite(position), position, 0.0), 0.0, 1.0)
        z_from, z_to = (tf.where(tf.math.is_finite(z), z, 0.0) for z in (z_from, z_to))
        return {"audio": self.audio(latents.slerp_tensors(z_from, z_to, position), pitch)}

    def answer_wav(self, z: tf.Tensor, pitch: tf.Tensor) -> dict[str, tf.Tensor]:
        """16-bit WAV files; a note beyond full scale is turned down as a whole, not clipped."""

        def encode(wave: tf.Tensor) -> tf.Tensor:
            wave /= tf.maximum(1.0, tf.reduce_max(tf.abs(wave)))
            return tf.audio.encode_wav(wave[:, tf.newaxis], self._sample_rate)

        waves = self.audio(z, pitch)
        return {"wav_bytes": tf.map_fn(encode, waves, fn_output_signature=tf.TensorSpec([], tf.string))}
