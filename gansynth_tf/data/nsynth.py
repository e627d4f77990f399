"""NSynth in the forms it is published in: TFDS's prepared folders, and the official TFRecord files.

TFDS's files are read where they are: they hold the same features as our records, shuffled and in shards. Only another
sample rate asks for a copy. The official files are one long row of notes in an order of their own, with audio of twice
the bytes; they are converted once.
"""

import collections
import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Iterator

from gansynth_tf import audio
from gansynth_tf.data import notes, pipeline, records, shards
from gansynth_tf.data.filters import NoteFilter

SAMPLE_RATE = 16000
_NUM_SAMPLES = 64000
_RECIPE_VERSION = 1
_URL = "http://download.magenta.tensorflow.org/datasets/nsynth/"


@dataclasses.dataclass(frozen=True)
class NsynthRequest:
    """What to read.

    Args:
        path: Of TFDS: its data_dir, empty for TFDS's own default. Of the official records: a file, or a folder of them.
        name: Of TFDS: the data set with its configuration; empty for the official records.
        keep: Which notes are wanted.
        sample_rate: Hz; NSynth has 16000, other rates are resampled.
        num_samples: Length of a note; matters only where notes are converted.
    """

    path: str
    name: str = ""
    keep: NoteFilter = NoteFilter()
    sample_rate: int = SAMPLE_RATE
    num_samples: int = _NUM_SAMPLES


# ---------------------------------------------------------------------------------------------------- TFDS


def prepare_tfds(request: NsynthRequest, output_dir: str | os.PathLike, progress: bool = True) -> dict:
    """Makes a folder of records that points at TFDS's own files, or converts them if the rate is another.

    Args:
        request: What to read.
        output_dir: Folder of the manifest (and of the records, if they are converted).
        progress: Whether to show progress bars on stderr.

    Returns:
        The manifest: that of `records` and "fingerprint", "sample_rate", "num_samples".

    Raises:
        ValueError: The data set is not there (the message has the command that fetches it), or no note is wanted.
    """
    builder = _find_builder(request)
    linked = request.sample_rate == SAMPLE_RATE and _has_tfrecords(builder)
    place = [os.fspath(builder.data_path), str(builder.info.full_name)]
    fingerprint = _fingerprint(request, [*place, linked])
    finished = records.finished_manifest(output_dir, fingerprint)
    if finished is not None:
        return finished
    records.check_replaceable(output_dir)
    manifest = _about(request, fingerprint, "nsynth_tfds") | {"tfds": place[1]}
    if linked:
        return records.write_link(output_dir, manifest | _link(builder, request.keep, progress))
    made = _convert_tfds(builder, _open_splits(builder, request), request, progress)
    num_shards = shards.choose_num_shards(_num_examples(builder), request.num_samples)
    return records.write_records(output_dir, made, manifest, num_shards)


def _find_builder(request: NsynthRequest):
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(request.name, data_dir=request.path or None)
    except (tfds.core.registered.DatasetNotFoundError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"Expected a TFDS data set such as nsynth/gansynth_subset. Received: {reason}") from error


def _missing(request: NsynthRequest, builder) -> str:
    return (
        f"Expected {request.name} in tfds_data_dir. Nothing is prepared in {builder.data_path}. To fetch it (73 GB to "
        f"download, 21 GB prepared): pip install apache-beam && tfds build {request.name} "
        f"--data_dir={request.path or '~/tensorflow_datasets'}; or set tfds_data_dir to gs://tfds-data/datasets."
    )


def _split_files(builder) -> dict[str, list[str]]:
    splits = builder.info.splits
    return {split: [os.fspath(path) for path in splits[split].filepaths] for split in notes.SPLITS if split in splits}


def _has_tfrecords(builder) -> bool:
    """Whether all of a data set's files are there, as TFRecords."""
    import tensorflow as tf

    found = _split_files(builder)
    if "train" not in found or str(builder.info.file_format.value) != "tfrecord":
        return False
    return all(tf.io.gfile.exists(path) for paths in found.values() for path in paths)


def _num_examples(builder) -> int:
    return sum(builder.info.splits[split].num_examples for split in notes.SPLITS if split in builder.info.splits)


