"""Files that appear whole or not at all: written beside their place, then renamed."""

import contextlib
import errno
import json
import os
import pathlib
import re
import shutil
import tempfile
import typing
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary path beside `path`; renames it there when the block ends well, removes it otherwise.

    Args:
        path: The final file; its folder is made when missing.

    Yields:
        A path with the same suffix, in the same folder.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    beside = pathlib.Path(name)
    try:
        yield beside
        beside.chmod(_default_mode(0o666))
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary folder beside `path`; puts it there when the block ends well, removes it otherwise.

    Args:
        path: The final folder; one that is there already is replaced.

    Yields:
        An empty folder beside it.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = pathlib.Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield beside
        beside.chmod(_default_mode(0o777))
        old = beside.with_name(beside.name + "-old")
        if path.exists():
            path.rename(old)
        try:
            beside.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


@contextlib.contextmanager
def numbered_folder(parent: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary folder in `parent`; renames it to the next number when the block ends well.

    Args:
        parent: Holds folders 1, 2, …; made when missing, and removed again when nothing comes of it.

    Yields:
        An empty folder whose name is no number. After the block it has the highest number in `parent`.
    """
    parent = pathlib.Path(parent)
    is_new = not parent.exists()
    parent.mkdir(parents=True, exist_ok=True)
    beside = pathlib.Path(tempfile.mkdtemp(prefix=".unfinished-", dir=parent))
    try:
        yield beside
        beside.chmod(_default_mode(0o777))
        number = max(numbers(parent), default=0) + 1
        while True:
            try:
                beside.rename(parent / str(number))
                break
            except OSError as error:
                # Another process took the number meanwhile: folders with content are never replaced by a rename.
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise
                number += 1
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if is_new and not any(parent.iterdir()):
            parent.rmdir()


def numbers(parent: str | os.PathLike) -> list[int]:
    """Numbers that entries of a folder are named by, ascending; none when the folder does not exist."""
    parent = pathlib.Path(parent)
    names = [path.name for path in parent.iterdir()] if parent.is_dir() else []
    return sorted(int(name) for name in names if re.fullmatch("0|[1-9][0-9]*", name))


def is_remote(path: str | os.PathLike) -> bool:
    """Whether a path belongs to another file system than this machine's, as "gs://bucket/notes"."""
    return "://" in os.fspath(path)


def open_any(path: str | os.PathLike) -> typing.BinaryIO:
    """Opens a file for reading bytes; "gs://…" and the like through tf.io.gfile."""
    if not is_remote(path):
        return open(path, "rb")
    from tensorflow import io

    return io.gfile.GFile(os.fspath(path), "rb")


@contextlib.contextmanager
def locked(folder: str | os.PathLike, purpose: str) -> Iterator[None]:
    """Holds a folder, made when missing, until the block ends or the process does, however it ends.

    Args:
        folder: What only one process may work in; it goes again when nothing was put into it.
        purpose: What is done in it, such as "training in", for the message.

    Raises:
        ValueError: When another process holds it.
    """
    import fcntl

    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise ValueError(
                    f"Another process is {purpose} {folder}. Wait until it ends, stop it, or choose another folder."
                ) from None
            # Some network file systems have no locks for folders.
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                folder.rmdir()  # Refused unless empty.
    finally:
        os.close(handle)


def folder_bytes(folder: str | os.PathLike) -> int:
    """Size of all files in a folder; those that vanish meanwhile do not count."""
    total = 0
    for path in pathlib.Path(folder).rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _default_mode(mode: int) -> int:
    """Permissions of any new file or folder; tempfile makes its own private."""
    mask = os.umask(0)
    os.umask(mask)
    return mode & ~mask


def write_json(path: str | os.PathLike, value: object) -> None:
    """Writes a JSON file, indented, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(value, indent=2) + "\n")
