"""A Standard MIDI File -> the notes to play."""

import dataclasses
import io
import os
import pathlib
import warnings
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class MidiNotes:
    """Notes in order of their start.

    Args:
        pitches: MIDI pitches, int [notes], 0 to 127.
        velocities: int [notes], 0 to 127.
        starts: Seconds, float64 [notes], 0 or later.
        ends: Seconds, float64 [notes], not before their starts.
        num_drums: Notes left out because they are on the drum channel.
    """

    pitches: np.ndarray
    velocities: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    num_drums: int = 0

    def __post_init__(self):
        kinds = {"pitches": np.int64, "velocities": np.int64, "starts": np.float64, "ends": np.float64}
        for name, kind in kinds.items():
            object.__setattr__(self, name, np.asarray(getattr(self, name), kind))
        shapes = {name: getattr(self, name).shape for name in kinds}
        if len(set(shapes.values())) != 1 or self.pitches.ndim != 1:
            raise ValueError(f"Expected one pitch, velocity, start and end for each note. Received shapes: {shapes}")
        if not np.all((self.starts >= 0) & (self.ends >= self.starts) & np.isfinite(self.ends)):
            raise ValueError("Expected 0 <= start <= end < infinity for each note. Received others; leave those out")
        for name in ("pitches", "velocities"):
            if np.any((getattr(self, name) < 0) | (getattr(self, name) > 127)):
                raise ValueError(f"Expected {name} from 0 to 127. Received: {np.unique(getattr(self, name)).tolist()}")

    def __len__(self) -> int:
        return len(self.pitches)


def read_midi(path: str | os.PathLike) -> MidiNotes:
    """Reads the pitched notes of all tracks of a MIDI file.

    Left out are the drum channel, and what the parser does not count as a note: one that is never released, or is
    released at the tick where it starts.

    Args:
        path: A Standard MIDI File.

    Returns:
        At least one note, sorted by start, then pitch.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not a readable MIDI file, or holds no note to play.
    """
    import mido
    import pretty_midi

    data = pathlib.Path(path).read_bytes()
    try:
        file = mido.MidiFile(file=io.BytesIO(data))
        if file.ticks_per_beat <= 0:
            raise ValueError("its times are in film frames (SMPTE); save it with times in beats")
        _gather_tempo(file)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Tempo, Key or Time signature change", RuntimeWarning)
            music = pretty_midi.PrettyMIDI(mido_object=file)
    except Exception as error:  # The parsers raise whatever a broken byte leads to: EOFError, IndexError, OSError, ...
        found = f"{os.fspath(path)} ({' '.join(str(error).split()) or type(error).__name__})"
        raise ValueError(f"Expected a Standard MIDI File. Received: {found}; export it again") from error
    return _playable(music, path)


def _gather_tempo(file) -> None:
    """Moves every tempo change into the first track, where alone pretty_midi looks for it."""
    import mido

    file.tracks[:] = [track for track in file.tracks if len(track)]
    if len(file.tracks) < 2:
        return
    tempo_tracks = []
    for track in file.tracks[1:]:
        tick, last_tick, tempo_track = 0, 0, mido.MidiTrack()
        for event in track:
            tick += event.time
            if event.type == "set_tempo":
                tempo_track.append(event.copy(time=tick - last_tick))
                last_tick = tick
        tempo_tracks.append(tempo_track)
    if any(len(track) for track in tempo_tracks):
        file.tracks[0] = mido.merge_tracks([file.tracks[0], *tempo_tracks])


def _playable(music, path: str | os.PathLike) -> MidiNotes:
    pitched = [note for instrument in music.instruments if not instrument.is_drum for note in instrument.notes]
    num_drums = sum(len(instrument.notes) for instrument in music.instruments if instrument.is_drum)
    if not pitched:
        found = f"{os.fspath(path)}, with {num_drums} drum notes and no others"
        raise ValueError(f"Expected pitched notes on some track. Received: {found}; there is nothing to play")
    rows = sorted((note.start, note.pitch, note.end, note.velocity) for note in pitched)
    starts, pitches, ends, velocities = zip(*rows, strict=True)
    return MidiNotes(pitches, velocities, starts, ends, num_drums)


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
    distances = np.abs(pitches[:, np.newaxis] - known)
    octave_apart = distances % 12 == 0
    # A pitch of the same name wins over any nearer one.
    return known[np.argmin(distances + np.where(octave_apart, 0, 1000), axis=1)]
