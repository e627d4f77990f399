"""Sounds as WAV or FLAC files: resampled, brought to a level, written whole or not at all, in little memory.

The level of a sound is known at its end. So it goes to a temporary file of float32 samples first, then through the gain
to its format, then to its place.
"""

import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from gansynth_tf import files
from gansynth_tf.audio import clear_peak_time
from gansynth_tf.generation.levels import LevelMeter

NORMALIZATIONS = ("none", "peak", "loudness")
BIT_DEPTHS = {"wav": {"float": "FLOAT", "16": "PCM_16", "24": "PCM_24"}, "flac": {"24": "PCM_24", "16": "PCM_16"}}
_CHUNK = 2**18  # Samples.
_SPOOLED = 2**22  # Bytes: a note's samples need no temporary file.
_LARGEST_WAV = 4 * 10**9  # Bytes: sizes in WAV files have 32 bits.


@dataclasses.dataclass(frozen=True)
class SoundFormat:
    """What sound files are like.

    Args:
        container: "wav" or "flac".
        bit_depth: "float" (WAV only), "16" or "24"; empty: float for WAV, 24 for FLAC.
        sample_rate: Hz; None: the model's.
        normalize: "none" (turned down only beyond full scale), "peak" or "loudness".
        loudness: LUFS to reach by "loudness"; EBU R 128 has -23.

    Raises:
        ValueError: If there is no such format.
    """

    container: str = "wav"
    bit_depth: str = ""
    sample_rate: int | None = None
    normalize: str = "none"
    loudness: float = -23.0

    def __post_init__(self):
        if self.container not in BIT_DEPTHS:
            raise ValueError(f"Expected one of the formats {', '.join(BIT_DEPTHS)}. Received: {self.container!r}")
        depths = BIT_DEPTHS[self.container]
        if self.bit_depth and self.bit_depth not in depths:
            allowed = f"a bit depth of {', '.join(depths)} for {self.container}"
            raise ValueError(f"Expected {allowed}. Received: {self.bit_depth!r}")
        if self.normalize not in NORMALIZATIONS:
            raise ValueError(f"Expected one of {', '.join(NORMALIZATIONS)}. Received: {self.normalize!r}")
        if not -70 < self.loudness <= 0:
            raise ValueError(f"Expected a loudness above -70 LUFS, to 0. Received: {self.loudness}")
        if self.sample_rate is not None and not 1000 <= self.sample_rate <= 384_000:
            raise ValueError(f"Expected a sample rate from 1000 to 384000 Hz. Received: {self.sample_rate}")

    @property
    def subtype(self) -> str:
        """libsndfile's name of the sample format."""
        depths = BIT_DEPTHS[self.container]
        return depths[self.bit_depth or next(iter(depths))]


def write_sound(
    path: str | os.PathLike,
    blocks: Iterable[np.ndarray],
    num_samples: int,
    sample_rate: int,
    sound_format: SoundFormat,
) -> dict[str, object]:
    """Writes a sound that comes in blocks.

    Args:
        path: The file; missing folders are made.
        blocks: float32 [samples] each.
        num_samples: Of all blocks together.
        sample_rate: Of the blocks, Hz.
        sound_format: What the file is like. It has round(num_samples * its rate / sample_rate) samples.

    Returns:
        "file", "sample_rate", "seconds", and "gain": what the sound was multiplied with.

    Raises:
        OSError: If it cannot be written.
        ValueError: If a block is not finite, or the sound too long for the format.
    """
    rate = sound_format.sample_rate or sample_rate
    length = round(num_samples * rate / sample_rate)
    if length * 4 > _LARGEST_WAV:
        limit = f"at most {_LARGEST_WAV / 4 / rate:.0f} s at {rate} Hz"
        raise ValueError(f"Expected {limit}. Received: {length / rate:.0f} s; cut it, or choose a lower sample rate")
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    meter = LevelMeter(rate, weigh=sound_format.normalize == "loudness")
    with files.replacing(path) as beside, tempfile.SpooledTemporaryFile(_SPOOLED, dir=path.parent) as raw:
        written = 0
        for block in _resampled(_checked(blocks, path), sample_rate, rate):
            block = block[: length - written]
            meter.add(block)
            raw.write(block.tobytes())
            written += len(block)
        raw.write(bytes(4 * (length - written)))
        raw.seek(0)
        gain = meter.gain(sound_format.normalize, sound_format.loudness)
        _encode(beside, raw, np.float32(gain), rate, sound_format)
    return {"file": path.name, "sample_rate": rate, "seconds": length / rate, "gain": gain}


