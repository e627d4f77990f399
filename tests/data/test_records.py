"""records: round trips, whole folders or nothing."""

import dataclasses
import os
import time

import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf.data import notes, records


def make_note(place=0, split="train", pitch=60, instrument="flute_acoustic_073", audio=None, **changes):
    if audio is None:
        audio = np.random.default_rng(place).integers(-32768, 32768, 23) / 32768.0
    return notes.Note(
        **{
            "id": f"{instrument}-{pitch:03d}-{place:03d}",
            "audio": audio,
            "pitch": pitch,
            "velocity": 100,
            "instrument": instrument,
            "family": "flute",
            "source": "acoustic",
            "split": split,
            **changes,
        }
    )


def read_all(directory, split, num_samples=23):
    dataset = tf.data.TFRecordDataset(records.list_shards(directory, split))
    return [notes.parse_record(record, num_samples) for record in dataset]


def test_a_note_comes_back_exactly():
    note = make_note(3, velocity=75, source="electronic", family="vocal", qualities=("bright", "tempo-synced"))
    example = notes.parse_record(notes.serialize_note(note, label=17), 23)
    np.testing.assert_array_equal(example["audio"], note.audio.astype(np.float32))
    assert example["audio"].dtype == tf.float32
    assert example["id"].numpy().decode() == note.id
    whole = {name: int(value) for name, value in example.items() if value.dtype == tf.int32}
    assert whole == {
        "pitch": 60, "velocity": 75, "instrument/label": 17, "instrument/family": 10, "instrument/source": 1,
    }
    np.testing.assert_array_equal(example["qualities"], [True] + [False] * 8 + [True])


def test_audio_is_rounded_to_16_bits_and_clipped():
    audio = np.array([1.5, -1.5, 0.3, 0.4 / 32768, 0.6 / 32768])
    example = notes.parse_record(notes.serialize_note(make_note(audio=audio), 0), 5)
    np.testing.assert_array_equal(example["audio"] * 32768, [32767, -32768, np.round(0.3 * 32768), 0, 1])


@pytest.mark.parametrize("num_samples", [7, 23, 31])
def test_audio_is_cropped_or_padded_at_the_end_also_in_a_graph(num_samples):
    note = make_note(5)
    dataset = tf.data.Dataset.from_tensors(notes.serialize_note(note, 0))
    (example,) = dataset.map(lambda record: notes.parse_record(record, num_samples)).as_numpy_iterator()
    expected = np.zeros(num_samples, np.float32)
    expected[:23] = note.audio[:num_samples]
    np.testing.assert_array_equal(example["audio"], expected)


def test_features_are_named_as_in_tfds():
    example = tf.train.Example.FromString(notes.serialize_note(make_note(), 0))
    assert set(example.features.feature) == {
        "id", "audio", "pitch", "velocity", "instrument/label", "instrument/family", "instrument/source",
        *(f"qualities/{name}" for name in notes.QUALITIES),
    }
    assert len(notes.FAMILIES) == 11 and len(notes.QUALITIES) == 10


def test_a_folder_holds_splits_shards_and_counts(tmp_path):
    made = [make_note(place, pitch=60 + place % 2, instrument=f"i{place % 3}") for place in range(7)]
    made += [make_note(8, "valid", pitch=71), make_note(9, "valid", pitch=71)]
    manifest = records.write_records(tmp_path / "set", iter(made), {"source": "hand"}, num_shards=3)
    assert records.read_manifest(tmp_path / "set") == manifest
    assert manifest["source"] == "hand"
    assert manifest["splits"]["train"]["pitches"] == {"60": 4, "61": 3}
    assert manifest["splits"]["valid"] == {
        "num_notes": 2, "shards": ["valid-00000-of-00001.tfrecord"], "pitches": {"71": 2}, "velocities": {"100": 2},
        "families": {"flute": 2}, "sources": {"acoustic": 2},
    }  # fmt: skip
    assert [row["name"] for row in manifest["instruments"]] == ["flute_acoustic_073", "i0", "i1", "i2"]
    assert records.list_shards(tmp_path / "set", "test") == []
    assert len(records.list_shards(tmp_path / "set", "train")) == 3
    stored = {example["id"].numpy().decode(): example for example in read_all(tmp_path / "set", "train")}
    assert set(stored) == {note.id for note in made[:7]}
    for note in made[:7]:
        np.testing.assert_array_equal(stored[note.id]["audio"], note.audio.astype(np.float32))
        assert manifest["instruments"][int(stored[note.id]["instrument/label"])]["name"] == note.instrument


