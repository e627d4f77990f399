"""Notes in TFRecord shards with 16-bit audio and a manifest; features named as in TFDS nsynth/gansynth_subset."""

import contextlib
import dataclasses
import glob
import json
import os
import pathlib
import shutil
import time
from collections.abc import Iterable, Iterator

import numpy as np

from gansynth_tf import files

MANIFEST_NAME = "manifest.json"
SPLITS = ("train", "valid", "test")
# NSynth's own lists and orders; records hold places in them, as TFDS does.
FAMILIES = (
    "bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "synth_lead", "vocal",
)
SOURCES = ("acoustic", "electronic", "synthetic")
QUALITIES = (
    "bright", "dark", "distortion", "fast_decay", "long_release",
    "multiphonic", "nonlinear_env", "percussive", "reverb", "tempo-synced",
)
_SCHEMA_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Note:
    """One note on its way into a shard.

    Args:
        id: Unique name, as NSynth's "flute_acoustic_002-060-100".
        audio: float [samples] in [-1, 1].
        pitch: MIDI pitch.
        velocity: MIDI velocity.
        instrument: The instrument's unique name.
        family: One of `FAMILIES`.
        source: One of `SOURCES`.
        split: One of `SPLITS`.
        qualities: Those of `QUALITIES` that the note has.
    """

    id: str
    audio: np.ndarray
    pitch: int
    velocity: int
    instrument: str
    family: str
    source: str
    split: str
    qualities: tuple[str, ...] = ()

    def __post_init__(self):
        named = (("family", self.family, FAMILIES), ("source", self.source, SOURCES), ("split", self.split, SPLITS))
        for name, value, known in (*named, *(("qualities", quality, QUALITIES) for quality in self.qualities)):
            if value not in known:
                raise ValueError(f"Expected {name} of note {self.id} among {', '.join(known)}. Received: {value!r}.")
        if np.ndim(self.audio) != 1 or not np.all(np.isfinite(self.audio)):
            found = f"shape {np.shape(self.audio)}" if np.ndim(self.audio) != 1 else "NaN or infinity"
            raise ValueError(f"Expected finite audio [samples] of note {self.id}. Received: {found}; leave it out.")


def write_records(directory: str | os.PathLike, notes: Iterable[Note], manifest: dict, num_shards: int) -> dict:
    """Writes notes as a folder of shards, complete or not at all.

    The folder is written beside its place and renamed. A folder written by this function before is replaced.

    Args:
        directory: Where the folder shall be.
        notes: The notes. They are dealt to their split's shards in turn.
        manifest: What else to keep about the set. Read after the last note, so the iterator may still add to it.
        num_shards: Shards of the train split; the other splits get one.

    Returns:
        The manifest as stored: the given one and "schema_version", "splits" (notes, shards and pitch counts of each)
        and "instruments" (name, family, source; in the order of `instrument/label`).

    Raises:
        ValueError: `directory` holds anything else, or there are no train notes, or an id occurs twice.
    """
    directory = pathlib.Path(directory).absolute()
    check_replaceable(directory)
    _remove_leftovers(directory)
    with files.replacing_folder(directory) as partial:
        contents = _write_shards(partial, notes, num_shards)
        manifest = {**manifest, "schema_version": _SCHEMA_VERSION, **contents}
        # What is returned equals what is read later, with lists for tuples.
        manifest = json.loads(json.dumps(manifest))
        files.write_json(partial / MANIFEST_NAME, manifest)
        _sync(partial)
    return manifest


def check_replaceable(directory: str | os.PathLike) -> None:
    """Refuses a place that holds anything but a set of records, since writing there would delete it.

    Raises:
        ValueError: Something else is there.
    """
    directory = pathlib.Path(directory)
    if not directory.exists():
        return
    names = {path.name for path in directory.iterdir()} if directory.is_dir() else {directory.name}
    foreign = sorted(name for name in names if name != MANIFEST_NAME and not name.endswith(".tfrecord"))
    if foreign or (names and MANIFEST_NAME not in names):
        found = f"{directory}, which holds {(foreign or sorted(names))[0]}"
        raise ValueError(f"Expected a new, empty or previously written data folder. Received: {found}; choose another.")


def read_manifest(directory: str | os.PathLike) -> dict:
    """Reads the manifest of a folder of records.

    Args:
        directory: A folder that `write_records` made.

    Returns:
        The manifest.

    Raises:
        FileNotFoundError: The folder has no manifest.
        ValueError: The manifest is not one of ours, or of another version.
    """
    path = pathlib.Path(directory) / MANIFEST_NAME
    if not path.is_file():
        raise FileNotFoundError(f"Expected a folder with {MANIFEST_NAME}. Received: {directory}; prepare it first.")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["schema_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"Expected a manifest of records. Received: {path}, unreadable; prepare it again.") from error
    if version != _SCHEMA_VERSION:
        raise ValueError(f"Expected schema version {_SCHEMA_VERSION}. Received: {version} in {path}; prepare it again.")
    return manifest


def list_shards(directory: str | os.PathLike, split: str) -> list[str]:
    """Paths of a split's shards, in order.

    Args:
        directory: A folder that `write_records` made.
        split: One of the manifest's splits.

    Returns:
        Paths; empty when the split has no notes.

    Raises:
        FileNotFoundError: The folder has no manifest, or a shard is missing.
        ValueError: The split is unknown.
    """
    splits = read_manifest(directory)["splits"]
    if split not in splits:
        raise ValueError(f"Expected one of the splits {', '.join(splits)}. Received: {split!r}.")
    paths = [pathlib.Path(directory) / name for name in splits[split]["shards"]]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"Expected {path}, named by its manifest. It is missing; prepare the data again.")
    return [str(path) for path in paths]


