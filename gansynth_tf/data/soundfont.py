"""Notes rendered from a SoundFont: an NSynth-like set without a download (SoundFont 2.04; General MIDI programs)."""

import csv
import dataclasses
import functools
import hashlib
import importlib.metadata
import importlib.resources
import io
import json
import os
import pathlib
from collections.abc import Callable, Iterator

import numpy as np

from gansynth_tf.data import notes, records, rendering, sf2, sf3, shards

# Part of what decides whether a finished folder may be reused: raise it when the sound of a note changes.
_RECIPE_VERSION = 3
_CHUNK_NOTES = 8


@dataclasses.dataclass(frozen=True)
class SoundfontRequest:
    """What to render.

    Args:
        soundfont_path: A SoundFont file, .sf2 or .sf3; empty: `default_soundfont()`.
        programs: General MIDI programs counted from 0; empty: the acoustic ones that are in tune in the default font,
            none of them a near-copy of another.
        min_pitch: Lowest MIDI pitch. Each program is also kept to its instrument's natural range.
        max_pitch: Highest MIDI pitch.
        velocities: MIDI velocities, 1 to 127.
        sample_rate: Hz.
        num_samples: Length of a note.
        hold_seconds: When the key is released.
        split_fractions: Shares of (instrument, pitch) pairs in train, valid and test. All velocities of a pair are in
            one split, because many fonts only change the level with velocity.
        seed: Decides which pair is in which split, and the order of the notes.

    Raises:
        ValueError: A value is out of range.
    """

    soundfont_path: str = ""
    programs: tuple[int, ...] = ()
    min_pitch: int = 24
    max_pitch: int = 84
    velocities: tuple[int, ...] = (25, 50, 75, 100, 127)
    sample_rate: int = 16000
    num_samples: int = 64000
    hold_seconds: float = 3.0
    split_fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    seed: int = 0

    def __post_init__(self):
        known = sorted(program_table())
        unknown = [program for program in self.programs if program not in known]
        if unknown:
            raise ValueError(f"Expected programs among {known} (pitched, counted from 0). Received: {unknown[0]}.")
        if not 0 <= self.min_pitch <= self.max_pitch <= 127:
            received = f"{self.min_pitch} and {self.max_pitch}"
            raise ValueError(f"Expected 0 <= min_pitch <= max_pitch <= 127. Received: {received}.")
        if not self.velocities or not all(1 <= velocity <= 127 for velocity in self.velocities):
            raise ValueError(f"Expected at least one velocity, all in 1..127. Received: {self.velocities}.")
        if self.sample_rate <= 0 or self.num_samples <= 0 or self.hold_seconds <= 0:
            received = f"{self.sample_rate} Hz, {self.num_samples} samples, {self.hold_seconds} s"
            raise ValueError(f"Expected positive sample_rate, num_samples and hold_seconds. Received: {received}.")
        fractions = self.split_fractions
        if len(fractions) != 3 or min(fractions) < 0 or fractions[0] == 0 or abs(sum(fractions) - 1) > 1e-6:
            raise ValueError(f"Expected three split_fractions with sum 1, the first positive. Received: {fractions}.")


@dataclasses.dataclass(frozen=True)
class _PlannedNote:
    """A note to render."""

    program: int
    pitch: int
    velocity: int
    instrument: str
    family: str
    source: str
    split: str

    @property
    def id(self) -> str:
        return f"{self.instrument}-{self.pitch:03d}-{self.velocity:03d}"


def default_soundfont() -> str:
    """Path of TimGM6mb.sf2, which the pretty_midi package installs; Debian states GPL-2 for this font.

    Raises:
        FileNotFoundError: pretty_midi is not installed, or came without the file.
    """
    try:
        # The folder is asked for without importing the package, which is slow.
        path = pathlib.Path(str(importlib.metadata.distribution("pretty_midi").locate_file("pretty_midi/TimGM6mb.sf2")))
    except importlib.metadata.PackageNotFoundError:
        path = pathlib.Path("TimGM6mb.sf2")
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected the default SoundFont {path.name} of pretty_midi, which is not installed; run "
            "`pip install pretty_midi` or name another .sf2 file."
        )
    return str(path)


