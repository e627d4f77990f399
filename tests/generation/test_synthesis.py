"""Clips and notes of a model made of sines: exact lengths, levels, places, and nothing computed twice."""

import json
import types

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from gansynth_tf.generation import synthesis
from gansynth_tf.generation.midi import MidiNotes
from gansynth_tf.latents import slerp


class FakeModel:
    """Sines of the asked pitch, or the given wave; remembers what it was asked for."""

    latent_size = 3

    def __init__(self, sample_rate=16000, audio_length=64000, pitches=range(24, 85), wave=None):
        self.sample_rate, self.audio_length, self.pitches, self.wave = sample_rate, audio_length, list(pitches), wave
        self.asked, self.largest_batch, self.sampled = [], 0, []

    def sample_z(self, n, seed=None):
        self.sampled.append(n)
        return np.random.default_rng(seed).normal(size=(n, self.latent_size)).astype(np.float32)

    def generate(self, z, pitch):
        assert set(np.asarray(pitch).tolist()) <= set(self.pitches)
        self.asked += [(*map(float, row), int(p)) for row, p in zip(z, pitch, strict=True)]
        self.largest_batch = max(self.largest_batch, len(z))
        if self.wave is not None:
            return np.tile(np.asarray(self.wave, np.float32), (len(z), 1))
        seconds = np.arange(self.audio_length) / self.sample_rate
        hz = 440 * 2 ** ((np.asarray(pitch) - 69) / 12)
        return (0.3 * np.sin(2 * np.pi * hz[:, np.newaxis] * seconds)).astype(np.float32)


def _constant(value=0.5, **settings):
    model = FakeModel(**settings)
    model.wave = np.full(model.audio_length, value, np.float32)
    return model


def _notes(*rows):
    return MidiNotes(*zip(*rows, strict=True))


def test_the_clip_ends_with_the_last_release():
    for end in (1.0, 1.9):
        clip = synthesis.render_midi(FakeModel(), _notes((60, 100, 0.0, end)), seed=0)
        assert clip.wave.shape == (round((end + 0.3) * 16000),) and clip.wave.dtype == np.float32
    # The track that ends last need not be the last, nor start last.
    clip = synthesis.render_midi(FakeModel(), _notes((60, 100, 0.0, 5.0), (62, 100, 1.0, 2.0)), seed=0)
    assert clip.wave.shape == (round(5.3 * 16000),)


def test_envelope_by_hand():
    clip = synthesis.render_midi(_constant(0.5), _notes((60, 127, 0.5, 1.5)), seed=0)
    assert np.all(clip.wave[:8000] == 0)
    np.testing.assert_allclose(clip.wave[8000:8160], np.linspace(0, 0.5, 160), atol=1e-6)
    np.testing.assert_allclose(clip.wave[8160:24000], 0.5, atol=1e-6)
    np.testing.assert_allclose(clip.wave[24000:], np.linspace(0.5, 0, 4800), atol=1e-6)


@pytest.mark.parametrize(
    ("sample_rate", "audio_length", "held", "release"),
    [(16000, 64000, 48000, 4800), (44100, 176400, 132300, 13230), (16000, 8000, 6000, 2000), (22050, 9001, 6750, 2251)],
)
def test_long_notes_scale_with_the_model(sample_rate, audio_length, held, release):
    model = _constant(0.4, sample_rate=sample_rate, audio_length=audio_length)
    clip = synthesis.render_midi(model, _notes((60, 127, 0.0, 7.0), (60, 127, 0.0, 0.1)), seed=0)
    assert clip.num_shortened == 1
    assert clip.wave.shape == (7 * sample_rate + release,)
    assert np.all(clip.wave[held + release :] == 0) and clip.wave[held + release - 2] > 0
    np.testing.assert_allclose(clip.wave[held - 1], 0.4, atol=1e-6)


def test_loudness_is_the_models_times_velocity():
    clip = synthesis.render_midi(_constant(-0.5), _notes((60, 127, 0.0, 1.0), (60, 32, 2.0, 3.0)), seed=0)
    assert clip.gain == 1
    np.testing.assert_allclose([clip.wave[8000], clip.wave[40000]], [-0.5, -0.5 * 32 / 127], atol=1e-6)


