"""gansynth_prepare: notes beforehand."""

import re


def test_notes_are_rendered_once(tiny_notes, tiny_hparams, run_command, tmp_path):
    before = {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in tiny_notes.iterdir()}
    finished = run_command("prepare", tiny_hparams(tmp_path / "run"), f"--output_dir={tiny_notes}")
    assert finished.code == 0 and finished.err == ""
    assert finished.out.startswith(f"Notes in {tiny_notes} (source: soundfont): 0.25 s at 16000 Hz each")
    assert re.search(r"^\| train +\| \d +\| 0.0\d +\| 3 +\|$", finished.out, flags=re.MULTILINE)
    assert "Pitches: 3 from 60 (C4) to 62 (D4)" in finished.out and "Instruments: 2" in finished.out
    assert {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in tiny_notes.iterdir()} == before
    assert not list(tmp_path.iterdir())
