"""MIDI files as people have them: many tracks, drums, tempo changes, broken bytes."""

import mido
import numpy as np
import pretty_midi
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gansynth_tf.generation import midi


def _write(path, tracks, drums=()):
    music = pretty_midi.PrettyMIDI()
    for index, notes in enumerate([*tracks, *drums]):
        instrument = pretty_midi.Instrument(program=index, is_drum=index >= len(tracks))
        instrument.notes = [pretty_midi.Note(*note) for note in notes]
        music.instruments.append(instrument)
    music.write(str(path))
    return path


def test_tracks_are_merged_in_time_and_drums_left_out(tmp_path):
    tracks = [[(90, 60, 1.0, 2.0), (80, 64, 4.0, 5.0)], [(70, 40, 0.5, 6.5), (60, 50, 1.0, 1.25)]]
    notes = midi.read_midi(_write(tmp_path / "a.mid", tracks, drums=[[(99, 36, 0.0, 9.0)] * 1]))
    np.testing.assert_array_equal(notes.pitches, [40, 50, 60, 64])
    np.testing.assert_array_equal(notes.velocities, [70, 60, 90, 80])
    np.testing.assert_allclose(notes.starts, [0.5, 1, 1, 4], atol=0.003)
    np.testing.assert_allclose(notes.ends, [6.5, 1.25, 2, 5], atol=0.003)
    assert (len(notes), notes.num_drums) == (4, 1)


def _note_on(time, pitch=60, velocity=100, channel=0):
    return mido.Message("note_on", note=pitch, velocity=velocity, time=time, channel=channel)


def test_tempo_changes_in_any_track_count(tmp_path):
    file = mido.MidiFile(ticks_per_beat=100)
    slow = mido.MetaMessage("set_tempo", tempo=1_000_000, time=200)  # One beat a second, after one second.
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("track_name", name="first")]))
    file.tracks.append(mido.MidiTrack([_note_on(200), slow, _note_on(100, velocity=0)]))
    file.tracks[1][1].time = 0
    file.tracks.append(mido.MidiTrack([_note_on(300, 72), _note_on(300, 72, 0)]))
    file.save(tmp_path / "a.mid")
    notes = midi.read_midi(tmp_path / "a.mid")
    np.testing.assert_array_equal(notes.pitches, [60, 72])
    np.testing.assert_allclose(notes.starts, [1, 2])
    np.testing.assert_allclose(notes.ends, [2, 5])


def test_a_track_without_any_event_is_no_obstacle(tmp_path):
    path = _write(tmp_path / "a.mid", [[(90, 60, 0.0, 1.0)]])
    data = bytearray(path.read_bytes())
    data[11] += 1  # Number of tracks.
    path.write_bytes(bytes(data) + b"MTrk\0\0\0\0")
    assert len(midi.read_midi(path)) == 1


def test_notes_without_an_end_or_a_length_are_left_out(tmp_path):
    file = mido.MidiFile(ticks_per_beat=100)
    events = [_note_on(0, 50), _note_on(0, 51), _note_on(0, 51, 0), _note_on(0, 52), _note_on(100, 52, 0)]
    file.tracks.append(mido.MidiTrack(events))
    file.save(tmp_path / "a.mid")
    np.testing.assert_array_equal(midi.read_midi(tmp_path / "a.mid").pitches, [52])


@pytest.mark.parametrize("drums", [[], [[(99, 36, 0.0, 0.1), (99, 38, 0.5, 0.6)]]])
def test_nothing_to_play_names_the_file(tmp_path, drums):
    path = _write(tmp_path / "empty song.mid", [], drums)
    with pytest.raises(ValueError, match=f"empty song.mid, with {len(sum(drums, []))} drum notes") as error:
        midi.read_midi(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("data", [b"", b"RIFF1234WAVE", b"MThd", b"MThd\0\0\0\6\0\1\0\2\0\x60MTrk\0\0\0\4\0\x90"])
def test_what_is_no_midi_file(tmp_path, data):
    path = tmp_path / "a.mid"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="Expected a Standard MIDI File. Received: .*a.mid") as error:
        midi.read_midi(path)
    assert "\n" not in str(error.value)


def test_film_frames_and_endless_files_are_refused(tmp_path):
    path = _write(tmp_path / "a.mid", [[(90, 60, 0.0, 1.0)]])
    data = bytearray(path.read_bytes())
    data[12:14] = (0xE7, 40)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="SMPTE"):
        midi.read_midi(path)
    file = mido.MidiFile()
    file.tracks.append(mido.MidiTrack([_note_on(0), _note_on(2**27, velocity=0)]))
    file.save(path)
    with pytest.raises(ValueError, match="likely corrupt"):
        midi.read_midi(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        midi.read_midi(tmp_path / "none.mid")


_SONG = [[(90, 60, 0.0, 1.0), (80, 64, 0.5, 1.5)], [(70, 40, 0.25, 2.0)]]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(8, 250), st.integers(0, 255)), max_size=4), cut=st.integers(0, 250))
def test_broken_bytes_give_notes_or_one_line(tmp_path, changes, cut):
    data = bytearray(_write(tmp_path / "a.mid", _SONG).read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    path = tmp_path / "broken.mid"
    path.write_bytes(data[: len(data) - cut] if cut < 40 else data)
    try:
        notes = midi.read_midi(path)
    except ValueError as error:
        assert "broken.mid" in str(error) and "\n" not in str(error)
    else:
        assert len(notes) and np.all(notes.ends >= notes.starts) and np.all(np.diff(notes.starts) >= 0)


def test_folding_keeps_the_name_of_the_note():
    known = range(24, 85)
    np.testing.assert_array_equal(midi.fold_pitches([24, 84, 23, 85, 0, 127], known), [24, 84, 35, 73, 24, 79])
    np.testing.assert_array_equal(midi.fold_pitches([], known), [])


def test_folding_into_less_than_an_octave_and_into_gaps():
    np.testing.assert_array_equal(midi.fold_pitches([60, 72, 50, 69, 70], [60, 61, 62, 64]), [60, 60, 62, 64, 64])
    np.testing.assert_array_equal(midi.fold_pitches([72, 73], [60, 84]), [60, 84])
    with pytest.raises(ValueError, match="at least 1 pitch"):
        midi.fold_pitches([60], [])


def test_notes_made_by_hand_are_checked():
    notes = midi.MidiNotes([60, 61], [1, 127], [0, 1], [0.5, 1])
    assert len(notes) == 2 and notes.starts.dtype == np.float64
    with pytest.raises(ValueError, match="one pitch, velocity"):
        midi.MidiNotes([60, 61], [1], [0, 1], [0.5, 1])
    with pytest.raises(ValueError, match="0 <= start <= end"):
        midi.MidiNotes([60, 61], [1, 2], [0, 1], [0.5, 0.9])
    with pytest.raises(ValueError, match="velocities from 0 to 127"):
        midi.MidiNotes([60, 61], [1, 128], [0, 1], [0.5, 2])
