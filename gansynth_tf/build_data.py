"""Where settings become data: HParams -> a folder of notes, its pitch classes, notes as arrays."""

from __future__ import annotations

import os
import typing
from collections.abc import Sequence

from gansynth_tf import files
from gansynth_tf.hparams import HParams
from gansynth_tf.pitches import PitchClasses

if typing.TYPE_CHECKING:
    from gansynth_tf.data.filters import NoteFilter


def prepare_data(hparams: HParams, progress: bool = True) -> str:
    """Makes sure that the run's notes can be read.

    Returns:
        The folder of their manifest, and of their TFRecord shards unless these are read where they are.

    Raises:
        ValueError: The settings, or what they name, give no notes; the message says what was looked for and where.
    """
    folder = hparams.records_dir or os.path.join(hparams.train_root_dir, "data")
    if hparams.dataset_name == "mix":
        from gansynth_tf.data import records

        parts = []
        for number, (weight, source) in enumerate(hparams.mixed_sources()):
            place = os.path.join(folder, f"{number:02d}_{source.dataset_name}")
            parts.append((weight, _prepare_source(source, place, progress)))
        mixed = os.path.join(folder, "mix")
        records.write_mix(mixed, parts)
        return mixed
    return _prepare_source(hparams, folder, progress)


def prepare_with_beam(hparams: HParams, beam_options: Sequence[str]) -> str:
    """As `prepare_data` for a folder of audio, by an Apache Beam pipeline.

    Raises:
        ImportError: Apache Beam is not installed.
        ValueError: See `prepare_data`; or the notes come from something else.
    """
    if hparams.dataset_name != "folder":
        raise ValueError(f"Beam prepares dataset_name folder. Received: {hparams.dataset_name!r}; leave Beam out.")
    from gansynth_tf.data import beam_folder

    folder = hparams.records_dir or os.path.join(hparams.train_root_dir, "data")
    beam_folder.prepare_folder(folder_request(hparams), folder, beam_options)
    return folder


def _prepare_source(hparams: HParams, folder: str, progress: bool) -> str:
    """Prepares one source in a folder; returns the folder to read: that of records which fit as they are, if any."""
    match hparams.dataset_name:
        case "folder":
            from gansynth_tf.data import audio_folder

            audio_folder.prepare_folder(folder_request(hparams), folder, progress)
        case "records":
            from gansynth_tf.data import selection

            source = _existing(hparams.data_path, "a folder of records, as gansynth_prepare writes it")
            asked = make_filter(hparams), hparams.sample_rate, hparams.audio_length
            return selection.prepare_selection(source, *asked, folder, progress)
        case "nsynth_tfds" | "nsynth_records":
            from gansynth_tf.data import nsynth

            tfds = hparams.dataset_name == "nsynth_tfds"
            path = os.path.expanduser(hparams.tfds_data_dir if tfds else hparams.data_path)
            name = hparams.tfds_name if tfds else ""
            sizes = hparams.sample_rate, hparams.audio_length
            request = nsynth.NsynthRequest(path, name, make_filter(hparams), *sizes)
            (nsynth.prepare_tfds if tfds else nsynth.prepare_official)(request, folder, progress)
        case _:
            _render(hparams, folder, progress)
    return folder


def _render(hparams: HParams, folder: str, progress: bool) -> None:
    from gansynth_tf.data import soundfont

    programs, velocities = _wanted_programs(hparams)
    request = soundfont.SoundfontRequest(
        soundfont_path=hparams.soundfont_path,
        programs=programs,
        min_pitch=hparams.min_pitch,
        max_pitch=hparams.max_pitch,
        velocities=velocities,
        sample_rate=hparams.sample_rate,
        num_samples=hparams.audio_length,
        hold_seconds=hparams.hold_seconds,
    )
    soundfont.render_soundfont(request, folder, progress=progress)


