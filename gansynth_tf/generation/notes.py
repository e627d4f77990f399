"""A model's notes: which pitches to play, and their waves, each computed once."""

import collections
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np

_BATCH = 32  # Notes that a model computes at once, unless told otherwise.
_CACHE_BYTES = 32 * 2**20  # 128 of NSynth's notes: two instruments at all their pitches.


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


def random_pitches(model: NoteModel, num: int, seed: int | None = None) -> np.ndarray:
    """Draws MIDI pitches evenly from those of the model, int [num]; the same seed gives the same pitches."""
    return np.random.default_rng(seed).choice(np.asarray(model.pitches), num)


def parse_pitches(words: Iterable[str], known: Sequence[int]) -> np.ndarray:
    """Reads pitches as people write them.

    Args:
        words: Each a MIDI pitch ("60"), a note ("C4", which is 60), a range with both ends ("48-60", "C3-C4": those of
            the model) or "all".
        known: The model's pitches.

    Returns:
        MIDI pitches in the order of the words, int [pitches]; equal ones once.

    Raises:
        ValueError: If a word is none of these, or the model does not know its pitch.
    """
    found = []
    for word in map(str.strip, words):
        low, dash, high = word.partition("-")
        if word == "all":
            found += known
        elif low and dash:
            lowest, highest = _pitch_number(low), _pitch_number(high)
            inside = [pitch for pitch in known if lowest <= pitch <= highest]
            if not inside:
                raise ValueError(f"Expected pitches within {known[0]} to {known[-1]}. Received: {word}")
            found += inside
        else:
            found.append(_pitch_number(word))
    unknown = [pitch for pitch in found if pitch not in known]
    if unknown:
        nearest = min(known, key=lambda pitch: abs(pitch - unknown[0]))
        span = f"{len(known)} pitches from {known[0]} to {known[-1]}"
        raise ValueError(f"Expected one of the model's {span}. Received: {unknown[0]}; the nearest is {nearest}")
    return np.array(list(dict.fromkeys(found)), np.int64)


def _pitch_number(word: str) -> int:
    import pretty_midi

    word = word.strip()
    try:
        return int(word) if word.isdecimal() else int(pretty_midi.note_name_to_number(word))
    except ValueError:
        forms = "a MIDI pitch (60), a note (C4), a range (48-60) or all"
        raise ValueError(f"Expected {forms}. Received: {word!r}") from None


def pair_notes(num_instruments: int, num_pitches: int, num_notes: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Says which instrument plays which pitch: each instrument all pitches in turn, then the next, then again.

    Args:
        num_instruments: At least 1.
        num_pitches: At least 1.
        num_notes: How many notes; None: each instrument at each pitch once.

    Returns:
        Rows of instruments and of pitches, int [notes] each.
    """
    note = np.arange(num_instruments * num_pitches if num_notes is None else num_notes)
    return note // num_pitches % num_instruments, note % num_pitches


class NoteCache:
    """The waves of (z, pitch), computed in batches of bounded size; the latest are kept.

    Args:
        model: Any object with a model's methods.
        batch_size: Notes that the model computes at once.
        num_bytes: Of the waves that are kept; at least one batch is.
    """

    def __init__(self, model: NoteModel, batch_size: int = _BATCH, num_bytes: int = _CACHE_BYTES):
        self._model, self._batch_size = model, batch_size
        self._capacity = max(batch_size, num_bytes // (4 * max(model.audio_length, 1)))
        self._waves: collections.OrderedDict[bytes, np.ndarray] = collections.OrderedDict()

    def waves(self, z: np.ndarray, pitches: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields the rows that share one latent and pitch, and their wave.

        Args:
            z: Latents, [batch, latent].
            pitches: MIDI pitches that the model knows, [batch].

        Yields:
            int [rows] and float32 [samples], for each different (z, pitch).

        Raises:
            ValueError: If the shapes do not fit, a pitch is unknown, or the model gives NaN.
        """
        z, pitches = np.asarray(z, np.float32), np.asarray(pitches)
        if z.ndim != 2 or pitches.shape != z.shape[:1]:
            shapes = f"{z.shape} and {pitches.shape}"
            raise ValueError(f"Expected z [batch, latent], pitches [batch]. Received shapes: {shapes}")
        rows_of: dict[bytes, list[int]] = {}
        for row, (latent, pitch) in enumerate(zip(z, pitches, strict=True)):
            rows_of.setdefault(latent.tobytes() + int(pitch).to_bytes(2, "little"), []).append(row)
        keys = list(rows_of)
        for start in range(0, len(keys), self._batch_size):
            chosen = keys[start : start + self._batch_size]
            self._compute([key for key in chosen if key not in self._waves], rows_of, z, pitches)
            for key in chosen:
                self._waves.move_to_end(key)
                yield np.array(rows_of[key]), self._waves[key]
            while len(self._waves) > self._capacity:
                self._waves.popitem(last=False)

    def _compute(self, keys: list[bytes], rows_of: dict[bytes, list[int]], z: np.ndarray, pitches: np.ndarray) -> None:
        if not keys:
            return
        first = [rows_of[key][0] for key in keys]
        waves = np.asarray(self._model.generate(z[first], pitches[first]), np.float32)
        if not np.all(np.isfinite(waves)):
            broken = sorted(set(pitches[first][~np.isfinite(waves).all(axis=1)].tolist()))
            raise ValueError(f"Expected finite notes. Received NaN for pitches {broken}; use an earlier checkpoint")
        # Copies: a row of a batch would keep the whole batch in memory.
        self._waves.update((key, wave.copy()) for key, wave in zip(keys, waves, strict=True))


def render_notes(
    model: NoteModel, z: np.ndarray, pitches: np.ndarray, batch_size: int = _BATCH
) -> Iterator[tuple[int, np.ndarray]]:
    """Renders notes one after another, equal ones once, with `batch_size` of them in memory.

    Args:
        model: Any object with a model's methods.
        z: Latents, [batch, latent].
        pitches: MIDI pitches that the model knows, [batch].
        batch_size: Notes that the model computes at once.

    Yields:
        A row and its wave, float32 [samples]; equal notes together, otherwise in order.

    Raises:
        ValueError: If the shapes do not fit, a pitch is unknown, or the model gives NaN.
    """
    for rows, wave in NoteCache(model, batch_size, num_bytes=0).waves(z, pitches):
        for row in rows:
            yield int(row), wave
