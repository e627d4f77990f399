"""Notes rendered from a SoundFont: an NSynth-like set without a download (SoundFont 2.04; General MIDI programs).

Each note is played alone by a fresh synthesizer at 48 kHz, without reverb and chorus, so that nothing of another note
is in it and nothing depends on the order. Playing directly at 16 kHz would alias.
"""

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
import struct
from collections.abc import Iterator

import numpy as np

from gansynth_tf import audio, pitches
from gansynth_tf.data import records

# Part of what decides whether a finished folder may be reused: raise it when the sound of a note changes.
_RECIPE_VERSION = 1
_RENDER_RATE = 48000  # midirenderer's only one.
# midirenderer computes 64 samples at a time. One MIDI tick is half of that and events stand on odd ticks, so that
# rounding of event times cannot move an event to another block.
_TICKS_PER_SECOND = 2 * _RENDER_RATE // 64
_DRUM_CHANNEL = 9
_MAX_LAYERS = 8
_SILENT_PEAK = 1e-3
_FADE_SECONDS = 0.01
_HIGH_PASS_HZ = 20.0
_CHUNK_NOTES = 8


@dataclasses.dataclass(frozen=True)
class SoundfontRequest:
    """What to render.

    Args:
        soundfont_path: A SoundFont 2 file; empty: `default_soundfont()`.
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
    """Path of TimGM6mb.sf2, which the pretty_midi package installs.

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
        The manifest: that of `records.write_records` and "request", "soundfont" (path, sha256), "renderer",
        "fingerprint", "skipped".

    Raises:
        FileNotFoundError: There is no such SoundFont.
        ImportError: The renderer is not installed.
        ValueError: The file is not a usable SoundFont, or no note is left, or `output_dir` holds something else.
    """
    path = request.soundfont_path or default_soundfont()
    font = _read_font(path)
    renderer = _renderer_version()
    fingerprint = _fingerprint(request, font, renderer)
    finished = _finished_manifest(output_dir, fingerprint)
    if finished is not None:
        return finished
    records.check_replaceable(output_dir)
    skipped: list[dict] = []
    plan = _plan_notes(request, read_presets(font), skipped)
    settings = {**dataclasses.asdict(request), "soundfont_path": str(path)}
    manifest = {
        "source": "soundfont",
        "fingerprint": fingerprint,
        "request": settings,
        "soundfont": {"path": str(path), "sha256": hashlib.sha256(font).hexdigest()},
        "renderer": renderer,
        "sample_rate": request.sample_rate,
        "num_samples": request.num_samples,
        "skipped": skipped,
    }
    notes = _render_all(plan, str(path), request, skipped, progress)
    # Shards of about 64 MB.
    num_shards = max(1, round(len(plan) * request.num_samples * 2 / 2**26))
    return records.write_records(output_dir, notes, manifest, num_shards)


def read_presets(font: bytes) -> dict[int, str]:
    """Lists a SoundFont's melodic presets (bank 0) from its "phdr" chunk; SoundFont 2.04, section 7.2.

    Args:
        font: The file's bytes.

    Returns:
        Program (from 0) -> the font's name for it.

    Raises:
        ValueError: There is no preset list.
    """
    start = font.rfind(b"phdr")
    size = struct.unpack_from("<I", font, start + 4)[0] if 0 <= start <= len(font) - 8 else 0
    table = font[start + 8 : start + 8 + size]
    if not size or size % 38 or len(table) != size:
        raise ValueError("Expected a SoundFont with a preset list (phdr). Received one without; get the file again.")
    presets = {}
    # The last record only marks the end.
    for name, program, bank in struct.iter_unpack("<20sHH14x", table[:-38]):
        if bank == 0:
            presets[program] = name.split(b"\0")[0].decode("latin-1").strip()
    return presets


def render_note(
    font: bytes, program: int, pitch: int, velocity: int, hold_seconds: float, seconds: float
) -> np.ndarray:
    """Plays one note.

    Midirenderer's output has 16 bits and is quiet (a piano at velocity 25: 105 of 32768). So channels are at full
    volume and soft notes are played by up to 8 channels at once, as many as keep them below velocity 127 under the
    SoundFont's square law: the sum is made in floating point, so only the rounding gets finer. Eight, because the
    synthesizer has 64 voices and a preset may need several for one note.

    Args:
        font: A SoundFont file's bytes.
        program: General MIDI program from 0; the font must have it.
        pitch: MIDI pitch.
        velocity: MIDI velocity in 1..127.
        hold_seconds: When the key is released.
        seconds: Length.

    Returns:
        float32 [samples] at 48 kHz: the mean of both channels, scaled by the number of layers.

    Raises:
        ImportError: The renderer is not installed.
        ValueError: The renderer cannot read the font.
    """
    import soundfile

    layers = int(np.clip((127 / velocity) ** 2, 1, _MAX_LAYERS))
    midi = _note_midi(program, pitch, velocity, hold_seconds, seconds, layers)
    try:
        wav = _import_renderer().render_wave_from(font, midi)
    except RuntimeError as error:
        raise ValueError(
            f"Expected a SoundFont 2 file (.sf2, not compressed .sf3). Received one that midirenderer cannot read "
            f"({error}); get the file again or use another."
        ) from error
    stereo, _ = soundfile.read(io.BytesIO(wav), dtype="int16", always_2d=True)
    wave = stereo.mean(axis=1, dtype=np.float32) / 32768.0
    # Full scale in either channel must stay visible as clipping after the mean.
    if max(int(stereo.max()), -int(stereo.min())) >= 32767:
        wave[np.argmax(np.abs(wave))] = 1.0
    return wave


def finish_note(wave: np.ndarray, velocity: int, sample_rate: int, num_samples: int) -> np.ndarray:
    """Turns a 48 kHz rendering into a note of the set.

    A high-pass at 20 Hz rather than subtracting the mean: some samples have an offset while they sound, and
    subtracting the mean would move it to the silence after them. The peak becomes 0.4 + 0.5 * velocity / 127: louder
    for harder notes, and within the 0.41 to 0.93 of NSynth's notes, where a font's own 28 dB between velocities 25 and
    127 would leave soft notes next to nothing.

    Args:
        wave: [samples] at 48 kHz, not silent.
        velocity: MIDI velocity.
        sample_rate: Wanted rate in Hz.
        num_samples: Wanted length; the last 10 ms are faded out.

    Returns:
        float32 [num_samples].
    """
    import scipy.signal

    high_pass = scipy.signal.butter(2, _HIGH_PASS_HZ, "highpass", fs=_RENDER_RATE, output="sos")
    wave = scipy.signal.sosfilt(high_pass, wave.astype(np.float64))
    wave = audio.crop_or_pad(audio.resample(wave, _RENDER_RATE, sample_rate), num_samples)
    fade = np.linspace(1.0, 0.0, max(1, min(num_samples, round(_FADE_SECONDS * sample_rate))), dtype=np.float32)
    wave[len(wave) - len(fade) :] *= fade
    return wave * np.float32((0.4 + 0.5 * velocity / 127) / max(np.abs(wave).max(), 1e-9))


def measure_pitch_error(wave: np.ndarray, pitch: int, hold_seconds: float) -> float:
    """Distance of a note's pitch from what it should be, by YIN (de Cheveigne and Kawahara 2002).

    A reading one octave up is taken for right if the odd harmonics, which a true octave would lack, hold at least 1 %
    of the power on the harmonics: low strings, harps and oboes have weak fundamentals.

    Args:
        wave: [samples] at 48 kHz.
        pitch: MIDI pitch that was played.
        hold_seconds: Length of the part to look at.

    Returns:
        Cents, the median over frames within 30 dB of the loudest; NaN when the note is too short or too high for YIN.
    """
    import librosa

    rate = 16000
    target_hz = float(pitches.midi_to_hz(pitch))
    held = audio.resample(wave[: round(hold_seconds * _RENDER_RATE)], _RENDER_RATE, rate)
    frame = min(4096, len(held) // 2 * 2)
    # YIN looks for periods of up to half a frame; an octave below must be within sight.
    lowest_hz = 2.2 * rate / frame if frame else np.inf
    if target_hz < 2.0 * lowest_hz or target_hz > rate / 4:
        lowest_hz = max(lowest_hz, 20.0)
        if target_hz < 1.2 * lowest_hz or target_hz > rate / 4:
            return float("nan")
    hop = max(1, frame // 2)
    frames = librosa.util.frame(held, frame_length=frame, hop_length=hop)
    level = np.sqrt(np.mean(np.square(frames), axis=0))
    readings = librosa.yin(
        held, fmin=lowest_hz, fmax=rate / 3, sr=rate, frame_length=frame, hop_length=hop, center=False
    )
    readings = readings[: len(level)][level > level.max() * 10 ** (-30 / 20)]
    cents = 1200.0 * np.log2(np.median(readings) / target_hz)
    if abs(cents - 1200.0) < 50.0 and _odd_harmonic_share(held, target_hz, rate) >= 0.01:
        cents -= 1200.0
    return float(cents)


def _odd_harmonic_share(wave: np.ndarray, target_hz: float, rate: int) -> float:
    """Share of odd multiples of a frequency in the power on all its multiples up to the 20th."""
    spectrum = np.square(np.abs(np.fft.rfft(wave * np.hanning(len(wave)))))
    frequencies = np.fft.rfftfreq(len(wave), 1.0 / rate)
    order = frequencies / target_hz
    near = np.abs(order - np.round(order)) < 0.03 * np.maximum(1.0, np.round(order) / 4)
    near &= (np.round(order) >= 1) & (np.round(order) <= 20)
    total = spectrum[near].sum()
    return float(spectrum[near & (np.round(order) % 2 == 1)].sum() / total) if total else 0.0


def _import_renderer():
    try:
        import midirenderer
    except ImportError as error:
        raise ImportError("Rendering SoundFont notes needs midirenderer: run `pip install midirenderer`.") from error
    return midirenderer


def _renderer_version() -> str:
    _import_renderer()
    return f"midirenderer {importlib.metadata.version('midirenderer')}"


@functools.lru_cache(maxsize=2)
def _read_font(path: str) -> bytes:
    """Reads a SoundFont and checks that it is whole."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"Expected a SoundFont file. Received: {path}, which does not exist; check the path.")
    font = pathlib.Path(path).read_bytes()
    if font[:4] != b"RIFF" or font[8:12] != b"sfbk":
        raise ValueError(f"Expected a SoundFont (.sf2). Received: {path}, which is not one (no RIFF/sfbk header).")
    size = struct.unpack_from("<I", font, 4)[0] + 8
    if len(font) < size:
        raise ValueError(f"Expected {size} bytes in {path}. Received: {len(font)}; it is cut short, get it again.")
    return font


