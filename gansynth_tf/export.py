"""A trained model as a SavedModel that needs only TensorFlow: (z, pitch) -> audio, the inverse transform inside."""

import json
import os
import pathlib

import numpy as np
import tensorflow as tf

from gansynth_tf import files, latents
from gansynth_tf.model import GANSynth
from gansynth_tf.pitches import PitchClasses

DESCRIPTION_FILE = "gansynth.json"
_EXPORTED = {DESCRIPTION_FILE, "saved_model.pb", "fingerprint.pb", "variables", "assets"}
_MIDI_PITCHES = 128


class ServedGANSynth(tf.Module):
    """What is saved: the smoothed generator, the normaliser's numbers and the inverse transform, as graphs.

    Args:
        model: Standing at the stage that shall generate.
    """

    def __init__(self, model: GANSynth):
        super().__init__(name="gansynth")
        self._model = [model]  # In a list of its own, so that only the weights below are saved, not the critic.
        keras_variables = [*model.smoothed_generator.weights, *model.normalizer.weights]
        self.weights = [variable.value for variable in keras_variables]
        known = model.pitch_classes
        nearest = [known.nearest(pitch) for pitch in range(_MIDI_PITCHES)]
        self._labels = known.to_index(np.array(nearest)).astype(np.int32)
        arguments = (
            tf.TensorSpec([None, model.latent_size], tf.float32, name="z"),
            tf.TensorSpec([None], tf.int32, name="pitch"),
        )
        self.audio = tf.function(self._audio, input_signature=arguments)
        self.specgrams = tf.function(self._specgrams, input_signature=arguments)

    @tf.Module.with_name_scope
    def _audio(self, z: tf.Tensor, pitch: tf.Tensor) -> dict[str, tf.Tensor]:
        model = self._model[0]
        return {"audio": model.waves_from_labels(z, self._to_labels(pitch))}

    @tf.Module.with_name_scope
    def _specgrams(self, z: tf.Tensor, pitch: tf.Tensor) -> dict[str, tf.Tensor]:
        model = self._model[0]
        return {"specgrams": model.specgrams_from_labels(z, self._to_labels(pitch))}

    def _to_labels(self, pitch: tf.Tensor) -> tf.Tensor:
        """Class indices; a pitch that the model does not know is played by the nearest one it knows."""
        return tf.gather(self._labels, tf.clip_by_value(pitch, 0, _MIDI_PITCHES - 1))


def export_model(model: GANSynth, directory: str | os.PathLike) -> dict:
    """Writes a SavedModel and its description, whole or not at all.

    Signatures, any batch size: `serving_default`: z [batch, latent] float32, pitch [batch] int32 -> audio [batch,
    samples]; `specgrams`: the same -> specgrams [batch, time, freq, 2] in physical units.

    Args:
        model: Any GANSynth.
        directory: A new or empty folder, or one with an earlier export, which is replaced.

    Returns:
        The description, as written to gansynth.json.

    Raises:
        ValueError: When the folder holds something else.
    """
    directory = pathlib.Path(directory).expanduser()
    check_replaceable(directory)
    served = ServedGANSynth(model)
    classes = model.pitch_classes
    description = {
        "latent_size": model.latent_size,
        "sample_rate": model.sample_rate,
        "audio_length": model.audio_length,
        "pitches": list(classes.pitches),
        "pitch_counts": list(classes.counts),
        "tensorflow": tf.__version__,
    }
    with files.replacing_folder(directory) as beside:
        signatures = {"serving_default": served.audio, "specgrams": served.specgrams}
        tf.saved_model.save(served, str(beside), signatures=signatures)
        files.write_json(beside / DESCRIPTION_FILE, description)
    return description


def check_replaceable(directory: str | os.PathLike) -> None:
    """Refuses a folder with files that no export writes, since exporting would delete them.

    Raises:
        ValueError: The folder holds something else, or is none.
    """
    directory = pathlib.Path(directory).expanduser()
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"--export_dir must be a folder. Received: {directory}, a file.")
    names = {path.name for path in directory.iterdir()} if directory.exists() else set()
    foreign = sorted(names - _EXPORTED) or sorted(names if DESCRIPTION_FILE not in names else ())
    if foreign:
        raise ValueError(
            f"--export_dir must be new, empty or an earlier export. Received: {directory}, which holds {foreign[0]}."
        )


def is_export(directory: str | os.PathLike) -> bool:
    """Whether `export_model` wrote this folder."""
    directory = pathlib.Path(directory).expanduser()
    return (directory / DESCRIPTION_FILE).is_file() and (directory / "saved_model.pb").is_file()


class ExportedGANSynth:
    """An exported model with the methods of GANSynth that make notes.

    Args:
        directory: A folder that `export_model` wrote.

    Raises:
        ValueError: When a file in it is damaged.
    """

    def __init__(self, directory: str | os.PathLike):
        try:
            description = json.loads((pathlib.Path(directory) / DESCRIPTION_FILE).read_text())
            self._loaded = tf.saved_model.load(str(directory))  # Kept: its variables live as long as it does.
        except (OSError, ValueError, IndexError, tf.errors.OpError) as error:  # IndexError: a file that ends too early.
            reason = str(error).splitlines()[0]
            raise ValueError(f"The exported model {directory} is damaged: {reason}. Export it again.") from error
        self.pitch_classes = PitchClasses(tuple(description["pitches"]), tuple(description["pitch_counts"]))
        self.pitches = description["pitches"]
        self.sample_rate = description["sample_rate"]
        self.audio_length = description["audio_length"]
        self.latent_size = description["latent_size"]

    def sample_z(self, n: int, seed: int | None = None) -> np.ndarray:
        """Random instruments, float32 [n, latent]; see GANSynth.sample_z."""
        return latents.sample_instruments(n, self.latent_size, seed)

    def generate(self, z: np.ndarray, pitch: np.ndarray) -> np.ndarray:
        """Notes as waves, float32 [batch, samples]; see GANSynth.generate."""
        return self._call("serving_default", z, pitch)["audio"].numpy()

    def generate_specgrams(self, z: np.ndarray, pitch: np.ndarray) -> np.ndarray:
        """Notes as specgrams, float32 [batch, time, freq, 2]; see GANSynth.generate_specgrams."""
        return self._call("specgrams", z, pitch)["specgrams"].numpy()

    def _call(self, signature: str, z: np.ndarray, pitch: np.ndarray) -> dict[str, tf.Tensor]:
        z, pitch = np.asarray(z, np.float32), np.asarray(pitch)
        if z.ndim != 2 or z.shape[1] != self.latent_size or pitch.shape != z.shape[:1]:
            raise ValueError(
                f"Expected z of shape [batch, {self.latent_size}] and as many pitches. "
                f"Received: z {list(z.shape)}, pitch {list(pitch.shape)}"
            )
        self.pitch_classes.to_index(pitch)  # The graph clamps unknown pitches; this interface refuses them.
        return self._loaded.signatures[signature](z=tf.constant(z), pitch=tf.constant(pitch.astype(np.int32)))
