"""A folder of audio files -> records, as an Apache Beam pipeline: many machines read, the shards are the same.

Everything about a note is decided by its file (`audio_folder.read_file`) and its id (`notes.place_of`), so it does not
matter which worker reads it, or when.
"""

import json
import os
from collections.abc import Iterable, Sequence

from gansynth_tf.data import audio_folder, notes, records, shards

_FACTS = "spool-facts"  # What the workers say about each file; removed when the manifest is written.


def prepare_folder(
    request: audio_folder.FolderRequest, output_dir: str | os.PathLike, beam_options: Sequence[str] = ()
) -> dict:
    """As `audio_folder.prepare_folder`, by Beam.

    Args:
        request: What to read; its path, and `output_dir`, must be reachable by every worker.
        output_dir: Folder of the records.
        beam_options: Beam's own, as ("--runner=DirectRunner", "--direct_num_workers=4").

    Returns:
        The manifest, equal to that of `audio_folder.prepare_folder`.

    Raises:
        ImportError: Apache Beam is not installed.
        ValueError: See `audio_folder.prepare_folder`.
    """
    _import_beam()
    found, ignored = audio_folder.find_files(request.path)
    fingerprint = audio_folder.fingerprint(request, found)
    finished = records.finished_manifest(output_dir, fingerprint)
    if finished is not None:
        return finished
    records.check_replaceable(output_dir)
    plan = audio_folder.plan_notes(request, found, ignored)
    with records.replacing_set(output_dir) as partial:
        _run(plan, partial, beam_options)
        facts = sorted(_read_facts(partial), key=lambda row: row["place"])
        contents = _count(plan, facts)
        return records.finish_set(partial, {**plan.manifest, "fingerprint": fingerprint, **contents})


def _import_beam():
    try:
        import apache_beam
    except ImportError as error:
        raise ImportError("Preparing with Beam needs apache-beam; run `pip install 'gansynth_tf[beam]'`.") from error
    return apache_beam


def _run(plan: audio_folder.Plan, directory: str, beam_options: Sequence[str]) -> None:
    """The pipeline: read, deal to shards, sort and write each shard; facts about every file beside them."""
    beam = _import_beam()
    from apache_beam.options.pipeline_options import PipelineOptions

    with beam.Pipeline(options=PipelineOptions(list(beam_options))) as pipeline:
        numbered = pipeline | beam.Create(list(enumerate(plan.wanted))) | beam.Reshuffle()
        read = numbered | "Read" >> beam.Map(_read, plan.request)
        lines = read | "Facts" >> beam.Map(lambda row: json.dumps(row[0]))
        _ = lines | beam.io.WriteToText(os.path.join(directory, _FACTS))
        usable = read | beam.Filter(lambda row: row[1] is not None)
        split_of = usable | "Splits" >> beam.Map(lambda row: row[0]["split"])
        counts = split_of | beam.combiners.Count.PerElement()
        instruments = usable | "Instruments" >> beam.Map(lambda row: row[0]["instrument"]) | beam.Distinct()
        dealt = usable | "Deal" >> beam.Map(_deal, plan.num_shards, beam.pvalue.AsDict(counts))
        _ = (
            dealt
            | beam.GroupByKey()
            | "Write" >> beam.Map(_write_shard, directory, beam.pvalue.AsList(instruments))
        )


def _read(
    numbered: tuple[int, audio_folder.AudioFile], request: audio_folder.FolderRequest
) -> tuple[dict, bytes | None]:
    """One file: (facts, serialized note); None for a note that is left out."""
    place, file = numbered
    read = audio_folder.read_file(request, file)
    facts = {"place": place, **{name: value for name, value in read.items() if name != "wave"}}
    if read["reason"]:
        return facts, None
    note = audio_folder.make_note(file, read)
    return facts | {"split": note.split, "instrument": note.instrument, "id": note.id}, notes.serialize_note(note, 0)


def _deal(row: tuple, num_shards: int, counts: dict[str, int]) -> tuple[str, tuple[str, bytes]]:
    """(name of its shard, (instrument, serialized note))."""
    facts, record = row
    count = shards.split_shards(num_shards, counts[facts["split"]], counts.get("train", 0))
    name = shards.shard_name(facts["split"], int(notes.place_of(facts["id"]) * count), count)
    return name, (facts["instrument"], record)


def _write_shard(group: tuple[str, Iterable[tuple[str, bytes]]], directory: str, instruments: list[str]) -> None:
    import tensorflow as tf

    name, members = group
    labels = {instrument: label for label, instrument in enumerate(sorted(instruments))}
    labelled = [notes.relabel(record, labels[instrument]) for instrument, record in members]
    with tf.io.TFRecordWriter(os.path.join(directory, name)) as writer:
        for _, record in shards.sort_records(labelled):
            writer.write(record)


def _read_facts(directory: str) -> Iterable[dict]:
    """What the workers wrote, in any order; the files are removed."""
    from tensorflow import io

    for path in io.gfile.glob(os.path.join(directory, f"{_FACTS}*")):
        with io.gfile.GFile(path) as file:
            yield from map(json.loads, file.read().splitlines())
        io.gfile.remove(path)


def _count(plan: audio_folder.Plan, facts: list[dict]) -> dict:
    """Fills the plan's manifest in the order of the files; returns "splits" and "instruments".

    Raises:
        ValueError: Nothing was usable.
    """
    splits, instruments, names = {split: shards.empty_split() for split in notes.SPLITS}, {}, {}
    for row in facts:
        file = plan.wanted[row["place"]]
        if row["reason"]:
            plan.skip(file, row["reason"])
            continue
        plan.count(row)
        label = file.label
        shards.count_values(splits[label.split], row["pitch"], label.velocity, label.family, label.source)
        about = {"name": label.instrument, "family": label.family, "source": label.source}
        instruments.setdefault(label.instrument, about)
        names.setdefault(label.split, []).append(notes.place_of(row["id"]))
    if not instruments:
        raise ValueError(f"Expected usable notes in {plan.request.path}. {plan.why_none()}")
    for split, places in names.items():
        count = shards.split_shards(plan.num_shards, len(places), splits["train"]["num_notes"])
        used = sorted({int(place * count) for place in places})
        splits[split]["shards"] = [shards.shard_name(split, shard, count) for shard in used]
    return shards.finish_splits(splits, instruments)
