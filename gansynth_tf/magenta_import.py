"""Magenta's TensorFlow 1 models, as its users' folders hold them: experiment.json, stage_*/model.ckpt-*, assets/*.npz.

A table of names says which of Magenta's variables is which of ours, and both of its sides are exhausted. Kernels are
stored as N(0, 1) on both sides and scaled at run time by the layer they belong to (`to_rgb` by He's slope 1, the other
convolutions by slope 0: magenta/models/gansynth/lib/networks.py), so no number changes on the way. Neither TensorFlow
1 nor a data set nor a network is needed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import typing
import zipfile
from collections.abc import Iterator

from gansynth_tf import magenta_folders
from gansynth_tf.hparams import IGNORED_MAGENTA_KEYS, HParams
from gansynth_tf.pitches import PitchClasses
from gansynth_tf.settings import read_json, read_pitches

if typing.TYPE_CHECKING:
    import keras
    import numpy as np

    from gansynth_tf.magenta_folders import Folder, FoundModel
    from gansynth_tf.model import GANSynth

# Notes at each MIDI pitch from 24 to 84 in the training part of TFDS' nsynth/gansynth_subset 2.3, as Magenta's
# lib/datasets.py counts them. Its folders do not say which pitches a model knows; it is always these.
NSYNTH_PITCH_COUNTS = (
    551, 545, 561, 550, 549, 578, 547, 628, 626, 630, 670, 668, 751, 768, 788, 801, 821, 871, 873, 860, 873, 844, 883,
    865, 1058, 1036, 1094, 1065, 1186, 1200, 1187, 1346, 1273, 1320, 1263, 1283, 1349, 1285, 1281, 1332, 1286, 1301,
    1220, 1300, 1209, 1257, 1288, 1223, 1258, 1183, 1178, 1125, 1171, 1089, 1024, 1081, 966, 1043, 991, 959, 977,
)  # fmt: skip
NSYNTH_PITCHES = PitchClasses(tuple(range(24, 85)), NSYNTH_PITCH_COUNTS)

_EXPERIMENT_FILE, _PITCHES_FILE = "experiment.json", "pitches.json"
# Without these a model would be built in the sizes of Magenta's smoke test. Its own presets set every one of them.
_ESSENTIAL_KEYS = (
    "data_type", "latent_vector_size", "num_resolutions", "start_height", "start_width", "fmap_base", "fmap_max",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class MagentaModel:
    """A model found in a Magenta folder; its weights are still in the checkpoint.

    Args:
        found: The checkpoint and its folder.
        hparams: Settings.
        pitch_classes: The pitches it knows.
        examples_seen: Magenta's global step, which counts training examples.
        train_seconds: Seconds trained; Magenta counts them for `train_time_limit`.
        remarks: What was untidy and how it was read, for the user.
    """

    found: FoundModel
    hparams: HParams
    pitch_classes: PitchClasses
    examples_seen: int
    train_seconds: float
    remarks: tuple[str, ...]


@contextlib.contextmanager
def open_model(path: str | os.PathLike, overrides: dict | None = None) -> Iterator[MagentaModel]:
    """Finds the model that a path means and reads all of it but the weights.

    Args:
        path: See `magenta_folders.find_model`.
        overrides: Settings that replace those of experiment.json.

    Yields:
        The model. What came out of a zip is deleted when the block ends.

    Raises:
        ValueError: When there is none, or it is damaged; the message says what is wrong.
    """
    with magenta_folders.find_model(path) as found:
        remarks = list(found.remarks)
        with magenta_folders.zip_errors(path):
            hparams = _read_settings(found.folder, remarks).override(overrides or {})
        last = 2 * hparams.num_resolutions - 2
        if found.stage > last:
            stages = f"{hparams.num_resolutions} resolutions, so that stage {last} is the last"
            raise ValueError(f"{found.folder / _EXPERIMENT_FILE} tells of {stages}. Received: stage {found.stage}.")
        reader = _Reader(found.checkpoint)
        pitch_classes = _read_pitches(found.folder, reader)
        clock = reader.examples_seen(), reader.train_seconds()
        yield MagentaModel(found, hparams, pitch_classes, *clock, tuple(remarks))


# ---------------------------------------------------------------------------------------------------- settings


def _read_settings(folder: Folder, remarks: list[str]) -> HParams:
    """What experiment.json says; never Magenta's defaults for the network's size."""
    file = folder / _EXPERIMENT_FILE
    if not file.is_file():
        raise ValueError(
            f"{folder} has no {_EXPERIMENT_FILE}, which says how large the networks are. "
            "Put the one that Magenta wrote beside the stage folders."
        )
    values = read_json(file)
    missing = [key for key in _ESSENTIAL_KEYS if key not in values]
    if missing:
        raise ValueError(f"{file} lacks {', '.join(missing)}: it is none of Magenta's, or damaged. Put a copy there.")
    known = {field.name for field in dataclasses.fields(HParams)}
    unknown = sorted(values.keys() - known - set(IGNORED_MAGENTA_KEYS))
    if unknown:  # Magenta accepted any key, and a misspelt one meant nothing there either.
        remarks.append(f"Settings in {file} that mean nothing: {', '.join(unknown)}.")
    # Earlier versions named their data differently; all of them trained on NSynth.
    values = {key: value for key, value in values.items() if key in known} | {"dataset_name": "nsynth_tfds"}
    try:
        return HParams().override(values)
    except ValueError as error:
        raise ValueError(f"{file} cannot be used: {error}") from None


def _read_pitches(folder: Folder, reader: _Reader) -> PitchClasses:
    """The pitches of a model: NSynth's 61, or what a pitches.json beside experiment.json says."""
    count = reader.shape(f"{_PITCH_HEAD}/bias")[0]
    file = folder / _PITCHES_FILE
    pitches = read_pitches(file) if file.is_file() else NSYNTH_PITCHES
    if pitches.num_classes != count:
        source = file if file.is_file() else "NSynth"
        raise ValueError(
            f"{reader.prefix} knows {count} pitches, not the {pitches.num_classes} of {source}; its folder does not "
            f"say which. Write them to {file}, ascending, with how many training notes each had: "
            '{"pitches": [60, 62, …], "counts": [20, 30, …]}'
        )
    return pitches


