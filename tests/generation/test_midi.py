"""MIDI files as people have them: many tracks, drums, tempo changes, broken bytes."""

import mido
import numpy as np
import pretty_midi
import pytest

from gansynth_tf.generation import midi, synthesis


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


def _save(path, *tracks, ticks_per_beat=100):
    """Writes tracks of (tick, message), at 120 beats a minute: 200 ticks a second."""
    file = mido.MidiFile(ticks_per_beat=ticks_per_beat)
    for events in tracks:
        track, last = mido.MidiTrack(), 0
        for tick, message in sorted(events, key=lambda event: event[0]):
            track.append(message.copy(time=tick - last))
            last = tick
        file.tracks.append(track)
    file.save(path)
    return path


def _on(tick, pitch=60, velocity=100, channel=0):
    return tick, _note_on(0, pitch, velocity, channel)


def _off(tick, pitch=60, channel=0):
    return _on(tick, pitch, 0, channel)


def _control(tick, control, value, channel=0):
    return tick, mido.Message("control_change", control=control, value=value, channel=channel)


def _spans(notes):
    """Pitch, start and end of each note, in ticks at 200 a second."""
    ticks = (np.round(seconds * 200).astype(int).tolist() for seconds in (notes.starts, notes.ends))
    return list(zip(notes.pitches.tolist(), *ticks, strict=True))


def test_notes_without_an_end_last_to_the_end_of_their_track(tmp_path):
    tracks = [[_on(0, 50), _on(10, 52), _off(100, 52)], [_on(0, 70), _off(900, 70)]]
    notes = midi.read_midi(_save(tmp_path / "a.mid", *tracks))
    assert _spans(notes) == [(50, 0, 100), (70, 0, 900), (52, 10, 100)] and notes.num_unreleased == 1


def test_notes_without_a_length_keep_their_place(tmp_path):
    notes = midi.read_midi(_save(tmp_path / "a.mid", [_on(40, 51), _off(40, 51), _on(50, 52), _off(60, 52)]))
    assert _spans(notes) == [(51, 40, 40), (52, 50, 60)] and notes.num_unreleased == 0


def test_equal_pitches_that_overlap(tmp_path):
    """The first to start is the first to end; one release that serves two ends both."""
    notes = midi.read_midi(_save(tmp_path / "a.mid", [_on(0), _on(50), _off(100), _off(200)]))
    assert _spans(notes) == [(60, 0, 100), (60, 50, 200)]
    notes = midi.read_midi(_save(tmp_path / "a.mid", [_on(0), _on(50), _off(100), _on(300, 62), _off(400, 62)]))
    assert _spans(notes) == [(60, 0, 100), (60, 50, 100), (62, 300, 400)] and notes.num_unreleased == 1
    # A repetition whose start is written before the end of the last one.
    notes = midi.read_midi(_save(tmp_path / "a.mid", [_on(0), _on(50), _off(50), _off(70)]))
    assert _spans(notes) == [(60, 0, 50), (60, 50, 70)]
    # Of other tracks and channels, releases are none of its business.
    notes = midi.read_midi(_save(tmp_path / "a.mid", [_on(0), _off(90)], [_on(0, 60, 90, 3), _off(20, 60, 3)]))
    assert sorted(_spans(notes)) == [(60, 0, 20), (60, 0, 90)]


def test_the_pedal_holds_what_is_released(tmp_path):
    events = [_on(0), _control(10, 64, 127), _off(20), _on(30, 62), _off(40, 62), _control(100, 64, 63),
              _on(110, 64), _off(120, 64)]  # fmt: skip
    assert _spans(midi.read_midi(_save(tmp_path / "a.mid", events))) == [(60, 0, 100), (62, 30, 100), (64, 110, 120)]
    # Struck again under the pedal, the old tone ends; never lifted, it lasts as long as its track. Half-way counts.
    events = [_control(0, 64, 64), _on(0), _off(20), _on(50), _off(60), (200, mido.MetaMessage("marker", text="x"))]
    events.append((300, mido.MetaMessage("end_of_track")))
    assert _spans(midi.read_midi(_save(tmp_path / "a.mid", events))) == [(60, 0, 50), (60, 50, 300)]
    # Its own channel's pedal only, in whatever track that is.
    tracks = [[_on(0), _off(20), _on(0, 62, 90, 1), _off(20, 62, 1)], [_control(10, 64, 90, 1), _control(80, 64, 0, 1)]]
    assert _spans(midi.read_midi(_save(tmp_path / "a.mid", *tracks))) == [(60, 0, 20), (62, 0, 80)]