def test_fewer_notes_than_shards(tmp_path):
    records.write_records(tmp_path / "set", [make_note(0), make_note(1)], {}, num_shards=5)
    assert len(read_all(tmp_path / "set", "train")) == 2


def test_the_manifest_may_grow_while_notes_are_made(tmp_path):
    manifest = {"skipped": []}

    def make():
        yield make_note(0)
        manifest["skipped"].append("the second")

    assert records.write_records(tmp_path / "set", make(), manifest, 1)["skipped"] == ["the second"]


def test_an_interrupted_set_leaves_nothing_and_keeps_the_old_one(tmp_path):
    def broken():
        yield make_note(0, pitch=50)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        records.write_records(tmp_path / "set", broken(), {}, 2)
    assert os.listdir(tmp_path) == []
    records.write_records(tmp_path / "set", [make_note(1, pitch=47)], {}, 2)
    with pytest.raises(KeyboardInterrupt):
        records.write_records(tmp_path / "set", broken(), {}, 2)
    assert os.listdir(tmp_path) == ["set"]
    assert [int(example["pitch"]) for example in read_all(tmp_path / "set", "train")] == [47]


def test_a_set_replaces_another(tmp_path):
    records.write_records(tmp_path / "set", [make_note(place) for place in range(4)], {}, 4)
    records.write_records(tmp_path / "set", [make_note(5, pitch=33)], {}, 1)
    assert os.listdir(tmp_path) == ["set"]
    assert sorted(os.listdir(tmp_path / "set")) == ["manifest.json", "train-00000-of-00001.tfrecord"]


def test_other_folders_are_never_replaced(tmp_path):
    (tmp_path / "home").mkdir()
    records.write_records(tmp_path / "home", [make_note()], {}, 1)
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="thesis.txt; choose another"):
        records.write_records(tmp_path / "home", [make_note()], {}, 1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.tfrecord").write_text("")
    with pytest.raises(ValueError, match="choose another"):
        records.check_replaceable(tmp_path / "mine")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="choose another"):
        records.check_replaceable(tmp_path / "file")


def test_what_a_killed_process_left_is_removed(tmp_path):
    old, fresh = tmp_path / ".set-abcdefgh", tmp_path / ".set-ijklmnop"
    for left in (old, fresh):
        left.mkdir()
        (left / "train-00000-of-00001.tfrecord").write_bytes(b"half")
    for path in (old, old / "train-00000-of-00001.tfrecord"):
        os.utime(path, (time.time() - 4000,) * 2)
    (tmp_path / ".set-my-notes").mkdir()
    records.write_records(tmp_path / "set", [make_note()], {}, 1)
    assert sorted(os.listdir(tmp_path)) == [".set-ijklmnop", ".set-my-notes", "set"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "kazoo"}, "Expected family .* Received: 'kazoo'"),
        ({"source": "water"}, "Expected source"),
        ({"split": "dev"}, "Expected split"),
        ({"qualities": ("loud",)}, "Expected qualities"),
        ({"audio": np.array([0.0, np.inf])}, "NaN or infinity"),
        ({"audio": np.zeros((2, 3))}, "shape"),
    ],
)
def test_bad_notes_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(make_note(), **changes)


