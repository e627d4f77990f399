"""A trained pitch classifier as a SavedModel that needs only TensorFlow, and what reads it."""

import hashlib
import json
import os
import pathlib
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gansynth_tf import files
from gansynth_tf.pitch_classifier import PitchClassifier

DESCRIPTION_FILE = "classifier.json"
_BATCH = 64


class Judgement(NamedTuple):
    """Probabilities of the 128 MIDI pitches, [batch, 128], and features, [batch, size]; float32."""

    probabilities: np.ndarray
    features: np.ndarray


class _Served(tf.Module):
    """What is saved: one graph from waves to everything the classifier says."""

    def __init__(self, classifier: PitchClassifier):
        super().__init__(name="pitch_classifier")
        self._classifier = [classifier]  # In a list of its own, so that only the weights below are saved.
        self.weights = [variable.value for variable in classifier.weights]
        spec = tf.TensorSpec([None, classifier.audio_length], tf.float32, name="audio")
        self.judge = tf.function(self._judge, input_signature=(spec,))

    def _judge(self, audio: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._classifier[0](audio, training=False)


def export_classifier(classifier: PitchClassifier, directory: str | os.PathLike, facts: dict) -> dict:
    """Writes a SavedModel and its description, whole or not at all.

    Its signature `serving_default` takes audio [batch, samples] float32, any batch size, and gives "features" and the
    logits of each head.

    Args:
        classifier: Trained.
        directory: Where it goes; an earlier one is replaced.
        facts: What else the description shall say, such as the data and the accuracy.

    Returns:
        The description, as written to classifier.json. Its "hash" identifies the weights.
    """
    served = _Served(classifier)
    description = {
        "sample_rate": classifier.sample_rate,
        "audio_length": classifier.audio_length,
        "size": classifier.size,
        "heads": list(classifier.heads),
        "hash": _hash(served.weights),
        **facts,
    }
    with files.replacing_folder(directory) as beside:
        tf.saved_model.save(served, str(beside), signatures={"serving_default": served.judge})
        files.write_json(beside / DESCRIPTION_FILE, description)
    return description


def _hash(variables) -> str:
    """Of the weights, whatever their order and names: SHA-256 over their sorted digests."""
    arrays = [np.ascontiguousarray(variable.numpy()) for variable in variables]
    digests = sorted(hashlib.sha256(str(a.shape).encode() + a.tobytes()).hexdigest() for a in arrays)
    return hashlib.sha256("".join(digests).encode()).hexdigest()


class ExportedClassifier:
    """A classifier that `export_classifier` wrote.

    Args:
        directory: Its folder.

    Raises:
        ValueError: When the folder holds none, or a damaged one.
    """

    def __init__(self, directory: str | os.PathLike):
        directory = pathlib.Path(directory)
        if not (directory / DESCRIPTION_FILE).is_file():
            raise ValueError(f"Expected what gansynth_train_classifier writes. Received: {directory}, which has none.")
        try:
            self.description = json.loads((directory / DESCRIPTION_FILE).read_text())
            self._loaded = tf.saved_model.load(str(directory))  # Kept: its variables live as long as it does.
            self.hash = _hash(self._loaded.weights)
            intact = self.hash == self.description["hash"]
        except (OSError, ValueError, KeyError, AttributeError, IndexError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"The classifier {directory} is damaged: {reason}. Train it again.") from error
        if not intact:
            raise ValueError(f"The classifier {directory} is damaged: its weights are not the ones described.")
        self.sample_rate, self.audio_length = self.description["sample_rate"], self.description["audio_length"]

    def judge(self, waves: np.ndarray) -> Judgement:
        """Classifies notes, in bounded memory.

        Args:
            waves: float [batch, samples] at the classifier's rate; cut or padded behind to its length. Samples that are
                not finite count as zero.

        Returns:
            Probabilities and features.
        """
        waves = np.nan_to_num(np.asarray(waves, np.float32), nan=0.0, posinf=0.0, neginf=0.0)[:, : self.audio_length]
        waves = np.pad(waves, ((0, 0), (0, self.audio_length - waves.shape[1])))
        serve = self._loaded.signatures["serving_default"]
        parts = [serve(audio=tf.constant(waves[start : start + _BATCH])) for start in range(0, len(waves), _BATCH)]
        probabilities = [tf.nn.softmax(part["pitch"]).numpy() for part in parts]
        return Judgement(np.concatenate(probabilities), np.concatenate([part["features"].numpy() for part in parts]))