def test_only_what_exceeds_full_scale_is_turned_down_by_its_absolute_peak():
    chord = [(pitch, 127, 0.0, 1.0) for pitch in (60, 64, 67)]
    clip = synthesis.render_midi(_constant(-0.6), _notes(*chord, (60, 127, 2.0, 3.0)), seed=0)
    np.testing.assert_allclose(clip.gain, 0.99 / 1.8, rtol=1e-6)
    np.testing.assert_allclose(clip.wave.min(), -0.99, rtol=1e-6)
    np.testing.assert_allclose(clip.wave[40000], -0.33, rtol=1e-5)


def test_silent_notes_and_silent_velocities_stay_silent():
    assert not synthesis.render_midi(_constant(0.0), _notes((60, 100, 0.0, 1.0)), seed=0).wave.any()
    assert not synthesis.render_midi(FakeModel(), _notes((60, 0, 0.0, 1.0)), seed=0).wave.any()


@pytest.mark.parametrize("length", [0.0, 1e-5, 0.004, 0.01])
def test_very_short_notes_do_not_click(length):
    clip = synthesis.render_midi(_constant(0.5), _notes((60, 127, 0.0, length)), seed=0)
    assert clip.wave.shape == (round(length * 16000) + 4800,)
    assert np.abs(np.diff(clip.wave, prepend=0, append=0)).max() < 0.01
    assert clip.wave.max() > 0.4


@pytest.mark.parametrize("end", [0.5, 6.0, 11.9, 30.0])
def test_short_clips_have_instruments_too(end):
    model = FakeModel()
    clip = synthesis.render_midi(model, _notes((60, 100, 0.0, 0.4), (61, 100, end - 0.1, end)), 6.0, seed=3)
    assert model.sampled == [int((end - 0.1) / 6) + 2] and len(clip.instruments) == model.sampled[0]
    assert np.all(np.isfinite(clip.wave)) and clip.wave.any()


def test_each_note_gets_the_latent_of_its_start():
    model = FakeModel()
    clip = synthesis.render_midi(
        model, _notes((60, 100, 0.0, 1.0), (61, 100, 3.0, 9.0), (62, 100, 8.0, 9.0)), secs_per_instrument=4.0, seed=5
    )
    z = clip.instruments
    asked = {row[-1]: row[:-1] for row in model.asked}
    np.testing.assert_allclose(asked[60], z[0], rtol=1e-5)
    np.testing.assert_allclose(asked[61], slerp(z[0], z[1], 0.75), rtol=1e-5)
    np.testing.assert_allclose(asked[62], z[2], rtol=1e-5)


def test_same_seed_same_clip_and_given_instruments():
    notes = _notes((60, 100, 0.0, 1.0), (61, 100, 3.0, 4.0))
    clip = synthesis.render_midi(FakeModel(), notes, 2.0, seed=1)
    again = synthesis.render_midi(FakeModel(), notes, 2.0, instruments=clip.instruments)
    assert clip.wave.tobytes() == again.wave.tobytes()
    model = FakeModel()
    synthesis.render_midi(model, notes, float("inf"), instruments=clip.instruments)
    np.testing.assert_allclose([row[:-1] for row in model.asked], clip.instruments[[0, 0]], rtol=1e-5)


def test_notes_out_of_range_are_folded_and_counted():
    model = FakeModel(pitches=range(48, 73))
    clip = synthesis.render_midi(model, _notes((40, 100, 0.0, 1.0), (60, 100, 0.0, 1.0), (127, 99, 0.0, 1.0)), seed=0)
    assert clip.num_folded == 2
    assert sorted(row[-1] for row in model.asked) == [52, 60, 67]


