"""nsynth: TFDS's folders are read where they are, the official TFRecords converted; the wanted notes, and no others."""

import contextlib
import logging

import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf import pitches
from gansynth_tf.data import notes, nsynth, pipeline, records
from gansynth_tf.data.filters import NoteFilter

SAMPLES = 64000
ACOUSTIC = NoteFilter(24, 84, sources=("acoustic",))


def make_wave(number):
    """Steps of 1/32768, so that 16 bits keep them; the first says which note it is."""
    wave = np.random.default_rng(number).integers(-9000, 9000, SAMPLES) / 32768
    wave[0] = number / 256
    return wave.astype(np.float32)


# Pitch, velocity, family, source of each note; the first six are for training.
NOTES = [
    (60, 25, "flute", "acoustic"), (61, 50, "flute", "electronic"), (60, 127, "bass", "synthetic"),
    (90, 100, "string", "acoustic"), (84, 75, "string", "acoustic"), (24, 75, "mallet", "acoustic"),
    (60, 50, "flute", "acoustic"), (62, 50, "reed", "electronic"),
]  # fmt: skip
WANTED = [0, 4, 5]  # Training notes that ACOUSTIC keeps.


def note_name(number):
    pitch, velocity, family, source = NOTES[number]
    return f"{family}_{source}_{number:03d}-{pitch:03d}-{velocity:03d}"


# ---------------------------------------------------------------------------------------------------- TFDS


def nsynth_features(tfds):
    """The features of TFDS's builder, but for the number of instruments."""
    return tfds.features.FeaturesDict({
        "id": np.str_,
        "audio": tfds.features.Audio(shape=(SAMPLES,), dtype=np.float32, sample_rate=16000),
        "pitch": tfds.features.ClassLabel(num_classes=128),
        "velocity": tfds.features.ClassLabel(num_classes=128),
        "instrument": {
            "label": tfds.features.ClassLabel(names=[note_name(n).split("-")[0] for n in range(len(NOTES))]),
            "family": tfds.features.ClassLabel(names=list(notes.FAMILIES)),
            "source": tfds.features.ClassLabel(names=list(notes.SOURCES)),
        },
        "qualities": dict.fromkeys(notes.QUALITIES, np.bool_),
    })  # fmt: skip


def tfds_example(number):
    pitch, velocity, family, source = NOTES[number]
    return {
        "id": note_name(number), "audio": make_wave(number), "pitch": pitch, "velocity": velocity,
        "instrument": {"label": number, "family": family, "source": source},
        "qualities": {name: name == "dark" for name in notes.QUALITIES},
    }  # fmt: skip


@contextlib.contextmanager
def quiet_tfds():
    """TFDS logs what it writes, and warns of what it imports."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_datasets as tfds

        logging.getLogger("absl").setLevel(logging.ERROR)
        tfds.disable_progress_bar()
        yield tfds


@pytest.fixture(scope="module")
def tfds_dir(tmp_path_factory):
    """A TFDS folder as its own code writes it, under NSynth's name."""
    folder = tmp_path_factory.mktemp("tfds")
    with quiet_tfds() as tfds:
        def rows(numbers):
            return [(note_name(number), tfds_example(number)) for number in numbers]

        tfds.dataset_builders.store_as_tfds_dataset(
            name="nsynth", config="gansynth_subset", version="2.3.3", data_dir=folder, features=nsynth_features(tfds),
            split_datasets={"train": rows(range(6)), "valid": rows([6]), "test": rows([7])},
        )  # fmt: skip
    return folder


def tfds_request(folder, keep=ACOUSTIC, **settings):
    return nsynth.NsynthRequest(str(folder), "nsynth/gansynth_subset", keep, **settings)


def test_tfds_files_are_read_where_they_are(tfds_dir, tmp_path):
    with quiet_tfds():
        manifest = nsynth.prepare_tfds(tfds_request(tfds_dir), tmp_path / "out", progress=False)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["manifest.json"]
    train = manifest["splits"]["train"]
    assert (train["num_records"], train["num_notes"]) == (6, 3)
    assert train["pitches"] == {"24": 1, "60": 1, "84": 1} and train["sources"] == {"acoustic": 3}
    assert train["families"] == {"flute": 1, "mallet": 1, "string": 1}
    assert manifest["splits"]["valid"]["num_notes"] == 1 and manifest["splits"]["test"]["num_notes"] == 0
    assert manifest["instruments"][4] == {"name": "string_acoustic_004", "family": "string", "source": "acoustic"}
    loaded = pipeline.load_notes(records.open_split(tmp_path / "out", "train"), SAMPLES)
    assert set(loaded["id"]) == {note_name(number) for number in WANTED}
    for note_id, wave, pitch, label in zip(*(loaded[k] for k in ("id", "audio", "pitch", "instrument")), strict=True):
        number = round(float(wave[0]) * 256)
        assert (note_name(number), NOTES[number][0], number) == (note_id, pitch, label)
        np.testing.assert_array_equal(wave, make_wave(number))


