"""A model's notes, singly or placed in time by MIDI, as waves and as files.

The clip follows Magenta's: random instruments in equal steps of time, every note between two of them by its start.
"""

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from gansynth_tf import files
from gansynth_tf.audio import save_wav
from gansynth_tf.generation.midi import MidiNotes, fold_pitches
from gansynth_tf.latents import latents_at

_BATCH = 32  # Notes in memory at once.
_ATTACK_SECONDS, _RELEASE_SECONDS = 0.01, 0.3
_HELD_SHARE = 0.75  # Of the model's length: notes of NSynth are held for 3 of their 4 seconds.
_LOUDEST = 0.99  # Full scale, with room for the rounding of a 16-bit file.
_SHORTEST_STEP = 0.1


class NoteModel(Protocol):
    """What a model must offer: a trained one, an exported one, a fake."""

    pitches: Sequence[int]
    sample_rate: int
    audio_length: int
    latent_size: int

    def generate(self, z: np.ndarray, pitch: np.ndarray) -> np.ndarray:
        """[batch, latent] and MIDI pitches [batch] -> waves [batch, samples]."""

    def sample_z(self, n: int, seed: int | None = None) -> np.ndarray:
        """n latents, [n, latent]."""


@dataclasses.dataclass(frozen=True, eq=False)
class Clip:
    """A rendered piece of music.

    Args:
        wave: float32 [samples], from 0 to the end of the last note and its release; never above full scale.
        instruments: The latents it passes through, [instruments, latent].
        num_folded: Notes moved into the model's pitches.
        num_shortened: Notes longer than the model's own, which fall silent early.
        gain: What the sum of the notes was multiplied with to stay within full scale; 1 where it already did.
    """

    wave: np.ndarray
    instruments: np.ndarray
    num_folded: int
    num_shortened: int
    gain: float


def random_pitches(model: NoteModel, num: int, seed: int | None = None) -> np.ndarray:
    """Draws MIDI pitches evenly from those of the model, int [num]; the same seed gives the same pitches."""
    return np.random.default_rng(seed).choice(np.asarray(model.pitches), num)


def render_notes(model: NoteModel, z: np.ndarray, pitches: np.ndarray) -> np.ndarray:
    """Renders notes, equal ones once, in batches of bounded size.

    Args:
        model: Any object with a model's methods.
        z: Latents, [batch, latent].
        pitches: MIDI pitches that the model knows, [batch].

    Returns:
        float32 [batch, samples].

    Raises:
        ValueError: If the shapes do not fit, a pitch is unknown, or the model gives NaN.
    """
    notes = np.zeros([len(z), model.audio_length], np.float32)
    for rows, wave in _rendered(model, z, pitches):
        notes[rows] = wave
    return notes


