"""Sets of notes: TFRecord shards in a mixed order, with a manifest.

A note's shard and its place in it follow from a hash of its id alone. So a sorted source comes out mixed, and the same
notes give the same shards, in whatever order and by however many processes they were made.
"""

import collections
import contextlib
import dataclasses
import glob
import json
import os
import pathlib
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator

from gansynth_tf import files
from gansynth_tf.data import shards
from gansynth_tf.data.filters import NoteFilter
from gansynth_tf.data.notes import SPLITS, Note

MANIFEST_NAME = "manifest.json"
REPORT_NAMES = ("report.json", "report.png")  # What data/report.py writes beside the manifest.
_SCHEMA_VERSION = 1


@dataclasses.dataclass(frozen=True)
class NoteSet:
    """One split of a set: what to read, and which of it.

    Args:
        shards: Paths of TFRecord files.
        num_records: How many notes the shards hold; None: not counted.
        num_notes: How many of them `keep` lets through; None: not counted.
        pitch_counts: How many of these have each pitch; None: not counted.
        keep: Which of the shards' notes belong to the set.
        float_audio: See `notes.parse_record`.
        weight: Share of the set in a mix.
        first_label: Place of its first instrument in the mix's list.
    """

    shards: tuple[str, ...]
    num_records: int | None = None
    num_notes: int | None = None
    pitch_counts: dict[int, int] | None = None
    keep: NoteFilter = NoteFilter()
    float_audio: bool = False
    weight: float = 1.0
    first_label: int = 0


# ---------------------------------------------------------------------------------------------------- writing


def write_records(directory: str | os.PathLike, notes: Iterable[Note], manifest: dict, num_shards: int) -> dict:
    """Writes notes as a folder of shards, complete or not at all.

    The folder is written beside its place and renamed; on remote storage, which cannot rename, the manifest comes last
    and a folder without one is no set. A folder written by this function before is replaced.

    Args:
        directory: Where the folder shall be; also "gs://…" and whatever else tf.io.gfile writes to.
        notes: The notes, in any order.
        manifest: What else to keep about the set. Read after the last note, so the iterator may still add to it.
        num_shards: Shards of the train split; the others get as many as their size asks for.

    Returns:
        The manifest as stored: the given one and "schema_version", "splits" (notes, shards and pitch counts of each)
        and "instruments" (name, family, source; sorted by name, in the order of `instrument/label`).

    Raises:
        ValueError: `directory` holds anything else, or there are no train notes, or an id occurs twice.
    """
    check_replaceable(directory)
    with replacing_set(directory) as partial, _spool_place(partial) as spool:
        contents = shards.write_shards(partial, spool, notes, num_shards)
        return finish_set(partial, {**manifest, **contents})


def write_link(directory: str | os.PathLike, manifest: dict) -> dict:
    """Writes a folder that holds a manifest only: its shards are files elsewhere, read where they are.

    Args:
        directory: Where the folder shall be.
        manifest: Must have "splits" (with whole paths as "shards"), "instruments", "keep" (see `keep_of`) and
            "float_audio".

    Returns:
        The manifest as stored.

    Raises:
        ValueError: `directory` holds anything but such a set.
    """
    check_replaceable(directory)
    with replacing_set(directory) as partial:
        return finish_set(partial, manifest)


def check_replaceable(directory: str | os.PathLike) -> None:
    """Refuses a place that holds anything but a set of records, since writing there would delete it.

    Raises:
        ValueError: Something else is there.
    """
    from tensorflow import io

    directory = os.fspath(directory)
    if not io.gfile.exists(directory):
        return
    listed = io.gfile.listdir(directory) if io.gfile.isdir(directory) else [os.path.basename(directory)]
    names = {name.rstrip("/") for name in listed}
    ours = {MANIFEST_NAME, *REPORT_NAMES}
    foreign = sorted(name for name in names if name not in ours and not name.endswith(".tfrecord"))
    if foreign or (names and MANIFEST_NAME not in names):
        found = f"{directory}, which holds {(foreign or sorted(names))[0]}"
        raise ValueError(f"Expected a new, empty or previously written data folder. Received: {found}; choose another.")


# ---------------------------------------------------------------------------------------------------- reading


