"""MIDI pitches, their frequencies, and the pitch classes a model is conditioned on."""

import collections
import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

UNPITCHED = 60  # What a sound of no known pitch is played at: the key that SoundFont 2.04 (7.10) gives such samples.


def midi_to_hz(midi: np.ndarray | float) -> np.ndarray:
    """Equal-tempered frequency of MIDI pitches: 440 * 2**((midi - 69) / 12) Hz.

    Args:
        midi: MIDI pitches of any shape; 69 is A4; fractions are allowed.

    Returns:
        float64 Hz, same shape.
    """
    return 440.0 * 2.0 ** ((np.asarray(midi, dtype=np.float64) - 69.0) / 12.0)


def hz_to_midi(hz: np.ndarray | float) -> np.ndarray:
    """MIDI pitch of frequencies: 69 + 12 * log2(hz / 440).

    Args:
        hz: Positive frequencies of any shape.

    Returns:
        float64 MIDI pitches, same shape.
    """
    return 69.0 + 12.0 * np.log2(np.asarray(hz, dtype=np.float64) / 440.0)


@dataclasses.dataclass(frozen=True)
class PitchClasses:
    """The pitches a model knows, ascending, and how many notes of each were counted.

    Args:
        pitches: Distinct MIDI pitches in 0..127, ascending. A pitch's place is its class index.
        counts: Notes of each pitch, all positive. Latents are drawn together with pitches in this proportion.
        pitched: False for an unconditional model, whose one class holds notes of any pitch or none; the class goes by
            the pitch `UNPITCHED`.

    Raises:
        ValueError: Lengths differ or are 0, or the pitches are not ascending MIDI pitches, or a count is not positive,
            or there is another than the one class of an unconditional model.
    """

    pitches: tuple[int, ...]
    counts: tuple[int, ...]
    pitched: bool = True

    def __post_init__(self):
        if not self.pitched and tuple(self.pitches) != (UNPITCHED,):
            raise ValueError(f"Expected the one pitch {UNPITCHED} of an unpitched class. Received: {self.pitches}.")
        if not self.pitches or len(self.pitches) != len(self.counts):
            sizes = f"{len(self.pitches)} pitches and {len(self.counts)} counts"
            raise ValueError(f"Expected at least one pitch and one count for each. Received: {sizes}.")
        ascending = all(low < high for low, high in zip(self.pitches, self.pitches[1:], strict=False))
        if not ascending or self.pitches[0] < 0 or self.pitches[-1] > 127:
            raise ValueError(f"Expected distinct ascending MIDI pitches in 0..127. Received: {self.pitches}.")
        if min(self.counts) < 1:
            raise ValueError(f"Expected positive counts; leave out pitches without notes. Received: {self.counts}.")

    @property
    def num_classes(self) -> int:
        """How many pitches there are."""
        return len(self.pitches)

    @property
    def probabilities(self) -> np.ndarray:
        """Share of the notes at each pitch: float64 [pitches], summing to 1."""
        counts = np.asarray(self.counts, dtype=np.float64)
        return counts / counts.sum()

    def to_index(self, pitch: np.ndarray | int) -> np.ndarray:
        """Class indices of MIDI pitches.

        Args:
            pitch: Whole MIDI pitches of any shape.

        Returns:
            int64 indices in 0..num_classes-1, same shape.

        Raises:
            ValueError: A pitch is not among the classes.
        """
        pitch = np.asarray(pitch)
        known = np.asarray(self.pitches)
        index = np.minimum(np.searchsorted(known, pitch), self.num_classes - 1)
        unknown = pitch[known[index] != pitch]
        if unknown.size:
            received = unknown.flat[0]
            span = f"{self.num_classes} pitches from {self.pitches[0]} to {self.pitches[-1]}"
            raise ValueError(f"Expected one of {span}. Received: {received}; the nearest is {self.nearest(received)}.")
        return index.astype(np.int64)

    def to_pitch(self, index: np.ndarray | int) -> np.ndarray:
        """MIDI pitches of class indices.

        Args:
            index: Whole numbers in 0..num_classes-1, of any shape.

        Returns:
            int64 MIDI pitches, same shape.

        Raises:
            ValueError: An index is out of range.
        """
        index = np.asarray(index)
        if index.size and (index.min() < 0 or index.max() >= self.num_classes):
            received = f"{index.min()} to {index.max()}"
            raise ValueError(f"Expected class indices in 0..{self.num_classes - 1}. Received: {received}.")
        return np.asarray(self.pitches, dtype=np.int64)[index]

    def nearest(self, pitch: float) -> int:
        """The known pitch closest to a MIDI pitch; the lower one when two are equally close."""
        return min(self.pitches, key=lambda known: (abs(known - pitch), known))

    @classmethod
    def from_pitches(cls, pitches: Iterable[int]) -> "PitchClasses":
        """Counts notes' pitches.

        Args:
            pitches: One MIDI pitch per note, in any order.

        Returns:
            The distinct pitches with their counts.

        Raises:
            ValueError: There are no notes, or a pitch is outside 0..127.
        """
        counted = sorted(collections.Counter(int(pitch) for pitch in pitches).items())
        return cls(tuple(pitch for pitch, _ in counted), tuple(count for _, count in counted))

    @classmethod
    def unpitched(cls, count: int) -> "PitchClasses":
        """The one class of an unconditional model, counted from so many notes."""
        return cls((UNPITCHED,), (count,), pitched=False)

    def to_json(self) -> dict:
        """A dict that JSON can hold; `from_json` reads it."""
        return {"pitches": list(self.pitches), "counts": list(self.counts), "pitched": self.pitched}

    @classmethod
    def from_json(cls, values: Mapping) -> "PitchClasses":
        """Reads what `to_json` gave; "pitched" may be missing."""
        pitches, counts = (tuple(int(number) for number in values[name]) for name in ("pitches", "counts"))
        return cls(pitches, counts, bool(values.get("pitched", True)))
