"""report: counts add up, nothing that was left out is forgotten, the picture has its parts."""

import io
import json

import matplotlib.image
import numpy as np
import pytest

from gansynth_tf.data import notes, records, report


def write_set(directory, pitches, **manifest):
    made = [
        notes.Note(f"n{place}", np.full(20, 0.1), pitch, 64, f"i{place % 2}", "reed", "acoustic", "train")
        for place, pitch in enumerate(pitches)
    ]
    about = {"source": "folder", "sample_rate": 10, "num_samples": 20, **manifest}
    return records.write_records(directory, made, about, 1)


SKIPS = [{"id": "a.wav", "reason": "unreadable: no header"}, {"id": "b.wav", "reason": "silence: a peak below -60 dB"},
         {"id": "c.wav", "reason": "unreadable: cut"}]  # fmt: skip


def test_a_report_counts_notes_minutes_and_what_was_left_out(tmp_path):
    write_set(tmp_path / "set", [59, 60, 60, 61, 90], skipped=SKIPS)
    summary = report.summarise(tmp_path / "set")
    assert summary["splits"]["train"] == {"notes": 5, "minutes": 0.17, "pitches": 4}  # 5 notes of 2 s.
    assert summary["skip_counts"] == {"unreadable": 2, "silence": 1} and summary["instruments"] == 2
    text = report.format_report(summary)
    for words in (
        "2 s at 10 Hz each", "Pitches: 4 from 59 (B3) to 90 (F#6), 1 to 2 notes of each", "Families: reed 5",
        "Left out: 3", "| unreadable | 2     | a.wav (no header)", "| silence    | 1     | b.wav (a peak below -60 dB)",
    ):  # fmt: skip
        assert words in text, text
    bars = {line.split()[0]: line.count("#") for line in text.splitlines() if line.startswith("  ")}
    assert bars == {"48..": 14, "60..": 40, "72..": 0, "84..": 14}


def test_files_are_written_once_and_with_a_new_set_again(tmp_path):
    write_set(tmp_path / "set", [60])
    assert report.write_report(tmp_path / "set") and not report.write_report(tmp_path / "set")
    assert json.loads((tmp_path / "set" / "report.json").read_text()) == report.summarise(tmp_path / "set")
    write_set(tmp_path / "set", [60, 61])
    assert report.write_report(tmp_path / "set")
    assert json.loads((tmp_path / "set" / "report.json").read_text())["pitches"] == {"60": 1, "61": 1}


@pytest.mark.parametrize("pitches", [[60, 61, 61, 90], [notes.UNKNOWN] * 2])
def test_the_picture_grows_with_what_there_is_to_show(pitches, tmp_path):
    heights = []
    for name, skipped in (("few", []), ("more", SKIPS)):
        write_set(tmp_path / name, pitches, skipped=skipped)
        image = matplotlib.image.imread(io.BytesIO(report.draw_report(report.summarise(tmp_path / name))))
        heights.append(image.shape[0])
        assert image.shape[1] == 900 and image[..., :3].std() > 0.05
    assert heights[1] > heights[0]


def test_sounds_without_pitch_are_said_to_be_one_class(tmp_path):
    write_set(tmp_path / "set", [notes.UNKNOWN] * 3)
    assert "unconditional: one class of 3 notes" in report.format_report(report.summarise(tmp_path / "set"))