# ---------------------------------------------------------------------------------------------------- weights

_GENERATOR, _DISCRIMINATOR = "Generator/progressive_gan_generator", "Discriminator/progressive_gan_discriminator"
_SMOOTHED = "/ExponentialMovingAverage"
# Magenta's scope in a block -> our layer of that block.
_GENERATOR_LAYERS = {"conv0": "first", "conv1": "second", "to_rgb": "to_specgram"}
_DISCRIMINATOR_LAYERS = {"conv0": "first", "conv1": "second", "from_rgb": "from_specgram"}
_SCORE_HEAD = f"{_DISCRIMINATOR}/progressive_gan_block_1/logits"
_PITCH_HEAD = "Discriminator/discriminator_cond/classification_logits"
_LEFTOVERS = {
    "Adam slots": re.compile(r".*/Adam(_1)?"),
    "beta powers": re.compile(r".*/beta[12]_power"),
    "counters": re.compile(r"global_step|Variable"),
}


def name_table(model: GANSynth, num_blocks: int) -> dict[str, keras.Variable]:
    """Magenta's name of every weight of the blocks that run -> our variable."""
    table = {}

    def add(scope: str, kind: str, layer, suffix: str = "") -> None:
        table[f"{scope}/{kind}/kernel{suffix}"] = layer.kernel
        table[f"{scope}/bias{suffix}"] = layer.bias

    for block in range(1, num_blocks + 1):
        for generator, suffix in ((model.generator, ""), (model.smoothed_generator, _SMOOTHED)):
            for scope, layer in _GENERATOR_LAYERS.items():
                ours = getattr(generator.blocks[block - 1], layer)
                add(f"{_GENERATOR}/progressive_gan_block_{block}/{scope}", "conv2d", ours, suffix)
        for scope, layer in _DISCRIMINATOR_LAYERS.items():
            ours = getattr(model.discriminator.blocks[block - 1], layer)
            add(f"{_DISCRIMINATOR}/progressive_gan_block_{block}/{scope}", "conv2d", ours)
    add(_SCORE_HEAD, "dense", model.discriminator.score)
    add(_PITCH_HEAD, "dense", model.discriminator.pitch)
    return table