def test_bad_sets_are_refused(tmp_path):
    with pytest.raises(ValueError, match="twice"):
        records.write_records(tmp_path / "set", [make_note(1), make_note(1)], {}, 1)
    with pytest.raises(ValueError, match="train split"):
        records.write_records(tmp_path / "set", [make_note(1, "test")], {}, 1)
    assert os.listdir(tmp_path) == []


def test_reading_errors_say_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="prepare it first"):
        records.read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text('{"schema_ver')
    with pytest.raises(ValueError, match="unreadable; prepare it again"):
        records.read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text('{"schema_version": 99}')
    with pytest.raises(ValueError, match="Received: 99"):
        records.read_manifest(tmp_path)
    records.write_records(tmp_path / "set", [make_note()], {}, 1)
    with pytest.raises(ValueError, match="train, valid, test. Received: 'dev'"):
        records.list_shards(tmp_path / "set", "dev")
    (tmp_path / "set" / "train-00000-of-00001.tfrecord").unlink()
    with pytest.raises(FileNotFoundError, match="missing; prepare the data again"):
        records.list_shards(tmp_path / "set", "train")


# ---------------------------------------------------------------------------------------------------- file systems


@pytest.mark.parametrize("scheme", ["ram://", "file://"])
def test_sets_live_on_any_file_system_of_tensorflow(scheme, tmp_path):
    """As gs:// and s3:// do: "ram" is one that knows nothing of local paths."""
    from gansynth_tf.data import pipeline, report

    place = f"ram://{tmp_path.name}/set" if scheme == "ram://" else f"file://{tmp_path}/set"
    made = [make_note(number, pitch=50 + number) for number in range(6)] + [make_note(7, "valid")]
    manifest = records.write_records(place, made, {"sample_rate": 8000, "num_samples": 23}, 2)
    assert records.read_manifest(place) == manifest
    assert all(path.startswith(place) for path in records.list_shards(place, "train"))
    local = records.write_records(tmp_path / "local", made, {"sample_rate": 8000, "num_samples": 23}, 2)
    assert local == manifest
    for ours, theirs in zip(records.list_shards(place, "train"), records.list_shards(tmp_path / "local", "train"),
                            strict=True):  # fmt: skip
        assert tf.io.gfile.GFile(ours, "rb").read() == tf.io.gfile.GFile(theirs, "rb").read()
    loaded = pipeline.load_notes(records.open_split(place, "train"), 23)
    assert sorted(loaded["pitch"]) == list(range(50, 56))
    assert report.write_report(place) and not report.write_report(place)
    assert tf.io.gfile.exists(f"{place}/report.png")
    # A second set takes the first one's place, and nothing else's.
    records.write_records(place, made[:1], {}, 1)
    assert len(records.list_shards(place, "train")) == 1 and not tf.io.gfile.exists(f"{place}/report.png")
    with tf.io.gfile.GFile(f"{place}/thesis.txt", "w") as file:
        file.write("years of work")
    with pytest.raises(ValueError, match="thesis.txt; choose another"):
        records.write_records(place, made, {}, 1)


def test_a_mix_points_at_its_parts(tmp_path):
    records.write_records(tmp_path / "a", [make_note(0, pitch=50), make_note(1, "valid")], {}, 1)
    records.write_records(tmp_path / "b", [make_note(number, pitch=51, instrument="i") for number in (2, 3)], {}, 1)
    parts = [(2.0, str(tmp_path / "a")), (1.0, str(tmp_path / "b"))]
    manifest = records.write_mix(tmp_path / "mix", parts)
    assert manifest["splits"]["train"]["pitches"] == {"50": 1, "51": 2}
    sets = records.open_split(tmp_path / "mix", "train")
    assert [(part.num_notes, part.weight, part.first_label) for part in sets] == [(1, 2.0, 0), (2, 1.0, 1)]
    assert len(records.open_split(tmp_path / "mix", "valid")) == 1 and not records.open_split(tmp_path / "mix", "test")
    assert [row["name"] for row in manifest["instruments"]] == ["flute_acoustic_073", "i"]