def _fingerprint(request: SoundfontRequest, font: bytes, renderer: str) -> str:
    """Hash of everything that decides the set; the font counts by content, not by path."""
    wanted = dataclasses.asdict(request)
    wanted["soundfont_path"] = hashlib.sha256(font).hexdigest()
    text = json.dumps({"request": wanted, "renderer": renderer, "recipe": _RECIPE_VERSION}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _finished_manifest(output_dir: str | os.PathLike, fingerprint: str) -> dict | None:
    """The manifest in a folder that holds exactly the wanted set, else None."""
    try:
        manifest = records.read_manifest(output_dir)
        if manifest.get("fingerprint") != fingerprint:
            return None
        for split in manifest["splits"]:
            records.list_shards(output_dir, split)
    except (OSError, ValueError):
        return None
    return manifest


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


def _render_all(plan, path: str, request: SoundfontRequest, skipped: list[dict], progress: bool) -> Iterator:
    """Renders the plan in order, on all cores; notes left out go to `skipped`."""
    import joblib
    import tqdm

    chunks = [plan[start : start + _CHUNK_NOTES] for start in range(0, len(plan), _CHUNK_NOTES)]
    # joblib's own processes rather than multiprocessing's: they need no guarded main module in the user's script.
    jobs = min(joblib.cpu_count(), len(chunks))
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator")
    results = parallel(joblib.delayed(_render_chunk)(chunk, path, request) for chunk in chunks)
    with tqdm.tqdm(total=len(plan), desc="rendering", unit="note", disable=not progress) as bar:
        for chunk, waves in zip(chunks, results, strict=True):
            for planned, (wave, reason) in zip(chunk, waves, strict=True):
                bar.update()
                if reason:
                    skipped.append({"id": planned.id, "reason": reason})
                    continue
                fields = dataclasses.asdict(planned)
                del fields["program"]
                yield records.Note(id=planned.id, audio=wave, **fields)


def _render_chunk(chunk, path: str, request: SoundfontRequest) -> list[tuple[np.ndarray | None, str]]:
    """Renders some notes: (wave, "") or (None, why it is left out) for each."""
    font = _read_font(path)
    seconds = request.num_samples / request.sample_rate
    results = []
    for note in chunk:
        wave = render_note(font, note.program, note.pitch, note.velocity, request.hold_seconds, seconds)
        reason = _why_unusable(wave, note.pitch, min(request.hold_seconds, seconds))
        finished = None if reason else finish_note(wave, note.velocity, request.sample_rate, request.num_samples)
        results.append((finished, reason))
    return results


def _why_unusable(wave: np.ndarray, pitch: int, hold_seconds: float) -> str:
    """Empty for a good note, else what is wrong with it."""
    peak = float(np.abs(wave).max())
    if peak < _SILENT_PEAK:
        return f"silent (peak {peak:.5f})"
    if peak >= 1.0:
        return "clipped"
    cents = measure_pitch_error(wave, pitch, hold_seconds)
    return f"unpitched (median {cents:+.0f} cents)" if abs(cents) > 50.0 else ""


def _note_midi(program: int, pitch: int, velocity: int, hold_seconds: float, seconds: float, layers: int) -> bytes:
    """A MIDI file with one note, played by several channels at once, dry and at full volume."""
    import mido

    release = 2 * round(hold_seconds * _TICKS_PER_SECOND / 2)
    end = max(release + 2, 2 * int(np.ceil(seconds * _TICKS_PER_SECOND / 2)) + 2)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000, time=0)])
    channels = [channel for channel in range(_MAX_LAYERS + 1) if channel != _DRUM_CHANNEL][:layers]
    for channel in channels:
        # Volume, expression; reverb and chorus, which are on by default.
        for control, value in ((7, 127), (11, 127), (91, 0), (93, 0)):
            track.append(mido.Message("control_change", channel=channel, control=control, value=value))
        track.append(mido.Message("program_change", channel=channel, program=program))
    for place, channel in enumerate(channels):
        time = 1 if place == 0 else 0
        track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=velocity, time=time))
    for place, channel in enumerate(channels):
        track.append(mido.Message("note_off", channel=channel, note=pitch, time=release if place == 0 else 0))
    track.append(mido.MetaMessage("end_of_track", time=end - release - 1))
    file = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=_TICKS_PER_SECOND, tracks=[track]).save(file=file)
    return file.getvalue()
