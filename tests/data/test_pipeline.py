"""pipeline: the order is a pure function of seed and position; nothing is lost, repeated or rewritten."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf import pitches
from gansynth_tf.data import notes, pipeline, records

NUM_NOTES = 41
NUM_SAMPLES = 13
STREAMED = {"cache_bytes": 0, "shuffle_buffer": 6}
CACHED = {}


def make_notes(num_notes):
    for place in range(num_notes):
        yield notes.Note(
            id=f"note{place:03d}",
            audio=np.full(NUM_SAMPLES, place / 256.0),
            pitch=30 + place // 5,
            velocity=1 + place,
            instrument=f"instrument{place // 10}",
            family=notes.FAMILIES[place % 11],
            source="synthetic",
            split="train",
        )


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sets") / "sorted"
    records.write_records(directory, make_notes(NUM_NOTES), {}, num_shards=3)
    return records.list_shards(directory, "train")


@pytest.fixture(scope="module")
def classes():
    return pitches.PitchClasses.from_pitches(note.pitch for note in make_notes(NUM_NOTES))


def take_velocities(shards, classes, num_notes, *, seed=5, start_example=0, batch_size=4, **settings):
    """Velocities name the notes: note i has velocity i + 1."""
    dataset = pipeline.make_dataset(
        shards, classes, NUM_SAMPLES, batch_size, seed, start_example=start_example, **settings
    )
    num_batches = -(-num_notes // batch_size)
    batches = [batch["velocity"] for batch in dataset.take(num_batches).as_numpy_iterator()]
    return np.concatenate(batches)[:num_notes]


@pytest.mark.parametrize("settings", [CACHED, STREAMED], ids=["cached", "streamed"])
class TestOrder:
    def test_every_note_comes_once_per_epoch(self, shards, classes, settings):
        order = take_velocities(shards, classes, 3 * NUM_NOTES, **settings).reshape(3, NUM_NOTES)
        for epoch in order:
            np.testing.assert_array_equal(np.sort(epoch), np.arange(1, NUM_NOTES + 1))
        assert not np.array_equal(order[0], order[1])
        assert not np.array_equal(order[1], order[2])

    @pytest.mark.parametrize("start", [1, 17, NUM_NOTES - 1, NUM_NOTES, NUM_NOTES + 9, 2 * NUM_NOTES + 3])
    def test_starting_later_continues_the_same_stream(self, shards, classes, settings, start):
        whole = take_velocities(shards, classes, start + 60, **settings)
        later = take_velocities(shards, classes, 60, start_example=start, **settings)
        np.testing.assert_array_equal(later, whole[start:])

    def test_batch_size_does_not_change_the_order(self, shards, classes, settings):
        few = take_velocities(shards, classes, 50, batch_size=3, **settings)
        np.testing.assert_array_equal(few, take_velocities(shards, classes, 50, batch_size=7, **settings))

    def test_the_global_seed_does_not_change_the_order(self, shards, classes, settings):
        before = take_velocities(shards, classes, 50, **settings)
        tf.random.set_seed(123)
        np.testing.assert_array_equal(take_velocities(shards, classes, 50, **settings), before)

    def test_seeds_differ(self, shards, classes, settings):
        seeds = (-2, 0, 1, 2**40)
        orders = {tuple(take_velocities(shards, classes, NUM_NOTES, seed=seed, **settings)) for seed in seeds}
        assert len(orders) == 4

    def test_a_sorted_set_comes_out_mixed(self, shards, classes, settings):
        order = take_velocities(shards, classes, NUM_NOTES, **settings)
        neighbours = np.mean([abs(a - b) == 1 for a, b in itertools.pairwise(order.tolist())])
        assert neighbours < 0.4
        if not settings:
            # Of a whole shuffle every part is like the whole: 21 +- 2.6 is the mean of 16 out of 1..41.
            assert abs(order[:16].mean() - 21) < 8

    def test_unknown_pitches_are_left_out(self, shards, classes, settings):
        known = pitches.PitchClasses((31, 33), (5, 5))
        order = take_velocities(shards, known, 25, **settings)
        expected = [6, 7, 8, 9, 10, 16, 17, 18, 19, 20]
        np.testing.assert_array_equal(np.sort(order[:10]), expected)
        np.testing.assert_array_equal(np.sort(order[10:20]), expected)
        later = take_velocities(shards, known, 12, start_example=13, **settings)
        np.testing.assert_array_equal(later, order[13:])


def test_sorted_shards_are_interleaved(tmp_path, classes):
    """Shards that each hold one stretch of a sorted set, as a large converted set may."""
    paths = []
    sorted_notes = list(make_notes(40))
    for shard in range(5):
        paths.append(str(tmp_path / f"{shard}.tfrecord"))
        with tf.io.TFRecordWriter(paths[-1]) as writer:
            for note in sorted_notes[8 * shard : 8 * shard + 8]:
                writer.write(notes.serialize_note(note, 0))
    order = take_velocities(paths, classes, 40, cache_bytes=0, shuffle_buffer=10)
    for block in order.reshape(4, 10):
        assert len(set((block - 1) // 8)) >= 4


# ---------------------------------------------------------------------------------------------------- several sets


@pytest.fixture(scope="module")
def three_sets(tmp_path_factory):
    """Sets of 7, 19 and 5 notes, whose velocities begin at 1, 40 and 80, with weights 5, 3 and 2."""
    sets = []
    for place, (count, first, weight) in enumerate([(7, 1, 5.0), (19, 40, 3.0), (5, 80, 2.0)]):
        directory = tmp_path_factory.mktemp("mix") / str(place)
        made = (dataclasses.replace(note, velocity=first + number) for number, note in enumerate(make_notes(count)))
        records.write_records(directory, made, {}, 2)
        (note_set,) = records.open_split(directory, "train")
        sets.append(dataclasses.replace(note_set, weight=weight, first_label=100 * place))
    return sets


def which_set(velocities):
    return np.digitize(velocities, [40, 80])


@pytest.mark.parametrize("settings", [CACHED, STREAMED], ids=["cached", "streamed"])
class TestMix:
    def test_weights_decide_the_shares(self, three_sets, classes, settings):
        order = take_velocities(three_sets, classes, 2000, batch_size=100, **settings)
        for part in (order[:1000], order[1000:]):
            np.testing.assert_array_equal(np.bincount(which_set(part)), [500, 300, 200])
        # Mixed, not one set after the other.
        shares = [np.bincount(which_set(part), minlength=3) for part in order.reshape(20, 100)]
        assert np.abs(np.array(shares) - [50, 30, 20]).max() < 25 and len({tuple(share) for share in shares}) > 10

    def test_every_set_keeps_its_own_epochs(self, three_sets, classes, settings):
        order = take_velocities(three_sets, classes, 1000, batch_size=100, **settings)
        for place, (count, first) in enumerate([(7, 1), (19, 40), (5, 80)]):
            own = order[which_set(order) == place]
            for epoch in own[: len(own) // count * count].reshape(-1, count):
                np.testing.assert_array_equal(np.sort(epoch), np.arange(first, first + count))

    @pytest.mark.parametrize("start", [999, 2345])
    def test_starting_later_continues_the_same_stream(self, three_sets, classes, settings, start):
        whole = take_velocities(three_sets, classes, start + 60, batch_size=60, **settings)
        later = take_velocities(three_sets, classes, 60, start_example=start, batch_size=60, **settings)
        np.testing.assert_array_equal(later, whole[start:])

    def test_instruments_are_told_apart(self, three_sets, classes, settings):
        dataset = pipeline.make_dataset(three_sets, classes, NUM_SAMPLES, 50, 0, **settings)
        batch = next(iter(dataset))
        np.testing.assert_array_equal(batch["instrument"] // 100, which_set(batch["velocity"].numpy()))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [([1], [1000]), ([1, 1], [500, 500]), ([1, 1, 1], [334, 333, 333]), ([1e6, 1], [999, 1]), ([0.2, 0.3], [400, 600])],
)
def test_shares_are_whole_examples_of_a_thousand(weights, expected, three_sets, classes):
    sets = [dataclasses.replace(three_sets[0], weight=weight) for weight in weights]
    order = np.concatenate([
        batch["instrument"] for batch in pipeline.make_dataset(
            [dataclasses.replace(part, first_label=100 * place) for place, part in enumerate(sets)],
            classes, NUM_SAMPLES, 1000, 0,
        ).take(1)
    ])  # fmt: skip
    assert sorted(np.bincount(order // 100), reverse=True) == sorted(expected, reverse=True)


@pytest.mark.parametrize("weight", [0.0, -1.0, np.nan, np.inf])
def test_weights_are_positive(weight, three_sets, classes):
    sets = [three_sets[0], dataclasses.replace(three_sets[1], weight=weight)]
    with pytest.raises(ValueError, match="positive weights"):
        pipeline.make_dataset(sets, classes, NUM_SAMPLES, 4, 0)


# ---------------------------------------------------------------------------------------------------- one class


def test_an_unpitched_class_keeps_every_note(tmp_path, shards):
    unpitched = [dataclasses.replace(note, pitch=notes.UNKNOWN) for note in make_notes(4)]
    records.write_records(tmp_path / "set", unpitched, {}, 1)
    sets = records.open_split(tmp_path / "set", "train")
    batch = next(iter(pipeline.make_dataset(sets, pitches.PitchClasses.unpitched(4), NUM_SAMPLES, 4, 0)))
    np.testing.assert_array_equal(batch["label"], 0)
    np.testing.assert_array_equal(batch["pitch"], notes.UNKNOWN)
    # Known pitches do not matter to such a class either; to a pitched one, unknown pitches are left out.
    everything = take_velocities(shards, pitches.PitchClasses.unpitched(41), NUM_NOTES)
    np.testing.assert_array_equal(np.sort(everything), np.arange(1, NUM_NOTES + 1))
    with pytest.raises(ValueError, match="1 pitches from 30 to 30. None in 1 shards"):
        pipeline.make_dataset(sets, pitches.PitchClasses((30,), (4,)), NUM_SAMPLES, 4, 0)


def test_replicas_share_the_stream_without_repeats(shards, classes, mirrored):
    dataset = pipeline.make_dataset(shards, classes, NUM_SAMPLES, 4, seed=5)
    iterator = iter(mirrored.experimental_distribute_dataset(dataset))
    order = []
    for _ in range(6):
        parts = mirrored.experimental_local_results(next(iterator)["velocity"])
        assert [part.shape[0] for part in parts] == [2, 2]
        order += [int(velocity) for part in parts for velocity in part]
    np.testing.assert_array_equal(order, take_velocities(shards, classes, 24))


def test_workers_share_the_stream_without_repeats(shards, classes):
    """What tf.distribute does for each worker of a job: it takes its share of the one stream."""
    from tensorflow.python.data.experimental.ops.distribute import _AutoShardDataset

    dataset = pipeline.make_dataset(shards, classes, NUM_SAMPLES, 4, seed=5)
    taken = []
    for worker in range(3):
        own = _AutoShardDataset(dataset, 3, worker, 3)
        taken.append([batch["velocity"] for batch in own.take(2).as_numpy_iterator()])
    order = np.concatenate([taken[worker][turn] for turn in range(2) for worker in range(3)])
    np.testing.assert_array_equal(order, take_velocities(shards, classes, 24))


def test_examples_are_labelled_and_typed(shards, classes):
    dataset = pipeline.make_dataset(shards, classes, NUM_SAMPLES, 4, seed=1)
    assert dataset.element_spec["audio"].shape == (4, NUM_SAMPLES)
    batch = next(iter(dataset))
    assert set(batch) == {"audio", "label", "pitch", "velocity", "instrument", "family", "source", "qualities"}
    np.testing.assert_array_equal(classes.to_pitch(batch["label"].numpy()), batch["pitch"])
    place = batch["velocity"].numpy() - 1
    np.testing.assert_array_equal(batch["audio"], np.repeat(place[:, None] / 256, NUM_SAMPLES, axis=1))
    np.testing.assert_array_equal(batch["instrument"], place // 10)
    np.testing.assert_array_equal(batch["family"], place % 11)
    assert batch["qualities"].shape == (4, 10) and batch["qualities"].dtype == tf.bool
    assert {value.dtype for name, value in batch.items() if name not in ("audio", "qualities")} == {tf.int32}


@pytest.mark.parametrize("num_samples", [6, 19])
def test_audio_is_cropped_or_padded(shards, classes, num_samples):
    audio = next(iter(pipeline.make_dataset(shards, classes, num_samples, 3, seed=1)))["audio"]
    assert audio.shape == (3, num_samples)
    assert np.all(audio[:, NUM_SAMPLES:] == 0)


def test_a_batch_may_be_larger_than_the_set(shards):
    known = pitches.PitchClasses((31,), (5,))
    np.testing.assert_array_equal(np.bincount(take_velocities(shards, known, 15, batch_size=15))[6:], [3] * 5)


def test_load_notes_keeps_the_order_of_the_shards(shards):
    loaded = pipeline.load_notes(shards, NUM_SAMPLES)
    assert loaded["audio"].shape == (NUM_NOTES, NUM_SAMPLES) and loaded["audio"].dtype == np.float32
    assert loaded["pitch"].shape == (NUM_NOTES,) and loaded["pitch"].dtype == np.int32
    # The shards together are sorted by a hash of the ids.
    assert list(loaded["id"]) == sorted((note.id for note in make_notes(NUM_NOTES)), key=notes.place_of)
    np.testing.assert_array_equal(loaded["audio"][:, 0] * 256, loaded["velocity"] - 1)
    np.testing.assert_array_equal(pipeline.load_notes(shards, NUM_SAMPLES, limit=5)["id"], loaded["id"][:5])


def test_errors_are_one_line(shards, classes, tmp_path):
    def message(error, call, *arguments, **settings):
        with pytest.raises(error) as caught:
            call(*arguments, **settings)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    make = pipeline.make_dataset
    assert "Received none" in message(ValueError, make, [], classes, 9, 2, 0)
    assert "gone.tfrecord" in message(FileNotFoundError, make, [str(tmp_path / "gone.tfrecord")], classes, 9, 2, 0)
    other = pitches.PitchClasses((90, 91), (1, 1))
    assert "2 pitches from 90 to 91" in message(ValueError, make, shards, other, 9, 2, 0)
    with open(shards[0], "rb") as file:
        (tmp_path / "cut.tfrecord").write_bytes(file.read()[:-5])
    damaged = [str(tmp_path / "cut.tfrecord")]
    assert "damaged" in message(ValueError, make, damaged, classes, 9, 2, 0)
    assert "damaged" in message(ValueError, make, damaged, classes, 9, 2, 0, cache_bytes=0)
    assert "damaged" in message(ValueError, pipeline.load_notes, damaged, 9)
    assert "Received none" in message(ValueError, pipeline.load_notes, shards, 9, limit=0)
