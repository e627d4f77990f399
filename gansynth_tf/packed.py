"""A packed model: a trained GANSynth as four small files, its weights in half precision.

It plays as a run folder does, and as it holds the critic, too, a run can start from it (`init_from`). The optimizers'
state is left out. One packed model comes with the package: the model in the box.
"""

import json
import os
import pathlib
import zipfile
from collections.abc import Mapping

import keras
import numpy as np

from gansynth_tf import files
from gansynth_tf.model import GANSynth

WEIGHTS_FILE = "weights.npz"
MODEL_FILE = "model.json"  # Where its growth stands, and the facts of its making.
EXPERIMENT_FILE = "experiment.json"  # Settings and pitches are kept as in a run folder.
PITCHES_FILE = "pitches.json"
_FILES = frozenset((WEIGHTS_FILE, MODEL_FILE, EXPERIMENT_FILE, PITCHES_FILE))
_PARTS = ("first", "second", "to_specgram", "from_specgram")  # Of a block.
_HEADS = ("score", "pitch")  # Of the critic.


def is_packed(folder: str | os.PathLike) -> bool:
    """Whether a folder holds a packed model."""
    return (pathlib.Path(folder) / WEIGHTS_FILE).is_file()


def pack(model: GANSynth, folder: str | os.PathLike, hparams: Mapping, facts: Mapping) -> None:
    """Writes a packed model, whole or not at all.

    Args:
        model: Trained.
        folder: Replaced if it holds a packed model and nothing else.
        hparams: The settings that the model is built by, of JSON's types.
        facts: What else model.json shall say, of JSON's types.

    Raises:
        ValueError: When a weight is not finite in half precision, or the folder holds something else.
    """
    folder = pathlib.Path(folder).expanduser()
    if folder.exists() and not (folder.is_dir() and _FILES.issuperset(os.listdir(folder))):
        raise ValueError(
            f"Expected a new or empty folder, or one with a packed model and nothing else. Received: {folder}"
        )
    weights = {name: np.asarray(weight, _dtype(name)) for name, weight in named_weights(model).items()}
    broken = [name for name, weight in weights.items() if not np.isfinite(weight).all()]
    if broken:
        raise ValueError(f"Expected weights that are finite in half precision. Received others in {broken[0]}")
    with files.replacing_folder(folder) as beside:
        np.savez_compressed(beside / WEIGHTS_FILE, **weights)
        files.write_json(beside / EXPERIMENT_FILE, dict(hparams))
        files.write_json(beside / PITCHES_FILE, model.pitch_classes.to_json())
        files.write_json(beside / MODEL_FILE, {"num_blocks": model.num_blocks, "fade": model.fade, **facts})


def read_weights(model: GANSynth, folder: str | os.PathLike) -> None:
    """Gives a model the weights of a packed one, and its place in the growth.

    Args:
        model: Built as the folder's settings and pitches say.
        folder: Of a packed model.

    Raises:
        ValueError: When the files are damaged, or do not hold this model.
    """
    folder, ours = pathlib.Path(folder), named_weights(model)
    try:
        with (folder / WEIGHTS_FILE).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            theirs = {name: archive[name] for name in archive.files}
        facts = read_facts(folder)
        stage = int(facts["num_blocks"]), facts["fade"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{folder} is damaged: {type(error).__name__}: {error}. Put a copy in its place.") from None
    expected = {name: tuple(weight.shape) for name, weight in ours.items()}
    found = {name: weight.shape for name, weight in theirs.items()}
    if found != expected:
        name = sorted(name for name in expected | found if expected.get(name) != found.get(name))[0]
        raise ValueError(
            f"{folder} does not hold the model that its {EXPERIMENT_FILE} describes. Expected {name} of shape "
            f"{expected.get(name)}. Received: {found.get(name)}"
        )
    for name, weight in ours.items():
        weight.assign(theirs[name].astype(np.float32))
    model.set_stage(*stage)


def read_facts(folder: str | os.PathLike) -> dict:
    """What model.json says."""
    return json.loads((pathlib.Path(folder) / MODEL_FILE).read_text())


def named_weights(model: GANSynth) -> dict[str, keras.Variable]:
    """All weights of the three networks and the normaliser, by their places: generator/block_1/first/kernel, …"""
    layers = {"normalizer": model.normalizer}
    for role in ("generator", "smoothed_generator", "discriminator"):
        network = getattr(model, role)
        holders = {f"{role}/block_{number}": block for number, block in enumerate(network.blocks, start=1)}
        for place, holder in {role: network, **holders}.items():
            parts = [part for part in (*_PARTS, *_HEADS) if hasattr(holder, part)]
            layers |= {f"{place}/{part}": getattr(holder, part) for part in parts}
    return {f"{place}/{weight.name}": weight for place, layer in layers.items() for weight in layer.weights}


def _dtype(name: str) -> type:
    # The normaliser's few numbers scale everything.
    return np.float32 if name.startswith("normalizer/") else np.float16
