"""Where a Magenta model lies: in its folder, a zip, one stage, a checkpoint; users' folders are untidy.

A train_root_dir of Magenta holds experiment.json and, for each stage of progressive growing, a folder stage_NNNNN with
TensorFlow 1 checkpoints, model.ckpt-N.index and model.ckpt-N.data-*, and a file `checkpoint` that names the newest.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import tempfile
import typing
import zipfile
import zlib
from collections.abc import Iterator

if typing.TYPE_CHECKING:
    Folder = pathlib.Path | zipfile.Path  # A folder on disk, or inside a zip.

_STAGE_FOLDER = re.compile(r"stage_(\d+)")
_CHECKPOINT = re.compile(r"(model\.ckpt-\d+)(?:\.(?:index|meta|data-(\d+)-of-(\d+)))?")


@dataclasses.dataclass(frozen=True)
class FoundModel:
    """A checkpoint and the folder it belongs to.

    Args:
        folder: Where experiment.json should stand.
        checkpoint: Prefix of the checkpoint's files, on disk.
        stage: Of progressive growing, from 0.
        remarks: What was untidy and how it was read, for the user.
    """

    folder: Folder
    checkpoint: pathlib.Path
    stage: int
    remarks: tuple[str, ...]


def is_magenta(path: str | os.PathLike) -> bool:
    """Whether a path is that of a Magenta model: its folder, a zip, one stage, or a file of a checkpoint."""
    path = _absolute(path)
    if path.is_dir():
        return any(_STAGE_FOLDER.fullmatch(p.name) or _CHECKPOINT.fullmatch(p.name) for p in (path, *path.iterdir()))
    return (path.suffix == ".zip" and path.is_file()) or bool(_CHECKPOINT.fullmatch(path.name))


@contextlib.contextmanager
def find_model(path: str | os.PathLike) -> Iterator[FoundModel]:
    """Finds the checkpoint that a path means.

    Args:
        path: A Magenta folder (`train_root_dir`), its zip, one of its stage folders, or a checkpoint, with or without
            the end of one of its files (`.index`). Of a whole folder the last stage that has a complete checkpoint is
            taken.

    Yields:
        What was found. What came out of a zip is deleted when the block ends.

    Raises:
        ValueError: When there is none, or it is damaged; the message says what is wrong.
    """
    path = _absolute(path)
    remarks: list[str] = []
    with tempfile.TemporaryDirectory() as unpacked:
        with zip_errors(path):
            folder = _folder_in_zip(path) if path.suffix == ".zip" and path.is_file() else path
            root, stage, name = _find_checkpoint(folder, remarks)
            checkpoint = _on_disk(stage, name, pathlib.Path(unpacked))
        number = int(_STAGE_FOLDER.fullmatch(stage.name)[1])
        yield FoundModel(root, checkpoint, number, tuple(remarks))


def _absolute(path: str | os.PathLike) -> pathlib.Path:
    """With the names of the folders above it, but links as they are: a link may have a stage's name."""
    return pathlib.Path(os.path.abspath(pathlib.Path(path).expanduser()))


def _find_checkpoint(path: Folder, remarks: list[str]) -> tuple[Folder, Folder, str]:
    """The model's folder, the stage's folder, and the checkpoint's name in it."""
    if path.is_dir() and not _STAGE_FOLDER.fullmatch(path.name):
        return _last_checkpoint(path, remarks)
    stage = path if path.is_dir() else path.parent
    if not _STAGE_FOLDER.fullmatch(stage.name):
        raise _no_stages(stage)
    complete = _complete_checkpoints(stage)
    name = _newest_checkpoint(stage, remarks) if path.is_dir() else _CHECKPOINT.fullmatch(path.name)[1]
    if name not in complete:
        wanted = name or "model.ckpt-N"
        raise ValueError(f"{stage} does not hold a whole checkpoint {wanted}: its .index and every .data file.")
    return stage.parent, stage, name


def _last_checkpoint(folder: Folder, remarks: list[str]) -> tuple[Folder, Folder, str]:
    """As `_find_checkpoint`, of the last stage that has a complete one."""
    stages = _stage_folders(folder, remarks)
    if not stages:
        raise _no_stages(folder)
    for stage in stages:
        name = _newest_checkpoint(stage, remarks)
        if name:
            return folder, stage, name
        remarks.append(f"{stage} holds no complete checkpoint: the stage before it is taken.")
    raise ValueError(f"None of the {len(stages)} stages in {folder} holds a complete checkpoint.")


