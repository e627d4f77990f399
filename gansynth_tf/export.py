"""A trained model as files that need only TensorFlow, or TFLite: (z, pitch) -> audio, the inverse transform inside.

An exported folder holds versions 1, 2, …, as TensorFlow Serving wants it; each is whole, and describes itself in
gansynth.json.
"""

import json
import os
import pathlib
import platform
from collections.abc import Collection, Mapping

import keras
import numpy as np
import tensorflow as tf

from gansynth_tf import files, latents, lite, warmup
from gansynth_tf.baselines.autoencoder import Autoencoder
from gansynth_tf.baselines.note_model import NoteModel
from gansynth_tf.model import GANSynth, in_batches
from gansynth_tf.pitches import PitchClasses
from gansynth_tf.serving import ServedGANSynth
from gansynth_tf.serving_baselines import ServedBaseline

DESCRIPTION_FILE = "gansynth.json"
FORMATS = ("saved_model", "tflite")
_SAVED_MODEL_FILE = "saved_model.pb"
_CODES_FILE = "codes.npy"  # Of the notes that an autoencoder keeps.
_TFLITE_FILE = "model.tflite"  # Where TensorFlow Serving looks when it is told to prefer TFLite.

# What the signatures are for, as gansynth.json says it.
_PURPOSES = {
    "serving_default": "Notes of given instruments.",
    "random": "Notes of random instruments; a seed always gives the same one.",
    "interpolate": "Notes of instruments between two: position 0 is z_from, 1 is z_to (slerp).",
    "wav": "Notes as 16-bit WAV files, turned down where they would exceed full scale.",
    "specgram": "Notes as specgrams: natural log magnitude or power, and IF or phase in units of pi.",
}

# ---------------------------------------------------------------------------------------------------- writing


def export_model(
    model: GANSynth | NoteModel,
    directory: str | os.PathLike,
    facts: Mapping | None = None,
    formats: Collection[str] = ("saved_model",),
) -> pathlib.Path:
    """Writes the next version of an exported model, whole or not at all.

    A SavedModel's signatures, any batch size, the batch first everywhere: `serving_default` (z [batch, latent] float32,
    pitch [batch] int32 -> audio [batch, samples] float32), `random` (pitch, seed [batch] int32 -> audio, z),
    `interpolate` (z_from, z_to, position [batch] float32 in [0, 1], pitch -> audio), `wav` (z, pitch -> wav_bytes
    [batch] string), `specgram` (z, pitch -> specgram [batch, time, freq, 2] in physical units). The object itself: see
    serving.ServedGANSynth. A TFLite file has `serving_default` alone, and so have the baselines, which are SavedModels
    only.

    Args:
        model: Any GANSynth, or a baseline whose sampling is a graph.
        directory: A folder of versions; made when missing.
        facts: What else gansynth.json shall say, of JSON's types.
        formats: One or more of `FORMATS`.

    Returns:
        The version's folder, `directory`/NUMBER.

    Raises:
        ValueError: When the folder cannot hold versions, or the model has no such graph.
    """
    directory = pathlib.Path(directory).expanduser()
    check_place(directory)
    if isinstance(model, NoteModel) and "tflite" in formats:
        raise ValueError(f"A {model.name} is exported as a SavedModel only. Received: --format=tflite; leave it out")
    served = ServedBaseline(model) if isinstance(model, NoteModel) else ServedGANSynth(model)
    signatures = served.signatures()
    with files.numbered_folder(directory) as beside:
        if "saved_model" in formats:
            tf.saved_model.save(served, str(beside), signatures=signatures)
            warmup.write_requests(beside / warmup.FILE, [(name, _example(name, model)) for name in signatures])
        else:
            signatures = {"serving_default": signatures["serving_default"]}
        if isinstance(model, Autoencoder):
            np.save(beside / _CODES_FILE, model.encode(model.kept_notes.numpy()))
        if "tflite" in formats:
            (beside / _TFLITE_FILE).write_bytes(lite.to_tflite(model))
        description = {**_describe(model), "signatures": _describe_signatures(signatures), **(facts or {})}
        files.write_json(beside / DESCRIPTION_FILE, description)
    return directory / str(max(files.numbers(directory)))


def check_place(directory: str | os.PathLike) -> None:
    """Refuses a place where versions would be taken for parts of something else.

    Raises:
        ValueError: It is a file, a run folder, a SavedModel itself, or no place of this machine.
    """
    if files.is_remote(directory):
        raise ValueError(f"--export_dir must be a folder of this machine. Received: {directory}")
    directory = pathlib.Path(directory).expanduser()
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"--export_dir must be a folder. Received: {directory}, a file.")
    for name, what in ((_SAVED_MODEL_FILE, "a SavedModel"), ("experiment.json", "a run folder")):
        if (directory / name).exists():
            raise ValueError(
                f"--export_dir must be a folder of versions 1, 2, … or a new one. Received: {directory}, {what} itself."
            )