@pytest.mark.parametrize(("control", "end"), [(120, 70), (123, 70), (121, 90)])
def test_all_notes_off(tmp_path, control, end):
    events = [_on(0), _on(5, 61), _control(10, 64, 127), _off(20, 61), _control(70, control, 0), _off(90)]
    notes = midi.read_midi(_save(tmp_path / "a.mid", events))
    assert _spans(notes) == [(60, 0, end), (61, 5, 70)]


def test_channel_volume_is_general_midis(tmp_path):
    events = [_on(0), _off(9), _control(10, 7, 50), _on(20, 61), _off(30, 61), _on(40, 62), _control(50, 7, 127),
              _control(55, 7, 0), _off(60, 62), _on(70, 63), _off(80, 63)]  # fmt: skip
    notes = midi.read_midi(_save(tmp_path / "a.mid", events))
    np.testing.assert_allclose(notes.volumes, [1, 0.25, 1.27**2, 0])
    np.testing.assert_allclose(notes.levels, notes.volumes * 100 / 127)


def test_parts_are_tracks_and_channels_and_bends_are_counted(tmp_path):
    tracks = [[(0, mido.MetaMessage("track_name", name="Flöte")), _on(0), _off(9), _on(0, 61, 9, 4), _off(9, 61, 4)],
              [_on(0, 40), _off(9, 40), (3, mido.Message("pitchwheel", pitch=100)),
               (4, mido.Message("pitchwheel", pitch=0))]]  # fmt: skip
    notes = midi.read_midi(_save(tmp_path / "a.mid", *tracks))
    assert [notes.part_names[part] for part in notes.parts] == ["track 1, channel 1", "Fl\ufffdte, channel 1",
                                                                "Fl\ufffdte, channel 5"]  # fmt: skip
    assert notes.num_bends == 1


def test_equals_pretty_midi_on_ordinary_music(tmp_path):
    rng = np.random.default_rng(0)
    music = pretty_midi.PrettyMIDI(initial_tempo=93)
    for program in range(5):
        track = pretty_midi.Instrument(program, is_drum=program == 3)
        start = rng.uniform(0, 1, 40).cumsum()
        for when, length, pitch in zip(start, rng.uniform(0.05, 0.9, 40), rng.permutation(128)[:40], strict=True):
            track.notes.append(pretty_midi.Note(int(rng.integers(1, 128)), int(pitch), when, when + length))
        music.instruments.append(track)
    music.write(str(tmp_path / "a.mid"))
    notes = midi.read_midi(tmp_path / "a.mid")
    read = pretty_midi.PrettyMIDI(str(tmp_path / "a.mid"))
    expected = sorted(
        (note.start, note.pitch, note.end, note.velocity)
        for track in read.instruments if not track.is_drum for note in track.notes
    )  # fmt: skip
    ours = list(zip(notes.starts, notes.pitches, notes.ends, notes.velocities, strict=True))
    assert len(ours) == 160 and notes.num_drums == 40
    np.testing.assert_allclose(ours, expected, atol=1e-9)


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


def _with_division(path, division):
    data = bytearray(_save(path, [_on(0), _off(480)]).read_bytes())
    data[12:14] = division.to_bytes(2, "big")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("frames", "rate"), [(24, 24), (25, 25), (29, 30 / 1.001), (30, 30)])
def test_times_in_film_frames(tmp_path, frames, rate):
    notes = midi.read_midi(_with_division(tmp_path / "a.mid", (256 - frames) << 8 | 40))
    np.testing.assert_allclose(notes.ends, [480 / 40 / rate])


@pytest.mark.parametrize(("division", "words"), [(0, "0 ticks"), (0xE700, "0 ticks"), (0xD890, "40 film frames")])
def test_clocks_that_do_not_run_forwards(tmp_path, division, words):
    """A header of 0xD890 is known from a published collection; read as a signed number, it makes times negative."""
    with pytest.raises(ValueError, match=words):
        midi.read_midi(_with_division(tmp_path / "a.mid", division))


def test_a_file_that_claims_days_costs_nothing_to_read_and_is_not_rendered(tmp_path, fake_model):
    path = _save(tmp_path / "a.mid", [_on(0), _off(2**27)])
    notes = midi.read_midi(path)
    np.testing.assert_allclose(notes.ends, [2**27 / 200])
    with pytest.raises(ValueError, match="at most 3600 s. Received: 671089 s"):
        synthesis.render_midi(fake_model(), notes)


def test_large_files_are_refused_before_they_are_read(tmp_path):
    with open(tmp_path / "a.mid", "wb") as file:
        file.truncate(5 * 2**20)
    with pytest.raises(ValueError, match="at most 2 MiB. Received: .*a.mid, of 5 MiB"):
        midi.read_midi(tmp_path / "a.mid")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        midi.read_midi(tmp_path / "none.mid")


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
