"""pipeline: the order is a pure function of seed and position; nothing is lost, repeated or rewritten."""

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


def test_blocks_of_sorted_shards_are_interleaved(tmp_path, classes):
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
        assert len(set((block - 1) // 8)) == 5


def test_examples_are_labelled_and_typed(shards, classes):
    dataset = pipeline.make_dataset(shards, classes, NUM_SAMPLES, 4, seed=1)
    assert dataset.element_spec["audio"].shape == (4, NUM_SAMPLES)
    batch = next(iter(dataset))
    assert set(batch) == {"audio", "label", "pitch", "velocity", "instrument", "family", "source"}
    np.testing.assert_array_equal(classes.to_pitch(batch["label"].numpy()), batch["pitch"])
    place = batch["velocity"].numpy() - 1
    np.testing.assert_array_equal(batch["audio"], np.repeat(place[:, None] / 256, NUM_SAMPLES, axis=1))
    np.testing.assert_array_equal(batch["instrument"], place // 10)
    np.testing.assert_array_equal(batch["family"], place % 11)
    assert {value.dtype for name, value in batch.items() if name != "audio"} == {tf.int32}


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
