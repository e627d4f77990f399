"""A folder of audio files -> notes: find the files, label them, read them on all cores, leave out what is no use."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator

import numpy as np

from gansynth_tf import audio, files
from gansynth_tf.data import labels, notes, pitch_detection, records, shards
from gansynth_tf.data.filters import NoteFilter

# Part of what decides whether a finished folder may be reused: raise it when what becomes of a file changes.
_RECIPE_VERSION = 1
_CHUNK_FILES = 8
# What libsndfile reads; other files are passed over, counted by their ending.
AUDIO_ENDINGS = (
    ".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64",
    ".rf64", ".voc", ".nist", ".sph", ".mat", ".paf", ".svx", ".pvf", ".htk", ".xi", ".sd2",
)  # fmt: skip
_SILENT_PEAK = 1e-3  # -60 dB, as for rendered notes.
_SHORTEST_SECONDS = 0.05
_SKIPS_KEPT = 10000  # Named one by one in the manifest; all are counted.


@dataclasses.dataclass(frozen=True)
class FolderRequest:
    """What to read.

    Args:
        path: The folder; also "gs://…".
        sample_rate: Hz; other rates are resampled.
        num_samples: Length of a note: longer ones lose their end, shorter ones are followed by zeros.
        keep: Which notes are wanted, by their labels.
        detect_pitch: Whether to measure the pitch of files whose pitch nothing else says.
        trim_silence: Whether to leave out what is 60 dB below the file's peak before the sound begins.
        need_pitch: Whether files of no known pitch are left out; not so if no file's is known.

    Raises:
        ValueError: A number is not positive.
    """

    path: str
    sample_rate: int = 16000
    num_samples: int = 64000
    keep: NoteFilter = NoteFilter()
    detect_pitch: bool = False
    trim_silence: bool = False
    need_pitch: bool = True

    def __post_init__(self):
        if self.sample_rate < 1 or self.num_samples < 1:
            received = f"{self.sample_rate} Hz, {self.num_samples} samples"
            raise ValueError(f"Expected positive sample_rate and num_samples. Received: {received}.")


@dataclasses.dataclass(frozen=True)
class AudioFile:
    """One file of a folder: its path from there, (bytes, time of change), what is known about it."""

    path: str
    version: tuple[int, int]
    label: labels.Label

    @property
    def id(self) -> str:
        """NSynth's name of an NSynth note, else the path, which no other file has."""
        if self.label.origin == labels.EXAMPLES_NAME:
            return os.path.splitext(os.path.basename(self.path))[0]
        return self.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class ReadFile(dict):
    """What reading gave: "reason" (empty: usable), "rate", "channels", "seconds", "scaled", "pitch", "wave" int16."""


def prepare_folder(request: FolderRequest, output_dir: str | os.PathLike, progress: bool = True) -> dict:
    """Reads a folder's notes into a folder of records, or returns at once if that already holds them.

    Files that cannot be used are counted and named in the manifest; none stops the others. A folder whose original is
    gone is taken as it is.

    Args:
        request: What to read.
        output_dir: Folder of the records.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The manifest: that of `records.write_records` and "request", "fingerprint", "sample_rate", "num_samples",
        "skipped" (id, reason), "skip_counts" (reason -> files) and "files" (what was found: rates, channels, …).

    Raises:
        ValueError: The path is no folder, or no file in it is usable, or `output_dir` holds something else.
    """
    known = _reusable_without_source(request, output_dir)
    if known is not None:
        return known
    found, ignored = find_files(request.path)
    stamp = fingerprint(request, found)
    finished = records.finished_manifest(output_dir, stamp)
    if finished is not None:
        return finished
    records.check_replaceable(output_dir)
    plan = plan_notes(request, found, ignored)
    manifest = {**plan.manifest, "fingerprint": stamp}
    made = plan.collect(_read_all(request, plan.wanted, progress))
    return records.write_records(output_dir, made, manifest, plan.num_shards)