def read_weights(model: GANSynth, source: MagentaModel) -> dict[str, list[str]]:
    """Reads a found model's weights and its normaliser's constants into a model built from its settings.

    Blocks beyond the checkpoint's stage keep the weights they were made with.

    Args:
        model: With fresh weights, of `source.hparams` and `source.pitch_classes`.
        source: From `open_model`.

    Returns:
        Names of the variables that were left in the checkpoint, by kind: Adam slots, beta powers, counters, other.

    Raises:
        ValueError: When a variable is missing, has another shape, or belongs to a network of another size.
    """
    num_blocks = (source.found.stage + 1) // 2 + 1
    table = name_table(model, num_blocks)
    _check_ours_exhausted(model, num_blocks, table)
    reader = _Reader(source.found.checkpoint)
    leftovers = _sort_leftovers(reader, reader.shapes.keys() - table.keys())
    for name, variable in table.items():
        if reader.shape(name) != tuple(variable.shape):
            raise ValueError(
                f"{name} in {source.found.checkpoint} has the shape {list(reader.shape(name))}, but the settings "
                f"make it {list(variable.shape)}: they belong to another model."
            )
    for name, variable in table.items():
        variable.assign(reader.read(name))
    _read_normalizer(model, source)
    return leftovers


def _check_ours_exhausted(model: GANSynth, num_blocks: int, table: dict[str, keras.Variable]) -> None:
    networks = (model.generator, model.smoothed_generator, model.discriminator)
    ours = [weight for network in networks for block in network.blocks[:num_blocks] for weight in block.weights]
    ours += model.discriminator.score.weights + model.discriminator.pitch.weights
    if sorted(map(id, ours)) != sorted(map(id, table.values())):
        raise ValueError("The table of Magenta's names does not hold every weight of the networks once.")


def _sort_leftovers(reader: _Reader, names: set[str]) -> dict[str, list[str]]:
    """The checkpoint's other variables by kind; one that looks like a network's is an error."""
    kinds = {kind: sorted(filter(pattern.fullmatch, names)) for kind, pattern in _LEFTOVERS.items()}
    other = sorted(names - {name for found in kinds.values() for name in found})
    networks = [name for name in other if name.startswith(("Generator/", "Discriminator/"))]
    if networks:
        raise ValueError(
            f"{reader.prefix} holds {len(networks)} weights that {_EXPERIMENT_FILE} knows nothing of, "
            f"{networks[0]} among them: it belongs to another model."
        )
    return {kind: found for kind, found in (kinds | {"other": other}).items() if found}


def _read_normalizer(model: GANSynth, source: MagentaModel) -> None:
    """Constants that Magenta fitted and keeps beside its checkpoints: a row of a, b, a, b, or one for each bin."""
    import numpy as np

    name = source.hparams.data_normalizer
    if name not in ("specgrams_simple_normalizer", "specgrams_freq_normalizer"):
        return
    file = source.found.folder / "assets" / f"{name}.npz"
    if not file.is_file():
        raise ValueError(f"{source.found.folder} lacks assets/{name}.npz, without which its specgrams have no scale.")
    try:
        constants = np.load(io.BytesIO(file.read_bytes()))["normalizer"]
        model.normalizer.assign(constants[..., [0, 2]], constants[..., [1, 3]])
    except (ValueError, KeyError, IndexError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file} is damaged, or belongs to another model: {error}") from None


class _Reader:
    """TensorFlow's reader of checkpoints, which says in one line what is wrong with a file."""

    def __init__(self, prefix: os.PathLike):
        import tensorflow as tf

        self.prefix = prefix
        self._errors = (tf.errors.OpError, ValueError, IndexError, RuntimeError)
        try:
            self._reader = tf.train.load_checkpoint(str(prefix))
            self.shapes = {name: tuple(shape) for name, shape in self._reader.get_variable_to_shape_map().items()}
        except self._errors as error:
            raise self._damaged(error) from None

    def shape(self, name: str) -> tuple[int, ...]:
        """Of a variable that must be there."""
        if name not in self.shapes:
            raise ValueError(f"{self.prefix} lacks {name}: it is no checkpoint of Magenta's GANSynth at this stage.")
        return self.shapes[name]

    def read(self, name: str) -> np.ndarray:
        """A variable's value."""
        try:
            return self._reader.get_tensor(name)
        except self._errors as error:
            raise self._damaged(error) from None

    def examples_seen(self) -> int:
        """Magenta's global step, which the checkpoint's name repeats."""
        if "global_step" in self.shapes:
            return int(self.read("global_step"))
        return int(self.prefix.name.rpartition("-")[2])

    def train_seconds(self) -> float:
        """Seconds trained; versions of Magenta before `train_time_limit` have none."""
        return float(self.read("Variable")) if self.shapes.get("Variable") == () else 0.0

    def _damaged(self, error: Exception) -> ValueError:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return ValueError(f"{self.prefix} is damaged or was cut short: {reason}. Copy its files again.")
