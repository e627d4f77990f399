"""A Standard MIDI File -> the notes to play."""

import array
import collections
import dataclasses
import os
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from gansynth_tf.generation import smf

_LARGEST_FILE = 2 * 2**20  # Bytes. An hour of dense music has less than one megabyte.
_DRUM_CHANNEL = 9  # General MIDI's channel 10.
_USUAL_VOLUME = 100  # General MIDI's channel volume where a file sets none.
_NOTE_OFF, _NOTE_ON, _CONTROL, _BEND = 0x80, 0x90, 0xB0, 0xE0
_VOLUME, _PEDAL, _ALL_SOUND_OFF, _RESET, _ALL_NOTES_OFF = 7, 64, 120, 121, 123
_STILL_OPEN = -1.0


@dataclasses.dataclass(frozen=True, eq=False)
class MidiNotes:
    """Notes in order of their start.

    Args:
        pitches: MIDI pitches, int [notes], 0 to 127.
        velocities: int [notes], 0 to 127.
        starts: Seconds, float64 [notes], 0 or later.
        ends: Seconds, float64 [notes], not before their starts.
        parts: int [notes], each note's row in `part_names`: notes of one track and channel. All of one part if None.
        volumes: float64 [notes], 0 or more: factors beside velocity / 127. All 1 if None.
        part_names: What a person calls the parts.
        num_drums: Notes left out because they are on the drum channel.
        num_unreleased: Notes that the file never ends; they last to the end of their track.
        num_bends: Pitch bends left out.
    """

    pitches: np.ndarray
    velocities: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    parts: np.ndarray | None = None
    volumes: np.ndarray | None = None
    part_names: tuple[str, ...] = ("music",)
    num_drums: int = 0
    num_unreleased: int = 0
    num_bends: int = 0

    def __post_init__(self):
        kinds = {"pitches": np.int64, "velocities": np.int64, "starts": np.float64, "ends": np.float64,
                 "parts": np.int64, "volumes": np.float64}  # fmt: skip
        count = np.shape(self.pitches)
        usual = {"parts": np.zeros(count), "volumes": np.ones(count)}
        for name, kind in kinds.items():
            given = getattr(self, name)
            object.__setattr__(self, name, np.asarray(usual[name] if given is None else given, kind))
        shapes = {name: getattr(self, name).shape for name in kinds}
        if len(set(shapes.values())) != 1 or self.pitches.ndim != 1:
            raise ValueError(f"Expected one pitch, velocity, start and end for each note. Received shapes: {shapes}")
        if not np.all((self.starts >= 0) & (self.ends >= self.starts) & np.isfinite(self.ends)):
            raise ValueError("Expected 0 <= start <= end < infinity for each note. Received others; leave those out")
        for name, limit in (("pitches", 127), ("velocities", 127), ("parts", len(self.part_names) - 1)):
            if np.any((getattr(self, name) < 0) | (getattr(self, name) > limit)):
                found = np.unique(getattr(self, name)).tolist()
                raise ValueError(f"Expected {name} from 0 to {limit}. Received: {found}")
        if not np.all((self.volumes >= 0) & np.isfinite(self.volumes)):
            raise ValueError("Expected volumes of 0 or more. Received negative ones, NaN or infinity")

    def __len__(self) -> int:
        return len(self.pitches)

    @property
    def levels(self) -> np.ndarray:
        """What each note's wave is multiplied with: velocity / 127 times volume, float64 [notes]."""
        return self.velocities / 127 * self.volumes


def read_midi(path: str | os.PathLike) -> MidiNotes:
    """Reads the pitched notes of all tracks of a MIDI file.

    The sustain pedal (64 and more) holds notes that are released until it goes up or the pitch is struck again. Channel
    volume counts as General MIDI says, (volume / 100)**2, the largest that a note is held under. Equal pitches that
    overlap end in the order of their starts. A note that is never released lasts to the end of its track; one that is
    released where it starts keeps its place, with length 0. The drum channel and pitch bends are left out and counted.

    Args:
        path: A Standard MIDI File, of at most 2 MiB.

    Returns:
        At least one note, sorted by start, then pitch.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not a readable MIDI file, or holds no note to play.
    """
    path = pathlib.Path(path)
    size = path.stat().st_size
    if size > _LARGEST_FILE:
        limit = f"at most {_LARGEST_FILE // 2**20} MiB"
        raise ValueError(f"Expected a MIDI file of {limit}. Received: {path}, of {size / 2**20:.0f} MiB; split it")
    keyboard = _Keyboard()
    try:
        for event in smf.read_events(path.read_bytes()):
            keyboard.take(event)
    except ValueError as error:
        raise ValueError(f"Expected a Standard MIDI File. Received: {path} ({error}); export it again") from error
    return keyboard.notes(path)


