"""Random music and random bytes: notes or one clear line; every note is heard, for exactly as long as it lasts."""

import io

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gansynth_tf.generation import midi
from gansynth_tf.generation.synthesis import ClipRenderer
from gansynth_tf.generation.writing import Performance

_SETTINGS = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
_DRUM_CHANNEL = 9
_MOST_SECONDS = 100.0  # Longer pieces are refused here, to save time.

_any_note = st.builds(
    mido.Message, st.just("note_on"), note=st.integers(0, 127), velocity=st.integers(0, 127),
    channel=st.integers(0, 15), time=st.integers(0, 60),
)  # fmt: skip
# A few pitches of few channels: repetitions, overlaps, releases that belong to something.
_few_notes = st.builds(
    mido.Message, st.sampled_from(["note_on", "note_on", "note_off"]), note=st.integers(58, 62),
    velocity=st.sampled_from([0, 1, 64, 127]), channel=st.integers(0, 1), time=st.sampled_from([0, 0, 1, 50]),
)  # fmt: skip
_others = st.one_of(
    st.builds(
        mido.Message, st.just("control_change"), control=st.sampled_from([7, 64, 120, 121, 123, 1]),
        value=st.sampled_from([0, 1, 63, 64, 100, 127]), channel=st.integers(0, 1), time=st.integers(0, 100),
    ),
    st.builds(mido.Message, st.just("pitchwheel"), pitch=st.integers(-8192, 8191), time=st.just(0)),
    st.builds(mido.Message, st.just("program_change"), program=st.integers(0, 127), time=st.integers(0, 900)),
    st.builds(mido.MetaMessage, st.just("set_tempo"), tempo=st.sampled_from([0, 1, 250_000, 900_000])),
    st.builds(mido.MetaMessage, st.just("track_name"), name=st.text("aä ", max_size=3)),
    st.builds(mido.Message, st.just("sysex"), data=st.lists(st.integers(0, 127), max_size=3)),
)  # fmt: skip
_tracks = st.lists(
    st.lists(st.one_of(_any_note, _few_notes, _few_notes, _others), min_size=12, max_size=40), min_size=1, max_size=4
)
_ticks = st.sampled_from([48, 96, 480, 32767])
_performances = st.builds(Performance, st.booleans(), st.sampled_from([0.1, 0.7, 6.0, float("inf")]), st.booleans())
_sizes = st.sampled_from([(400, 300), (1000, 150), (200, 900)])
_changes = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 255)), max_size=4)
_headers = st.sampled_from([
    b"", b"", b"", b"MThe", b"MThd\0\0\0\6\0\2", b"MThd\0\0\0\6\0\1\0\x09\xd8\x90", b"MThd\0\0\0\6\0\1\0\0\xe7\x28",
])  # fmt: skip
_cuts = st.sampled_from([0, 0, 0, 0, 0, 1, 60])


def _bytes(tracks, ticks_per_beat):
    file = mido.MidiFile(ticks_per_beat=ticks_per_beat)
    file.tracks += [mido.MidiTrack(track) for track in tracks]
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _read(path, content):
    """The notes, or None where one line says why there are none."""
    path.write_bytes(content)
    try:
        return midi.read_midi(path)
    except ValueError as error:
        assert path.name in str(error) and "\n" not in str(error) and len(str(error)) < 400
        return None


def _listen(notes, performance, model):
    """Renders, and checks every sample of every note."""
    instruments = model.sample_z(min(performance.num_instruments(notes), 50), 0)
    positions = performance.positions(notes, len(instruments))
    try:
        renderer = ClipRenderer(model, notes, instruments, positions, performance.loop, max_seconds=_MOST_SECONDS)
    except ValueError as error:
        assert notes.ends.max() > _MOST_SECONDS and f"at most {_MOST_SECONDS:.0f} s" in str(error)
        return
    wave = np.concatenate([np.zeros(0), *renderer.blocks()])
    rate, longest = model.sample_rate, int(0.75 * model.audio_length)
    release = min(round(0.3 * rate), model.audio_length - longest)
    starts, ends = np.round(notes.starts * rate).astype(int), np.round(notes.ends * rate).astype(int)
    assert np.all(np.isfinite(wave)) and len(wave) == ends.max() + release
    lasts = ends if performance.loop else np.minimum(ends, starts + longest)
    sounding = np.zeros(len(wave), bool)
    for start, last, level in zip(starts, lasts, notes.levels, strict=True):
        # The first and the last sample of an envelope are zero.
        sounding[start + 1 : last + release - 1] |= level > 0
    assert np.all(wave[sounding] > 0)


def _check_written(path, tracks, ticks_per_beat, performance, model):
    struck = [
        message for track in tracks for message in track
        if message.type == "note_on" and message.velocity and message.channel != _DRUM_CHANNEL
    ]  # fmt: skip
    notes = _read(path, _bytes(tracks, ticks_per_beat))
    # Not one note is lost, and none comes from nowhere.
    assert (0 if notes is None else len(notes)) == len(struck)
    if notes is not None:
        assert sorted(notes.pitches.tolist()) == sorted(message.note for message in struck)
        _listen(notes, performance, model)


def _check_broken(path, tracks, header, changes, cut, performance, model):
    content = bytearray(_bytes(tracks, 96))
    content[: len(header)] = header
    for place, value in changes:
        content[18 + place % (len(content) - 18)] = value  # Anything but the header, whose errors hide all others.
    notes = _read(path, bytes(content[: len(content) - cut]))
    if notes is not None:
        _listen(notes, performance, model)


@settings(max_examples=100, **_SETTINGS)
@given(tracks=_tracks, ticks=_ticks, performance=_performances, size=_sizes)
def test_written_music_is_heard(tmp_path, constant_model, tracks, ticks, performance, size):
    model = constant_model(0.25, sample_rate=size[0], audio_length=size[1], pitches=[40, 41, 60, 61, 75])
    _check_written(tmp_path / "written.mid", tracks, ticks, performance, model)


@settings(max_examples=60, **_SETTINGS)
@given(tracks=_tracks, header=_headers, changes=_changes, cut=_cuts, performance=_performances)
def test_broken_bytes_give_notes_or_one_line(tmp_path, constant_model, tracks, header, changes, cut, performance):
    model = constant_model(0.25, sample_rate=400, audio_length=300, pitches=[40, 41, 60, 61, 75])
    _check_broken(tmp_path / "broken.mid", tracks, header, changes, cut, performance, model)


@pytest.mark.long
@settings(max_examples=1000, **_SETTINGS)
@given(tracks=_tracks, ticks=_ticks, performance=_performances, size=_sizes)
def test_a_thousand_pieces_are_heard(tmp_path, constant_model, tracks, ticks, performance, size):
    model = constant_model(0.25, sample_rate=size[0], audio_length=size[1], pitches=[40, 41, 60, 61, 75])
    _check_written(tmp_path / "written.mid", tracks, ticks, performance, model)


@pytest.mark.long
@settings(max_examples=1000, **_SETTINGS)
@given(tracks=_tracks, header=_headers, changes=_changes, cut=_cuts, performance=_performances)
def test_a_thousand_broken_files(tmp_path, constant_model, tracks, header, changes, cut, performance):
    model = constant_model(0.25, sample_rate=400, audio_length=300, pitches=[40, 41, 60, 61, 75])
    _check_broken(tmp_path / "broken.mid", tracks, header, changes, cut, performance, model)