def _no_stages(folder: Folder) -> ValueError:
    return ValueError(
        f"Expected checkpoints in folders named after their stage, such as stage_00012 (the last of 7 resolutions), "
        f"beside experiment.json. Received: {folder}, which has none."
    )


def _stage_folders(folder: Folder, remarks: list[str]) -> list[Folder]:
    """The stages' folders, last stage first; others of a similar name are none."""
    similar = [p for p in folder.iterdir() if p.name.startswith("stage_")]
    stages = {p: int(m[1]) for p in similar if (m := _STAGE_FOLDER.fullmatch(p.name)) and p.is_dir()}
    strays = sorted(p.name for p in similar if p not in stages)
    if strays:
        remarks.append(f"Not stages of {folder} and not read: {', '.join(strays)}.")
    return sorted(stages, key=stages.get, reverse=True)


def _complete_checkpoints(stage: Folder) -> list[str]:
    """Names of the checkpoints whose files are all there, newest first."""
    indices, shards = set(), {}
    for path in stage.iterdir():
        match = _CHECKPOINT.fullmatch(path.name)
        if match and path.name.endswith(".index"):
            indices.add(match[1])
        elif match and match[2]:
            shards.setdefault((match[1], int(match[3])), set()).add(int(match[2]))
    complete = {name for (name, count), found in shards.items() if found == set(range(count))}
    return sorted(indices & complete, key=lambda name: int(name.rpartition("-")[2]), reverse=True)


def _newest_checkpoint(stage: Folder, remarks: list[str]) -> str | None:
    """The checkpoint that the file `checkpoint` names, wherever the folder stood when it was written, or the newest."""
    complete = _complete_checkpoints(stage)
    listing = stage / "checkpoint"
    text = listing.read_bytes().decode(errors="replace") if listing.is_file() else ""
    named = re.search(r'^\s*model_checkpoint_path:\s*"(?:[^"]*[/\\])?([^"/\\]+)"', text, re.MULTILINE)
    if named and named[1] in complete:
        return named[1]
    if complete:
        reason = f"names {named[1]}, which is not there whole" if named else "is missing or damaged"
        remarks.append(f"The file `checkpoint` of {stage} {reason}: {complete[0]} is taken.")
    return complete[0] if complete else None


# ---------------------------------------------------------------------------------------------------- zips


@contextlib.contextmanager
def zip_errors(path: str | os.PathLike) -> Iterator[None]:
    """Says in one line why a zip cannot be read."""
    # EOFError and zlib.error: damaged; RuntimeError: a password; NotImplementedError: an unknown compression.
    try:
        yield
    except (zipfile.BadZipFile, EOFError, zlib.error, RuntimeError) as error:
        raise ValueError(f"{path} cannot be unpacked: {error}. Download or copy it again.") from None


def _folder_in_zip(path: pathlib.Path) -> zipfile.Path:
    """The folder that holds the stages: the zip's top, or one inside it."""
    candidates = [zipfile.Path(path)]
    for _ in range(3):
        # Finder adds a folder __MACOSX of hidden files that bear the same names.
        folders = [p for p in candidates if any(_STAGE_FOLDER.fullmatch(q.name) for q in p.iterdir())]
        if len(folders) == 1:
            return folders[0]
        if folders:
            names = ", ".join(sorted(p.name for p in folders))
            raise ValueError(f"{path} holds several models: {names}. Unpack it, and pass the folder of one.")
        candidates = [q for p in candidates for q in p.iterdir() if q.is_dir() and q.name != "__MACOSX"]
    raise ValueError(f"Expected a zip of a Magenta model, with folders stage_NNNNN. Received: {path}, which has none.")


def _on_disk(stage: Folder, name: str, unpacked: pathlib.Path) -> pathlib.Path:
    """A checkpoint's prefix; TensorFlow reads no zip, so one inside a zip is unpacked, that one alone."""
    if isinstance(stage, pathlib.Path):
        return stage / name
    for source in stage.iterdir():
        match = _CHECKPOINT.fullmatch(source.name)
        if match and match[1] == name and not source.name.endswith(".meta"):
            with source.open("rb") as packed, open(unpacked / source.name, "wb") as file:
                shutil.copyfileobj(packed, file)
    return unpacked / name
