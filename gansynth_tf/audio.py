"""Audio files and sample arrays: load, save, resample, crop or pad; all mono, float32, [samples]."""

import io
import os
import pathlib

import numpy as np

from gansynth_tf import files

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
