"""pitches: against librosa and hand numbers."""

import json

import librosa
import numpy as np
import pytest

from gansynth_tf import pitches


def test_frequencies_agree_with_librosa():
    midi = np.arange(0, 128)
    np.testing.assert_allclose(pitches.midi_to_hz(midi), librosa.midi_to_hz(midi), rtol=1e-12)
    np.testing.assert_allclose(pitches.hz_to_midi(librosa.midi_to_hz(midi)), midi, atol=1e-9)
    assert pitches.midi_to_hz(69) == 440.0


def test_counts_notes():
    classes = pitches.PitchClasses.from_pitches([62, 40, 62, 90, 62, 40])
    assert classes.pitches == (40, 62, 90)
    assert classes.counts == (2, 3, 1)
    assert classes.num_classes == 3
    np.testing.assert_allclose(classes.probabilities, [2 / 6, 3 / 6, 1 / 6])
    assert classes.probabilities.dtype == np.float64


def test_index_and_pitch_are_inverse():
    classes = pitches.PitchClasses((24, 30, 31, 84), (5, 6, 7, 8))
    pitch = np.array([[84, 30, 24], [31, 31, 84]])
    np.testing.assert_array_equal(classes.to_index(pitch), [[3, 1, 0], [2, 2, 3]])
    np.testing.assert_array_equal(classes.to_pitch(classes.to_index(pitch)), pitch)
    assert classes.to_index(31) == 2


@pytest.mark.parametrize(("unknown", "nearest"), [(23, 24), (27, 24), (28, 30), (99, 84), (57, 31)])
def test_unknown_pitch_names_range_and_nearest(unknown, nearest):
    classes = pitches.PitchClasses((24, 30, 31, 84), (5, 6, 7, 8))
    with pytest.raises(ValueError, match=f"24 to 84. Received: {unknown}; the nearest is {nearest}"):
        classes.to_index(np.array([30, unknown]))
    assert classes.nearest(unknown) == nearest


def test_index_out_of_range():
    with pytest.raises(ValueError, match=r"0\.\.1"):
        pitches.PitchClasses((60, 61), (1, 1)).to_pitch(np.array([0, 2]))


def test_json_round_trip():
    classes = pitches.PitchClasses.from_pitches(np.array([60, 61, 61], np.int32))
    assert pitches.PitchClasses.from_json(json.loads(json.dumps(classes.to_json()))) == classes


def test_an_unpitched_class_goes_by_middle_c():
    classes = pitches.PitchClasses.unpitched(7)
    assert (classes.pitches, classes.counts, classes.num_classes, classes.pitched) == ((60,), (7,), 1, False)
    assert pitches.PitchClasses.from_json(json.loads(json.dumps(classes.to_json()))) == classes
    assert pitches.PitchClasses.from_json({"pitches": [60], "counts": [7]}).pitched
    assert classes.to_index(60) == 0 and classes.nearest(3) == 60
    with pytest.raises(ValueError, match="Received: 61; the nearest is 60"):
        classes.to_index(61)
    with pytest.raises(ValueError, match="unpitched class"):
        pitches.PitchClasses((61,), (7,), pitched=False)


@pytest.mark.parametrize(
    ("values", "counts"),
    [((), ()), ((60, 61), (1,)), ((61, 60), (1, 1)), ((60, 60), (1, 1)), ((60, 128), (1, 1)), ((60,), (0,))],
)
def test_bad_classes_are_refused(values, counts):
    with pytest.raises(ValueError, match="Expected"):
        pitches.PitchClasses(values, counts)