def serialize_note(note: Note, label: int) -> bytes:
    """Encodes one note as a `tf.train.Example`.

    Audio becomes little-endian 16-bit integers, round(x * 32768), clipped: what NSynth's own WAV files hold.

    Args:
        note: The note.
        label: The instrument's place in the manifest's list.

    Returns:
        The serialized example.
    """
    import tensorflow as tf

    audio = np.clip(np.round(np.asarray(note.audio, np.float64) * 32768.0), -32768, 32767).astype("<i2")
    integers = {
        "pitch": note.pitch,
        "velocity": note.velocity,
        "instrument/label": label,
        "instrument/family": FAMILIES.index(note.family),
        "instrument/source": SOURCES.index(note.source),
        **{f"qualities/{name}": int(name in note.qualities) for name in QUALITIES},
    }
    features = {name: tf.train.Feature(int64_list=tf.train.Int64List(value=[int(n)])) for name, n in integers.items()}
    for name, value in (("id", note.id.encode()), ("audio", audio.tobytes())):
        features[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def parse_record(serialized, num_samples: int) -> dict:
    """Decodes one note; usable inside `tf.data`.

    Args:
        serialized: Scalar string tensor, from `serialize_note`.
        num_samples: Wanted length; longer audio loses its end, shorter audio is followed by zeros.

    Returns:
        "id" string, "audio" float32 [num_samples] in [-1, 1], and int32 "pitch", "velocity", "instrument/label",
        "instrument/family", "instrument/source" (places in the manifest's instruments, `FAMILIES`, `SOURCES`), and
        "qualities" bool [10] in the order of `QUALITIES`.
    """
    import tensorflow as tf

    strings = {name: tf.io.FixedLenFeature([], tf.string) for name in ("id", "audio")}
    names = ["pitch", "velocity", "instrument/label", "instrument/family", "instrument/source"]
    qualities = [f"qualities/{name}" for name in QUALITIES]
    integers = {name: tf.io.FixedLenFeature([], tf.int64) for name in names + qualities}
    example = tf.io.parse_single_example(serialized, {**strings, **integers})
    audio = tf.cast(tf.io.decode_raw(example["audio"], tf.int16)[:num_samples], tf.float32) / 32768.0
    audio = tf.pad(audio, [[0, num_samples - tf.shape(audio)[0]]])
    return {
        "id": example["id"],
        "audio": tf.ensure_shape(audio, [num_samples]),
        **{name: tf.cast(example[name], tf.int32) for name in names},
        "qualities": tf.cast(tf.stack([example[name] for name in qualities]), tf.bool),
    }


def _write_shards(directory: pathlib.Path, notes: Iterable[Note], num_shards: int) -> dict:
    """Writes every note and returns the manifest's "splits" and "instruments"."""
    names = {split: _shard_names(split, num_shards if split == "train" else 1) for split in SPLITS}
    splits = {split: {"num_notes": 0, "shards": [], "pitches": {}} for split in SPLITS}
    instruments: dict[str, dict] = {}
    labels: dict[str, int] = {}
    ids = set()
    with _open_writers(directory) as writer:
        for note in notes:
            if note.id in ids:
                raise ValueError(f"Expected every note to have its own id. Received {note.id!r} twice; rename one.")
            ids.add(note.id)
            label = labels.setdefault(note.instrument, len(labels))
            about = {"name": note.instrument, "family": note.family, "source": note.source}
            instruments.setdefault(note.instrument, about)
            split = splits[note.split]
            name = names[note.split][split["num_notes"] % len(names[note.split])]
            writer(name).write(serialize_note(note, label))
            split["num_notes"] += 1
            split["pitches"][note.pitch] = split["pitches"].get(note.pitch, 0) + 1
    if not splits["train"]["num_notes"]:
        raise ValueError("Expected at least one note in the train split. Received none; widen what is asked for.")
    for name, split in splits.items():
        split["shards"] = names[name][: split["num_notes"]]
        split["pitches"] = {str(pitch): count for pitch, count in sorted(split["pitches"].items())}
    return {"splits": splits, "instruments": list(instruments.values())}


def _shard_names(split: str, num_shards: int) -> list[str]:
    return [f"{split}-{shard:05d}-of-{num_shards:05d}.tfrecord" for shard in range(num_shards)]


@contextlib.contextmanager
def _open_writers(directory: pathlib.Path) -> Iterator:
    """Gives a function from shard name to its TFRecord writer, opened on first use and closed at the end."""
    import tensorflow as tf

    writers = {}

    def writer(name: str):
        if name not in writers:
            writers[name] = tf.io.TFRecordWriter(str(directory / name))
        return writers[name]

    try:
        yield writer
    finally:
        for opened in writers.values():
            opened.close()


def _remove_leftovers(directory: pathlib.Path) -> None:
    """Deletes what a killed process left beside the place: folders of nothing but shards, untouched for an hour."""
    for left in directory.parent.glob(f".{glob.escape(directory.name)}-????????"):
        contents = list(left.iterdir()) if left.is_dir() else []
        if not contents or any(path.suffix != ".tfrecord" for path in contents):
            continue
        if time.time() - max(path.stat().st_mtime for path in contents) > 3600:
            shutil.rmtree(left, ignore_errors=True)


def _sync(directory: pathlib.Path) -> None:
    """Makes sure the files' contents are on disk before the folder gets its name."""
    for path in directory.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
