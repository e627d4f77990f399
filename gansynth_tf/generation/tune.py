"""A tune for who has no MIDI file at hand: the first eight bars of J. S. Bach's Prelude in C, BWV 846 (1722)."""

import os

from gansynth_tf import files

# An octave down. Of each bar, which is played twice a half bar: two notes that stay, and three that come twice.
_BARS = (
    "C3 E3 G3 C4 E4", "C3 D3 A3 D4 F4", "B2 D3 G3 D4 F4", "C3 E3 G3 C4 E4", "C3 E3 A3 E4 A4", "C3 D3 F#3 A3 D4",
    "B2 D3 G3 D4 G4", "B2 C3 E3 G3 C4",
)  # fmt: skip
_QUARTERS_PER_MINUTE = 72
_SIXTEENTHS = 8  # In a half bar.


def write_tune(path: str | os.PathLike) -> None:
    """Writes the tune as a MIDI file of two tracks, the left hand's sustained notes and the right hand's.

    Args:
        path: The file; its folder is made if need be.
    """
    import pretty_midi

    sixteenth = 60 / _QUARTERS_PER_MINUTE / 4
    music = pretty_midi.PrettyMIDI(initial_tempo=_QUARTERS_PER_MINUTE)
    left, right = (pretty_midi.Instrument(0, name=name) for name in ("left hand", "right hand"))
    halves = [bar.split() for bar in _BARS for _ in range(2)]
    for half, bar in enumerate(halves):
        for step, place in enumerate([0, 1, 2, 3, 4, 2, 3, 4]):
            start = (_SIXTEENTHS * half + step) * sixteenth
            length = {0: _SIXTEENTHS, 1: _SIXTEENTHS - 1}.get(step, 1) * sixteenth
            pitch = pretty_midi.note_name_to_number(bar[place])
            (left if step < 2 else right).notes.append(pretty_midi.Note(84, pitch, start, start + length))
    music.instruments += [left, right]
    with files.replacing(path) as beside:
        music.write(str(beside))
