"""Notes on their way to training: filter, label, shuffle, mix, repeat, batch; the order is a pure function of the seed.

Epoch e is shuffled with a seed made from (seed, e), so a run that stops after n examples and starts again with
`start_example=n` sees what it would have seen. So it is with several sets mixed by weights: which of them example n
comes from, and its place in that set's own stream, follow from n alone.
"""

import collections
import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from gansynth_tf import pitches
from gansynth_tf.data import grouping, mixing, notes
from gansynth_tf.data.records import NoteSet

# Sets of up to 256 MB (2000 notes of 4 s at 16 kHz) stay in memory.
CACHE_BYTES = 2**28
SHUFFLE_BUFFER = 256  # The shards are mixed already; a larger one costs time.
_BUFFER_BYTES = 2**27  # What the shuffled buffer may hold, so that long notes do not fill the memory.
_CYCLE_LENGTH = 16
_BLOCK_NOTES = 128  # Read at once where only numbers are wanted.
_PARTS = {"instrument": "label", "family": "family", "source": "source"}
# What decides whether a note is wanted.
FILTERED = ("pitch", "velocity", "instrument/family", "instrument/source")


def make_dataset(
    sets: Sequence[NoteSet] | Sequence[str],
    pitch_classes: pitches.PitchClasses,
    num_samples: int,
    batch_size: int,
    seed: int,
    start_example: int = 0,
    shuffle_buffer: int = SHUFFLE_BUFFER,
    drop_remainder: bool = True,
    cache_bytes: int = CACHE_BYTES,
    group_size: int = 1,
) -> tf.data.Dataset:
    """Makes the endless stream of training batches.

    Every note with a known pitch comes once per epoch of its set; other notes are left out. Batches run across epochs.
    Where notes are grouped, a few come twice in an epoch of a cached set, so that each pitch fills whole groups; of a
    larger set, what fills no group is left out until the next epoch.

    Args:
        sets: What `records.open_split` gives: each comes as often as its weight says. Or paths of record shards.
        pitch_classes: Pitches to keep; their class index becomes the label. An unpitched class keeps every note.
        num_samples: Length of a note; longer ones lose their end, shorter ones are followed by zeros.
        batch_size: Notes in a batch.
        seed: Decides the order.
        start_example: How many notes of the stream to pass over; whole groups.
        shuffle_buffer: Notes shuffled together when a set is too large to be cached; a cached set is shuffled whole.
        drop_remainder: Whether the batch size is static; the stream itself never ends.
        cache_bytes: Shards of up to this total size are read once and kept in memory; shared by the sets.
        group_size: So many notes of one pitch follow each other; divides the batch size.

    Returns:
        Batches of {"audio": float32 [batch, samples]} and, int32 [batch] each, "label", "pitch", "velocity",
        "instrument", "family", "source"; -1 where one of the last five is not known; and "qualities" bool [batch, 10].

    Raises:
        FileNotFoundError: A shard is missing.
        ValueError: There are no shards, or one is damaged, or no note in them has a known pitch; or a pitch of a set
            that is too large to be cached has fewer notes than a group.
    """
    sets = _as_sets(sets)
    labels = _label_table(pitch_classes)
    counts = mixing.mix_counts([note_set.weight for note_set in sets])
    starts = mixing.mix_starts(counts, seed, start_example // group_size)
    others = (group_size, shuffle_buffer, cache_bytes // len(sets))
    streams = [
        _stream_of(note_set, pitch_classes, labels, mixing.set_seed(seed, place), start * group_size, *others)
        for place, (note_set, start) in enumerate(zip(sets, starts, strict=True))
    ]
    # Decoding a whole batch at once is half the work of its notes one by one; sets are mixed by their groups.
    block = batch_size if len(sets) == 1 else group_size
    decoded = [
        stream.batch(block, drop_remainder=drop_remainder).map(
            functools.partial(_to_example, num_samples=num_samples, labels=labels, note_set=note_set),
            num_parallel_calls=2,
        )
        for stream, note_set in zip(streams, sets, strict=True)
    ]
    dataset = decoded[0]
    if len(sets) > 1:
        dataset = mixing.mix(decoded, counts, seed, start_example // group_size)
        dataset = dataset.rebatch(batch_size, drop_remainder=drop_remainder)
    options = tf.data.Options()
    options.deterministic = True
    # Several workers share the stream instead of each reading files of their own.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return dataset.prefetch(2).with_options(options)


def load_notes(
    sets: Sequence[NoteSet] | Sequence[str], num_samples: int, limit: int | None = None
) -> dict[str, np.ndarray]:
    """Reads notes into memory, in the order of the shards.

    Args:
        sets: As for `make_dataset`.
        num_samples: Length of a note; longer ones lose their end, shorter ones are followed by zeros.
        limit: Read at most so many notes of each set; None: all.

    Returns:
        "audio" float32 [notes, samples], "id" str [notes], and int32 [notes] each: "pitch", "velocity", "instrument",
        "family", "source"; -1 where one of the last five is not known; and "qualities" bool [notes, 10].

    Raises:
        FileNotFoundError: A shard is missing.
        ValueError: There are no shards, or one is damaged, or they hold no notes.
    """
    parts = [_load_set(note_set, num_samples, limit) for note_set in _as_sets(sets)]
    return parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def count_notes(note_set: NoteSet, on_read: Callable[[int], None] = lambda read: None) -> dict:
    """Reads a set once and counts what its filter keeps.

    Args:
        note_set: Any set.
        on_read: Called now and then with the number of notes read so far.

    Returns:
        As in a manifest's split: "num_records" (all notes), "num_notes" (those kept), "pitches", "velocities",
        "families" and "sources" (value -> notes; what is not known counts nowhere); and "labels": label -> (family,
        source).

    Raises:
        ValueError: A shard is damaged.
    """
    names = (*FILTERED, "instrument/label")
    features = {name: tf.io.FixedLenFeature([], tf.int64) for name in names}
    dataset = tf.data.TFRecordDataset(note_set.shards).batch(_BLOCK_NOTES)
    dataset = dataset.map(lambda batch: tf.io.parse_example(batch, features), num_parallel_calls=2)
    columns, read = {name: collections.Counter() for name in names}, 0
    labels: dict[int, tuple[str, str]] = {}
    with _damage_reported(note_set.shards):
        for batch in dataset:
            kept = note_set.keep.matches(batch).numpy()
            values = {name: batch[name].numpy()[kept].tolist() for name in names}
            for name in names:
                columns[name].update(values[name])
            kinds = zip(values["instrument/family"], values["instrument/source"], strict=True)
            labels.update(zip(values["instrument/label"], kinds, strict=True))
            read += len(kept)
            on_read(read)
    num_notes = columns["pitch"].total()
    for counter in columns.values():
        del counter[notes.UNKNOWN]
    words = {"families": ("instrument/family", notes.FAMILIES), "sources": ("instrument/source", notes.SOURCES)}
    counted = {key: {known[n]: count for n, count in columns[name].items()} for key, (name, known) in words.items()}
    kinds = {n: (notes.word(notes.FAMILIES, kind[0]), notes.word(notes.SOURCES, kind[1])) for n, kind in labels.items()}
    counted |= {"pitches": dict(columns["pitch"]), "velocities": dict(columns["velocity"]), "labels": kinds}
    return {"num_records": read, "num_notes": num_notes, **counted}


# ---------------------------------------------------------------------------------------------------- one set


def _as_sets(sets: Sequence[NoteSet] | Sequence[str]) -> list[NoteSet]:
    if isinstance(sets, NoteSet):
        return [sets]
    if sets and all(isinstance(part, NoteSet) for part in sets):
        return list(sets)
    return [NoteSet(tuple(os.fspath(path) for path in sets))]


def _stream_of(
    note_set: NoteSet, pitch_classes: pitches.PitchClasses, labels: tf.Tensor, seed: int, start_example: int,
    group_size: int, shuffle_buffer: int, cache_bytes: int,
) -> tf.data.Dataset:  # fmt: skip
    """A set's endless stream of serialized notes."""
    total_bytes = _total_bytes(note_set.shards)
    num_notes = known_notes(note_set, pitch_classes)
    keep = None if num_notes is not None and num_notes == note_set.num_records else _make_keep(note_set, labels)
    with _damage_reported(note_set.shards):
        if total_bytes <= cache_bytes:
            make_epoch, num_notes = _cached_epochs(note_set.shards, keep, labels, group_size)
        else:
            if num_notes is None:
                num_notes = _count(tf.data.TFRecordDataset(note_set.shards).filter(keep))
            mean_bytes = total_bytes / max(1, note_set.num_records or num_notes)
            shuffle_buffer = min(shuffle_buffer, int(_BUFFER_BYTES // mean_bytes))
            make_epoch = _streamed_epochs(note_set.shards, keep, labels, group_size, shuffle_buffer)
            if group_size > 1:
                num_notes = _count_grouped(note_set, num_notes, pitch_classes, group_size)
    if not num_notes:
        span = f"{pitch_classes.num_classes} pitches from {pitch_classes.pitches[0]} to {pitch_classes.pitches[-1]}"
        raise ValueError(f"Expected notes at any of {span}. None in {len(note_set.shards)} shards; check both.")
    first_epoch, first_note = divmod(start_example, num_notes)

    def epoch_from_start(epoch):
        # Stateless, so that it depends neither on tf.random.set_seed nor on what ran before.
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        epoch_seed = tf.random.stateless_uniform([], key, minval=None, maxval=None, dtype=tf.int64)
        skipped = tf.where(epoch == first_epoch, tf.constant(first_note, tf.int64), tf.constant(0, tf.int64))
        return make_epoch(epoch_seed, skipped)

    return tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max).flat_map(epoch_from_start)


def known_notes(note_set: NoteSet, pitch_classes: pitches.PitchClasses) -> int | None:
    """How many notes of a set have a pitch class; None if its manifest does not say."""
    if note_set.num_notes is None or note_set.pitch_counts is None:
        return None
    if not pitch_classes.pitched:
        return note_set.num_notes
    return sum(note_set.pitch_counts.get(pitch, 0) for pitch in pitch_classes.pitches)


def _make_keep(note_set: NoteSet, labels: tf.Tensor) -> Callable:
    """Whether a serialized note belongs to the set and has a pitch class; reads only what it must."""
    features = {name: tf.io.FixedLenFeature([], tf.int64) for name in FILTERED}

    def keep(record):
        example = tf.io.parse_single_example(record, features)
        return note_set.keep.matches(example) & (labels[example["pitch"] + 1] >= 0)

    return keep


@contextlib.contextmanager
def _damage_reported(shards: Sequence[str]) -> Iterator[None]:
    """Turns TensorFlow's errors about unreadable records into one line."""
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        folder = os.path.dirname(shards[0]) or "."
        raise ValueError(f"Expected readable shards in {folder}. One is damaged; prepare the data again.") from error


def _count(dataset: tf.data.Dataset) -> int:
    return int(dataset.reduce(np.int64(0), lambda total, _: total + 1))


def _total_bytes(shards: Sequence[str]) -> int:
    """Size of all shards; raises if there are none or one is missing."""
    if not shards:
        raise ValueError("Expected paths of record shards. Received none; is this split of the data set empty?")
    missing = [path for path in shards if not tf.io.gfile.exists(path)]
    if missing:
        raise FileNotFoundError(f"Expected the record shard {missing[0]}. It does not exist; prepare the data again.")
    return sum(tf.io.gfile.stat(path).length for path in shards)


def _label_table(pitch_classes: pitches.PitchClasses) -> tf.Tensor:
    """int32 [129]: MIDI pitch + 1 -> class index, -1 for pitches to leave out; the first is for an unknown pitch."""
    if not pitch_classes.pitched:
        return tf.zeros([129], tf.int32)
    table = np.full(129, -1, np.int32)
    table[1 + np.array(pitch_classes.pitches)] = np.arange(pitch_classes.num_classes)
    return tf.constant(table)


def _label_of(records: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Serialized notes, one or many, -> their labels."""
    parsed = tf.io.parse_example(records, {"pitch": tf.io.FixedLenFeature([], tf.int64)})
    return tf.gather(labels, parsed["pitch"] + 1)


def _cached_epochs(
    shards: Sequence[str], keep: Callable | None, labels: tf.Tensor, group_size: int
) -> tuple[Callable, int]:
    """Reads the set once; returns (epoch seed, notes to skip) -> serialized notes, and the number of notes."""
    kept = tf.data.TFRecordDataset(shards)
    kept = kept if keep is None else kept.filter(keep)
    with tf.device("CPU"):
        cached = next(iter(kept.batch(np.iinfo(np.int64).max)), tf.zeros([0], tf.string))
        own = _label_of(cached, labels) if group_size > 1 else None
    groups = None if own is None else grouping.find_groups(np.sort(own), group_size)

    def make_epoch(epoch_seed, skipped):
        if groups is None:
            seed = tf.stack([epoch_seed, tf.constant(0, tf.int64)])
            order = tf.random.experimental.stateless_shuffle(tf.range(len(cached)), seed)
        else:
            order = grouping.shuffle_in_groups(own, groups, epoch_seed)
        return tf.data.Dataset.from_tensor_slices(order).skip(skipped).map(lambda place: tf.gather(cached, place))

    return make_epoch, len(cached) if groups is None else groups.size


def _streamed_epochs(
    shards: Sequence[str], keep: Callable | None, labels: tf.Tensor, group_size: int, shuffle_buffer: int
) -> Callable:
    """(epoch seed, notes to skip) -> serialized notes.

    Shards come in a shuffled order, several at a time, and what they give passes through a shuffled buffer.
    """

    def make_epoch(epoch_seed, skipped):
        # This is traced, so it sets the seed of this graph alone: the program's own shall not reach in here.
        tf.random.set_seed(1)
        order = tf.random.experimental.stateless_shuffle(
            tf.constant(shards), tf.stack([epoch_seed, tf.constant(-1, tf.int64)])
        )
        opened = tf.data.Dataset.from_tensor_slices(order)
        read = opened.interleave(tf.data.TFRecordDataset, cycle_length=min(_CYCLE_LENGTH, len(shards)))
        kept = read if keep is None else read.filter(keep)
        shuffled = kept.shuffle(max(1, shuffle_buffer), seed=epoch_seed, reshuffle_each_iteration=False)
        if group_size > 1:
            shuffled = grouping.gather_groups(shuffled, functools.partial(_label_of, labels=labels), group_size)
        return shuffled.skip(skipped)

    return make_epoch


def _count_grouped(note_set: NoteSet, num_notes: int, pitch_classes: pitches.PitchClasses, group_size: int) -> int:
    """Notes in the whole groups of an epoch that is not cached; `num_notes` are all."""
    if not pitch_classes.pitched:
        return num_notes // group_size * group_size
    counts = note_set.pitch_counts or count_notes(note_set)["pitches"]
    counts = {pitch: counts[pitch] for pitch in pitch_classes.pitches if counts.get(pitch)}
    for pitch, count in counts.items():
        if count < group_size:
            raise ValueError(
                f"Expected at least {group_size} notes of every pitch, to stand side by side in a batch. Received "
                f"{count} of pitch {pitch}; set a smaller pitch_group_size, or leave such pitches out."
            )
    return sum(count // group_size * group_size for count in counts.values())


def _load_set(note_set: NoteSet, num_samples: int, limit: int | None) -> dict[str, np.ndarray]:
    _total_bytes(note_set.shards)
    dataset = tf.data.TFRecordDataset(note_set.shards)
    if not note_set.keep.keeps_all:
        everything = pitches.PitchClasses.unpitched(1)
        dataset = dataset.filter(_make_keep(note_set, _label_table(everything)))
    dataset = dataset.take(-1 if limit is None else limit)
    with _damage_reported(note_set.shards):
        num_notes = _count(dataset)
        if not num_notes:
            shards = f"{len(note_set.shards)} shards"
            raise ValueError(f"Expected notes in {shards}. Received none (limit {limit}); check the set.")
        # Audio is decoded straight into its place: a whole set would not fit in memory twice.
        audio = np.empty([num_notes, num_samples], np.float32)
        rest = []
        parsed = dataset.map(lambda record: _parse(record, num_samples, note_set), num_parallel_calls=2)
        for place, note in enumerate(parsed.as_numpy_iterator()):
            audio[place] = note.pop("audio")
            rest.append(note)
    arrays = {name: np.stack([note[name] for note in rest]) for name in rest[0]}
    return {**arrays, "audio": audio, "id": np.array([name.decode() for name in arrays["id"]])}


def _parse(record: tf.Tensor, num_samples: int, note_set: NoteSet) -> dict[str, tf.Tensor]:
    """A note with short names."""
    note = notes.parse_record(record, num_samples, note_set.float_audio)
    note["instrument/label"] += note_set.first_label
    short = {name: note[f"instrument/{part}"] for name, part in _PARTS.items()}
    return {**short, **{name: note[name] for name in ("id", "audio", "pitch", "velocity", "qualities")}}


def _to_example(record: tf.Tensor, num_samples: int, labels: tf.Tensor, note_set: NoteSet) -> dict[str, tf.Tensor]:
    """Notes as training takes them: numbers only, with their pitch classes."""
    note = _parse(record, num_samples, note_set)
    del note["id"]
    return {**note, "label": tf.gather(labels, note["pitch"] + 1)}
