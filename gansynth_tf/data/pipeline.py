"""Notes on their way to training: filter, label, shuffle, repeat, batch; the order is a pure function of the seed.

Epoch e is shuffled with a seed made from (seed, e), so a run that stops after n examples and starts again with
`start_example=n` sees what it would have seen.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from gansynth_tf import pitches
from gansynth_tf.data import records

# Sets of up to 256 MB (2000 notes of 4 s at 16 kHz) stay in memory.
CACHE_BYTES = 2**28
_CYCLE_LENGTH = 16
_PARTS = {"instrument": "label", "family": "family", "source": "source"}


def make_dataset(
    shards: Sequence[str],
    pitch_classes: pitches.PitchClasses,
    num_samples: int,
    batch_size: int,
    seed: int,
    start_example: int = 0,
    shuffle_buffer: int = 1024,
    drop_remainder: bool = True,
    cache_bytes: int = CACHE_BYTES,
) -> tf.data.Dataset:
    """Makes the endless stream of training batches.

    Every note with a known pitch comes once per epoch; other notes are left out. Batches run across epochs.

    Args:
        shards: Paths of record shards.
        pitch_classes: Pitches to keep; their class index becomes the label.
        num_samples: Length of a note; longer ones lose their end, shorter ones are followed by zeros.
        batch_size: Notes in a batch.
        seed: Decides the order.
        start_example: How many notes of the stream to pass over.
        shuffle_buffer: Notes shuffled together when the set is too large to be cached; a cached set is shuffled whole.
        drop_remainder: Whether the batch size is static; the stream itself never ends.
        cache_bytes: Shards of up to this total size are read once and kept in memory.

    Returns:
        Batches of {"audio": float32 [batch, samples]} and, int32 [batch] each, "label", "pitch", "velocity",
        "instrument", "family", "source".

    Raises:
        FileNotFoundError: A shard is missing.
        ValueError: There are no shards, or one is damaged, or no note in them has a known pitch.
    """
    shards = [os.fspath(path) for path in shards]
    labels = _label_table(pitch_classes)
    with _damage_reported(shards):
        if _total_bytes(shards) <= cache_bytes:
            make_epoch, num_notes = _cached_epochs(shards, labels)
        else:
            make_epoch, num_notes = _streamed_epochs(shards, labels, shuffle_buffer)
    if not num_notes:
        span = f"{pitch_classes.num_classes} pitches from {pitch_classes.pitches[0]} to {pitch_classes.pitches[-1]}"
        raise ValueError(f"Expected notes at any of {span}. None in {len(shards)} shards; check both.")
    first_epoch, first_note = divmod(start_example, num_notes)

    def epoch_from_start(epoch):
        # Stateless, so that it depends neither on tf.random.set_seed nor on what ran before.
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        epoch_seed = tf.random.stateless_uniform([], key, minval=None, maxval=None, dtype=tf.int64)
        skipped = tf.where(epoch == first_epoch, tf.constant(first_note, tf.int64), tf.constant(0, tf.int64))
        return make_epoch(epoch_seed, skipped)

    dataset = tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max).flat_map(epoch_from_start)
    dataset = dataset.map(lambda record: _to_example(record, num_samples, labels), num_parallel_calls=2)
    dataset = dataset.batch(batch_size, drop_remainder=drop_remainder).prefetch(2)
    options = tf.data.Options()
    options.deterministic = True
    # Several workers share the stream instead of each reading files of their own.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return dataset.with_options(options)


def load_notes(shards: Sequence[str], num_samples: int, limit: int | None = None) -> dict[str, np.ndarray]:
    """Reads notes into memory, in the order of the shards.

    Args:
        shards: Paths of record shards.
        num_samples: Length of a note; longer ones lose their end, shorter ones are followed by zeros.
        limit: Read at most so many notes; None: all.

    Returns:
        "audio" float32 [notes, samples], "id" str [notes], and int32 [notes] each: "pitch", "velocity", "instrument",
        "family", "source".

    Raises:
        FileNotFoundError: A shard is missing.
        ValueError: There are no shards, or one is damaged, or they hold no notes.
    """
    shards = [os.fspath(path) for path in shards]
    _total_bytes(shards)
    dataset = tf.data.TFRecordDataset(shards).take(-1 if limit is None else limit)
    with _damage_reported(shards):
        num_notes = _count(dataset)
        if not num_notes:
            raise ValueError(f"Expected notes in {len(shards)} shards. Received none (limit {limit}); check the set.")
        # Audio is decoded straight into its place: a whole set would not fit in memory twice.
        audio = np.empty([num_notes, num_samples], np.float32)
        rest = []
        parsed = dataset.map(lambda record: _parse(record, num_samples), num_parallel_calls=2)
        for place, note in enumerate(parsed.as_numpy_iterator()):
            audio[place] = note.pop("audio")
            rest.append(note)
    arrays = {name: np.stack([note[name] for note in rest]) for name in rest[0]}
    return {**arrays, "audio": audio, "id": np.array([name.decode() for name in arrays["id"]])}


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
    missing = [path for path in shards if not os.path.isfile(path)]
    if missing:
        raise FileNotFoundError(f"Expected the record shard {missing[0]}. It does not exist; prepare the data again.")
    return sum(os.path.getsize(path) for path in shards)


def _label_table(pitch_classes: pitches.PitchClasses) -> tf.Tensor:
    """int32 [128]: MIDI pitch -> class index, -1 for pitches to leave out."""
    table = np.full(128, -1, np.int32)
    table[list(pitch_classes.pitches)] = np.arange(pitch_classes.num_classes)
    return tf.constant(table)


def _pitch_is_known(record: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Whether a serialized note has a pitch class; reads only the pitch."""
    example = tf.io.parse_single_example(record, {"pitch": tf.io.FixedLenFeature([], tf.int64)})
    return labels[example["pitch"]] >= 0


