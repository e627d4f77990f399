"""Training of a classifier: it learns, stops early, keeps its best round, and goes on as if it had not been stopped."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf import pitch_classifier
from gansynth_tf.pitch_classifier import PitchClassifier, Trunk
from gansynth_tf.training.classifier_training import ClassifierSchedule, ClassifierTraining

RATE, LENGTH = 4000, 1200
PITCHES = np.array([50, 57, 69])


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setitem(pitch_classifier.TRUNKS, "narrow", Trunk((5, 5, 5, 5, 5, 6, 6, 7, 8), 16))


def _notes(num, seed):
    rng = np.random.default_rng(seed)
    pitch = PITCHES[np.arange(num) % 3]
    hz = 440 * 2 ** ((pitch - 69) / 12)
    waves = np.sin(2 * np.pi * np.outer(hz, np.arange(LENGTH)) / RATE + rng.uniform(0, 6, [num, 1]))
    return {"audio": (waves + 0.05 * rng.normal(size=waves.shape)).astype(np.float32), "pitch": pitch.astype(np.int32)}


def _stream(batch_size, start):
    """Endless batches whose order follows from the place alone."""
    notes = _notes(24, seed=0)
    while True:
        places = np.arange(start, start + batch_size) % 24
        yield {name: tf.constant(values[places]) for name, values in notes.items()}
        start += batch_size


def _valid():
    notes = _notes(7, seed=1)
    yield {name: tf.constant(values) for name, values in notes.items()}


def _make(folder, rate=0.003, **schedule):
    keras.utils.set_random_seed(3)
    folder.mkdir(exist_ok=True)
    settings = {"batch_size": 8, "round_notes": 24, "patience": 3, "max_rounds": 12} | schedule
    schedule = ClassifierSchedule(**settings)
    training = ClassifierTraining(folder, lambda: PitchClassifier(RATE, LENGTH, "narrow"), schedule, rate)
    training.restore()
    return training


@pytest.mark.slow
def test_it_learns_and_keeps_the_best_round(tmp_path):
    training, lines = _make(tmp_path, rate=0.01, round_notes=96, max_rounds=7), []
    assert training.run(_stream, _valid, lines.append) and training.finished
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["round"] for row in rows] == list(range(1, training.rounds + 1)) and len(lines) == len(rows)
    losses = [row["valid_loss"] for row in rows]
    assert rows[-1]["loss"] < 0.3 * rows[0]["loss"]
    assert losses[training.best_round - 1] <= min(losses) + 1e-3 and min(losses) < losses[0]
    best = np.concatenate([training.best(batch["audio"])["pitch"].numpy().argmax(1) for batch in _valid()])
    np.testing.assert_array_equal(best, _notes(7, seed=1)["pitch"])
    assert "valid accuracy" in lines[-1]


@pytest.mark.slow
def test_stopped_and_started_again_is_as_never_stopped(tmp_path):
    whole = _make(tmp_path / "whole", max_rounds=2)
    whole.run(_stream, _valid, str)
    updates = 0

    def stop_in_the_second_round():
        nonlocal updates
        updates += 1
        return updates > 5

    first = _make(tmp_path / "parts", max_rounds=2)
    assert not first.run(_stream, _valid, str, stop_in_the_second_round) and first.rounds == 1
    second = _make(tmp_path / "parts", max_rounds=2)
    assert second.rounds == 1 and second.best_round == 1
    assert second.run(_stream, _valid, str)
    for ours, theirs in ((second.classifier, whole.classifier), (second.best, whole.best)):
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_it_stops_when_nothing_improves(tmp_path):
    training = _make(tmp_path, rate=1e-12, patience=2, round_notes=8)
    training.run(_stream, _valid, str)
    assert training.rounds < 12 and training.rounds == training.best_round + 2
    assert _make(tmp_path, patience=2).finished
    # And a damaged checkpoint is named.
    (index,) = (tmp_path / "checkpoints").glob("*.index")
    index.write_bytes(index.read_bytes()[:40])
    with pytest.raises(ValueError, match="is damaged"):
        _make(tmp_path)
