"""The whole protocol on synthetic notes whose ranking is known: real, collapsed, noise."""

import weakref

import numpy as np
import pytest

from gansynth_tf.evaluation import note_sets, scoring
from gansynth_tf.evaluation.classifier import Judgement

RATE, LENGTH = 4000, 2000
PITCHES = np.array([50, 55, 61, 64])


def _notes(num, seed, timbre=None):
    """Tones of four partials whose weights are random: `timbre` fixes them."""
    rng = np.random.default_rng(seed)
    pitches = rng.choice(PITCHES, num)
    hz = 440 * 2 ** ((pitches - 69) / 12)
    weights = rng.dirichlet(np.full(4, 0.7), size=num) if timbre is None else np.tile(timbre, (num, 1))
    turns = np.outer(hz, np.arange(LENGTH)) / RATE
    waves = sum(weights[:, i : i + 1] * np.sin(2 * np.pi * (i + 1) * turns) for i in range(4))
    return (0.2 * waves * np.exp(-np.arange(LENGTH) / 900)).astype(np.float32), pitches


class Ear:
    """Stands for a classifier: hears the loudest frequency, and the spectrum's first bands as features."""

    sample_rate, audio_length, hash = RATE, LENGTH, "ear"

    def judge(self, waves):
        spectrum = np.abs(np.fft.rfft(waves, axis=1))
        hz = 440 * 2 ** ((np.arange(128) - 69) / 12)
        places = np.clip(np.round(hz * LENGTH / RATE).astype(int), 0, spectrum.shape[1] - 1)
        lowest = np.where(np.isin(np.arange(128), PITCHES), spectrum[:, places], 0) + 1e-3
        features = np.log(1e-3 + spectrum[:, ::125])
        return Judgement(lowest / lowest.sum(axis=1, keepdims=True), features)


def _set(name, arrays):
    return note_sets.notes_of_arrays(*arrays, name, RATE, RATE, LENGTH)


@pytest.fixture(scope="module")
def reference():
    protocol = scoring.Protocol(RATE, num_bins=12, num_f0_notes=8, num_resamples=5)
    found = scoring.Reference(_set("training", _notes(400, seed=0)), protocol, Ear())
    found.calibrate(found.measure(_set("held out", _notes(150, seed=1))))
    return found


@pytest.fixture(scope="module")
def rows(reference):
    noise = 0.1 * np.random.default_rng(3).normal(size=[200, LENGTH]), _notes(200, 4)[1]
    sets = {
        "real": _notes(200, seed=5),
        "collapsed": _notes(200, seed=6, timbre=[0.7, 0.3, 0, 0]),
        "copied": tuple(array[:200] for array in _notes(400, seed=0)),
        "noise": noise,
    }
    return {name: reference.score(reference.measure(_set(name, arrays))) for name, arrays in sets.items()}


def test_every_metric_ranks_real_above_noise(rows):
    real, noise = rows["real"], rows["noise"]
    for name in ("fid200", "kid100", "ndb12", "jsd12", "pitch_entropy"):
        assert real[name] < 0.6 * noise[name], name
    for name in ("pitch_accuracy", "inception_score", "precision_k3", "recall_k3", "phase_coherence", "in_tune"):
        assert real[name] > 1.2 * noise[name], name


def test_real_notes_are_at_the_good_end(rows):
    real = rows["real"]
    assert real["ndb12"] <= 3 and abs(real["kid100"]) < 3 * real["kid100_error"] and abs(real["copying_z"]) < 3
    assert min(real["precision_k3"], real["recall_k3"], real["phase_coherence"]) > 0.8
    assert real["nearest_ratio"] == pytest.approx(1, abs=0.2)


def test_collapse_and_copies_are_seen(rows):
    assert rows["collapsed"]["ndb12"] > 6 and rows["collapsed"]["recall_k3"] < 0.5 < rows["collapsed"]["precision_k3"]
    assert rows["copied"]["copying_z"] < -10 and rows["copied"]["nearest_ratio"] == 0


def test_names_carry_numbers_and_intervals_hold_the_value(rows):
    for row in rows.values():
        assert row["num_notes"] == 200 and row["num_f0_notes"] == 8
        names = ("fid200", "ndb12", "precision_k3", "recall_k3", "inception_score", "pitch_accuracy", "pitch_entropy")
        for name in names:
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"], name


def test_the_metrics_are_those_of_their_files(reference, rows):
    from gansynth_tf.evaluation import fid, precision_recall

    waves, pitches = _notes(200, seed=5)
    features = Ear().judge(waves).features
    assert rows["real"]["fid200"] == pytest.approx(fid.features_distance(reference.features, features), rel=1e-6)
    both = precision_recall.precision_recall(reference.features, features)
    assert (rows["real"]["precision_k3"], rows["real"]["recall_k3"]) == both[:2]
    heard = Ear().judge(waves).probabilities.argmax(axis=1)
    assert rows["real"]["pitch_accuracy"] == np.mean(heard == pitches)


def test_without_a_classifier_the_rest_is_measured():
    protocol = scoring.Protocol(RATE, num_bins=50, num_f0_notes=0, num_resamples=0)
    reference = scoring.Reference(_set("training", _notes(40, seed=0)), protocol)
    row = reference.score(reference.measure(_set("real", _notes(9, seed=1))))
    assert "ndb10" in row and "ndb10_low" not in row and row["copying_z"] is None  # Four training notes for a bin.
    assert not {"fid9", "pitch_accuracy", "in_tune"} & set(row) and row["phase_coherence"] > 0.8


def test_waves_are_not_kept(reference):
    alive = []

    def batches():
        for start in range(0, 320, 64):
            waves, pitches = _notes(64, seed=start)
            alive.append(weakref.ref(waves))
            yield waves, pitches
            del waves
            if start:  # The first notes are kept for pyin.
                assert sum(wave() is not None for wave in alive) <= 3

    measured = reference.measure(note_sets.NoteSet("long", 320, batches))
    assert len(measured["pitches"]) == 320 and measured["waves"].shape == (8, LENGTH)
    assert sum(array.nbytes for array in measured.values()) < 320 * LENGTH * 4 / 4