def _cached_epochs(shards: Sequence[str], labels: tf.Tensor) -> tuple[Callable, int]:
    """Reads the set once; returns (epoch seed, notes to skip) -> serialized notes, and the number of notes."""
    kept = tf.data.TFRecordDataset(shards).filter(lambda record: _pitch_is_known(record, labels))
    with tf.device("CPU"):
        notes = next(iter(kept.batch(np.iinfo(np.int64).max)), tf.zeros([0], tf.string))

    def make_epoch(epoch_seed, skipped):
        seed = tf.stack([epoch_seed, tf.constant(0, tf.int64)])
        order = tf.random.experimental.stateless_shuffle(tf.range(len(notes)), seed)
        return tf.data.Dataset.from_tensor_slices(order).skip(skipped).map(lambda place: tf.gather(notes, place))

    return make_epoch, len(notes)


def _streamed_epochs(shards: Sequence[str], labels: tf.Tensor, shuffle_buffer: int) -> tuple[Callable, int]:
    """Counts the notes; returns (epoch seed, notes to skip) -> serialized notes, and the number of notes.

    Shards come in a shuffled order, several at a time, and what they give is shuffled in blocks.
    """

    def known(record):
        return _pitch_is_known(record, labels)

    def make_epoch(epoch_seed, skipped):
        # Negative places never meet the blocks' indices below.
        order = tf.random.experimental.stateless_shuffle(
            tf.constant(shards), tf.stack([epoch_seed, tf.constant(-1, tf.int64)])
        )
        files = tf.data.Dataset.from_tensor_slices(order)
        notes = files.interleave(tf.data.TFRecordDataset, cycle_length=min(_CYCLE_LENGTH, len(shards)))
        blocks = notes.filter(known).batch(shuffle_buffer).enumerate()

        def shuffle_block(place, block):
            return tf.random.experimental.stateless_shuffle(block, tf.stack([epoch_seed, place]))

        return blocks.map(shuffle_block).unbatch().skip(skipped)

    return make_epoch, _count(tf.data.TFRecordDataset(shards).filter(known))


def _parse(record: tf.Tensor, num_samples: int) -> dict[str, tf.Tensor]:
    """A note with short names, without its qualities."""
    note = records.parse_record(record, num_samples)
    short = {name: note[f"instrument/{part}"] for name, part in _PARTS.items()}
    return {**short, **{name: note[name] for name in ("id", "audio", "pitch", "velocity")}}


def _to_example(record: tf.Tensor, num_samples: int, labels: tf.Tensor) -> dict[str, tf.Tensor]:
    """A note as training takes it: numbers only, with its pitch class."""
    note = _parse(record, num_samples)
    del note["id"]
    return {**note, "label": labels[note["pitch"]]}
