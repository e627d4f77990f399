"""Where settings become data: HParams -> a folder of notes, its pitch classes, notes as arrays."""

from __future__ import annotations

import pathlib

from gansynth_tf.hparams import HParams
from gansynth_tf.pitches import PitchClasses


def prepare_data(hparams: HParams, progress: bool = True) -> pathlib.Path:
    """Makes sure that the run's notes are on disk.

    Returns:
        The folder of TFRecord shards and their manifest.
    """
    from gansynth_tf.data import soundfont

    if hparams.dataset_name != "soundfont":
        raise ValueError(f"Notes of {hparams.dataset_name} cannot be read yet. Set dataset_name to soundfont.")
    folder = pathlib.Path(hparams.records_dir or pathlib.Path(hparams.train_root_dir) / "data")
    request = soundfont.SoundfontRequest(
        soundfont_path=hparams.soundfont_path,
        programs=hparams.soundfont_programs,
        min_pitch=hparams.min_pitch,
        max_pitch=hparams.max_pitch,
        velocities=hparams.soundfont_velocities,
        sample_rate=hparams.sample_rate,
        num_samples=hparams.audio_length,
        hold_seconds=hparams.hold_seconds,
    )
    soundfont.render_soundfont(request, folder, progress=progress)
    return folder


def load_real_notes(hparams: HParams, split: str = "train", limit: int | None = None) -> dict:
    """Notes of the run's data as arrays: audio [notes, samples], pitch [notes], …"""
    from gansynth_tf.data import pipeline, records

    shards = records.list_shards(prepare_data(hparams, progress=False), split)
    return pipeline.load_notes(shards, hparams.audio_length, limit=limit)


def count_pitches(records_folder: pathlib.Path) -> PitchClasses:
    """The pitch classes of a prepared folder's training notes."""
    from gansynth_tf.data import records

    counts = records.read_manifest(records_folder)["splits"]["train"]["pitches"]
    pairs = sorted((int(pitch), int(count)) for pitch, count in counts.items())
    return PitchClasses(tuple(p for p, _ in pairs), tuple(c for _, c in pairs))
