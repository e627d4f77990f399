"""SoundFont 2 files: check that one is whole, list its presets, switch its effects off (SoundFont 2.04)."""

import os
import pathlib
import struct

import numpy as np

# Generators of section 8.1.2: how much of an instrument goes through the synthesizer's effects.
_CHORUS_SEND, _REVERB_SEND = 15, 16
_PRESET_HEADER = "<20sHH14x"


def read_font(path: str | os.PathLike) -> bytes:
    """Reads a SoundFont file.

    Args:
        path: A SoundFont 2 file, or one with compressed samples (see sf3.py).

    Returns:
        Its bytes.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not a SoundFont, or is cut short.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"Expected a SoundFont file. Received: {path}, which does not exist; check the path.")
    font = pathlib.Path(path).read_bytes()
    if font[:4] != b"RIFF" or font[8:12] != b"sfbk":
        raise ValueError(f"Expected a SoundFont (.sf2). Received: {path}, which is not one (no RIFF/sfbk header).")
    size = struct.unpack_from("<I", font, 4)[0] + 8
    if len(font) < size:
        raise ValueError(f"Expected {size} bytes in {path}. Received: {len(font)}; it is cut short, get it again.")
    return font


def read_presets(font: bytes) -> dict[int, str]:
    """Lists a SoundFont's melodic presets (bank 0); section 7.2.

    Args:
        font: The file's bytes.

    Returns:
        Program (from 0) -> the font's name for it.

    Raises:
        ValueError: There is no preset list.
    """
    start, size = find_preset_data(font).get(b"phdr", (0, 0))
    record = struct.calcsize(_PRESET_HEADER)
    if not size or size % record:
        raise ValueError("Expected a SoundFont with a preset list (phdr). Received one without; get the file again.")
    presets = {}
    # The last record only marks the end.
    for name, program, bank in struct.iter_unpack(_PRESET_HEADER, font[start : start + size - record]):
        if bank == 0:
            presets[program] = name.split(b"\0")[0].decode("latin-1").strip()
    return presets


def remove_effects(font: bytes) -> bytes:
    """Sets every chorus and reverb send to 0; section 7.5 and 7.9.

    MIDI controllers 91 and 93 alone leave the sends that are written in the font's instruments.

    Args:
        font: The file's bytes.

    Returns:
        The bytes of an equally long file.
    """
    dry = bytearray(font)
    chunks = find_preset_data(font)
    for name in (b"pgen", b"igen"):
        start, size = chunks.get(name, (0, 0))
        generators = np.frombuffer(dry, np.dtype([("operator", "<u2"), ("amount", "<i2")]), size // 4, start)
        generators["amount"][np.isin(generators["operator"], (_CHORUS_SEND, _REVERB_SEND))] = 0
    return bytes(dry)


def find_lists(font: bytes) -> list[tuple[int, int]]:
    """Start and size of the contents of the file's lists, which begin with their name: INFO, sdta, pdta."""
    return _walk_chunks(font, 12, len(font)).get(b"LIST", [])


def find_preset_data(font: bytes) -> dict[bytes, tuple[int, int]]:
    """Start and size of the chunks inside the "pdta" list, by name."""
    return _find_in_list(font, b"pdta")


def find_sample_data(font: bytes) -> dict[bytes, tuple[int, int]]:
    """Start and size of the chunks inside the "sdta" list, by name."""
    return _find_in_list(font, b"sdta")


def _find_in_list(font: bytes, wanted: bytes) -> dict[bytes, tuple[int, int]]:
    for start, size in find_lists(font):
        if font[start : start + 4] == wanted:
            return {name: found[0] for name, found in _walk_chunks(font, start + 4, start + size).items()}
    return {}


def _walk_chunks(font: bytes, start: int, end: int) -> dict[bytes, list[tuple[int, int]]]:
    """Start and size of the contents of the RIFF chunks in a stretch, by name, without those that reach past it."""
    chunks: dict[bytes, list[tuple[int, int]]] = {}
    while start + 8 <= end:
        name, size = struct.unpack_from("<4sI", font, start)
        if start + 8 + size <= end:
            chunks.setdefault(name, []).append((start + 8, size))
        start += 8 + size
        # RIFF fills odd lengths up with a zero, and some writers of .sf3 do not; no name begins with one.
        start += size % 2 and font[start : start + 1] == b"\0"
    return chunks
