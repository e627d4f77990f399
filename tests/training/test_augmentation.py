"""Changes of notes before the critic: what they may touch, how often they happen, what flows back."""

import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf.spectral import LOG_FLOOR
from gansynth_tf.training import augmentation

BATCH, FRAMES, BANDS = 400, 16, 24
SILENCE = np.float32(np.log(LOG_FLOOR))


@pytest.fixture
def notes():
    rng = np.random.default_rng(3)
    return rng.uniform(-0.9, 0.9, size=(BATCH, FRAMES, BANDS, 2)).astype(np.float32)


def draws(**changes) -> np.ndarray:
    """Uniform numbers; `first=…` and others set columns: of 12, which of the changes happen, then two for each."""
    uniform = np.random.default_rng(4).uniform(size=(BATCH, augmentation.NUM_DRAWS)).astype(np.float32)
    for column, value in changes.items():
        uniform[:, int(column.removeprefix("at"))] = value
    return uniform


def only(change: int) -> dict[str, float]:
    """Draws that let one of the four changes happen at a probability of one half."""
    return {f"at{place}": 0.1 if place == change else 0.9 for place in range(4)}


def test_nothing_happens_at_probability_zero(notes):
    np.testing.assert_array_equal(augmentation.augment(notes, 0.0, draws()), notes)


@pytest.mark.parametrize("amount", [0.0, 0.25, 0.5, 0.999])
def test_level_moves_by_decibels_and_leaves_frequencies_alone(notes, amount):
    changed = augmentation.augment(notes, 0.5, draws(**only(0), at4=amount)).numpy()
    np.testing.assert_array_equal(changed[..., 1], notes[..., 1])
    power = 10 ** (6.0 * (2 * amount - 1) / 10)
    np.testing.assert_allclose(changed[..., 0] - notes[..., 0], np.log(power), atol=1e-5)


def test_shifts_are_whole_frames_either_way_and_hold_the_edge(notes):
    changed = augmentation.augment(notes, 0.5, draws(**only(1))).numpy()
    found = set()
    for before, after in zip(notes, changed, strict=True):
        shifts = [
            shift
            for shift in range(-2, 3)
            if np.array_equal(after, before[np.clip(np.arange(FRAMES) - shift, 0, FRAMES - 1)])
        ]
        found.update(shifts)
        assert len(shifts) == 1
    assert found == {-2, -1, 0, 1, 2}


@pytest.mark.parametrize(("change", "axis", "length"), [(2, 0, FRAMES), (3, 1, BANDS)])
def test_masks_are_one_silent_stretch(notes, change, axis, length):
    changed = augmentation.augment(notes, 0.5, draws(**only(change))).numpy()
    widths, places = [], []
    for before, after in zip(notes, changed, strict=True):
        hidden = np.all(after == [SILENCE, 0.0], axis=(1 - axis, 2))
        np.testing.assert_array_equal(np.compress(~hidden, after, axis), np.compress(~hidden, before, axis))
        where = np.flatnonzero(hidden)
        assert not where.size or where[-1] - where[0] + 1 == where.size
        widths.append(where.size)
        places.extend(where)
    assert 2 <= max(widths) <= np.ceil(length / 6)
    assert set(places) == set(range(length))


def test_each_change_happens_as_often_as_asked(notes):
    uniform = draws()
    uniform[:, 4:] = 0.99  # All that happens is large.
    changed = augmentation.augment(notes, 0.3, uniform).numpy()
    untouched = np.mean(np.all(changed == notes, axis=(1, 2, 3)))
    expected = 0.7**4
    assert abs(untouched - expected) < 4 * np.sqrt(expected * (1 - expected) / BATCH)


def test_gradients_flow_to_what_is_shown_only(notes):
    specgrams, uniform = tf.constant(notes[:7]), draws(**only(3))[:7]
    with tf.GradientTape() as tape:
        tape.watch(specgrams)
        shown = augmentation.augment(specgrams, 0.5, uniform)
        total = tf.reduce_sum(shown)
    gradients = tape.gradient(total, specgrams).numpy()
    hidden = np.all(shown.numpy() == [SILENCE, 0.0], axis=-1)
    assert hidden.any() and np.array_equal(gradients, np.where(hidden[..., None], 0.0, np.ones(2)))


def test_a_graph_changes_notes_alike(notes):
    graph = tf.function(lambda x, u: augmentation.augment(x, 0.6, u))
    np.testing.assert_allclose(graph(notes, draws()), augmentation.augment(notes, 0.6, draws()), atol=1e-6)