def _link(builder, keep: NoteFilter, progress: bool) -> dict:
    """Counts the wanted notes of TFDS's files: what a manifest needs to point at them."""
    import tqdm

    splits, kinds = {}, {}
    with tqdm.tqdm(total=_num_examples(builder), desc="counting notes", unit="note", disable=not progress) as bar:
        for split, paths in _split_files(builder).items():
            before = bar.n
            whole = records.NoteSet(tuple(paths), keep=keep, float_audio=True)
            counted = pipeline.count_notes(whole, lambda read, b=before: bar.update(b + read - bar.n))
            kinds |= counted.pop("labels")
            splits[split] = {"shards": paths, **counted}
    for split in notes.SPLITS:
        splits.setdefault(split, shards.empty_split() | {"num_records": 0})
    if not splits["train"]["num_notes"]:
        where, total = builder.data_path, splits["train"]["num_records"]
        raise ValueError(f"Expected notes of {keep} in {where}. None of its {total} training notes is; ask for others.")
    instruments = []
    for label, name in enumerate(_instrument_names(builder)):
        family, source = kinds.get(label, ("", ""))
        instruments.append({"name": name, "family": family, "source": source})
    shards.finish_splits(splits, {})
    return {"splits": splits, "instruments": instruments, "keep": dataclasses.asdict(keep), "float_audio": True}


def _instrument_names(builder) -> list[str]:
    label = builder.info.features["instrument"]["label"]
    return list(label.names or (f"instrument_{place:04d}" for place in range(label.num_classes)))


def _open_splits(builder, request: NsynthRequest) -> dict:
    """Split -> data set, opened by TFDS's own reader."""
    known = [split for split in notes.SPLITS if split in builder.info.splits] or ["train"]
    try:
        return {split: builder.as_dataset(split=split) for split in known}
    except AssertionError as error:  # How TFDS says that there are no files.
        raise ValueError(_missing(request, builder)) from error


def _convert_tfds(builder, datasets: dict, request: NsynthRequest, progress: bool) -> Iterator[notes.Note]:
    names = _instrument_names(builder)
    for split, dataset in datasets.items():
        flat = dataset.map(functools.partial(_flatten, request.keep)).filter(lambda note: note["kept"])
        for row in _progress(flat, f"converting {split}", _num_examples(builder), progress):
            yield _make_note(request, row, names[row["label"]], split)


