"""The shards of a set: notes sorted by a hash of their ids, so that the order they came in does not matter."""

import contextlib
import os
from collections.abc import Iterable, Iterator

from gansynth_tf.data import notes as note_format
from gansynth_tf.data.notes import SPLITS, Note

_SHARD_BYTES = 2**26
_MOST_SHARDS = 256  # As many files are open while a set is written.
_COUNTED = ("pitches", "velocities", "families", "sources")


def choose_num_shards(num_notes: int, num_samples: int) -> int:
    """Shards of about 64 MB, but not more than 256."""
    return min(_MOST_SHARDS, max(1, round(num_notes * num_samples * 2 / _SHARD_BYTES)))


def write_shards(directory: str, spool: str, notes: Iterable[Note], num_shards: int) -> dict:
    """Writes every note and returns the manifest's "splits" and "instruments".

    Notes are spooled into buckets by the first digits of their place, then each bucket, which fits in memory, is
    sorted: together, a sort of the whole set.
    """
    splits = {split: empty_split() for split in SPLITS}
    instruments: dict[str, dict] = {}
    appearance: dict[str, int] = {}
    ids = set()
    with _open_writers(spool) as writer:
        for note in notes:
            if note.id in ids:
                raise ValueError(f"Expected every note to have its own id. Received {note.id!r} twice; rename one.")
            ids.add(note.id)
            about = {"name": note.instrument, "family": note.family, "source": note.source}
            instruments.setdefault(note.instrument, about)
            bucket = int(note_format.place_of(note.id) * num_shards)
            # The label is not known before the last instrument is; until then its place of appearance stands for it.
            label = appearance.setdefault(note.instrument, len(appearance))
            writer(_bucket_name(note.split, bucket)).write(note_format.serialize_note(note, label))
            count_note(splits[note.split], note)
    labels = {appearance[name]: label for label, name in enumerate(sorted(instruments))}
    for split, facts in splits.items():
        count = split_shards(num_shards, facts["num_notes"], splits["train"]["num_notes"])
        facts["shards"] = _sort_split(directory, spool, split, num_shards, count, labels)
    return finish_splits(splits, instruments)


def empty_split() -> dict:
    """The manifest's entry of a split without notes."""
    return {"num_notes": 0, "shards": [], **{name: {} for name in _COUNTED}}


def count_note(split: dict, note: Note) -> None:
    """Adds a note to its split's counts."""
    count_values(split, note.pitch, note.velocity, note.family, note.source)


def count_values(split: dict, pitch: int, velocity: int, family: str, source: str) -> None:
    """As `count_note`; what is not known counts nowhere."""
    split["num_notes"] += 1
    for name, value in zip(_COUNTED, (pitch, velocity, family, source), strict=True):
        if value not in (note_format.UNKNOWN, ""):
            split[name][value] = split[name].get(value, 0) + 1


def split_shards(num_shards: int, num_notes: int, num_train: int) -> int:
    """How many shards a split gets, when that of the training notes gets `num_shards`."""
    return max(1, min(num_shards, -(-num_shards * num_notes // max(1, num_train))))


def finish_splits(splits: dict, instruments: dict[str, dict]) -> dict:
    """The manifest's "splits" and "instruments" in their order.

    Raises:
        ValueError: There is no training note.
    """
    if not splits["train"]["num_notes"]:
        raise ValueError("Expected at least one note in the train split. Received none; widen what is asked for.")
    for facts in splits.values():
        for name in _COUNTED:
            facts[name] = {str(value): count for value, count in sorted(facts.get(name, {}).items())}
    return {"splits": splits, "instruments": [instruments[name] for name in sorted(instruments)]}


def _sort_split(directory: str, spool: str, split: str, num_buckets: int, num_shards: int, labels: dict) -> list[str]:
    """Writes a split's shards from its buckets; returns the names of those that hold notes."""
    import tensorflow as tf

    written = {}
    with _open_writers(directory) as writer:
        for bucket in range(num_buckets):
            path = os.path.join(spool, _bucket_name(split, bucket))
            if not os.path.exists(path):
                continue
            records = [record.numpy() for record in tf.data.TFRecordDataset(path)]
            os.unlink(path)
            for place, record in sort_records(records):
                name = shard_name(split, int(place * num_shards), num_shards)
                example = tf.train.Example.FromString(record)
                label = example.features.feature["instrument/label"].int64_list.value[0]
                writer(name).write(note_format.relabel(record, labels[label]))
                written[name] = True
    return list(written)


def sort_records(records: Iterable[bytes]) -> list[tuple[float, bytes]]:
    """Serialized notes in their set's order, each with its place in [0, 1)."""
    keyed = []
    for record in records:
        note_id = note_format.read_id(record)
        keyed.append(((note_format.place_of(note_id), note_id), record))
    return [(key[0], record) for key, record in sorted(keyed)]


def _bucket_name(split: str, bucket: int) -> str:
    return f"spool-{split}-{bucket:05d}.tfrecord"


def shard_name(split: str, shard: int, num_shards: int) -> str:
    """File name of a shard."""
    return f"{split}-{shard:05d}-of-{num_shards:05d}.tfrecord"


@contextlib.contextmanager
def _open_writers(directory: str) -> Iterator:
    """Gives a function from file name to its TFRecord writer, opened on first use and closed at the end."""
    import tensorflow as tf

    writers = {}

    def writer(name: str):
        if name not in writers:
            writers[name] = tf.io.TFRecordWriter(os.path.join(directory, name))
        return writers[name]

    try:
        yield writer
    finally:
        for opened in writers.values():
            opened.close()