def _rendered(model: NoteModel, z: np.ndarray, pitches: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the rows that share one latent and pitch, and their wave, without keeping waves."""
    z, pitches = np.asarray(z, np.float32), np.asarray(pitches)
    if z.ndim != 2 or pitches.shape != z.shape[:1]:
        raise ValueError(f"Expected z [batch, latent], pitches [batch]. Received shapes: {z.shape} and {pitches.shape}")
    _, first, which = np.unique(np.column_stack([z, pitches]), axis=0, return_index=True, return_inverse=True)
    which = which.reshape(-1)
    for start in range(0, len(first), _BATCH):
        chosen = first[start : start + _BATCH]
        waves = np.asarray(model.generate(z[chosen], pitches[chosen]), np.float32)
        if not np.all(np.isfinite(waves)):
            broken = sorted(set(pitches[chosen][~np.isfinite(waves).all(axis=1)].tolist()))
            raise ValueError(f"Expected finite notes. Received NaN for pitches {broken}; use an earlier checkpoint")
        for offset, wave in enumerate(waves):
            yield np.flatnonzero(which == start + offset), wave


def render_midi(
    model: NoteModel,
    notes: MidiNotes,
    secs_per_instrument: float = 6.0,
    seed: int | None = None,
    instruments: np.ndarray | None = None,
    max_seconds: float = 3600.0,
) -> Clip:
    """Renders a piece of music with instruments that change over time.

    Instrument k is heard at k * secs_per_instrument; a note that starts in between is played by the latent in between
    (slerp). Notes out of the model's range are folded into it by octaves. The model's own loudness is kept, times
    velocity / 127; only a sum beyond full scale is turned down, as a whole.

    Args:
        model: Any object with a model's methods.
        notes: The music; at least one note.
        secs_per_instrument: Seconds from one instrument to the next, at least 0.1; `inf` keeps the first.
        seed: For the random instruments; None draws new ones.
        instruments: Latents to use instead of random ones, [instruments, latent]; the last one stays.
        max_seconds: Longer music is refused: a broken file can claim days, and a clip is held in memory.

    Returns:
        The clip and what had to be changed.

    Raises:
        ValueError: If there is no note, the music is too long, or a setting is out of range.
    """
    _check_music(notes, secs_per_instrument, max_seconds)
    positions = notes.starts / secs_per_instrument
    if instruments is None:
        instruments = model.sample_z(int(positions.max()) + 2, seed)
    z = latents_at(instruments, positions)
    pitches = fold_pitches(notes.pitches, model.pitches)
    wave, num_shortened = _mix(model, notes, z, pitches)
    peak = max(float(wave.max()), -float(wave.min()))
    gain = _LOUDEST / peak if peak > _LOUDEST else 1.0
    wave *= np.float32(gain)
    return Clip(wave, np.asarray(instruments), int(np.count_nonzero(pitches != notes.pitches)), num_shortened, gain)


def _check_music(notes: MidiNotes, secs_per_instrument: float, max_seconds: float) -> None:
    if not len(notes):
        raise ValueError("Expected music with at least 1 note. Received none; there is nothing to play")
    if not secs_per_instrument >= _SHORTEST_STEP:
        raise ValueError(f"Expected secs_per_instrument of at least {_SHORTEST_STEP}. Received: {secs_per_instrument}")
    seconds = float(notes.ends.max())
    if seconds > max_seconds:
        raise ValueError(f"Expected music of at most {max_seconds:.0f} s. Received: {seconds:.0f} s; cut it shorter")


def _mix(model: NoteModel, notes: MidiNotes, z: np.ndarray, pitches: np.ndarray) -> tuple[np.ndarray, int]:
    """Sum of the notes under their envelopes, and the number of those cut to the model's length."""
    rate = model.sample_rate
    longest = int(_HELD_SHARE * model.audio_length)
    release = min(round(_RELEASE_SECONDS * rate), model.audio_length - longest)
    # Both ends are rounded on the clip's own clock, so that the last release ends with the clip to the sample.
    starts, ends = (np.round(seconds * rate).astype(np.int64) for seconds in (notes.starts, notes.ends))
    held = np.minimum(ends - starts, longest)
    clip = np.zeros(int(ends.max()) + release, np.float32)
    for rows, wave in _rendered(model, z, pitches):
        for row in rows:
            sound = wave[: held[row] + release] * _envelope(held[row], release, rate)
            clip[starts[row] : starts[row] + len(sound)] += sound * (notes.velocities[row] / 127)
    return clip, int(np.count_nonzero(ends - starts > longest))


def _envelope(held: int, release: int, sample_rate: int) -> np.ndarray:
    """Rises linearly for 10 ms, stays, falls linearly from the note's end; a short note does both at once."""
    attack = min(round(_ATTACK_SECONDS * sample_rate), held + release)
    envelope = np.ones(held + release)
    envelope[:attack] = np.linspace(0, 1, attack)
    envelope[held:] *= np.linspace(1, 0, release)
    return envelope


def save_note(
    directory: str | os.PathLike, name: str, wave: np.ndarray, sample_rate: int, metadata: Mapping[str, object]
) -> pathlib.Path:
    """Writes NAME.wav and, beside it, NAME.json with what it was made from; each file whole or not at all.

    Args:
        directory: Where; made when missing.
        name: File name without an ending; files of that name are replaced.
        wave: float32 [samples].
        sample_rate: Samples per second.
        metadata: What to remember, such as pitch, velocity, seed, and the file and row of z. Numbers, words, arrays.

    Returns:
        The path of the WAV file.

    Raises:
        ValueError: If the name is not a plain file name.
    """
    if not name or name != pathlib.PurePath(name).name:
        raise ValueError(f"Expected a plain file name without folders. Received: {name!r}")
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.wav"
    save_wav(path, wave, sample_rate)
    facts = {"file": path.name, "sample_rate": sample_rate, "seconds": len(wave) / sample_rate}
    files.write_json(directory / f"{name}.json", facts | {key: _plain(value) for key, value in metadata.items()})
    return path


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def save_latents(path: str | os.PathLike, z: np.ndarray) -> None:
    """Writes latents [batch, latent] as a .npy file, whole or not at all; a later run can play them again."""
    if pathlib.PurePath(path).suffix != ".npy":
        raise ValueError(f"Expected a path that ends in .npy. Received: {os.fspath(path)}")
    with files.replacing(path) as beside:
        np.save(beside, np.asarray(z, np.float32), allow_pickle=False)


def load_latents(path: str | os.PathLike, latent_size: int) -> np.ndarray:
    """Reads latents from a .npy file, or from the array `z` of a .npz file.

    Args:
        path: The file.
        latent_size: Length of the model's latents.

    Returns:
        float32 [batch, latent].

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it holds no finite latents of that size.
    """
    stream = pathlib.Path(path).open("rb")
    try:
        with stream:
            content = np.load(stream, allow_pickle=False)
            z = np.atleast_2d(np.asarray(content["z"] if hasattr(content, "files") else content, np.float32))
    except Exception as error:  # A broken archive raises zipfile's, zlib's and NumPy's errors.
        found = f"{os.fspath(path)} ({' '.join(str(error).split())})"
        raise ValueError(f"Expected latents (.npy, or .npz with an array z). Received: {found}") from error
    if z.ndim != 2 or z.shape[1] != latent_size or not np.all(np.isfinite(z)):
        found = f"{os.fspath(path)} of shape {z.shape}"
        raise ValueError(f"Expected finite latents [batch, {latent_size}]. Received: {found}")
    return z