def _wanted_programs(hparams: HParams) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The programs and velocities to render: those that the settings name, as far as they pass the filter."""
    from gansynth_tf.data import soundfont

    keep, programs, velocities = make_filter(hparams), hparams.soundfont_programs, hparams.soundfont_velocities
    if keep.families or keep.sources:
        table = soundfont.program_table()
        named = programs or tuple(program for program, row in table.items() if row["default"])
        rows = {program: table.get(program, {"family": "", "source": ""}) for program in named}
        programs = tuple(
            program for program, row in rows.items()
            if not keep.why_left_out(keep.min_pitch, keep.min_velocity, row["family"], row["source"])
        )  # fmt: skip
        if not programs:
            raise ValueError(f"Expected SoundFont programs of {keep}. None of {list(named)} is; name others.")
    return programs, tuple(v for v in velocities if hparams.min_velocity <= v <= hparams.max_velocity)


def folder_request(hparams: HParams):
    """What to make of a folder of audio, as `data.audio_folder` takes it."""
    from gansynth_tf.data import audio_folder

    return audio_folder.FolderRequest(
        path=_existing(hparams.data_path, "a folder of audio files"),
        sample_rate=hparams.sample_rate,
        num_samples=hparams.audio_length,
        keep=make_filter(hparams),
        detect_pitch=hparams.detect_pitch,
        trim_silence=hparams.trim_silence,
        need_pitch=not hparams.unconditional,
    )


def _existing(path: str, what: str) -> str:
    if not path:
        raise ValueError(f"data_path must name {what}. Received: nothing; set it, as --data_path=DIR or in --hparams.")
    return path if files.is_remote(path) else os.path.expanduser(path)


def make_filter(hparams: HParams) -> NoteFilter:
    """Which notes the settings ask for. An unconditional run takes notes of any pitch."""
    from gansynth_tf.data import filters

    pitch_range = (0, 127) if hparams.unconditional else (hparams.min_pitch, hparams.max_pitch)
    velocity_range = hparams.min_velocity, hparams.max_velocity
    kinds = hparams.instrument_families, hparams.instrument_sources
    return filters.NoteFilter(*pitch_range, *velocity_range, *kinds)


def report_data(folder: str, only_new: bool = False) -> str:
    """What a folder from `prepare_data` holds, as text; report.json and report.png are written into it.

    Args:
        folder: The folder.
        only_new: Whether the text shall be empty if the report was written before.
    """
    from gansynth_tf.data import report

    is_new = report.write_report(folder)
    return report.format_report(report.summarise(folder)) if is_new or not only_new else ""


def load_real_notes(hparams: HParams, split: str = "train", limit: int | None = None) -> dict:
    """Notes of the run's data as arrays: audio [notes, samples], pitch [notes], …

    In an unconditional run every note goes by the pitch of its one class.
    """
    from gansynth_tf.data import pipeline, records

    folder = prepare_data(hparams, progress=False)
    notes = pipeline.load_notes(records.open_split(folder, split), hparams.audio_length, limit=limit)
    classes = count_pitches(folder, hparams.unconditional)
    if not classes.pitched:
        notes["pitch"][:] = classes.pitches[0]
    return notes


def count_pitches(records_folder: str | os.PathLike, unconditional: bool = False) -> PitchClasses:
    """The pitch classes of a prepared folder's training notes, counted as often as training sees them.

    Args:
        records_folder: From `prepare_data`.
        unconditional: Whether all notes are one class; so they are, too, if no note's pitch is known.

    Raises:
        ValueError: Some notes have a known pitch, others do not.
    """
    from gansynth_tf.data import records

    sets = records.open_split(records_folder, "train")
    total = sum(note_set.num_notes for note_set in sets)
    pitched = sum(sum(note_set.pitch_counts.values()) for note_set in sets)
    if unconditional or not pitched:
        return PitchClasses.unpitched(total)
    if pitched < total:
        raise ValueError(
            f"Expected notes whose pitch is known, or none such. Received: {pitched} with a pitch, {total - pitched} "
            "without; set unconditional or detect_pitch to true, or leave a source out."
        )
    if len(sets) == 1:
        counts = sets[0].pitch_counts
    else:
        counts = {pitch: 0.0 for note_set in sets for pitch in note_set.pitch_counts}
        shares = sum(note_set.weight for note_set in sets)
        for note_set in sets:
            for pitch, count in note_set.pitch_counts.items():
                counts[pitch] += total * note_set.weight / shares * count / note_set.num_notes
    pairs = sorted((pitch, max(1, round(count))) for pitch, count in counts.items())
    return PitchClasses(tuple(p for p, _ in pairs), tuple(c for _, c in pairs))
