"""A Standard MIDI File -> its events in order of time, one at a time.

Source: MIDI 1.0 Detailed Specification, "Standard MIDI Files 1.0" (chunks, variable-length numbers, running status).

General parsers keep every event as an object and take numbers of any length, so that a broken file of a few megabytes
costs gigabytes or hours. Here nothing is kept, and a number has the four bytes that the standard allows.
"""

import heapq
import typing
from collections.abc import Iterator

_META, _TEMPO, _TRACK_NAME, _END_OF_TRACK = 0xFF, 0x51, 0x03, 0x2F
_DEFAULT_TEMPO = 500_000  # Microseconds per beat, until the file says otherwise.
_FRAME_RATES = (24, 25, 29, 30)  # Of film and video; 29 stands for 29.97.
_ONE_DATA_BYTE = (0xC0, 0xD0)  # Program change and channel pressure; other channel messages have two.


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
        ValueError: If it is not such a file, or is broken; before the first event, or when the broken place is reached.
    """
    division, tracks = _read_chunks(content)
    merged = heapq.merge(*(_read_track(track, number) for number, track in enumerate(tracks)), key=lambda item: item[0])
    seconds, last_tick, seconds_per_tick = 0.0, 0, _seconds_per_tick(division, _DEFAULT_TEMPO)
    for tick, number, status, data in merged:
        seconds += (tick - last_tick) * seconds_per_tick
        last_tick = tick
        if status != _META:
            yield Event(seconds, number, status & 0xF0, status & 0x0F, data)
            continue
        kind, value = data
        if kind == _TEMPO:
            # No time at all for a beat would put the rest of the music on one point.
            seconds_per_tick = _seconds_per_tick(division, int.from_bytes(value, "big") or _DEFAULT_TEMPO)
        elif kind == _TRACK_NAME:
            yield Event(seconds, number, "name", text=value.decode("utf-8", "replace").strip())
        else:
            yield Event(seconds, number, "end")


def _seconds_per_tick(division: int, tempo: int) -> float:
    if division < 0x8000:
        return tempo / 1e6 / division
    frames, ticks = 256 - (division >> 8), division & 0xFF
    return 1 / ((30000 / 1001 if frames == 29 else frames) * ticks)


def _read_chunks(content: bytes) -> tuple[int, list[memoryview]]:
    """The header's division, and each track's bytes, not copied."""
    if len(content) < 14 or content[:4] != b"MThd" or int.from_bytes(content[4:8], "big") < 6:
        raise ValueError("it does not begin with MThd and a header")
    division = int.from_bytes(content[12:14], "big")
    if division == 0 or division & 0xFF == 0 and division >= 0x8000:
        raise ValueError("its header has 0 ticks per beat or frame")
    if division >= 0x8000 and 256 - (division >> 8) not in _FRAME_RATES:
        raise ValueError(f"its header has {256 - (division >> 8)} film frames per second, not 24, 25, 29 or 30")
    tracks, place = [], 8 + int.from_bytes(content[4:8], "big")
    while place + 8 <= len(content):
        size = int.from_bytes(content[place + 4 : place + 8], "big")
        if content[place : place + 4] == b"MTrk":
            if place + 8 + size > len(content):
                raise ValueError(f"track {len(tracks)} is cut short")
            tracks.append(memoryview(content)[place + 8 : place + 8 + size])
        place += 8 + size
    if not 0 < len(tracks) < 0x10000:
        raise ValueError(f"it has {len(tracks)} tracks")
    return division, tracks


def _read_track(track: memoryview, number: int) -> Iterator[tuple[int, int, int, tuple]]:
    """Yields (tick, track number, status, data) of one track; of meta events only tempo, name and end."""
    tick, place, running = 0, 0, 0
    try:
        while place < len(track):
            delta, place = _read_number(track, place)
            tick += delta
            status = track[place]
            if status in (_META, 0xF0, 0xF7):
                kind = track[place + 1] if status == _META else None
                size, start = _read_number(track, place + (2 if status == _META else 1))
                place = start + size
                if place > len(track):
                    raise IndexError
                if kind == _END_OF_TRACK:
                    break
                if kind == _TRACK_NAME or kind == _TEMPO and size == 3:
                    yield tick, number, _META, (kind, bytes(track[start:place]))
                continue
            if status >= 0x80:
                running, place = status, place + 1
            if not 0x80 <= running < 0xF0:
                raise ValueError(f"track {number} has the byte {status:#04x} where an event must begin")
            data = (track[place], 0 if running & 0xF0 in _ONE_DATA_BYTE else track[place + 1])
            place += 1 if running & 0xF0 in _ONE_DATA_BYTE else 2
            if max(data) > 127:
                raise ValueError(f"track {number} has the byte {max(data):#04x} where a number to 127 must be")
            yield tick, number, running, data
    except IndexError:
        raise ValueError(f"track {number} ends inside an event") from None
    yield tick, number, _META, (_END_OF_TRACK, b"")


def _read_number(track: memoryview, place: int) -> tuple[int, int]:
    """A variable-length quantity, and the place behind it."""
    value = 0
    for offset in range(4):
        byte = track[place + offset]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + offset + 1
    raise ValueError("it has a number of more than 4 bytes")
