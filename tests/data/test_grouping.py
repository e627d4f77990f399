"""Notes of one pitch side by side: every group is of one pitch, epochs differ, a later start continues the stream."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf import pitches
from gansynth_tf.data import grouping, notes, pipeline, records

NUM_SAMPLES = 13
COUNTS = {30: 9, 33: 4, 34: 12, 41: 6}  # Notes of each pitch.
SETTINGS = {"cached": {}, "streamed": {"cache_bytes": 0, "shuffle_buffer": 6}}
CLASSES = pitches.PitchClasses(tuple(COUNTS), tuple(COUNTS.values()))


def write_set(directory, counts=COUNTS, first=1, num_shards=3):
    """Velocities name the notes: note i has velocity first + i."""
    of_pitch = [pitch for pitch, count in counts.items() for _ in range(count)]
    made = [
        notes.Note(
            id=f"note{place:03d}", audio=np.full(NUM_SAMPLES, place / 256), pitch=pitch, velocity=first + place,
            instrument="one", family=notes.FAMILIES[0], source="synthetic", split="train",
        )
        for place, pitch in enumerate(of_pitch)
    ]  # fmt: skip
    records.write_records(directory, made, {}, num_shards)
    (note_set,) = records.open_split(directory, "train")
    return note_set


@pytest.fixture(scope="module")
def note_set(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("grouped") / "set")


def take(sets, num_notes, *, group_size=4, batch_size=8, seed=5, start_example=0, classes=CLASSES, **settings):
    """(pitches, velocities) of the first notes of a stream."""
    dataset = pipeline.make_dataset(
        sets, classes, NUM_SAMPLES, batch_size, seed, start_example, group_size=group_size, **settings
    )
    assert dataset.element_spec["audio"].shape == (batch_size, NUM_SAMPLES)
    batches = list(dataset.take(-(-num_notes // batch_size)).as_numpy_iterator())
    return tuple(np.concatenate([batch[name] for batch in batches])[:num_notes] for name in ("pitch", "velocity"))


def assert_grouped(found, group_size):
    groups = found.reshape(-1, group_size)
    np.testing.assert_array_equal(groups, groups[:, :1].repeat(group_size, axis=1))


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("group_size", [2, 3, 4])
class TestGroups:
    def test_every_group_is_of_one_pitch(self, note_set, settings, group_size):
        found, _ = take(note_set, 240, group_size=group_size, batch_size=2 * group_size, **settings)
        assert_grouped(found, group_size)
        assert set(found) == set(COUNTS)

    def test_starting_later_continues_the_same_stream(self, note_set, settings, group_size):
        whole = take(note_set, 30 * group_size, group_size=group_size, batch_size=group_size, **settings)
        for start in (group_size, 7 * group_size, 19 * group_size):
            later = take(
                note_set, 9 * group_size, group_size=group_size, batch_size=group_size, start_example=start, **settings
            )
            np.testing.assert_array_equal(later[1], whole[1][start : start + 9 * group_size])


def test_a_cached_epoch_has_every_note_and_fills_up_with_others_of_its_pitch(note_set):
    # 9, 4, 12 and 6 notes make 3, 1, 3 and 2 groups of four.
    _, velocities = take(note_set, 3 * 36)
    for epoch in velocities.reshape(3, 36):
        times = np.bincount(epoch, minlength=32)[1:]
        assert times.min() == 1 and times.max() == 2
        for group in epoch.reshape(-1, 4):
            assert len(set(group)) == 4
        np.testing.assert_array_equal([times[:9].sum(), times[9:13].sum(), times[13:25].sum()], [12, 4, 12])
    first, second = velocities[:36], velocities[36:72]
    met = [{frozenset(group) for group in epoch.reshape(-1, 4)} for epoch in (first, second)]
    assert len(met[0] & met[1]) <= 2  # The four notes of pitch 33 meet in each.
    order = [pitch for pitch, _ in zip(*take(note_set, 72), strict=True)]
    assert order[:36] != order[36:]


def test_a_streamed_epoch_repeats_nothing_and_leaves_out_what_fills_no_group(note_set):
    # 8 of 9, 4, 12 and 4 of 6 notes.
    _, velocities = take(note_set, 20 * 28, batch_size=4, **SETTINGS["streamed"])
    epochs = velocities.reshape(20, 28)
    for epoch in epochs:
        assert len(set(epoch)) == 28
    assert len({frozenset(epoch) for epoch in epochs}) > 1
    assert set(velocities) == set(range(1, 32))  # What one epoch leaves out comes in another.


def test_a_pitch_of_few_notes_fills_its_group_with_them(tmp_path):
    note_set = write_set(tmp_path / "few", {50: 1, 53: 3})
    classes = pitches.PitchClasses((50, 53), (1, 3))
    found, velocities = take(note_set, 8, classes=classes)
    assert_grouped(found, 4)
    assert sorted(velocities.tolist())[:4] == [1, 1, 1, 1] and set(velocities) == {1, 2, 3, 4}
    with pytest.raises(ValueError, match="at least 4 notes of every pitch.*Received 1 of pitch 50; set a smaller"):
        take(note_set, 8, classes=classes, **SETTINGS["streamed"])


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_paths_alone_group_as_a_set_with_a_manifest(note_set, settings):
    by_paths = take(note_set.shards, 100, **settings)
    np.testing.assert_array_equal(by_paths, take(note_set, 100, **settings))


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_notes_without_pitch_are_one_class(note_set, settings):
    unpitched = pitches.PitchClasses.unpitched(31)
    # 31 notes: a cached epoch is filled up to 32, a streamed one ends at 28.
    _, velocities = take(note_set, 32, classes=unpitched, **settings)
    assert len(set(velocities)) == 31 if not settings else len(set(velocities[:28])) == 28


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_sets_are_mixed_by_their_groups(note_set, tmp_path, settings):
    other = dataclasses.replace(write_set(tmp_path / "other", first=60), weight=3.0)
    found, velocities = take([note_set, other], 4000, batch_size=80, **settings)
    assert_grouped(found, 4)
    assert_grouped(velocities >= 60, 4)
    np.testing.assert_array_equal(np.bincount(velocities >= 60), [1000, 3000])
    _, later = take([note_set, other], 80, batch_size=80, start_example=1204, **settings)
    np.testing.assert_array_equal(later, velocities[1204:1284])


def test_groups_by_hand():
    groups = grouping.find_groups(np.array([0, 0, 0, 2, 5, 5, 5, 5]), 2)
    np.testing.assert_array_equal(groups, [[0, 1], [2, 0], [3, 3], [4, 5], [6, 7]])
    assert grouping.find_groups(np.zeros([0], np.int32), 3).shape == (0, 3)


def test_shuffling_keeps_labels_together():
    labels = tf.constant([4, 1, 4, 1, 4, 1, 4, 1, 4])
    groups = grouping.find_groups(np.sort(labels), 3)
    orders = [grouping.shuffle_in_groups(labels, groups, tf.constant(seed, tf.int64)).numpy() for seed in range(20)]
    for order in orders:
        assert_grouped(labels.numpy()[order], 3)
        assert set(order) == set(range(9))
    assert len({tuple(order) for order in orders}) > 15
    again = tf.function(grouping.shuffle_in_groups)(labels, groups, tf.constant(3, tf.int64))
    np.testing.assert_array_equal(again, orders[3])