def _checked(blocks: Iterable[np.ndarray], path: pathlib.Path) -> Iterator[np.ndarray]:
    for block in blocks:
        block = np.asarray(block, np.float32)
        if block.ndim != 1 or not np.all(np.isfinite(block)):
            found = "NaN or infinity" if block.ndim == 1 else f"shape {block.shape}"
            raise ValueError(f"Expected finite samples [samples] for {path}. Received {found}; check what made them")
        yield block


def _resampled(blocks: Iterable[np.ndarray], from_rate: int, to_rate: int) -> Iterator[np.ndarray]:
    """The same resampler as audio.resample, fed block by block."""
    if from_rate == to_rate:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality="VHQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


class _Disk:
    """A file for libsndfile that remembers why a write failed: libsndfile itself only says that it did."""

    def __init__(self, path: pathlib.Path):
        self._file, self.error = path.open("w+b"), None
        self.seek, self.tell, self.read, self.close = (
            self._file.seek, self._file.tell, self._file.read, self._file.close
        )  # fmt: skip

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            return 0

    def flush(self) -> None:
        self._file.flush()


def _encode(beside: pathlib.Path, raw, gain: np.float32, rate: int, sound_format: SoundFormat) -> None:
    import soundfile

    disk = _Disk(beside)
    try:
        with soundfile.SoundFile(
            disk, "w", rate, 1, subtype=sound_format.subtype, format=sound_format.container.upper()
        ) as target:
            while chunk := raw.read(4 * _CHUNK):
                target.write(np.frombuffer(chunk, np.float32) * gain)
        if disk.error:
            raise disk.error
        disk.flush()
    except (AssertionError, soundfile.SoundFileError):
        if disk.error:
            raise disk.error from None
        raise
    finally:
        disk.close()
    if sound_format.subtype == "FLOAT":
        clear_peak_time(beside)


def save_note(
    directory: str | os.PathLike,
    name: str,
    wave: np.ndarray,
    sample_rate: int,
    metadata: Mapping[str, object],
    sound_format: SoundFormat | None = None,
) -> pathlib.Path:
    """Writes NAME.wav (or .flac) and, beside it, NAME.json with what it was made from; each whole or not at all.

    Args:
        directory: Where; made when missing.
        name: File name without an ending; files of that name are replaced.
        wave: float32 [samples].
        sample_rate: Samples per second.
        metadata: What to remember, such as pitch, velocity, seed, and the file and row of z. Numbers, words, arrays.
        sound_format: What the file is like; None: a float WAV file at the wave's rate.

    Returns:
        The path of the sound file.

    Raises:
        OSError: If it cannot be written.
        ValueError: If the name is not a plain file name, or the wave is not finite.
    """
    wave = np.asarray(wave)
    return save_clip(directory, name, [wave], wave.size, sample_rate, metadata, sound_format)


def save_clip(
    directory: str | os.PathLike,
    name: str,
    blocks: Iterable[np.ndarray],
    num_samples: int,
    sample_rate: int,
    metadata: Mapping[str, object],
    sound_format: SoundFormat | None = None,
) -> pathlib.Path:
    """Like `save_note`, of a sound that comes in blocks, as `write_sound` takes them."""
    if not name or name != pathlib.PurePath(name).name:
        raise ValueError(f"Expected a plain file name without folders. Received: {name!r}")
    sound_format = sound_format or SoundFormat()
    path = pathlib.Path(directory) / f"{name}.{sound_format.container}"
    facts = write_sound(path, blocks, num_samples, sample_rate, sound_format)
    plain = {key: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
             for key, value in metadata.items()}  # fmt: skip
    files.write_json(path.with_suffix(".json"), facts | plain)
    return path
