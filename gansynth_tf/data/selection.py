"""A part of an existing set of records, chosen by a filter, without a copy."""

import dataclasses
import hashlib
import json
import os

from gansynth_tf import files
from gansynth_tf.data import notes, pipeline, records, shards
from gansynth_tf.data.filters import NoteFilter


def prepare_selection(
    source: str,
    keep: NoteFilter,
    sample_rate: int,
    num_samples: int,
    output_dir: str | os.PathLike,
    progress: bool = True,
) -> str:
    """Makes sure that the wanted notes of a folder of records can be read.

    Args:
        source: The folder; also "gs://…".
        keep: Which notes are wanted.
        sample_rate: What the notes must have, in Hz.
        num_samples: What they must have at least; longer ones are cut while they are read.
        output_dir: Where a manifest of the selection goes, if not all notes are wanted.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The folder to read: `source` itself if all its notes are wanted, else `output_dir`.

    Raises:
        FileNotFoundError: The folder has no manifest, or a shard is missing.
        ValueError: The notes have another sample rate, or are too short, or none is wanted.
    """
    manifest = records.read_manifest(source)
    stored = manifest.get("sample_rate", sample_rate)
    if stored != sample_rate:
        raise ValueError(
            f"Expected records at sample_rate {sample_rate} Hz. Received: {source}, at {stored} Hz; "
            f"set sample_rate to {stored}, or prepare the sounds again at {sample_rate} Hz."
        )
    longest = manifest.get("num_samples", num_samples)
    if longest < num_samples:
        raise ValueError(
            f"Expected records of audio_length {num_samples} = {num_samples / sample_rate:g} s at {sample_rate} Hz. "
            f"Received: {source}, of {longest} = {longest / sample_rate:g} s; set audio_length to {longest} or less, "
            "or prepare the sounds again."
        )
    if _keeps_every_note(manifest, keep):
        return source
    if "mix" in manifest:
        raise ValueError(f"Expected one set of records to choose from. Received: {source}, a mix; choose in its parts.")
    keep = keep.both(records.keep_of(manifest))
    fingerprint = _fingerprint(manifest, source, keep)
    if records.finished_manifest(output_dir, fingerprint) is None:
        records.check_replaceable(output_dir)
        about = {name: value for name, value in manifest.items() if name not in ("splits", "schema_version")}
        chosen = {"splits": _count_splits(source, keep, progress), "keep": dataclasses.asdict(keep)}
        records.write_link(output_dir, {**about, **chosen, "fingerprint": fingerprint, "selected_from": source})
    return os.fspath(output_dir)


def _keeps_every_note(manifest: dict, keep: NoteFilter) -> bool:
    """Whether a set's counts alone show that a filter leaves nothing out."""
    if "keep" in manifest or (keep.min_velocity, keep.max_velocity) != (0, 127):
        return records.keep_of(manifest) == keep
    pitches = {int(pitch) for facts in manifest["splits"].values() for pitch in facts["pitches"]} or {notes.UNKNOWN}
    kinds = {(instrument["family"], instrument["source"]) for instrument in manifest["instruments"]}
    return not any(keep.why_left_out(pitch, 0, *kind) for pitch in pitches for kind in kinds)


def _count_splits(source: str, keep: NoteFilter, progress: bool) -> dict:
    import tqdm

    manifest = records.read_manifest(source)
    total = sum(facts["num_notes"] for facts in manifest["splits"].values())
    splits = {}
    with tqdm.tqdm(total=total, desc="counting notes", unit="note", disable=not progress) as bar:
        for split in manifest["splits"]:
            (whole,) = records.open_split(source, split)
            paths = [path if files.is_remote(path) else os.path.abspath(path) for path in whole.shards]
            splits[split] = shards.empty_split() | {"shards": paths, "num_records": 0}
            if paths:
                before = bar.n
                counted = pipeline.count_notes(
                    dataclasses.replace(whole, keep=keep), lambda read, b=before: bar.update(b + read - bar.n)
                )
                del counted["labels"]
                splits[split] |= counted
    shards.finish_splits(splits, {})
    return splits


def _fingerprint(manifest: dict, source: str, keep: NoteFilter) -> str:
    place = source if files.is_remote(source) else os.path.abspath(source)
    text = json.dumps([manifest.get("fingerprint", manifest["splits"]), place, dataclasses.asdict(keep)])
    return hashlib.sha256(text.encode()).hexdigest()