def test_only_the_wanted_notes_of_tfds_are_trained_on(tfds_dir, tmp_path):
    with quiet_tfds():
        manifest = nsynth.prepare_tfds(tfds_request(tfds_dir), tmp_path / "out", progress=False)
    counts = {int(pitch): count for pitch, count in manifest["splits"]["train"]["pitches"].items()}
    classes = pitches.PitchClasses(tuple(counts), tuple(counts.values()))
    for cache_bytes in (0, 2**30):
        dataset = pipeline.make_dataset(
            records.open_split(tmp_path / "out", "train"), classes, 70000, 3, 0, cache_bytes=cache_bytes
        )
        for batch in dataset.take(4):
            numbers = np.round(batch["audio"][:, 0].numpy() * 256).astype(int)
            assert sorted(numbers) == WANTED  # Every epoch, each of them once.
            np.testing.assert_array_equal(batch["label"], classes.to_index([NOTES[n][0] for n in numbers]))
            np.testing.assert_array_equal(batch["source"], 0)
            assert np.all(batch["audio"][:, SAMPLES:] == 0)


def test_another_rate_is_converted(tfds_dir, tmp_path):
    request = tfds_request(tfds_dir, NoteFilter(), sample_rate=8000, num_samples=30000)
    with quiet_tfds():
        manifest = nsynth.prepare_tfds(request, tmp_path / "out", progress=False)
    assert manifest["sample_rate"] == 8000 and manifest["splits"]["train"]["num_notes"] == 6
    sets = records.open_split(tmp_path / "out", "valid")
    loaded = pipeline.load_notes(sets, 30000)
    assert not sets[0].float_audio and loaded["id"].tolist() == [note_name(6)]
    import soxr

    expected = soxr.resample(make_wave(6), 16000, 8000, quality="VHQ")[:30000]
    np.testing.assert_allclose(loaded["audio"][0], expected, atol=1 / 32768)
    (note,) = tf.data.TFRecordDataset(sets[0].shards)
    np.testing.assert_array_equal(notes.parse_record(note, 9)["qualities"], [n == "dark" for n in notes.QUALITIES])


def test_tfds_own_stand_in_is_converted(tmp_path):
    with quiet_tfds() as tfds, tfds.testing.mock_data(num_examples=9):
        for number, name in enumerate(("nsynth/gansynth_subset", "nsynth/full")):
            out = tmp_path / str(number)
            request = nsynth.NsynthRequest(str(tmp_path / "nowhere"), name, NoteFilter(), num_samples=500)
            train = nsynth.prepare_tfds(request, out, progress=False)["splits"]["train"]
            # Its splits all hold the same notes.
            assert train["num_notes"] == 9 and sum(train["sources"].values()) == 9
            assert pipeline.load_notes(records.open_split(out, "train"), 500)["audio"].shape == (9, 500)


def test_missing_tfds_data_name_the_command(tmp_path):
    with quiet_tfds(), pytest.raises(ValueError) as caught:
        nsynth.prepare_tfds(tfds_request(tmp_path / "none"), tmp_path / "out", progress=False)
    message = str(caught.value)
    assert f"tfds build nsynth/gansynth_subset --data_dir={tmp_path / 'none'}" in message and "\n" not in message
    assert "gs://tfds-data/datasets" in message and not (tmp_path / "out").exists()
    with quiet_tfds(), pytest.raises(ValueError, match="such as nsynth/gansynth_subset"):
        request = nsynth.NsynthRequest(str(tmp_path), "nsynth/gansinth")
        nsynth.prepare_tfds(request, tmp_path / "out", progress=False)


