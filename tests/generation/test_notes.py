"""Pitches as people write them, notes in batches, each computed once."""

import types

import numpy as np
import pytest

from gansynth_tf.generation import notes


def test_random_pitches_are_the_models():
    model = types.SimpleNamespace(pitches=[30, 40, 50])
    pitches = notes.random_pitches(model, 40, seed=2)
    assert set(pitches.tolist()) == {30, 40, 50}
    np.testing.assert_array_equal(pitches, notes.random_pitches(model, 40, seed=2))


@pytest.mark.parametrize(
    ("words", "pitches"),
    [
        ([], []),
        (["60"], [60]),
        (["C4", "A4", "Db4", "F#3"], [60, 69, 61, 54]),
        (["62", " 60 ", "62"], [62, 60]),
        (["58-61", "60"], [58, 60, 61]),
        (["A#3 - 61"], [58, 60, 61]),
        (["all"], [54, 58, 60, 61, 62, 69]),
    ],
)
def test_pitches_as_people_write_them(words, pitches):
    found = notes.parse_pitches(words, [54, 58, 60, 61, 62, 69])
    assert found.dtype == np.int64 and found.tolist() == pitches


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("63", "6 pitches from 54 to 69. Received: 63; the nearest is 62"),
        ("H4", "a note .C4.*Received: 'H4'"),
        ("", "Received: ''"),
        ("-60", "Received: '-60'"),
        ("55-57", "within 54 to 69. Received: 55-57"),
        ("60.5", "Received: '60.5'"),
    ],
)
def test_what_is_no_pitch(word, message):
    with pytest.raises(ValueError, match=message) as error:
        notes.parse_pitches([word], [54, 58, 60, 61, 62, 69])
    assert "\n" not in str(error.value)


def test_every_instrument_plays_every_pitch():
    instruments, pitches = notes.pair_notes(2, 3, None)
    assert instruments.tolist() == [0, 0, 0, 1, 1, 1] and pitches.tolist() == [0, 1, 2, 0, 1, 2]
    instruments, pitches = notes.pair_notes(2, 3, 8)
    assert instruments.tolist() == [0, 0, 0, 1, 1, 1, 0, 0] and pitches.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert notes.pair_notes(2, 3, 4)[0].tolist() == [0, 0, 0, 1]


def test_equal_notes_are_made_once_in_bounded_batches(fake_model):
    model = fake_model(audio_length=500)
    z, pitches = np.arange(9, dtype=np.float32).reshape(3, 3)[[0, 1, 0, 2, 0]], np.array([60, 60, 60, 61, 62])
    waves = dict(notes.render_notes(model, z, pitches, batch_size=3))
    assert sorted(waves) == [0, 1, 2, 3, 4] and len(model.asked) == 4 and model.largest_batch == 3
    expected = fake_model(audio_length=500).generate(z, pitches)
    np.testing.assert_array_equal([waves[row] for row in range(5)], expected)
    assert waves[0].dtype == np.float32 and waves[0].base is None  # Holds no batch in memory.
    with pytest.raises(ValueError, match="Expected z"):
        list(notes.render_notes(model, z, np.array([60])))


def test_nan_is_found(constant_model):
    model = constant_model(np.inf, audio_length=5)
    with pytest.raises(ValueError, match=r"Received NaN for pitches \[60, 61\]; use an earlier checkpoint"):
        list(notes.render_notes(model, np.zeros([3, 3]), np.array([61, 60, 61])))


def test_the_cache_keeps_the_latest_and_no_more(fake_model):
    model = fake_model(audio_length=100)
    cache = notes.NoteCache(model, batch_size=4, num_bytes=10 * 400)

    def play(pitches):
        return [int(rows[0]) for rows, _ in cache.waves(np.zeros([len(pitches), 3]), np.array(pitches))]

    assert play(range(40, 50)) == list(range(10)) and len(model.asked) == 10
    play(range(44, 50))
    assert len(model.asked) == 10  # All there.
    play([50, 51, 40])
    assert len(model.asked) == 12  # 40 was still there ...
    play([41])
    assert len(model.asked) == 13  # ... and 41 and 42 gave way.
    play([49, 48, 40])
    assert len(model.asked) == 13


def test_more_in_one_call_than_the_cache_holds(fake_model):
    model = fake_model(audio_length=100)
    cache = notes.NoteCache(model, batch_size=2, num_bytes=0)
    for _ in range(2):
        found = [rows.tolist() for rows, _ in cache.waves(np.zeros([6, 3]), np.array([40, 41, 40, 42, 43, 44]))]
        assert found == [[0, 2], [1], [3], [4], [5]]
    assert model.largest_batch == 2
