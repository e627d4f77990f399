"""What is known about an audio file before it is opened: from NSynth's examples.json, a CSV, or its name."""

import csv
import dataclasses
import functools
import io
import json
import os
import re
from collections.abc import Callable

from gansynth_tf import files
from gansynth_tf.data.notes import FAMILIES, QUALITIES, SOURCES, SPLITS, UNKNOWN

EXAMPLES_NAME = "examples.json"
_NSYNTH_NAME = re.compile(rf"({'|'.join(FAMILIES)})_({'|'.join(SOURCES)})_(\d{{3}})-(\d{{3}})-(\d{{3}})")
# A letter, an accidental and an octave between marks that are no letters or digits: Flute_C#4, violin.Bb3.ff, C-1.
_NOTE_NAME = re.compile(r"(?<![A-Za-z0-9#♯♭])([A-Ga-g])(##?|♯|s|bb?|♭)?(-?\d)(?![A-Za-z0-9])")
_TRAILING_PITCH = re.compile(r"_(\d{1,3})$")
_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "s": 1, "##": 2, "b": -1, "♭": -1, "bb": -2}


@dataclasses.dataclass(frozen=True)
class Label:
    """What is known about one file; fields as those of `notes.Note`.

    Args:
        origin: Where the pitch comes from: "examples.json", "CSV", "file name" or "" when it is not known.
    """

    pitch: int = UNKNOWN
    velocity: int = UNKNOWN
    instrument: str = ""
    family: str = ""
    source: str = ""
    split: str = ""
    qualities: tuple[str, ...] = ()
    origin: str = ""


def parse_note_name(text: str) -> int | None:
    """MIDI pitch of a note name such as "C#4", where C4 is 60; None when it is none."""
    match = re.fullmatch(_NOTE_NAME, text.strip())
    return _pitch_of(match) if match else None


def _pitch_of(match: re.Match) -> int | None:
    letter, accidental, octave = match.groups()
    pitch = 12 * (int(octave) + 1) + _SEMITONES[letter.lower()] + _ACCIDENTALS[accidental or ""]
    return pitch if 0 <= pitch <= 127 else None


def label_from_name(stem: str) -> Label:
    """Reads a file name: NSynth's family_source_NNN-PPP-VVV, else a note name, else name_PITCH.

    Args:
        stem: The name without its ending.

    Returns:
        What it says; where the name ends in a pitch, what stands before it is the instrument.
    """
    match = re.fullmatch(_NSYNTH_NAME, stem)
    if match and int(match[4]) <= 127 and int(match[5]) <= 127:
        family, source, number, pitch, velocity = match.groups()
        instrument = f"{family}_{source}_{number}"
        return Label(int(pitch), int(velocity), instrument, family, source, origin="file name")
    for match in reversed(list(_NOTE_NAME.finditer(stem))):
        pitch = _pitch_of(match)
        if pitch is not None:
            return Label(pitch, instrument=stem[: match.start()].strip("_-. "), origin="file name")
    match = _TRAILING_PITCH.search(stem)
    if match and int(match[1]) <= 127:
        return Label(int(match[1]), instrument=stem[: match.start()].strip("_-. "), origin="file name")
    return Label()


# ---------------------------------------------------------------------------------------------------- examples.json


@functools.lru_cache(maxsize=4)
def read_examples(path: str) -> dict[str, Label]:
    """NSynth's examples.json: file name without ending -> label.

    Raises:
        ValueError: The file is damaged.
    """
    try:
        with files.open_any(path) as file:
            rows = json.loads(file.read())
        return {name: _example_label(row) for name, row in rows.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found = f"{path} ({type(error).__name__}: {error})"
        raise ValueError(f"Expected NSynth's {EXAMPLES_NAME}. Received: {found}; download it again.") from error


def _example_label(row: dict) -> Label:
    flags = row.get("qualities", [])
    return Label(
        pitch=int(row["pitch"]),
        velocity=int(row["velocity"]),
        instrument=row["instrument_str"],
        family=row["instrument_family_str"],
        source=row["instrument_source_str"],
        qualities=tuple(quality for quality, flag in zip(QUALITIES, flags, strict=False) if flag),
        origin=EXAMPLES_NAME,
    )


# ---------------------------------------------------------------------------------------------------- CSV


def read_csv(path: str) -> dict[str, Label]:
    """A CSV of labels: a column "file" and any of pitch, velocity, instrument, family, source, split, qualities.

    Pitches are MIDI numbers or note names; qualities are separated by spaces. Commas, semicolons or tabs.

    Args:
        path: The CSV file, in UTF-8.

    Returns:
        File, as written there with "/" between folders -> label; empty when the CSV has no column "file".

    Raises:
        ValueError: A value cannot be read; the message names its line.
    """
    with files.open_any(path) as file:
        try:
            text = file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"Expected a CSV in UTF-8. Received: {path} ({error}); save it as UTF-8.") from error
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns = {name: (name or "").strip().lower() for name in rows.fieldnames or ()}
    if "file" not in columns.values():
        return {}
    found = {}
    for row in rows:
        values = {columns[name]: (value or "").strip() for name, value in row.items() if name in columns}
        try:
            label = _csv_label(values)
        except ValueError as error:
            raise ValueError(f"{path}, line {rows.line_num}: {error}") from None
        found[values["file"].replace("\\", "/")] = label
    return found