def test_no_wanted_note_is_one_line(tfds_dir, official_dir, tmp_path):
    keep = NoteFilter(1, 2, families=("reed",))
    with pytest.raises(ValueError, match="pitch 1 to 2, family reed in .*official.*. None of its training notes is"):
        nsynth.prepare_official(nsynth.NsynthRequest(str(official_dir), keep=keep), tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
    with quiet_tfds(), pytest.raises(ValueError, match="pitch 1 to 2 .*tfds.*. None of its 6 training notes is"):
        nsynth.prepare_tfds(tfds_request(tfds_dir, NoteFilter(1, 2)), tmp_path / "out", progress=False)


# ---------------------------------------------------------------------------------------------------- official records


def official_record(number, **changes):
    """A record as nsynth-train.tfrecord holds them."""
    pitch, velocity, family, source = NOTES[number]
    values = {
        "note": [number], "note_str": [note_name(number).encode()], "instrument": [number],
        "instrument_str": [note_name(number).split("-")[0].encode()], "pitch": [pitch], "velocity": [velocity],
        "sample_rate": [16000], "audio": make_wave(number).tolist(), "qualities": [0, 1] + [0] * 8,
        "qualities_str": [b"dark"], "instrument_family": [notes.FAMILIES.index(family)],
        "instrument_family_str": [family.encode()], "instrument_source": [notes.SOURCES.index(source)],
        "instrument_source_str": [source.encode()], **changes,
    }  # fmt: skip
    features = {}
    for name, value in values.items():
        kind = {bytes: "bytes_list", int: "int64_list", float: "float_list"}[type(value[0])]
        lists = {"bytes_list": tf.train.BytesList, "int64_list": tf.train.Int64List, "float_list": tf.train.FloatList}
        features[name] = tf.train.Feature(**{kind: lists[kind](value=value)})
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.fixture(scope="module")
def official_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("official")
    for split, numbers in {"train": range(6), "valid": [6], "test": [7]}.items():
        with tf.io.TFRecordWriter(str(folder / f"nsynth-{split}.tfrecord")) as writer:
            for number in numbers:
                writer.write(official_record(number))
    (folder / "nsynth-train.tfrecord.tar").write_bytes(b"")  # What it came in.
    return folder


@pytest.mark.parametrize("place", ["folder", "file"])
def test_official_records_are_converted(place, official_dir, tmp_path):
    path = official_dir if place == "folder" else official_dir / "nsynth-train.tfrecord"
    request = nsynth.NsynthRequest(str(path), keep=ACOUSTIC)
    manifest = nsynth.prepare_official(request, tmp_path / "out", progress=False)
    assert manifest["splits"]["train"]["pitches"] == {"24": 1, "60": 1, "84": 1}
    assert manifest["splits"]["valid"]["num_notes"] == (1 if place == "folder" else 0)
    assert manifest["splits"]["test"]["num_notes"] == 0
    loaded = pipeline.load_notes(records.open_split(tmp_path / "out", "train"), SAMPLES)
    for number in WANTED:
        row = loaded["id"].tolist().index(note_name(number))
        np.testing.assert_array_equal(loaded["audio"][row], make_wave(number))
        found = (loaded["pitch"][row], loaded["velocity"][row], notes.FAMILIES[loaded["family"][row]])
        assert found == NOTES[number][:3] and loaded["source"][row] == 0
        assert manifest["instruments"][loaded["instrument"][row]]["name"] == note_name(number).split("-")[0]
    assert nsynth.prepare_official(request, tmp_path / "out", progress=False) == manifest


def test_acoustic_means_acoustic(official_dir, tfds_dir, tmp_path):
    """Code published in 2019 asked for source 1, which is electronic: every form must give the notes by their names."""
    wanted = {source: {name for name in map(note_name, range(6)) if f"_{source}_" in name} for source in notes.SOURCES}
    assert {source: len(names) for source, names in wanted.items()} == {"acoustic": 4, "electronic": 1, "synthetic": 1}
    for source, names in wanted.items():
        keep = NoteFilter(sources=(source,))
        places = tmp_path / f"tfds_{source}", tmp_path / f"official_{source}"
        with quiet_tfds():
            nsynth.prepare_tfds(tfds_request(tfds_dir, keep), places[0], progress=False)
        nsynth.prepare_official(nsynth.NsynthRequest(str(official_dir), keep=keep), places[1], progress=False)
        for place in places:
            assert set(pipeline.load_notes(records.open_split(place, "train"), 9)["id"]) == names
            assert records.read_manifest(place)["splits"]["train"]["sources"] == {source: len(names)}


def test_the_word_decides_not_the_number(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        writer.write(official_record(0, instrument_source=[1]))
    request = nsynth.NsynthRequest(str(tmp_path), keep=ACOUSTIC)
    manifest = nsynth.prepare_official(request, tmp_path / "out", progress=False)
    assert manifest["splits"]["train"]["sources"] == {"acoustic": 1}


def test_missing_or_foreign_official_records_are_one_line(tmp_path):
    def message(path):
        with pytest.raises(ValueError) as caught:
            nsynth.prepare_official(nsynth.NsynthRequest(str(path)), tmp_path / "out", progress=False)
        assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()
        return str(caught.value)

    for path in (tmp_path / "none", tmp_path):
        assert "nsynth/nsynth-train.tfrecord.tar" in message(path)
    with tf.io.TFRecordWriter(str(tmp_path / "mine.tfrecord")) as writer:
        writer.write(b"no example")
    assert "NSynth's own TFRecords" in message(tmp_path)
    (tmp_path / "mine.tfrecord").write_text("text" * 20)
    assert "NSynth's own TFRecords" in message(tmp_path)