@functools.cache
def program_table() -> dict[int, dict]:
    """Pitched General MIDI programs: family, source, natural range and whether they are in the default set.

    The ranges follow the General MIDI 2 recommendations; family and source are this project's own choice in NSynth's
    words.

    Returns:
        Program (from 0) -> {"family", "source", "low", "high", "default"}.
    """
    text = importlib.resources.files("gansynth_tf.data").joinpath("gm_programs.csv").read_text(encoding="utf-8")
    return {
        int(row["program"]): {
            "family": row["family"],
            "source": row["source"],
            "low": int(row["low"]),
            "high": int(row["high"]),
            "default": row["timgm6mb_usable"] == "1",
        }
        for row in csv.DictReader(io.StringIO(text))
    }


def render_soundfont(request: SoundfontRequest, output_dir: str | os.PathLike, progress: bool = True) -> dict:
    """Renders a set of notes into a folder of records, or returns at once if that folder already holds it.

    Silent, clipped and unpitched notes are left out and listed in the manifest with what was measured. A folder with
    another request's, font's or renderer's notes is replaced when the new set is complete.

    Args:
        request: What to render.
        output_dir: Folder of the records.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The manifest: that of `records.write_records` and "request", "soundfont" (path, sha256), "presets"
        (program -> the font's name), "renderer", "fingerprint", "sample_rate", "num_samples", "skipped" (id or program,
        reason).

    Raises:
        FileNotFoundError: There is no such SoundFont.
        ImportError: The renderer is not installed.
        ValueError: The file is not a usable SoundFont, or no note is left, or `output_dir` holds something else.
    """
    path = str(request.soundfont_path or default_soundfont())
    font = sf2.read_font(path)
    sha256 = hashlib.sha256(font).hexdigest()
    rendering.import_renderer()
    renderer = f"midirenderer {importlib.metadata.version('midirenderer')}"
    fingerprint = _fingerprint(request, sha256, renderer)
    finished = records.finished_manifest(output_dir, fingerprint)
    if finished is not None:
        return finished
    records.check_replaceable(output_dir)
    skipped: list[dict] = []
    presets = sf2.read_presets(font)
    plan = _plan_notes(request, presets, skipped)
    manifest = {
        "source": "soundfont",
        "fingerprint": fingerprint,
        "request": {**dataclasses.asdict(request), "soundfont_path": path},
        "soundfont": {"path": path, "sha256": sha256},
        "presets": {str(program): presets[program] for program in sorted({note.program for note in plan})},
        "renderer": renderer,
        "sample_rate": request.sample_rate,
        "num_samples": request.num_samples,
        "skipped": skipped,
    }
    rendered = _render_all(plan, functools.partial(_render_chunk, path, sha256, request), skipped, progress)
    num_shards = shards.choose_num_shards(len(plan), request.num_samples)
    return records.write_records(output_dir, rendered, manifest, num_shards)


@functools.lru_cache(maxsize=1)
def _read_dry_font(path: str, sha256: str) -> bytes:
    """Reads a SoundFont once for many notes, and makes sure that it is still the one that was asked for."""
    font = sf2.read_font(path)
    if hashlib.sha256(font).hexdigest() != sha256:
        raise ValueError(f"Expected {path} to stay the same while rendering. It has changed; start again.")
    return sf2.remove_effects(sf3.unpack_samples(font))


