"""Sets of notes from models, arrays, files: the right notes, at the right rate and length, with the right pitches."""

import json

import numpy as np
import pytest

from gansynth_tf import audio
from gansynth_tf.evaluation import note_sets
from gansynth_tf.pitches import PitchClasses

RNG = np.random.default_rng(0)


def _join(notes):
    waves, pitches = zip(*notes.batches(), strict=True)
    return np.concatenate(waves), np.concatenate(pitches)


class Singer:
    """Stands for a model: every sample is the latent, plus the pitch."""

    sample_rate, pitches, latent_size = 8000, [50, 53, 60], 5

    def sample_z(self, n, seed=None):
        return np.random.default_rng(seed).normal(size=(n, 5)).astype(np.float32)

    def generate(self, z, pitch):
        return np.repeat(z[:, :1] + np.asarray(pitch)[:, np.newaxis], 300, axis=1)


def test_a_model_sings_pitches_as_frequent_as_in_the_data():
    classes = PitchClasses((50, 52, 60), (30, 500, 10))
    notes = note_sets.notes_of_model(Singer(), "singer", 401, classes, 8000, 200, seed=3)
    waves, pitches = _join(notes)
    assert waves.shape == (401, 200) and set(pitches.tolist()) == {50, 60}  # It does not know 52.
    assert np.mean(pitches == 50) == pytest.approx(0.75, abs=0.08)
    np.testing.assert_allclose(waves[:, 0], Singer().sample_z(401, 3)[:, 0] + pitches, rtol=1e-6)
    assert notes.facts == {"latent_seed": 3, "pitches_left_out": 1}
    again = _join(notes)
    np.testing.assert_array_equal(again[0], waves)
    with pytest.raises(ValueError, match="none of them"):
        note_sets.notes_of_model(Singer(), "singer", 40, PitchClasses((52,), (1,)), 8000, 200, seed=3)


def test_notes_are_brought_to_a_rate_and_a_length():
    time = np.arange(4000) / 8000
    waves = np.stack([np.sin(2 * np.pi * hz * time) for hz in (440, 550)])
    fitted = note_sets.fit_notes(waves, 8000, 16000, 9000)
    expected = np.sin(2 * np.pi * 440 * np.arange(9000) / 16000)
    np.testing.assert_allclose(fitted[0, 500:7500], expected[500:7500], atol=1e-3)
    assert fitted.shape == (2, 9000) and np.all(fitted[:, 8200:] == 0)
    assert note_sets.fit_notes(waves, 8000, 8000, 100).shape == (2, 100)


def test_arrays_in_a_file(tmp_path):
    waves, pitches = RNG.normal(size=[70, 90]).astype(np.float32), np.arange(70) % 5 + 60
    np.savez(tmp_path / "a.npz", audio=waves, pitch=pitches)
    notes = note_sets.notes_of_npz(tmp_path / "a.npz", "a", 66, 8000, 80)
    found = _join(notes)
    np.testing.assert_array_equal(found[0], waves[:66, :80])
    np.testing.assert_array_equal(found[1], pitches[:66])
    np.savez(tmp_path / "b.npz", audio=waves, pitch=pitches, sample_rate=4000)
    assert _join(note_sets.notes_of_npz(tmp_path / "b.npz", "b", 66, 8000, 400))[0][:, 180:].max() == 0


def test_files_that_are_no_notes(tmp_path):
    np.savez(tmp_path / "a.npz", audio=np.zeros([9, 5]))
    with pytest.raises(ValueError, match="audio and pitch"):
        note_sets.notes_of_npz(tmp_path / "a.npz", "a", 9, 8000, 80)
    (tmp_path / "b.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="unreadable"):
        note_sets.notes_of_npz(tmp_path / "b.npz", "b", 9, 8000, 80)
    np.savez(tmp_path / "c.npz", audio=np.zeros([9, 5]), pitch=np.full(9, 60.5))
    with pytest.raises(ValueError, match="whole pitches"):
        note_sets.notes_of_npz(tmp_path / "c.npz", "c", 9, 8000, 80)
    with pytest.raises(ValueError, match="at least 4 notes"):
        note_sets.notes_of_arrays(np.zeros([3, 5]), np.arange(3), "few", 8000, 8000, 80)


NAMES = {"guitar_60.wav": 60, "note_003_pitch_061.wav": 61, "guitar_acoustic_010-062-100.wav": 62, "drum Eb4.wav": 63}


@pytest.fixture
def folder(tmp_path):
    for place, name in enumerate(NAMES):
        audio.save_wav(tmp_path / name, np.full(100 + 50 * place, 0.1 * place), 8000)
    return tmp_path


def test_a_folder_of_wavs_with_pitches_in_their_names(folder):
    waves, pitches = _join(note_sets.notes_of_folder(folder, "wavs", 99, 8000, 120))
    assert pitches.tolist() == [NAMES[name] for name in sorted(NAMES)]
    assert waves.shape == (4, 120)
    first = sorted(NAMES).index("guitar_60.wav")
    assert np.all(waves[first] == 0) and waves[sorted(NAMES).index("drum Eb4.wav")].min() == pytest.approx(0.3)


def test_pitches_from_a_table_or_beside_the_file(folder):
    (folder / "guitar_60.json").write_text(json.dumps({"pitch": 70}))
    (folder / "pitches.csv").write_text("file,pitch\ndrum Eb4.wav,80\n")
    pitches = _join(note_sets.notes_of_folder(folder, "wavs", 99, 8000, 120))[1]
    assert sorted(pitches.tolist()) == [61, 62, 70, 80]


def test_folders_without_notes_or_pitches(folder, tmp_path):
    assert len(_join(note_sets.notes_of_folder(folder, "wavs", 99, 8000, 120))[1]) == 4
    audio.save_wav(folder / "a" / "noise.wav", np.zeros(9), 8000)
    with pytest.raises(ValueError, match=r"guitar_60.wav.*noise.wav"):
        note_sets.notes_of_folder(folder, "wavs", 99, 8000, 120)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="Expected audio files"):
        note_sets.notes_of_folder(tmp_path / "empty", "wavs", 99, 8000, 120)


def test_through_a_change():
    notes = note_sets.notes_of_arrays(np.ones([6, 5]), np.full(6, 60), "ones", 8000, 8000, 5)
    halved = note_sets.through(notes, "halved", lambda waves: waves / 2, {"by": 2})
    assert _join(halved)[0].tolist() == np.full([6, 5], 0.5).tolist() and halved.facts == {"by": 2}
    assert _join(halved)[1].tolist() == [60] * 6
