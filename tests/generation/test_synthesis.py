"""Clips of a model made of sines: exact lengths, levels, places, and nothing computed twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gansynth_tf.generation import synthesis
from gansynth_tf.generation.midi import MidiNotes
from gansynth_tf.latents import slerp


def test_the_clip_ends_with_the_last_release(fake_model, music):
    for end in (1.0, 1.9):
        clip = synthesis.render_midi(fake_model(), music((60, 100, 0.0, end)), seed=0)
        assert clip.wave.shape == (round((end + 0.3) * 16000),) and clip.wave.dtype == np.float32
    # The track that ends last need not be the last, nor start last.
    clip = synthesis.render_midi(fake_model(), music((60, 100, 0.0, 5.0), (62, 100, 1.0, 2.0)), seed=0)
    assert clip.wave.shape == (round(5.3 * 16000),)


def test_envelope_by_hand(constant_model, music):
    clip = synthesis.render_midi(constant_model(0.5), music((60, 127, 0.5, 1.5)), seed=0)
    assert np.all(clip.wave[:8000] == 0)
    np.testing.assert_allclose(clip.wave[8000:8160], np.linspace(0, 0.5, 160), atol=1e-6)
    np.testing.assert_allclose(clip.wave[8160:24000], 0.5, atol=1e-6)
    np.testing.assert_allclose(clip.wave[24000:], np.linspace(0.5, 0, 4800), atol=1e-6)


@pytest.mark.parametrize(
    ("sample_rate", "audio_length", "held", "release"),
    [(16000, 64000, 48000, 4800), (44100, 176400, 132300, 13230), (16000, 8000, 6000, 2000), (22050, 9001, 6750, 2251)],
)
def test_long_notes_scale_with_the_model(sample_rate, audio_length, held, release, constant_model, music):
    model = constant_model(0.4, sample_rate=sample_rate, audio_length=audio_length)
    clip = synthesis.render_midi(model, music((60, 127, 0.0, 7.0), (60, 127, 0.0, 0.1)), seed=0)
    assert clip.num_long == 1
    assert clip.wave.shape == (7 * sample_rate + release,)
    assert np.all(clip.wave[held + release :] == 0) and clip.wave[held + release - 2] > 0
    np.testing.assert_allclose(clip.wave[held - 1], 0.4, atol=1e-6)


def test_loudness_is_the_models_times_velocity(constant_model, music):
    clip = synthesis.render_midi(constant_model(-0.5), music((60, 127, 0.0, 1.0), (60, 32, 2.0, 3.0)), seed=0)
    assert clip.gain == 1
    np.testing.assert_allclose([clip.wave[8000], clip.wave[40000]], [-0.5, -0.5 * 32 / 127], atol=1e-6)


def test_only_what_exceeds_full_scale_is_turned_down_by_its_absolute_peak(constant_model, music):
    chord = [(pitch, 127, 0.0, 1.0) for pitch in (60, 64, 67)]
    clip = synthesis.render_midi(constant_model(-0.6), music(*chord, (60, 127, 2.0, 3.0)), seed=0)
    np.testing.assert_allclose(clip.gain, 0.99 / 1.8, rtol=1e-6)
    np.testing.assert_allclose(clip.wave.min(), -0.99, rtol=1e-6)
    np.testing.assert_allclose(clip.wave[40000], -0.33, rtol=1e-5)


def test_silent_notes_and_silent_velocities_stay_silent(fake_model, constant_model, music):
    assert not synthesis.render_midi(constant_model(0.0), music((60, 100, 0.0, 1.0)), seed=0).wave.any()
    assert not synthesis.render_midi(fake_model(), music((60, 0, 0.0, 1.0)), seed=0).wave.any()


@pytest.mark.parametrize("length", [0.0, 1e-5, 0.004, 0.01])
def test_very_short_notes_do_not_click(length, constant_model, music):
    clip = synthesis.render_midi(constant_model(0.5), music((60, 127, 0.0, length)), seed=0)
    assert clip.wave.shape == (round(length * 16000) + 4800,)
    assert np.abs(np.diff(clip.wave, prepend=0, append=0)).max() < 0.01
    assert clip.wave.max() > 0.4


@pytest.mark.parametrize("end", [0.5, 6.0, 11.9, 30.0])
def test_short_clips_have_instruments_too(end, fake_model, music):
    model = fake_model()
    clip = synthesis.render_midi(model, music((60, 100, 0.0, 0.4), (61, 100, end - 0.1, end)), 6.0, seed=3)
    assert model.sampled == [int((end - 0.1) / 6) + 2] and len(clip.instruments) == model.sampled[0]
    assert np.all(np.isfinite(clip.wave)) and clip.wave.any()


def test_each_note_gets_the_latent_of_its_start(fake_model, music):
    model = fake_model()
    clip = synthesis.render_midi(
        model, music((60, 100, 0.0, 1.0), (61, 100, 3.0, 9.0), (62, 100, 8.0, 9.0)), secs_per_instrument=4.0, seed=5
    )
    z = clip.instruments
    asked = {row[-1]: row[:-1] for row in model.asked}
    np.testing.assert_allclose(asked[60], z[0], rtol=1e-5)
    np.testing.assert_allclose(asked[61], slerp(z[0], z[1], 0.75), rtol=1e-5)
    np.testing.assert_allclose(asked[62], z[2], rtol=1e-5)


def test_same_seed_same_clip_and_given_instruments(fake_model, music):
    notes = music((60, 100, 0.0, 1.0), (61, 100, 3.0, 4.0))
    clip = synthesis.render_midi(fake_model(), notes, 2.0, seed=1)
    again = synthesis.render_midi(fake_model(), notes, 2.0, instruments=clip.instruments)
    assert clip.wave.tobytes() == again.wave.tobytes()
    model = fake_model()
    synthesis.render_midi(model, notes, float("inf"), instruments=clip.instruments)
    np.testing.assert_allclose([row[:-1] for row in model.asked], clip.instruments[[0, 0]], rtol=1e-5)


def test_notes_out_of_range_are_folded_and_counted(fake_model, music):
    model = fake_model(pitches=range(48, 73))
    clip = synthesis.render_midi(model, music((40, 100, 0.0, 1.0), (60, 100, 0.0, 1.0), (127, 99, 0.0, 1.0)), seed=0)
    assert clip.num_folded == 2
    assert sorted(row[-1] for row in model.asked) == [52, 60, 67]


def test_equal_notes_are_made_once_and_batches_are_bounded(fake_model, music):
    model = fake_model(audio_length=800)
    rows = [(24 + i % 61, 100, 0.01 * (i // 61), 0.01 * (i // 61) + 0.02) for i in range(300)]
    synthesis.render_midi(model, music(*rows, *rows), float("inf"), seed=0)
    assert len(model.asked) == len(set(model.asked)) == 61
    assert 1 < model.largest_batch <= 32


def test_what_cannot_be_rendered(fake_model, constant_model, music):
    model, notes = fake_model(), music((60, 100, 0.0, 1.0))
    with pytest.raises(ValueError, match="nothing to play"):
        synthesis.render_midi(model, MidiNotes([], [], [], []))
    for secs in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="secs_per_instrument"):
            synthesis.render_midi(model, notes, secs)
    with pytest.raises(ValueError, match="at most 3600 s. Received: 90000 s"):
        synthesis.render_midi(model, music((60, 100, 0.0, 90000.0)))
    with pytest.raises(ValueError, match=r"NaN for pitches \[60\]"):
        synthesis.render_midi(constant_model(np.nan), notes)
    with pytest.raises(ValueError, match="Expected 0 <= start <= end"):
        music((60, 100, -0.5, 1.0))  # A negative time.


_row = st.tuples(
    st.integers(0, 127), st.integers(0, 127), st.floats(0, 20), st.floats(0, 5) | st.sampled_from([0.0, 1e-9, 0.3])
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(_row, min_size=1, max_size=9), size=st.sampled_from([(800, 400), (1000, 3700), (8000, 1)]))
def test_any_music_is_finite_within_scale_and_exactly_long(rows, size, fake_model, music):
    model = fake_model(*size, pitches=[40, 41, 43, 60, 75])
    notes = music(*((pitch, velocity, start, start + length) for pitch, velocity, start, length in rows))
    wave = synthesis.render_midi(model, notes, secs_per_instrument=1.5, seed=0).wave
    assert np.all(np.isfinite(wave)) and np.abs(wave).max() <= 0.991
    release = min(round(0.3 * size[0]), size[1] - int(0.75 * size[1]))
    assert len(wave) == round(notes.ends.max() * size[0]) + release


# ---------------------------------------------------------------------------------------------------- block by block


def whole(renderer):
    blocks = list(renderer.blocks())
    assert len(blocks) == renderer.num_blocks
    return np.concatenate(blocks)


def test_blocks_join_without_a_seam(fake_model, music, monkeypatch):
    model = fake_model(sample_rate=2000, audio_length=7000, pitches=range(24, 60))
    rows = [(24 + i % 36, 60 + i, 0.37 * i, 0.37 * i + (0.2, 1.1, 9.0)[i % 3]) for i in range(60)]
    z = model.sample_z(5, 0)
    renderers, waves = [], []
    for seconds in (100.0, 0.9, 16.0):
        monkeypatch.setattr(synthesis, "_BLOCK_SECONDS", seconds)
        notes = music(*rows)
        positions = synthesis.morph_positions(notes, 4.0)
        renderers.append(synthesis.ClipRenderer(model, notes, z, positions, loop=True))
        waves.append(whole(renderers[-1]))
        assert len(waves[-1]) == renderers[-1].num_samples
        np.testing.assert_allclose(waves[-1], waves[0], atol=1e-5)
    assert [renderer.num_blocks for renderer in renderers] == [1, 35, 2]


def test_hand_made_notes_need_no_order(fake_model, music):
    rows = [(60, 100, 3.0, 4.0), (62, 90, 0.5, 20.0), (64, 80, 18.0, 18.5), (65, 70, 0.0, 0.1)]
    waves = []
    for order in (rows, sorted(rows, key=lambda row: row[2])):
        notes = music(*order)
        model = fake_model(sample_rate=4000, audio_length=6000)
        waves.append(whole(synthesis.ClipRenderer(model, notes, np.ones([1, 3]), np.zeros(4))))
    np.testing.assert_allclose(*waves, atol=1e-6)


def test_looped_notes_sound_to_their_end(fake_model, music):
    model = fake_model(sample_rate=8000, audio_length=8000)
    renderer = synthesis.ClipRenderer(
        model, music((57, 127, 0.0, 40.0), (57, 127, 0.0, 0.5)), np.ones([1, 3]), np.zeros(2), loop=True
    )
    wave = whole(renderer)
    assert renderer.num_long == 1 and len(wave) == 40.25 * 8000 and len(model.asked) == 1
    # The sine goes on: its level stays, and so does its frequency (220 Hz: 36.36 samples).
    frames = wave[8000 : 39 * 8000].reshape(-1, 800)
    np.testing.assert_allclose(np.sqrt(np.mean(frames**2, axis=1)), 0.3 / np.sqrt(2), rtol=0.02)
    crossings = np.count_nonzero((wave[8000:312000][:-1] < 0) & (wave[8000:312000][1:] >= 0))
    assert abs(crossings / 38 - 220) < 0.5
    assert np.abs(np.diff(wave[8000:])).max() < 1.1 * 0.3 * 2 * np.pi * 220 / 8000
    assert np.abs(wave[-2000:]).max() <= 0.31 and abs(wave[-1]) < 1e-4


def test_every_part_has_its_instrument(fake_model, music):
    notes = music(
        (60, 100, 0.0, 1.0), (61, 100, 9.0, 10.0), (62, 100, 5.0, 6.0), parts=[0, 2, 1], part_names=("a", "b", "c")
    )
    model = fake_model()
    z = model.sample_z(3, 4)
    list(synthesis.ClipRenderer(model, notes, z, notes.parts.astype(float)).blocks())
    asked = {row[-1]: row[:-1] for row in model.asked}
    for pitch, part in ((60, 0), (61, 2), (62, 1)):
        np.testing.assert_allclose(asked[pitch], z[part], rtol=1e-5)


def test_channel_volume_counts(constant_model, music):
    notes = music((60, 127, 0.0, 1.0), (60, 127, 2.0, 3.0), volumes=[1.0, 0.25])
    clip = synthesis.render_midi(constant_model(0.8), notes, seed=0)
    np.testing.assert_allclose([clip.wave[8000], clip.wave[40000]], [0.8, 0.2], atol=1e-6)


def test_repeated_notes_are_computed_once_in_a_piece_of_many_blocks(fake_model, music):
    model = fake_model(sample_rate=1000, audio_length=900)
    rows = [(48 + i % 7, 100, 0.5 * i, 0.5 * i + 0.4) for i in range(400)]
    renderer = synthesis.ClipRenderer(model, music(*rows), np.ones([1, 3]), np.zeros(400))
    list(renderer.blocks())
    assert renderer.num_blocks == 13 and len(model.asked) == 7


def test_settings_that_do_not_fit(fake_model, music):
    notes = music((60, 100, 0.0, 1.0))
    with pytest.raises(ValueError, match="a position for each note"):
        synthesis.ClipRenderer(fake_model(), notes, np.ones([1, 3]), np.zeros(2))
    with pytest.raises(ValueError, match="at most 14400 s. Received: 700000 s"):
        synthesis.ClipRenderer(fake_model(), music((60, 100, 0.0, 7e5)), np.ones([1, 3]), np.zeros(1))