def _describe(model: GANSynth | NoteModel) -> dict:
    from gansynth_tf import __version__

    own = {"latents": model.latents} if isinstance(model, NoteModel) else {}
    if isinstance(model, GANSynth):
        own["specgram_shape"] = list(model.representation.specgram_shape)
    return {
        **own,
        "latent_size": model.latent_size,
        "sample_rate": model.sample_rate,
        "audio_length": model.audio_length,
        "pitches": model.pitches,
        "pitch_counts": list(model.pitch_classes.counts),
        "pitched": model.pitch_classes.pitched,
        "versions": {
            "gansynth_tf": __version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
        },
    }


def _describe_signatures(signatures: Mapping) -> dict:
    def describe(specs: Mapping) -> dict[str, str]:
        sizes = {name: ", ".join(["batch", *map(str, spec.shape[1:])]) for name, spec in specs.items()}
        return {name: f"{spec.dtype.name} [{sizes[name]}]" for name, spec in specs.items()}

    described = {}
    for name, function in signatures.items():
        traced = function.get_concrete_function()
        inputs = {spec.name: spec for spec in function.input_signature}
        outputs = describe(traced.structured_outputs)
        described[name] = {"purpose": _PURPOSES[name], "inputs": describe(inputs), "outputs": outputs}
    return described


def _example(signature: str, model: GANSynth | NoteModel) -> dict[str, tf.Tensor]:
    """One note's request, of the signature's types."""
    z = tf.zeros([1, model.latent_size])
    pitch = tf.constant([model.pitches[len(model.pitches) // 2]], tf.int32)
    match signature:
        case "random":
            return {"pitch": pitch, "seed": tf.zeros([1], tf.int32)}
        case "interpolate":
            return {"z_from": z, "z_to": z, "position": tf.zeros([1]), "pitch": pitch}
    return {"z": z, "pitch": pitch}


# ---------------------------------------------------------------------------------------------------- reading


def find_export(directory: str | os.PathLike) -> pathlib.Path | None:
    """The version that a folder stands for: itself, or the newest SavedModel in it; None when it is no exported model.

    Raises:
        ValueError: When there are TFLite files only.
    """
    directory = pathlib.Path(directory).expanduser()
    versions = [directory, *(directory / str(number) for number in reversed(files.numbers(directory)))]
    described = [path for path in versions if (path / DESCRIPTION_FILE).is_file()]
    for path in described:
        if (path / _SAVED_MODEL_FILE).is_file():
            return path
    if any((path / _TFLITE_FILE).is_file() for path in described):
        raise ValueError(
            f"Expected a SavedModel. Received: {directory}, which holds TFLite only: ai_edge_litert runs that."
        )
    return None


class ExportedGANSynth:
    """An exported model with the methods of GANSynth that make notes.

    Args:
        directory: A version that `export_model` wrote.

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
        pitches, counts = tuple(description["pitches"]), tuple(description["pitch_counts"])
        self.pitch_classes = PitchClasses(pitches, counts, description.get("pitched", True))
        self.pitches = description["pitches"]
        self.sample_rate = description["sample_rate"]
        self.audio_length = description["audio_length"]
        self.latent_size = description["latent_size"]
        self._latents = description.get("latents", "normal")
        self._codes = np.load(pathlib.Path(directory) / _CODES_FILE) if self._latents == "codes" else None

    def sample_z(self, n: int, seed: int | None = None) -> np.ndarray:
        """Random instruments, float32 [n, latent], as the model itself draws them; see GANSynth.sample_z."""
        match self._latents:
            case "uniform":
                return latents.sample_uniform(n, self.latent_size, seed)
            case "codes":
                return latents.choose_latents(self._codes, n, seed)
        return latents.sample_instruments(n, self.latent_size, seed)

    def generate(self, z: np.ndarray, pitch: np.ndarray) -> np.ndarray:
        """Notes as waves, float32 [batch, samples]; see GANSynth.generate."""
        return self._in_batches("serving_default", "audio", z, pitch)

    def generate_specgrams(self, z: np.ndarray, pitch: np.ndarray) -> np.ndarray:
        """Notes as specgrams, float32 [batch, time, freq, 2]; see GANSynth.generate_specgrams."""
        return self._in_batches("specgram", "specgram", z, pitch)

    def encode(self, waves: tf.Tensor) -> tf.Tensor:
        """Waves [batch, samples] -> specgrams [batch, time, freq, 2]; see GANSynth.encode."""
        return self._loaded.encode(waves)

    def waves_from_labels(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """[batch, latent] and class indices [batch] -> waves [batch, samples], with gradients; a graph's inside."""
        pitch = tf.gather(tf.constant(self.pitches, tf.int32), labels)
        return self._loaded.signatures["serving_default"](z=z, pitch=pitch)["audio"]

    def _in_batches(self, signature: str, output: str, z: np.ndarray, pitch: np.ndarray) -> np.ndarray:
        """The graph clamps unknown pitches; this interface refuses them, as the model's own does."""
        function, known = self._loaded.signatures[signature], self.pitch_classes

        def make(z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
            return function(z=z, pitch=tf.constant(known.to_pitch(labels), tf.int32))[output]

        return in_batches(make, z, pitch, self.latent_size, known)
