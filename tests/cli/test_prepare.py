"""gansynth_prepare and gansynth_evaluate: notes beforehand, numbers afterwards."""

import json
import re
import shutil

import pytest


@pytest.fixture
def run_copy(tiny_run, tmp_path):
    return shutil.copytree(tiny_run.folder, tmp_path / "run")


def test_notes_are_rendered_once(tiny_notes, tiny_hparams, run_command, tmp_path):
    before = {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in tiny_notes.iterdir()}
    finished = run_command("prepare", tiny_hparams(tmp_path / "run"), f"--output_dir={tiny_notes}")
    assert finished.code == 0 and finished.err == ""
    assert finished.out.startswith(f"Notes in {tiny_notes} (source: soundfont): 0.25 s at 16000 Hz each")
    assert re.search(r"^\| train +\| \d +\| 0.0\d +\| 3 +\|$", finished.out, flags=re.MULTILINE)
    assert "Pitches: 3 from 60 (C4) to 62 (D4)" in finished.out and "Instruments: 2" in finished.out
    assert {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in tiny_notes.iterdir()} == before
    assert not list(tmp_path.iterdir())


def test_numbers_of_the_model_and_of_real_notes(run_copy, run_command):
    finished = run_command("evaluate", f"--ckpt_dir={run_copy}", "--num_notes=6")
    assert finished.code == 0, finished.err
    assert finished.out.startswith("|") and "real" in finished.out and "generated" in finished.out
    rows = [json.loads(line) for line in (run_copy / "evaluation.jsonl").read_text().splitlines()]
    assert [row["notes"] for row in rows] == ["real", "generated"]


def test_numbers_and_a_picture_of_earlier_snapshots(run_copy, run_command, tmp_path):
    picture = tmp_path / "growth.png"
    flags = [f"--ckpt_dir={run_copy}", "--num_notes=4", "--minutes=0,99", f"--picture={picture}"]
    finished = run_command("evaluate", *flags)
    assert finished.code == 0, finished.err
    assert "42 examples" in finished.out and "75 examples" in finished.out
    assert "fake pitch loss" in finished.out and finished.out.count("\n|") > 5
    assert picture.read_bytes().startswith(b"\x89PNG")
    wrong = run_command("evaluate", f"--ckpt_dir={run_copy}", "--minutes=soon")
    assert wrong.code == 2 and "--minutes must be numbers" in wrong.err and wrong.err.count("\n") == 1