class Plan:
    """A folder's files before they are read: which are wanted, and the manifest that reading them fills.

    Args:
        request: What to read.
        wanted: The files to read, in order.
        manifest: "skipped", "skip_counts" and "files" grow while `collect` runs.
    """

    def __init__(self, request: FolderRequest, wanted: list[AudioFile], manifest: dict):
        self.request, self.wanted, self.manifest = request, wanted, manifest
        self.num_shards = shards.choose_num_shards(len(wanted), request.num_samples)

    def skip(self, file: AudioFile, reason: str) -> None:
        """Counts a file that is left out."""
        counts, skipped = self.manifest["skip_counts"], self.manifest["skipped"]
        kind = reason.partition(":")[0]
        counts[kind] = counts.get(kind, 0) + 1
        if len(skipped) < _SKIPS_KEPT:
            skipped.append({"id": file.id, "reason": reason})

    def count(self, read: dict) -> None:
        """Counts what a usable file was like."""
        facts = self.manifest["files"]
        for name in ("rate", "channels"):
            values = facts.setdefault(name, {})
            values[str(read[name])] = values.get(str(read[name]), 0) + 1
        facts["seconds"] = facts.get("seconds", 0.0) + read["seconds"]
        for name, happened in (
            ("scaled", read["scaled"]),
            ("cropped", read["seconds"] * self.request.sample_rate > self.request.num_samples + 1),
            ("padded", read["seconds"] * self.request.sample_rate < self.request.num_samples - 1),
        ):
            facts[name] = facts.get(name, 0) + bool(happened)

    def collect(self, results: Iterator[tuple[AudioFile, ReadFile]]) -> Iterator[notes.Note]:
        """Turns what was read into notes and counts; raises ValueError when nothing was usable."""
        usable = 0
        for file, read in results:
            if read["reason"]:
                self.skip(file, read["reason"])
                continue
            usable += 1
            self.count(read)
            yield make_note(file, read)
        if not usable:
            raise ValueError(f"Expected usable notes in {self.request.path}. {self.why_none()}")

    def why_none(self) -> str:
        """Why nothing is usable, in words."""
        counts = sorted(self.manifest["skip_counts"].items(), key=lambda item: -item[1])
        listed = ", ".join(f"{count} with {reason}" for reason, count in counts) or "no audio files"
        return f"None is: {listed}; widen what is asked for, or look at the files."


