"""SoundFonts whose samples are compressed (.sf3, MuseScore's kind), as SoundFont 2 files.

SF3 is SoundFont 2.04 with one change: a sample whose type has bit 0x10 is an Ogg Vorbis stream in the "smpl" chunk; its
start and end are counted in bytes, and its loop from the sample's own first frame.
"""

import io
import struct
from collections.abc import Iterator

import numpy as np

from gansynth_tf.data import sf2

_COMPRESSED = 0x10
_SILENCE = 46  # Frames of zeros after each sample (SoundFont 2.04, section 6.1).
_SAMPLE_HEADERS = np.dtype(
    [
        ("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"), ("loop_end", "<u4"), ("rate", "<u4"),
        ("pitch", "u1"), ("correction", "i1"), ("link", "<u2"), ("type", "<u2"),
    ]
)  # fmt: skip


def unpack_samples(font: bytes) -> bytes:
    """Decodes a SoundFont's compressed samples.

    Args:
        font: A SoundFont file's bytes.

    Returns:
        The bytes of a SoundFont 2 file; the same bytes when no sample is compressed.

    Raises:
        ValueError: A sample cannot be decoded.
    """
    start, size = sf2.find_preset_data(font).get(b"shdr", (0, 0))
    headers = np.frombuffer(font, _SAMPLE_HEADERS, size // _SAMPLE_HEADERS.itemsize, start).copy()
    if not np.any(headers["type"] & _COMPRESSED):
        return font
    samples, place = [], 0
    for header, frames in zip(headers[:-1], _decode_all(font, headers[:-1]), strict=True):
        loop = header["start"] if not header["type"] & _COMPRESSED else np.uint32(0)
        for edge in ("loop_start", "loop_end"):
            header[edge] = place + min(int(header[edge]) - int(loop), len(frames))
        header["start"], header["end"] = place, place + len(frames)
        header["type"] &= ~np.uint16(_COMPRESSED)
        samples += [frames.tobytes(), bytes(2 * _SILENCE)]
        place += len(frames) + _SILENCE
    changed = font[:start] + headers.tobytes() + font[start + size :]
    return _replace_samples(changed, b"".join(samples))


def _decode_all(font: bytes, headers: np.ndarray) -> Iterator[np.ndarray]:
    """The frames of every sample, int16."""
    import soundfile

    start, size = sf2.find_sample_data(font).get(b"smpl", (0, 0))
    pool = memoryview(font)[start : start + size]
    for header in headers:
        first, end = int(header["start"]), int(header["end"])
        if not header["type"] & _COMPRESSED:
            yield np.frombuffer(pool[2 * first : 2 * end], "<i2")
            continue
        try:
            frames, _ = soundfile.read(io.BytesIO(pool[first:end]), dtype="int16")
        except soundfile.LibsndfileError as error:
            name = header["name"].decode("latin-1")
            raise ValueError(f"The SoundFont's sample {name!r} cannot be decoded ({error}); get it again.") from None
        yield frames.astype("<i2")


def _replace_samples(font: bytes, samples: bytes) -> bytes:
    """The font with another "smpl" chunk, and without the lowest bytes of 24-bit samples, which compression dropped."""
    chunk = struct.pack("<4sI", b"smpl", len(samples)) + samples
    parts = [b"sfbk"]
    for start, size in sf2.find_lists(font):
        name = font[start : start + 4]
        content = font[start + 4 : start + size] if name != b"sdta" else chunk
        parts.append(struct.pack("<4sI4s", b"LIST", 4 + len(content), name) + content + bytes(len(content) % 2))
    content = b"".join(parts)
    return struct.pack("<4sI", b"RIFF", len(content)) + content
