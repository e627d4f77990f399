"""A Standard MIDI File -> its events in order of time.

mido reads the bytes; what it would need hours or gigabytes for is refused before.
"""

import heapq
import io
import re
import typing
from collections.abc import Iterator

if typing.TYPE_CHECKING:
    import mido

_DEFAULT_TEMPO = 500_000  # Microseconds per beat, until the file says otherwise.
_FRAME_RATES = (24, 25, 29, 30)  # Of film and video; 29 stands for 29.97.
# Bytes above 0x7f continue a number, which mido lets grow without end: each makes the next cost more. The standard's
# numbers have four bytes; names in other alphabets may have some hundred such bytes in a row.
_ENDLESS_NUMBER = re.compile(rb"[\x80-\xff]{1000}")


class Event(typing.NamedTuple):
    """What a track says at one time.

    Args:
        seconds: From the beginning of the music.
        track: Its track's number.
        kind: 0x80 to 0xE0: a channel message without its channel; "name": the track's name; "end": its end.
        channel: 0 to 15.
        data: A channel message's two numbers, 0 to 127 each (the second is 0 where there is none).
        text: The name.
    """

    seconds: float
    track: int
    kind: int | str
    channel: int = 0
    data: tuple[int, int] = (0, 0)
    text: str = ""


def read_events(content: bytes) -> Iterator[Event]:
    """Yields the events of all tracks together, in order of time and, at equal times, of tracks.

    Args:
        content: The file. Formats 0, 1 and 2 are read alike: their tracks sound together. Times in beats follow the
            tempo changes of any track; times in film frames (SMPTE) follow the frame rate.

    Yields:
        Channel messages, names and ends of tracks; the latter also where a file leaves them out.

    Raises:
        ValueError: If it is not such a file, or is broken; before the first event.
    """
    file = _parse(content)
    division = file.ticks_per_beat & 0xFFFF  # mido takes film frames for a negative number.
    merged = heapq.merge(*(_timed(track, number) for number, track in enumerate(file.tracks)), key=lambda item: item[0])
    seconds, last_tick, seconds_per_tick = 0.0, 0, _seconds_per_tick(division, _DEFAULT_TEMPO)
    for tick, number, message in merged:
        seconds += (tick - last_tick) * seconds_per_tick
        last_tick = tick
        if message is None:
            yield Event(seconds, number, "end")
        elif message.type == "set_tempo":
            # No time at all for a beat would put the rest of the music on one point.
            seconds_per_tick = _seconds_per_tick(division, message.tempo or _DEFAULT_TEMPO)
        elif message.type == "track_name":
            text = message.name.encode("latin-1", "replace").decode("utf-8", "replace").strip()
            yield Event(seconds, number, "name", text=text)
        elif not message.is_meta and (raw := message.bytes())[0] < 0xF0:
            yield Event(seconds, number, raw[0] & 0xF0, raw[0] & 0x0F, (raw[1], raw[2] if len(raw) > 2 else 0))


def _parse(content: bytes) -> "mido.MidiFile":
    import mido

    if _ENDLESS_NUMBER.search(content):
        raise ValueError("it has a number that does not end")
    try:
        file = mido.MidiFile(file=io.BytesIO(content))
    except EOFError:
        raise ValueError("it ends too early") from None
    except Exception as error:  # mido raises whatever a broken byte leads to: OSError, IndexError, KeyError, ...
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error
    division = file.ticks_per_beat & 0xFFFF
    if division == 0 or division & 0xFF == 0 and division >= 0x8000:
        raise ValueError("its header has 0 ticks per beat or frame")
    if division >= 0x8000 and 256 - (division >> 8) not in _FRAME_RATES:
        raise ValueError(f"its header has {256 - (division >> 8)} film frames per second, not 24, 25, 29 or 30")
    if not file.tracks:
        raise ValueError("it has 0 tracks")
    return file


def _timed(track: "mido.MidiTrack", number: int) -> Iterator[tuple[int, int, "mido.Message | None"]]:
    """Yields (tick, track number, message) of one track, and None for its end."""
    tick = 0
    for message in track:
        tick += message.time
        if message.type == "end_of_track":
            break
        yield tick, number, message
    yield tick, number, None


def _seconds_per_tick(division: int, tempo: int) -> float:
    if division < 0x8000:
        return tempo / 1e6 / division
    frames, ticks = 256 - (division >> 8), division & 0xFF
    return 1 / ((30000 / 1001 if frames == 29 else frames) * ticks)