def test_equal_notes_are_made_once_and_batches_are_bounded():
    model = FakeModel(audio_length=800)
    rows = [(24 + i % 61, 100, 0.01 * (i // 61), 0.01 * (i // 61) + 0.02) for i in range(300)]
    synthesis.render_midi(model, _notes(*rows, *rows), float("inf"), seed=0)
    assert len(model.asked) == len(set(model.asked)) == 61
    assert 1 < model.largest_batch <= 32


def test_what_cannot_be_rendered():
    model, notes = FakeModel(), _notes((60, 100, 0.0, 1.0))
    with pytest.raises(ValueError, match="nothing to play"):
        synthesis.render_midi(model, MidiNotes([], [], [], []))
    for secs in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="secs_per_instrument"):
            synthesis.render_midi(model, notes, secs)
    with pytest.raises(ValueError, match="at most 3600 s. Received: 90000 s"):
        synthesis.render_midi(model, _notes((60, 100, 0.0, 90000.0)))
    with pytest.raises(ValueError, match=r"NaN for pitches \[60\]"):
        synthesis.render_midi(_constant(np.nan), notes)


_row = st.tuples(
    st.integers(0, 127), st.integers(0, 127), st.floats(0, 20), st.floats(0, 5) | st.sampled_from([0.0, 1e-9, 0.3])
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_row, min_size=1, max_size=9), st.sampled_from([(800, 400), (1000, 3700), (8000, 1)]))
def test_any_music_is_finite_within_scale_and_exactly_long(rows, size):
    model = FakeModel(*size, pitches=[40, 41, 43, 60, 75])
    notes = _notes(*((pitch, velocity, start, start + length) for pitch, velocity, start, length in rows))
    wave = synthesis.render_midi(model, notes, secs_per_instrument=1.5, seed=0).wave
    assert np.all(np.isfinite(wave)) and np.abs(wave).max() <= 0.991
    release = min(round(0.3 * size[0]), size[1] - int(0.75 * size[1]))
    assert len(wave) == round(notes.ends.max() * size[0]) + release


def test_render_notes_makes_equal_notes_once():
    model = FakeModel(audio_length=500)
    z = np.arange(9, dtype=np.float32).reshape(3, 3)
    waves = synthesis.render_notes(model, z[[0, 1, 0, 2, 0]], np.array([60, 60, 60, 61, 62]))
    assert waves.shape == (5, 500) and waves.dtype == np.float32 and len(model.asked) == 4
    expected = FakeModel(audio_length=500).generate(z[[0, 1, 0, 2, 0]], [60, 60, 60, 61, 62])
    np.testing.assert_array_equal(waves, expected)
    assert synthesis.render_notes(model, np.zeros((0, 3)), np.zeros(0, int)).shape == (0, 500)
    with pytest.raises(ValueError, match="Expected z"):
        synthesis.render_notes(model, z, np.array([60]))


def test_random_pitches_are_the_models():
    model = types.SimpleNamespace(pitches=[30, 40, 50])
    pitches = synthesis.random_pitches(model, 40, seed=2)
    assert set(pitches.tolist()) == {30, 40, 50}
    np.testing.assert_array_equal(pitches, synthesis.random_pitches(model, 40, seed=2))


def test_saved_note_and_what_is_beside_it(tmp_path):
    wave = np.linspace(-0.5, 0.5, 700, dtype=np.float32)
    metadata = {"pitch": np.int64(60), "velocity": 100, "seed": 7, "z_file": "z.npy", "z": np.ones(2, np.float32)}
    path = synthesis.save_note(tmp_path / "new", "note_3", wave, 16000, metadata)
    read, rate = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(read, wave)
    facts = json.loads((tmp_path / "new" / "note_3.json").read_text())
    assert rate == 16000 and facts == {
        "file": "note_3.wav",
        "sample_rate": 16000,
        "seconds": 700 / 16000,
        "pitch": 60,
        "velocity": 100,
        "seed": 7,
        "z_file": "z.npy",
        "z": [1.0, 1.0],
    }
    assert len(list((tmp_path / "new").iterdir())) == 2
    with pytest.raises(ValueError, match="plain file name"):
        synthesis.save_note(tmp_path, "../note", wave, 16000, {})


def test_latents_are_kept(tmp_path):
    z = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    synthesis.save_latents(tmp_path / "z.npy", z)
    np.testing.assert_array_equal(synthesis.load_latents(tmp_path / "z.npy", 5), z)
    np.savez(tmp_path / "z.npz", z=z[0], other=3)
    np.testing.assert_array_equal(synthesis.load_latents(tmp_path / "z.npz", 5), z[:1])
    with pytest.raises(ValueError, match=r"\[batch, 6\]. Received: .*z.npy of shape \(4, 5\)"):
        synthesis.load_latents(tmp_path / "z.npy", 6)
    with pytest.raises(ValueError, match="ends in .npy"):
        synthesis.save_latents(tmp_path / "z.txt", z)
    np.savez(tmp_path / "other.npz", w=z)
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "empty.npy").write_text("")
    for name in ("other.npz", "objects.npy", "text.npy", "empty.npy"):
        with pytest.raises(ValueError, match=f"Expected latents .*{name}") as error:
            synthesis.load_latents(tmp_path / name, 5)
        assert "\n" not in str(error.value)
    with pytest.raises(FileNotFoundError):
        synthesis.load_latents(tmp_path / "none.npy", 5)