def _csv_label(values: dict[str, str]) -> Label:
    def choice(name: str, known: tuple[str, ...]) -> str:
        value = values.get(name, "").lower()
        if value and value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, or empty. Received: {value!r}")
        return value

    pitch, velocity = (_midi_number(name, values.get(name, "")) for name in ("pitch", "velocity"))
    qualities = tuple(values.get("qualities", "").split())
    unknown = sorted(set(qualities) - set(QUALITIES))
    if unknown:
        raise ValueError(f"qualities must be among {', '.join(QUALITIES)}. Received: {unknown[0]!r}")
    return Label(
        pitch,
        velocity,
        values.get("instrument", ""),
        choice("family", FAMILIES),
        choice("source", SOURCES),
        choice("split", SPLITS),
        qualities,
        "CSV" if pitch != UNKNOWN else "",
    )


def _midi_number(name: str, text: str) -> int:
    if not text:
        return UNKNOWN
    pitch = parse_note_name(text) if name == "pitch" else None
    if pitch is not None:
        return pitch
    try:
        number = float(text)
    except ValueError:
        number = UNKNOWN
    if number not in range(128):
        names = " or a note name such as C#4" if name == "pitch" else ""
        raise ValueError(f"{name} must be a whole number in 0..127{names}, or empty. Received: {text!r}")
    return int(number)


# ---------------------------------------------------------------------------------------------------- a folder's files


def make_labeller(root: str, json_folders: set[str], csv_paths: list[str]) -> tuple[Callable[[str], Label], list[str]]:
    """Puts a folder's sources of labels in order: examples.json, CSV, file name; each fills what those before left.

    Args:
        root: The folder.
        json_folders: Folders below it ("" is itself) that hold an examples.json.
        csv_paths: Its CSV files, relative; one without a column "file" is not about audio.

    Returns:
        A function from relative path to label, and the files that the CSVs list.

    Raises:
        ValueError: A file is damaged.
    """
    tables = {folder: read_examples(os.path.join(root, folder, EXAMPLES_NAME)) for folder in json_folders}
    listed: dict[str, Label] = {}
    for path in csv_paths:
        folder = os.path.dirname(path)
        rows = read_csv(os.path.join(root, path))
        listed |= {os.path.normpath(os.path.join(folder, name)): label for name, label in rows.items()}

    def label(path: str) -> Label:
        without_ending = os.path.splitext(path)[0]
        stem = os.path.basename(without_ending)
        known = [tables[folder].get(stem) for folder in _folders_of(path) if folder in tables]
        known += [listed.get(path) or listed.get(without_ending), label_from_name(stem)]
        merged = Label()
        for found in filter(None, known):
            merged = _fill(merged, found)
        folders = _folders_of(path)
        split = merged.split or _split_of(folders[-2] if len(folders) > 1 else "")
        instrument = merged.instrument or folders[0] or os.path.basename(os.path.normpath(root))
        return dataclasses.replace(merged, split=split, instrument=instrument)

    return label, list(listed)


def _fill(known: Label, other: Label) -> Label:
    """What is known, and where nothing is, what the other says."""
    empty = Label()
    names = [field.name for field in dataclasses.fields(Label)]
    missing = {name: getattr(other, name) for name in names if getattr(known, name) == getattr(empty, name)}
    return dataclasses.replace(known, **missing)


def _folders_of(path: str) -> list[str]:
    """Folders that hold a relative path, the nearest first: "a/b/c.wav" -> ["a/b", "a", ""]."""
    found = []
    while path:
        path = os.path.dirname(path)
        found.append(path)
    return found


def _split_of(top_folder: str) -> str:
    """The split that a folder of the first level is named after, as NSynth's "nsynth-valid"; else "train"."""
    name = top_folder.lower().removeprefix("nsynth-")
    return {"validation": "valid"}.get(name, name if name in SPLITS else "train")
