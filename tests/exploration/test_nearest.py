"""The nearest training instrument: an instrument is nearest to itself, by any embedding."""

import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf.exploration.nearest import nearest_instruments, specgram_embedding

RNG = np.random.default_rng(3)
PITCHES = (50, 55, 62)
TIMBRES = RNG.uniform(0.1, 1.0, size=(4, 5))  # Instruments by harmonics.


def _note(instrument, pitch, level=0.3, num_samples=2000):
    hz = 440 * 2 ** ((pitch - 69) / 12)
    time = np.arange(num_samples) / 8000
    partials = (a * np.sin(2 * np.pi * hz * k * time) for k, a in enumerate(TIMBRES[instrument], start=1))
    return (level * sum(partials)).astype(np.float32)


@pytest.fixture(scope="module")
def notes():
    """Two velocities of every instrument at every pitch, but instrument 2 lacks the last."""
    rows = [(i, p, v) for i in range(4) for p in PITCHES for v in (0.1, 0.4) if (i, p) != (2, 62)]
    return {
        "audio": np.stack([_note(i, p, v) for i, p, v in rows]),
        "pitch": np.array([p for _, p, _ in rows]),
        "instrument": np.array([i for i, _, _ in rows]),
    }


def _spectrum(waves):
    return np.abs(np.fft.rfft(waves, axis=1))


def test_an_instrument_is_nearest_to_itself(notes):
    for instrument in range(4):
        waves = np.stack([_note(instrument, pitch, level=0.39) for pitch in PITCHES])
        found = nearest_instruments(waves, np.array(PITCHES), notes, _spectrum)
        assert found[0].instrument == instrument and found[0].distance < 0.2
        assert [each.distance for each in found] == sorted(each.distance for each in found)
        assert {each.instrument: each.num_pitches for each in found} == {0: 3, 1: 3, 2: 2, 3: 3}


def test_distances_by_hand():
    notes = {"audio": np.array([[1.0], [4.0], [9.0]]), "pitch": np.full(3, 40), "instrument": np.array([7, 7, 5])}
    found = nearest_instruments(np.array([[3.0]]), np.array([40]), notes, lambda waves: waves)
    # Distances 2, 1 and 6, mean 3: instrument 7's nearest note is at 1 / 3, instrument 5's at 2.
    assert [each.instrument for each in found] == [7, 5]
    np.testing.assert_allclose([each.distance for each in found], [1 / 3, 2])


def test_a_models_specgrams_as_features(make_tiny_model):
    model = make_tiny_model()
    embed = specgram_embedding(model.encode, model.audio_length)
    waves = model.generate(model.sample_z(3, seed=0), [40, 40, 40])
    features = embed(waves)
    assert features.shape == (3, 8, 16) and features.max() == 0 and features.min() >= -9.22
    # The floor under the logarithm shows in the softest points only.
    np.testing.assert_allclose(embed(waves * 30), embed(waves * 10), atol=0.1)
    notes = {"audio": waves, "pitch": np.full(3, 40), "instrument": np.array([4, 6, 9])}
    assert nearest_instruments(waves[1:2], np.array([40]), notes, embed)[0] == (6, 0.0, 1)


def test_no_features_without_logarithms():
    with pytest.raises(ValueError, match="Expected a model of spectrograms"):
        specgram_embedding(lambda waves: waves[:, tf.newaxis, :, tf.newaxis], 300)


def test_notes_of_unknown_instruments_do_not_count(notes):
    unknown = notes | {"instrument": np.where(notes["instrument"] == 1, -1, notes["instrument"])}
    waves = np.stack([_note(1, pitch) for pitch in PITCHES])
    found = nearest_instruments(waves, np.array(PITCHES), unknown, _spectrum)
    assert sorted(each.instrument for each in found) == [0, 2, 3]


def test_nothing_to_compare(notes):
    with pytest.raises(ValueError, match="two training instruments have notes"):
        nearest_instruments(np.zeros((1, 2000)), np.array([70]), notes, _spectrum)
    with pytest.raises(ValueError, match="different pitches"):
        nearest_instruments(np.zeros((2, 2000)), np.array([50, 50]), notes, _spectrum)