def _fingerprint(request: SoundfontRequest, font_sha256: str, renderer: str) -> str:
    """Hash of everything that decides the set; the font counts by content, not by path."""
    wanted = {**dataclasses.asdict(request), "soundfont_path": font_sha256}
    text = json.dumps({"request": wanted, "renderer": renderer, "recipe": _RECIPE_VERSION}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plan_notes(request: SoundfontRequest, presets: dict[int, str], skipped: list[dict]) -> list[_PlannedNote]:
    """All notes to render, in a seeded order, so that the shards are mixed already."""
    table = program_table()
    programs = request.programs or tuple(program for program, row in table.items() if row["default"])
    pairs = []
    for program in sorted(set(programs)):
        row = table[program]
        if program not in presets:
            skipped.append({"program": program, "reason": "the SoundFont has no such preset"})
            continue
        low, high = max(row["low"], request.min_pitch), min(row["high"], request.max_pitch)
        pairs += [(program, pitch) for pitch in range(low, high + 1)]
    if not pairs:
        raise ValueError(
            f"Expected notes to render. No program of {programs} is in the SoundFont with a natural range within "
            f"{request.min_pitch}..{request.max_pitch}; widen the pitches or choose other programs."
        )
    pairs.sort(key=lambda pair: hashlib.sha256(f"{request.seed}/{pair[0]}/{pair[1]}".encode()).digest())
    plan = []
    for pair, split in zip(pairs, _split_names(len(pairs), request.split_fractions), strict=True):
        row = table[pair[0]]
        instrument = f"{row['family']}_{row['source']}_{pair[0]:03d}"
        for velocity in sorted(set(request.velocities)):
            plan.append(_PlannedNote(*pair, velocity, instrument, row["family"], row["source"], split))
    plan.sort(key=lambda note: hashlib.sha256(f"{request.seed}/{note.id}".encode()).digest())
    return plan


def _split_names(num_pairs: int, fractions: tuple[float, float, float]) -> list[str]:
    """A split for each place of a shuffled list; a wanted split gets at least one place if there are enough."""
    wanted = sum(fraction > 0 for fraction in fractions)
    sizes = [max(round(num_pairs * fraction), int(fraction > 0 and num_pairs >= wanted)) for fraction in fractions[1:]]
    valid, test = (min(size, max(0, (num_pairs - 1) // 2)) for size in sizes)
    return ["train"] * (num_pairs - valid - test) + ["valid"] * valid + ["test"] * test


def _render_all(
    plan: list[_PlannedNote], render_chunk: Callable, skipped: list[dict], progress: bool
) -> Iterator[notes.Note]:
    """Renders the plan in order, on all cores; notes left out go to `skipped`."""
    import joblib
    import tqdm

    chunks = [plan[start : start + _CHUNK_NOTES] for start in range(0, len(plan), _CHUNK_NOTES)]
    # joblib's own processes rather than multiprocessing's: they need no guarded main module in the user's script.
    jobs = min(joblib.cpu_count(), len(chunks))
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator")
    results = parallel(joblib.delayed(render_chunk)(chunk) for chunk in chunks)
    with tqdm.tqdm(total=len(plan), desc="rendering", unit="note", disable=not progress) as bar:
        for chunk, waves in zip(chunks, results, strict=True):
            for planned, (wave, reason) in zip(chunk, waves, strict=True):
                bar.update()
                if reason:
                    skipped.append({"id": planned.id, "reason": reason})
                    continue
                fields = dataclasses.asdict(planned)
                del fields["program"]
                yield notes.Note(id=planned.id, audio=wave, **fields)
    if sum("id" in skip for skip in skipped) == len(plan):
        reason = next(skip for skip in skipped if "id" in skip)
        raise ValueError(
            f"Expected usable notes. All {len(plan)} were left out, the first, {reason['id']}, as {reason['reason']}; "
            "choose other programs, pitches or velocities, or another SoundFont."
        )


def _render_chunk(
    path: str, sha256: str, request: SoundfontRequest, chunk: list[_PlannedNote]
) -> list[tuple[np.ndarray | None, str]]:
    """Renders some notes: (wave, "") or (None, why it is left out) for each."""
    font = _read_dry_font(path, sha256)
    seconds = request.num_samples / request.sample_rate
    results = []
    for note in chunk:
        stereo = rendering.play_note(font, note.program, note.pitch, note.velocity, request.hold_seconds, seconds)
        reason = rendering.why_unusable(stereo, note.pitch, min(request.hold_seconds, seconds))
        if reason:
            results.append((None, reason))
            continue
        wave = rendering.mix_channels(stereo)
        wave = rendering.finish_note(wave, note.velocity, request.sample_rate, request.num_samples)
        results.append((wave, ""))
    return results