class _Keyboard:
    """Plays events one after another, and keeps the notes in columns of plain numbers."""

    def __init__(self):
        self.columns = {name: array.array(code) for name, code in zip(("start", "end", "volume"), "ddd", strict=True)}
        self.columns |= {name: array.array("i") for name in ("pitch", "velocity", "part")}
        self.parts: dict[tuple[int, int], int] = {}
        self.names: dict[int, str] = {}
        self.held = collections.defaultdict(collections.deque)  # (track, channel, pitch): rows under a finger.
        self.sustained = collections.defaultdict(collections.deque)  # (channel, pitch): rows that the pedal holds.
        self.released: dict[tuple[int, int, int], float] = {}
        self.pedals: set[int] = set()
        self.volumes = [_USUAL_VOLUME] * 16
        self.track_ends: dict[int, float] = {}
        self.num_drums = self.num_bends = self.num_unreleased = 0

    def take(self, event: smf.Event) -> None:
        """Takes the next event."""
        self.track_ends[event.track] = event.seconds
        if event.kind == "name":
            self.names.setdefault(event.track, event.text)
        elif event.kind == "end":
            return
        elif event.channel == _DRUM_CHANNEL:
            self.num_drums += event.kind == _NOTE_ON and event.data[1] > 0
        elif event.kind == _NOTE_ON and event.data[1] > 0:
            self._press(event)
        elif event.kind in (_NOTE_ON, _NOTE_OFF):
            self._release(event)
        elif event.kind == _CONTROL:
            self._control(event)
        elif event.kind == _BEND:
            self.num_bends += event.data != (0, 64)

    def _press(self, event: smf.Event) -> None:
        pitch, velocity = event.data
        self._end(self.sustained.pop((event.channel, pitch), ()), event.seconds)
        self.held[event.track, event.channel, pitch].append(len(self.columns["start"]))
        part = self.parts.setdefault((event.track, event.channel), len(self.parts))
        values = {"start": event.seconds, "end": _STILL_OPEN, "volume": self.volumes[event.channel],
                  "pitch": pitch, "velocity": velocity, "part": part}  # fmt: skip
        for name, value in values.items():
            self.columns[name].append(value)

    def _release(self, event: smf.Event) -> None:
        key = (event.track, event.channel, event.data[0])
        self.released[key] = event.seconds
        if key not in self.held:
            return
        row = self.held[key].popleft()
        if not self.held[key]:
            del self.held[key]
        if event.channel in self.pedals:
            self.sustained[event.channel, event.data[0]].append(row)
        else:
            self.columns["end"][row] = event.seconds

    def _control(self, event: smf.Event) -> None:
        control, value = event.data
        if control == _VOLUME:
            if value > self.volumes[event.channel]:
                self._swell(event.channel, value)
            self.volumes[event.channel] = value
        elif control == _PEDAL and value >= 64:
            self.pedals.add(event.channel)
        elif control in (_PEDAL, _ALL_SOUND_OFF, _RESET, _ALL_NOTES_OFF):
            if control in (_PEDAL, _RESET):
                self.pedals.discard(event.channel)
            for key in [key for key in self.sustained if key[0] == event.channel]:
                self._end(self.sustained.pop(key), event.seconds)
            if control in (_ALL_SOUND_OFF, _ALL_NOTES_OFF):
                for key in [key for key in self.held if key[1] == event.channel]:
                    self._end(self.held.pop(key), event.seconds)

    def _swell(self, channel: int, value: int) -> None:
        for (_, other, _), rows in self.held.items():
            for row in rows if other == channel else ():
                self.columns["volume"][row] = max(self.columns["volume"][row], value)

    def _end(self, rows: Iterable[int], seconds: float) -> None:
        for row in rows:
            self.columns["end"][row] = seconds

    def notes(self, path: pathlib.Path) -> MidiNotes:
        """All notes, after the last event."""
        if not self.columns["start"]:
            found = f"{path}, with {self.num_drums} drum notes and no others"
            raise ValueError(f"Expected pitched notes on some track. Received: {found}; there is nothing to play")
        self._end_the_rest()
        start, end, volume, pitch, velocity, part = (np.array(column) for column in self.columns.values())
        order = np.lexsort((velocity, end, pitch, start))
        names = tuple(
            f"{self.names.get(track) or f'track {track}'}, channel {channel + 1}" for track, channel in self.parts
        )
        volumes = (volume / _USUAL_VOLUME) ** 2
        return MidiNotes(
            pitch[order], velocity[order], start[order], end[order], part[order], volumes[order], names,
            self.num_drums, self.num_unreleased, self.num_bends,
        )  # fmt: skip

    def _end_the_rest(self) -> None:
        for (channel, _), rows in self.sustained.items():
            self._end(rows, max(self.track_ends[track] for track, other in self.parts if other == channel))
        for key, rows in self.held.items():
            self.num_unreleased += len(rows)
            for row in rows:
                # Of two that overlap, the one release that a file may have for both counts for both.
                released = self.released.get(key, _STILL_OPEN)
                start = self.columns["start"][row]
                self.columns["end"][row] = released if released > start else self.track_ends[key[0]]


def fold_pitches(pitches: np.ndarray, known: Sequence[int]) -> np.ndarray:
    """Brings pitches into those that a model knows, by as few octaves as possible.

    Args:
        pitches: MIDI pitches, [notes].
        known: The model's MIDI pitches; at least one.

    Returns:
        int [notes]; a pitch that is known stays as it is, one that no number of octaves brings among the known becomes
        the nearest known one.

    Raises:
        ValueError: If no pitch is known.
    """
    pitches, known = np.asarray(pitches, np.int64), np.asarray(known, np.int64)
    if not known.size:
        raise ValueError("Expected a model that knows at least 1 pitch. Received none")
    # One row for each possible pitch, not for each note: a long piece has very many.
    every = np.arange(128)
    distances = np.abs(every[:, np.newaxis] - known)
    # A pitch of the same name wins over any nearer one.
    nearest = known[np.argmin(distances + np.where(distances % 12 == 0, 0, 1000), axis=1)]
    return nearest[pitches]
