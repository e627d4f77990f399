"""The tune that comes with the package."""

import pretty_midi

from gansynth_tf.generation import midi, tune


def test_it_is_the_prelude(tmp_path):
    tune.write_tune(tmp_path / "tune.mid")
    music = pretty_midi.PrettyMIDI(str(tmp_path / "tune.mid"))
    notes = sorted((note.start, note.pitch) for track in music.instruments for note in track.notes)
    assert len(notes) == 8 * 2 * 8
    names = [pretty_midi.note_number_to_name(pitch) for _, pitch in notes[:8]]
    assert names == ["C3", "E3", "G3", "C4", "E4", "G3", "C4", "E4"]
    assert 26 < music.get_end_time() < 27


def test_the_package_can_play_it(tmp_path):
    tune.write_tune(tmp_path / "tune.mid")
    notes = midi.read_midi(str(tmp_path / "tune.mid"))
    assert len(notes) == 128 and notes.part_names == ("left hand, channel 1", "right hand, channel 2")