def make_note(file: AudioFile, read: ReadFile) -> notes.Note:
    """The note of a file that was read."""
    label = file.label
    return notes.Note(
        file.id, read["wave"], read["pitch"], label.velocity, label.instrument, label.family, label.source,
        label.split, label.qualities,
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------------- finding


def find_files(root: str) -> tuple[list[AudioFile], dict[str, int]]:
    """Lists a folder's audio files, its sub-folders included, sorted; hidden ones are passed over.

    Args:
        root: The folder.

    Returns:
        The files, and how many others there are by their ending.

    Raises:
        ValueError: It is no folder, or holds no audio; or a file of labels is damaged.
    """
    versions, json_folders, csv_paths, ignored = {}, set(), [], {}
    for path, version in _walk(root):
        name, ending = os.path.basename(path), os.path.splitext(path)[1].lower()
        if ending in AUDIO_ENDINGS:
            versions[path] = version
        elif name == labels.EXAMPLES_NAME:
            json_folders.add(os.path.dirname(path))
        elif ending == ".csv":
            csv_paths.append(path)
        else:
            ignored[ending or name] = ignored.get(ending or name, 0) + 1
    if not versions:
        others = ", ".join(f"{count} {ending}" for ending, count in sorted(ignored.items())[:5]) or "no files"
        kinds = "WAV, FLAC, OGG, MP3, AIFF, …"
        raise ValueError(f"Expected audio files ({kinds}) in the folder {root}. It holds {others}; check the path.")
    label, listed = labels.make_labeller(root, json_folders, sorted(csv_paths))
    found = [AudioFile(path, versions[path], label(path)) for path in sorted(versions)]
    without_ending = {os.path.splitext(path)[0] for path in versions}
    missing = [name for name in listed if name not in versions and name not in without_ending]
    if missing:
        ignored["named in a CSV, but missing"] = len(missing)
    return found, ignored


def _walk(root: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Relative path and version of every file below a folder; links are followed, each folder is entered once."""
    if files.is_remote(root):
        yield from _walk_remote(root)
        return
    if not os.path.isdir(root):
        found = "a file" if os.path.exists(root) else "which does not exist"
        raise ValueError(f"Expected data_path to be a folder of audio files. Received: {root}, {found}.")
    entered = set()
    for folder, below, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        below[:] = sorted(name for name in below if not name.startswith((".", "__MACOSX")))
        if real in entered:
            below[:] = []
            continue
        entered.add(real)
        for name in names:
            path = os.path.join(folder, name)
            if not name.startswith(".") and os.path.isfile(path):
                about = os.stat(path)
                yield os.path.relpath(path, root), (about.st_size, about.st_mtime_ns)


def _walk_remote(root: str) -> Iterator[tuple[str, tuple[int, int]]]:
    from tensorflow import io

    if not io.gfile.isdir(root):
        raise ValueError(f"Expected data_path to be a folder of audio files. Received: {root}, which is none.")
    for folder, _, names in io.gfile.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if not name.startswith("."):
                about = io.gfile.stat(path)
                yield path.removeprefix(root.rstrip("/") + "/"), (about.length, about.mtime_nsec)


def plan_notes(request: FolderRequest, found: list[AudioFile], ignored: dict[str, int]) -> Plan:
    """Decides by the labels alone which files to read.

    Raises:
        ValueError: None is wanted, or none of those wanted is for training.
    """
    pitched = sum(file.label.pitch != notes.UNKNOWN for file in found)
    need_pitch = request.need_pitch and (pitched > 0 or request.detect_pitch)
    origins: dict[str, int] = {}
    for file in found:
        origins[file.label.origin] = origins.get(file.label.origin, 0) + 1
    manifest = {
        "source": "folder",
        "request": {**dataclasses.asdict(request), "need_pitch": need_pitch},
        "settings": _settings(request),
        "sample_rate": request.sample_rate,
        "num_samples": request.num_samples,
        "skipped": [],
        "skip_counts": {},
        "files": {"audio": len(found), "others": ignored, "pitch_from": origins},
    }
    plan = Plan(dataclasses.replace(request, need_pitch=need_pitch), [], manifest)
    ids = set()
    for file in found:
        label = file.label
        reason = request.keep.why_left_out(label.pitch, label.velocity, label.family, label.source)
        if not reason and need_pitch and label.pitch == notes.UNKNOWN and not request.detect_pitch:
            reason = "no pitch: neither examples.json, a CSV nor its name says one"
        if not reason and file.id in ids:
            reason = "an id that another file has"
        if reason:
            plan.skip(file, reason)
        else:
            ids.add(file.id)
            plan.wanted.append(file)
    if not plan.wanted:
        raise ValueError(f"Expected usable notes in {request.path}. {plan.why_none()}")
    plan.num_shards = shards.choose_num_shards(len(plan.wanted), request.num_samples)
    return plan


# ---------------------------------------------------------------------------------------------------- reading


def _read_all(
    request: FolderRequest, wanted: list[AudioFile], progress: bool
) -> Iterator[tuple[AudioFile, ReadFile]]:
    """Reads the files in order, on all cores."""
    import joblib
    import tqdm

    chunks = [wanted[start : start + _CHUNK_FILES] for start in range(0, len(wanted), _CHUNK_FILES)]
    parallel = joblib.Parallel(n_jobs=min(joblib.cpu_count(), len(chunks)), return_as="generator")
    results = parallel(joblib.delayed(_read_chunk)(request, chunk) for chunk in chunks)
    with tqdm.tqdm(total=len(wanted), desc="reading audio", unit="file", disable=not progress) as bar:
        for chunk, read in zip(chunks, results, strict=True):
            bar.update(len(chunk))
            yield from zip(chunk, read, strict=True)


def _read_chunk(request: FolderRequest, chunk: list[AudioFile]) -> list[ReadFile]:
    return [read_file(request, file) for file in chunk]


def read_file(request: FolderRequest, file: AudioFile) -> ReadFile:
    """Reads one file as a note; never raises for what is in the file.

    Args:
        request: What to make of it.
        file: Which one.

    Returns:
        The note, or the reason why there is none.
    """
    seconds = request.num_samples / request.sample_rate
    try:
        with files.open_any(os.path.join(request.path, file.path)) as opened:
            sound = audio.read_beginning(opened, seconds, request.trim_silence)
    except (OSError, ValueError, MemoryError) as error:
        return ReadFile(reason=f"unreadable: {' '.join(str(error).split())}")
    facts = {"rate": sound.rate, "channels": sound.channels, "seconds": sound.seconds}
    reason = _why_unusable(sound.wave, sound.seconds)
    if reason:
        return ReadFile(reason=reason)
    wave = audio.crop_or_pad(audio.resample(sound.wave, sound.rate, request.sample_rate), request.num_samples)
    # Floating-point files, and decoders of lossy ones, may exceed full scale; 16 bits would clip them.
    peak = float(np.abs(wave).max())
    scaled = peak > 32767 / 32768
    wave = wave * (32767 / 32768 / peak) if scaled else wave
    pitch = file.label.pitch
    if pitch == notes.UNKNOWN and request.detect_pitch:
        pitch = pitch_detection.detect_pitch(wave, request.sample_rate)
        if pitch == notes.UNKNOWN and request.need_pitch:
            return ReadFile(reason="no pitch: none could be measured")
        reason = request.keep.why_left_out(pitch, file.label.velocity, file.label.family, file.label.source)
        if reason:
            return ReadFile(reason=reason)
    return ReadFile(facts, reason="", scaled=scaled, pitch=pitch, wave=notes.to_int16(wave))


def _why_unusable(wave: np.ndarray, seconds: float) -> str:
    if not np.all(np.isfinite(wave)):
        return "NaN or infinity"
    if seconds < _SHORTEST_SECONDS:
        return f"less than {_SHORTEST_SECONDS:g} s of sound"
    if not wave.size or np.abs(wave).max() < _SILENT_PEAK:
        return "silence: a peak below -60 dB"
    return ""


# ---------------------------------------------------------------------------------------------------- reuse


def _settings(request: FolderRequest) -> dict:
    """What decides the notes of given files; a folder that moves is the same."""
    wanted = dataclasses.asdict(request)
    del wanted["path"]
    return json.loads(json.dumps({"request": wanted, "recipe": _RECIPE_VERSION}))


def fingerprint(request: FolderRequest, found: list[AudioFile]) -> str:
    """Hash of the settings, the files' names, sizes and times, and what is known about each."""
    listing = [[file.id, *file.version, *dataclasses.astuple(file.label)] for file in found]
    text = json.dumps([_settings(request), listing], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _reusable_without_source(request: FolderRequest, output_dir: str | os.PathLike) -> dict | None:
    """The manifest of a folder that was read with these settings before its original went away, else None."""
    if files.is_remote(request.path) or os.path.exists(request.path):
        return None
    try:
        manifest = records.read_manifest(output_dir)
    except (OSError, ValueError):
        return None
    if manifest.get("settings") != _settings(request):
        return None
    return records.finished_manifest(output_dir, manifest["fingerprint"])
