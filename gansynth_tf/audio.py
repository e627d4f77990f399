"""Audio files and sample arrays: load, save, resample, crop or pad; all mono, float32, [samples]."""

import io
import math
import os
import pathlib
import typing

import numpy as np

from gansynth_tf import files

_BLOCK_FRAMES = 2**16  # Read at once where a whole file might not fit in memory.
_QUIET = 0.01  # Share of a file's peak, -40 dB: recordings are seldom quieter before the sound begins.
_LONGEST_HEADER = 80  # Bytes of a mono WAV file before its samples.


def load_audio(path: str | os.PathLike, sample_rate: int) -> np.ndarray:
    """Reads an audio file as one channel at the wanted rate.

    Args:
        path: Any file that libsndfile reads (WAV, FLAC, OGG, MP3, ...).
        sample_rate: Wanted rate in Hz.

    Returns:
        float32 [samples], the mean of the file's channels, nominally in [-1, 1].

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not audio, or holds no samples.
    """
    import soundfile

    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected an audio file. Received: {path}, which does not exist; check the path.")
    try:
        wave, file_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        found = f"{path} ({error.error_string})"
        raise ValueError(f"Expected audio such as WAV or FLAC. Received: {found} Convert or remove it.") from error
    if not len(wave):
        raise ValueError(f"Expected audio with samples. Received: {path}, which holds none; remove it.")
    return resample(wave.mean(axis=1, dtype=np.float32), file_rate, sample_rate)


class Beginning(typing.NamedTuple):
    """The beginning of a file's sound.

    Args:
        wave: float32 [samples] at the file's rate, the mean of its channels.
        rate: The file's rate in Hz.
        channels: How many the file has.
        seconds: How long the sound goes on in the file, the part that was not read included.
    """

    wave: np.ndarray
    rate: int
    channels: int
    seconds: float


def read_beginning(file: typing.BinaryIO, seconds: float, trim_silence: bool = False) -> Beginning:
    """Reads what a note needs of an audio file of any length.

    Args:
        file: Opened for reading bytes; anything that libsndfile reads.
        seconds: How much; a tenth of a second more is given where there is more, for a resampler to look at.
        trim_silence: Whether to begin 5 ms before the first sample within 40 dB of the file's peak.

    Returns:
        The beginning; its wave may be empty, or hold NaN where the file does.

    Raises:
        ValueError: The file is not audio.
    """
    import soundfile

    try:
        with soundfile.SoundFile(file) as sound:
            start = max(0, _find_onset(sound) - sound.samplerate // 200) if trim_silence else 0
            sound.seek(start)
            wanted = math.ceil((seconds + 0.1) * sound.samplerate)
            wave = sound.read(wanted, dtype="float32", always_2d=True).mean(axis=1, dtype=np.float32)
            # Headers of cut files promise too much.
            length = sound.frames - start if len(wave) == wanted else len(wave)
            return Beginning(wave, sound.samplerate, sound.channels, length / sound.samplerate)
    except soundfile.SoundFileError as error:
        raise ValueError(str(getattr(error, "error_string", error))) from error


def _find_onset(sound) -> int:
    """Frame of the first sample within 40 dB of an open file's peak."""
    peaks = [float(np.abs(block).max()) for block in sound.blocks(_BLOCK_FRAMES, dtype="float32") if block.size]
    threshold = _QUIET * max(peaks, default=0.0)
    first = next((place for place, peak in enumerate(peaks) if peak >= threshold), 0)
    sound.seek(first * _BLOCK_FRAMES)
    block = sound.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)
    return first * _BLOCK_FRAMES + int(np.argmax(np.abs(block).max(axis=1, initial=0.0) >= threshold))


def save_wav(path: str | os.PathLike, wave: np.ndarray, sample_rate: int, subtype: str = "FLOAT") -> None:
    """Writes a WAV file, beside its place first and renamed when complete.

    Args:
        path: Where to write; missing folders are made.
        wave: [samples] in [-1, 1].
        sample_rate: Hz.
        subtype: libsndfile's name of the sample format. "FLOAT" keeps float32; "PCM_16" clips to [-1, 1].

    Raises:
        ValueError: `wave` is not one-dimensional, or not finite.
    """
    import soundfile

    path = pathlib.Path(path)
    wave = np.asarray(wave, dtype=np.float32)
    if wave.ndim != 1:
        raise ValueError(f"Expected a wave of shape [samples]. Received shape: {wave.shape}; save one note at a time.")
    if not np.all(np.isfinite(wave)):
        raise ValueError(f"Expected finite samples for {path}. Received NaN or infinity; check what made the wave.")
    # Into memory first: libsndfile stamps the time into its PEAK chunk, but the same sound shall be the same bytes; and
    # a full disk is an OSError only where Python writes.
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, sample_rate, subtype=subtype, format="WAV")
    with files.replacing(path) as beside:
        beside.write_bytes(buffer.getbuffer())
        clear_peak_time(beside)


def clear_peak_time(path: str | os.PathLike) -> None:
    """Sets the time that libsndfile stamps into a float WAV file's PEAK chunk to zero, in place."""
    with open(path, "r+b") as file:
        place = file.read(_LONGEST_HEADER).find(b"PEAK")
        if place >= 0:
            file.seek(place + 12)
            file.write(bytes(4))


def resample(wave: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Changes the sample rate with soxr at "VHQ", which is flat to 0.95 of the lower Nyquist frequency.

    Args:
        wave: [samples].
        from_rate: The wave's rate in Hz.
        to_rate: Wanted rate in Hz.

    Returns:
        float32 [round(samples * to_rate / from_rate)].

    Raises:
        ValueError: A rate is not positive.
    """
    if from_rate <= 0 or to_rate <= 0:
        raise ValueError(f"Expected positive sample rates. Received: {from_rate} and {to_rate} Hz.")
    wave = np.asarray(wave, dtype=np.float32)
    if from_rate == to_rate:
        return wave
    import soxr

    return soxr.resample(wave, from_rate, to_rate, quality="VHQ")


def crop_or_pad(wave: np.ndarray, num_samples: int) -> np.ndarray:
    """Cuts the end off, or appends zeros, so that the note keeps its onset.

    Args:
        wave: [samples].
        num_samples: Wanted length.

    Returns:
        [num_samples], of the wave's type.
    """
    wave = np.asarray(wave)[:num_samples]
    return np.pad(wave, (0, num_samples - len(wave)))