def _flatten(keep: NoteFilter, example: dict) -> dict:
    """A TFDS example without its nesting, and whether it is wanted."""
    import tensorflow as tf

    instrument = example["instrument"]
    filtered = {f"instrument/{name}": tf.cast(instrument[name], tf.int64) for name in ("family", "source")}
    filtered |= {name: tf.cast(example[name], tf.int64) for name in ("pitch", "velocity")}
    qualities = tf.stack([tf.cast(example["qualities"][name], tf.bool) for name in notes.QUALITIES])
    flat = {"id": example["id"], "audio": example["audio"], "label": instrument["label"], "qualities": qualities}
    return flat | {name.removeprefix("instrument/"): value for name, value in filtered.items()} | {
        "kept": keep.matches(filtered)
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------------- official records


def prepare_official(request: NsynthRequest, output_dir: str | os.PathLike, progress: bool = True) -> dict:
    """Converts nsynth-train.tfrecord (and -valid, -test beside it) into records.

    Args:
        request: What to read; `path` is a file, or a folder that holds them.
        output_dir: Folder of the records.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The manifest: that of `records.write_records` and "fingerprint", "sample_rate", "num_samples".

    Raises:
        ValueError: There is no such file (the message has the command that fetches it), or it is not NSynth's, or no
            note is wanted.
    """
    import tensorflow as tf

    splits = _official_files(request.path)
    sizes = {path: tf.io.gfile.stat(path).length for paths in splits.values() for path in paths}
    fingerprint = _fingerprint(request, sorted((os.path.basename(path), size) for path, size in sizes.items()))
    finished = records.finished_manifest(output_dir, fingerprint)
    if finished is not None:
        return finished
    records.check_replaceable(output_dir)
    manifest = _about(request, fingerprint, "nsynth_records")
    # A record is four bytes for each sample, and a few words.
    total = sum(sizes.values()) // (4 * _NUM_SAMPLES)
    num_shards = shards.choose_num_shards(total, request.num_samples)
    return records.write_records(output_dir, _convert_official(request, splits, total, progress), manifest, num_shards)


def _official_files(path: str) -> dict[str, list[str]]:
    """Split -> files: a file's own name says its split, and "train" if it says none."""
    from tensorflow import io

    found = []
    if io.gfile.isdir(path):
        found = sorted(os.path.join(path, name) for name in io.gfile.listdir(path) if ".tfrecord" in name)
    elif path and io.gfile.exists(path):
        found = [path]
    found = [name for name in found if not name.endswith((".tar", ".gz", ".zip"))]
    if not found:
        raise ValueError(
            "Expected data_path to be nsynth-train.tfrecord, or a folder that holds it. "
            f"Received: {path or 'nothing'}. To fetch it (74 GB): wget {_URL}nsynth-train.tfrecord.tar && "
            "tar -xf nsynth-train.tfrecord.tar"
        )
    splits = collections.defaultdict(list)
    for name in found:
        splits[next((split for split in ("valid", "test") if split in os.path.basename(name)), "train")].append(name)
    return splits


def _convert_official(
    request: NsynthRequest, splits: dict[str, list[str]], total: int, progress: bool
) -> Iterator[notes.Note]:
    import tensorflow as tf

    parse = functools.partial(_parse_official, request.keep)
    for split, paths in splits.items():
        dataset = tf.data.TFRecordDataset(paths).map(parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        kept = 0
        try:
            for row in _progress(dataset, f"converting {split}", total, progress):
                if row["kept"]:
                    kept += 1
                    yield _make_note(request, row, row["instrument"].decode(), split)
        except (tf.errors.InvalidArgumentError, tf.errors.DataLossError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"Expected NSynth's own TFRecords. Received: {paths[0]}: {reason}") from error
        if split == "train" and not kept:
            found = f"{request.keep} in {request.path}"
            raise ValueError(f"Expected notes of {found}. None of its training notes is; ask for others.")


def _parse_official(keep: NoteFilter, record) -> dict:
    """One official record: numbers, and words for family and source, which are what counts.

    The words decide, not the numbers beside them: a published filter once took the wrong number for "acoustic".
    """
    import tensorflow as tf

    strings = ("note_str", "instrument_str", "instrument_family_str", "instrument_source_str")
    features = {name: tf.io.FixedLenFeature([], tf.string) for name in strings}
    features |= {name: tf.io.FixedLenFeature([], tf.int64) for name in ("pitch", "velocity")}
    features["audio"] = tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)
    features["qualities"] = tf.io.FixedLenSequenceFeature([], tf.int64, allow_missing=True)
    example = tf.io.parse_single_example(record, features)
    row = {"id": example["note_str"], "instrument": example["instrument_str"]}
    row |= {name: example[name] for name in ("pitch", "velocity", "audio")}
    row["qualities"] = tf.cast(example["qualities"], tf.bool)
    for name, known in (("family", notes.FAMILIES), ("source", notes.SOURCES)):
        same = tf.constant(known) == example[f"instrument_{name}_str"]
        row[name] = tf.where(tf.reduce_any(same), tf.argmax(tf.cast(same, tf.int32)), notes.UNKNOWN)
    filtered = {name: row[name.removeprefix("instrument/")] for name in pipeline.FILTERED}
    return row | {"kept": keep.matches(filtered)}


# ---------------------------------------------------------------------------------------------------- both


def _make_note(request: NsynthRequest, row: dict, instrument: str, split: str) -> notes.Note:
    wave = audio.resample(row["audio"], SAMPLE_RATE, request.sample_rate)
    qualities = tuple(name for name, flag in zip(notes.QUALITIES, row["qualities"], strict=False) if flag)
    return notes.Note(
        row["id"].decode(),
        notes.to_int16(audio.crop_or_pad(wave, request.num_samples)),
        int(row["pitch"]),
        int(row["velocity"]),
        instrument,
        notes.word(notes.FAMILIES, int(row["family"])),
        notes.word(notes.SOURCES, int(row["source"])),
        split,
        qualities,
    )


def _progress(dataset, what: str, total: int, progress: bool) -> Iterator[dict]:
    import tqdm

    rows = dataset.prefetch(2).as_numpy_iterator()
    return iter(tqdm.tqdm(rows, desc=what, total=total or None, unit="note", disable=not progress))


def _about(request: NsynthRequest, fingerprint: str, source: str) -> dict:
    return {
        "source": source,
        "request": dataclasses.asdict(request),
        "fingerprint": fingerprint,
        "sample_rate": request.sample_rate,
        "num_samples": request.num_samples,
    }


def _fingerprint(request: NsynthRequest, files: list) -> str:
    """Hash of the settings and of the files that are read."""
    wanted = {**dataclasses.asdict(request), "path": ""}
    text = json.dumps([wanted, files, _RECIPE_VERSION], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