def read_manifest(directory: str | os.PathLike) -> dict:
    """Reads the manifest of a folder of records.

    Args:
        directory: A folder that this module wrote; also "gs://…".

    Returns:
        The manifest.

    Raises:
        FileNotFoundError: The folder has no manifest.
        ValueError: The manifest is not one of ours, or of another version.
    """
    from tensorflow import io

    path = os.path.join(directory, MANIFEST_NAME)
    if not io.gfile.exists(path):
        raise FileNotFoundError(f"Expected a folder with {MANIFEST_NAME}. Received: {directory}; prepare it first.")
    try:
        with io.gfile.GFile(path) as file:
            manifest = json.loads(file.read())
        version = manifest["schema_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"Expected a manifest of records. Received: {path}, unreadable; prepare it again.") from error
    if version != _SCHEMA_VERSION:
        raise ValueError(f"Expected schema version {_SCHEMA_VERSION}. Received: {version} in {path}; prepare it again.")
    return manifest


def finished_manifest(directory: str | os.PathLike, fingerprint: str) -> dict | None:
    """The manifest of a folder that is whole and has this "fingerprint", else None."""
    try:
        manifest = read_manifest(directory)
        if manifest.get("fingerprint") != fingerprint:
            return None
        for split in manifest["splits"]:
            list_shards(directory, split)
    except (OSError, ValueError):
        return None
    return manifest


def open_split(directory: str | os.PathLike, split: str = "train") -> list[NoteSet]:
    """What the pipeline needs to read a split.

    Args:
        directory: A folder that this module wrote.
        split: One of `notes.SPLITS`.

    Returns:
        One set; of a mix, that of each of its folders which has notes in this split.

    Raises:
        FileNotFoundError: The folder has no manifest, or a shard is missing.
        ValueError: The split is unknown.
    """
    manifest = read_manifest(directory)
    if "mix" in manifest:
        opened, first_label = [], 0
        for part in manifest["mix"]:
            weighted = {"weight": part["weight"], "first_label": first_label}
            opened += [dataclasses.replace(note_set, **weighted) for note_set in open_split(part["folder"], split)]
            first_label += len(read_manifest(part["folder"])["instruments"])
        return [note_set for note_set in opened if note_set.shards]
    paths = tuple(list_shards(directory, split))
    facts = manifest["splits"][split]
    return [
        NoteSet(
            paths,
            facts.get("num_records", facts["num_notes"]),
            facts["num_notes"],
            {int(pitch): count for pitch, count in facts["pitches"].items()},
            keep_of(manifest),
            manifest.get("float_audio", False),
        )
    ]


def write_mix(directory: str | os.PathLike, parts: list[tuple[float, str]]) -> dict:
    """Writes a folder that holds a manifest only, of several folders of records read together.

    Args:
        directory: Where the folder shall be.
        parts: Weight and folder of each.

    Returns:
        The manifest: "mix" (weight and folder of each), and "splits" and "instruments" of all together.
    """
    manifests = [read_manifest(folder) for _, folder in parts]
    splits = {}
    for split in SPLITS:
        pitches = collections.Counter()
        for manifest in manifests:
            pitches.update({int(pitch): count for pitch, count in manifest["splits"][split]["pitches"].items()})
        num_notes = sum(manifest["splits"][split]["num_notes"] for manifest in manifests)
        paths = [path for _, folder in parts for path in list_shards(folder, split)]
        paths = [path if files.is_remote(path) else os.path.abspath(path) for path in paths]
        pitches = {str(pitch): count for pitch, count in sorted(pitches.items())}
        splits[split] = {"num_notes": num_notes, "shards": paths, "pitches": pitches}
    instruments = [instrument for manifest in manifests for instrument in manifest["instruments"]]
    mix = [{"weight": weight, "folder": folder} for weight, folder in parts]
    return write_link(directory, {"source": "mix", "mix": mix, "splits": splits, "instruments": instruments})


def keep_of(manifest: dict) -> NoteFilter:
    """The filter that a manifest's "keep" describes; without one it keeps every note."""
    values = manifest.get("keep") or {}
    return NoteFilter(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def list_shards(directory: str | os.PathLike, split: str) -> list[str]:
    """Paths of a split's shards, in order.

    Args:
        directory: A folder that this module wrote.
        split: One of the manifest's splits.

    Returns:
        Paths; empty when the split has no notes.

    Raises:
        FileNotFoundError: The folder has no manifest, or a shard is missing.
        ValueError: The split is unknown.
    """
    from tensorflow import io

    splits = read_manifest(directory)["splits"]
    if split not in splits:
        raise ValueError(f"Expected one of the splits {', '.join(splits)}. Received: {split!r}.")
    names = splits[split]["shards"]
    paths = [name if files.is_remote(name) else os.path.join(directory, name) for name in names]
    for path in paths:
        if not io.gfile.exists(path):
            raise FileNotFoundError(f"Expected {path}, named by its manifest. It is missing; prepare the data again.")
    return paths


# ---------------------------------------------------------------------------------------------------- folders


@contextlib.contextmanager
def replacing_set(directory: str | os.PathLike) -> Iterator[str]:
    """Gives a folder to write into: beside the final one and renamed at the end; the final one if it is remote."""
    from tensorflow import io

    if not files.is_remote(directory):
        local = pathlib.Path(directory).absolute()
        _remove_leftovers(local)
        with files.replacing_folder(local) as partial:
            yield str(partial)
            _sync(partial)
        return
    directory = os.fspath(directory)
    if io.gfile.exists(directory):
        io.gfile.rmtree(directory)
    io.gfile.makedirs(directory)
    yield directory


def _spool_place(partial: str) -> contextlib.AbstractContextManager[str]:
    """Where a set is spooled: in its own folder, whose disk has room for it; on this machine if that is remote."""
    return tempfile.TemporaryDirectory() if files.is_remote(partial) else contextlib.nullcontext(partial)


def finish_set(directory: str, manifest: dict) -> dict:
    """Writes the manifest of a whole set; returns what is read later, with lists for tuples."""
    from tensorflow import io

    manifest = json.loads(json.dumps({**manifest, "schema_version": _SCHEMA_VERSION}))
    with io.gfile.GFile(os.path.join(directory, MANIFEST_NAME), "w") as file:
        file.write(json.dumps(manifest, indent=2) + "\n")
    return manifest


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
