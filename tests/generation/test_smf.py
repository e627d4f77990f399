"""The bytes of Standard MIDI Files, written by hand and by mido."""

import io
import time

import mido
import pytest

from gansynth_tf.generation import smf


def _file(*tracks, division=100, kind=1):
    header = b"MThd\0\0\0\6" + b"".join(n.to_bytes(2, "big") for n in (kind, len(tracks), division))
    return header + b"".join(b"MTrk" + len(track).to_bytes(4, "big") + track for track in tracks)


def _messages(content):
    return [(round(event.seconds * 200), event.kind, event.channel, event.data) for event in smf.read_events(content)]


END = b"\0\xff\x2f\0"


def test_running_status_and_long_numbers():
    track = b"\x81\x00\x93\x3c\x40" + b"\x05\x3c\x00" + b"\x00\xc3\x07" + b"\x01\x08" + b"\x00\xe3\x00\x40" + END
    assert _messages(_file(track)) == [
        (128, 0x90, 3, (60, 64)), (133, 0x90, 3, (60, 0)), (133, 0xC0, 3, (7, 0)), (134, 0xC0, 3, (8, 0)),
        (134, 0xE0, 3, (0, 64)), (134, "end", 0, (0, 0)),
    ]  # fmt: skip


def test_what_is_not_for_playing_is_passed_over():
    other = b"\0\xf0\x03abc" + b"\0\xf7\x01z" + b"\0\xff\x01\x05hello" + b"\0\xff\x7f\x02\x63\x63"
    content = _file(b"\0\x90\x3c\x40" + other + b"\x10\x90\x3c\x00" + END) + b"tail"
    assert [kind for _, kind, _, _ in _messages(content)] == [0x90, 0x90, "end"]


def test_a_track_without_an_end_ends_with_its_last_event_and_nothing_follows_an_end():
    assert _messages(_file(b"\x10\x90\x3c\x40"))[-1] == (16, "end", 0, (0, 0))
    assert _messages(_file(b"\x10\x90\x3c\x40" + END + b"\x10\x90\x3c\x40"))[-1] == (16, "end", 0, (0, 0))
    assert _messages(_file(b"", b"\x07\x80\x3c\x40")) == [(0, "end", 0, (0, 0)), (7, 0x80, 0, (60, 64)),
                                                          (7, "end", 0, (0, 0))]  # fmt: skip


def test_tempo_of_any_track_counts_for_all_and_zero_does_not():
    def tempo(value):
        return b"\xff\x51\x03" + value.to_bytes(3, "big")

    first = b"\0\x90\x3c\x40" + b"\x64\x3c\0" + b"\x64\x3c\x40" + b"\x64\x3c\0" + END
    second = b"\x64" + tempo(1_000_000) + b"\x64" + tempo(0) + END
    times = [event.seconds for event in smf.read_events(_file(first, second)) if event.kind == 0x90]
    assert times == pytest.approx([0, 0.5, 1.5, 2.0])


def test_names():
    track = b"\0\xff\x03\x04Lead" + END
    (name, end) = smf.read_events(_file(track))
    assert (name.kind, name.text, end.kind) == ("name", "Lead", "end")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "ends too early"),
        (b"RIFF" + bytes(30), "MThd"),
        (b"MThd\0\0\0\5\0\1\0\1\0\x60" + bytes(9), "ends too early"),
        (_file(), "0 tracks"),
        (_file(b"\0\x90\x3c\x40")[:-1], "ends too early"),
        (_file(END, b"\0\x90\x3c"), "ends too early"),
        (_file(b"\0\xff\x01\x20ab"), "ends too early"),
        (_file(b"\0\xf0\x20ab"), "ends too early"),
        (_file(b"\0\x3c\x40"), "running status"),
        (_file(b"\0\xf5\x40"), "0xf5"),
        (_file(b"\0\x90\x3c\x80"), "0..127"),
    ],
)
def test_broken_bytes(content, words):
    with pytest.raises(ValueError, match=words):
        list(smf.read_events(content))


@pytest.mark.parametrize("size", [990, 2**22])
def test_a_number_without_an_end_costs_no_time(size):
    started = time.perf_counter()
    with pytest.raises(ValueError, match="does not end" if size > 990 else "ends too early"):
        list(smf.read_events(_file(b"\xff" * size)))
    assert time.perf_counter() - started < 1  # Digit by digit it would take hours.


def test_equals_mido():
    file = mido.MidiFile(ticks_per_beat=96)
    for channel in range(3):
        track = mido.MidiTrack()
        for index in range(200):
            kind = ("note_on", "note_off", "control_change", "program_change", "pitchwheel", "aftertouch")[index % 6]
            track.append(mido.Message(kind, channel=channel, time=(index * 37) % 300))
        file.tracks.append(track)
    buffer = io.BytesIO()
    file.save(file=buffer)
    ours = [event for event in smf.read_events(buffer.getvalue()) if event.kind != "end"]
    merged = [message for message in mido.MidiFile(file=io.BytesIO(buffer.getvalue())) if not message.is_meta]
    seconds = 0.0
    assert len(ours) == len(merged) == 600
    for event, message in zip(ours, merged, strict=True):
        seconds += message.time
        raw = message.bytes()
        assert event.seconds == pytest.approx(seconds, abs=1e-9)
        assert (event.kind | event.channel, *event.data)[: len(raw)] == tuple(raw)
