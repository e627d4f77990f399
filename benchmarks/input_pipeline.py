"""How fast notes come out of the input pipeline, beside reading the same bytes and doing nothing with them.

    python benchmarks/input_pipeline.py --json=input_pipeline.json

Writes four-second notes into a folder (unless it holds them), reads everything once so that the files are cached, then
times each reader in turns, in one process, and gives medians. The wall clock depends on what else the machine does; CPU
seconds of this process, over all its threads, hardly do, so rates are per second of one core.
"""

import dataclasses
import json
import pathlib
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import app, flags

from gansynth_tf.data import notes, pipeline, records, shards
from gansynth_tf.pitches import PitchClasses

FLAGS = flags.FLAGS
flags.DEFINE_string("folder", "/tmp/gansynth/input_pipeline", "Where the notes are kept.")
flags.DEFINE_integer("num_notes", 4000, "How many notes of four seconds; 128 kB each.", lower_bound=200)
flags.DEFINE_integer("batch_size", 8, "Notes in a batch.", lower_bound=1)
flags.DEFINE_integer("turns", 7, "How often each reader is timed.", lower_bound=1)
flags.DEFINE_string("json", "", "Also write the figures to this file.")
_SAMPLES = 64000


def make_notes():
    """Noise, which is as many bytes as any sound."""
    rng = np.random.default_rng(0)
    for place in range(FLAGS.num_notes):
        wave = rng.integers(-20000, 20000, _SAMPLES).astype(np.int16)
        yield notes.Note(f"note{place:06d}", wave, 24 + place % 61, 100, "noise", "", "synthetic", "train")


def open_notes() -> records.NoteSet:
    """The benchmark's set, written when it is not there yet."""
    fingerprint = f"input_pipeline {FLAGS.num_notes}"
    if records.finished_manifest(FLAGS.folder, fingerprint) is None:
        num_shards = shards.choose_num_shards(FLAGS.num_notes, _SAMPLES)
        records.write_records(FLAGS.folder, make_notes(), {"fingerprint": fingerprint}, num_shards)
    (note_set,) = records.open_split(FLAGS.folder, "train")
    return note_set


def readers(note_set: records.NoteSet) -> dict[str, Callable[[], None]]:
    """What is timed: each reads as many notes as the set has."""
    classes = PitchClasses(tuple(note_set.pitch_counts), tuple(note_set.pitch_counts.values()))
    size, batches = FLAGS.batch_size, FLAGS.num_notes // FLAGS.batch_size
    plain = tf.data.TFRecordDataset(note_set.shards).take(batches * size)
    decoded = plain.batch(size).map(lambda batch: notes.parse_record(batch, _SAMPLES))

    def make(**settings) -> tf.data.Dataset:
        # The settings' own constant parts, such as cached notes, are not timed; the stream is.
        return pipeline.make_dataset([note_set], classes, _SAMPLES, size, 0, **settings).take(batches)

    datasets = {
        "tf.data.TFRecordDataset alone": plain,
        "read, decode, batch": decoded,
        "pipeline: read, shuffle, decode, batch": make(cache_bytes=0),
        "pipeline, set in memory": make(cache_bytes=2**40),
    }
    return {name: lambda dataset=dataset: _drain(dataset) for name, dataset in datasets.items()}


def peak_memory(note_set: records.NoteSet) -> dict[str, float]:
    """GB of this process at most, after streaming the set once, and after streaming one of four times its size."""
    four = dataclasses.replace(
        note_set,
        shards=note_set.shards * 4,
        num_records=4 * note_set.num_records,
        num_notes=4 * note_set.num_notes,
        pitch_counts={pitch: 4 * count for pitch, count in note_set.pitch_counts.items()},
    )
    classes, peaks = PitchClasses.unpitched(1), {}
    for name, part in (("once", note_set), ("four times", four)):
        stream = pipeline.make_dataset([part], classes, _SAMPLES, FLAGS.batch_size, 0, cache_bytes=0)
        _drain(stream.take(part.num_notes // FLAGS.batch_size))
        peaks[name] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return peaks


def _drain(dataset: tf.data.Dataset) -> None:
    """Takes every element as a training loop does."""
    for element in dataset:
        del element


def measure(timed: dict[str, Callable[[], None]]) -> dict[str, dict[str, float]]:
    """Medians over the turns: notes per second of a core, and of the wall clock, for each reader."""
    taken = {name: [] for name in timed}
    for turn in range(FLAGS.turns + 1):
        for name, read in timed.items():
            wall, cpu = time.perf_counter(), time.process_time()
            read()
            spent = time.perf_counter() - wall, time.process_time() - cpu
            if turn:  # The first fills the cache of files.
                taken[name].append(spent)
    count = FLAGS.num_notes // FLAGS.batch_size * FLAGS.batch_size
    rows = {}
    base = statistics.median(cpu for _, cpu in taken["tf.data.TFRecordDataset alone"])
    for name, spent in taken.items():
        wall, cpu = (statistics.median(column) for column in zip(*spent, strict=True))
        rows[name] = {"notes_per_core_second": count / cpu, "notes_per_second": count / wall, "cost": cpu / base}
    return rows


def main(argv: list[str]) -> None:
    """Prints a Markdown table."""
    del argv
    note_set = open_notes()
    peaks = peak_memory(note_set)  # Before anything else fills the memory.
    rows = measure(readers(note_set))
    print(f"{FLAGS.num_notes} notes of 4 s at 16 kHz, batches of {FLAGS.batch_size}, medians of {FLAGS.turns} turns\n")
    print("| reader | notes/s per core | notes/s by the clock | CPU time / plain reading |\n|---|---|---|---|")
    for name, row in rows.items():
        rates = f"{row['notes_per_core_second']:.0f} | {row['notes_per_second']:.0f}"
        print(f"| {name} | {rates} | {row['cost']:.2f} |")
    size = FLAGS.num_notes * _SAMPLES * 2 / 2**30
    once, four = peaks["once"], peaks["four times"]
    print(f"\nPeak memory: {once:.2f} GiB for {size:.1f} GiB of notes, {four:.2f} GiB for four times as many")
    if FLAGS.json:
        pathlib.Path(FLAGS.json).write_text(json.dumps({"readers": rows, "peak_gib": peaks}, indent=2) + "\n")


if __name__ == "__main__":
    app.run(main)
