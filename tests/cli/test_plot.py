"""gansynth_plot: pictures of runs, of audio files and of folders of them."""

import shutil

import numpy as np
import pytest

from gansynth_tf import plots
from gansynth_tf.audio import save_wav


@pytest.fixture
def sine():
    return (0.4 * np.sin(2 * np.pi * 220 * np.arange(9600) / 16000)).astype(np.float32)


@pytest.mark.slow
def test_a_run(tiny_run, run_command, tmp_path):
    run = shutil.copytree(tiny_run.folder, tmp_path / "run")
    finished = run_command("plot", f"--ckpt_dir={run}")
    assert finished.code == 0, finished.err
    names = ("training", "generated", "interpolation", "real", "folded")
    assert finished.out.splitlines() == [f"Saved to {run / 'plots' / name}.png" for name in names]
    pictures = sorted((run / "plots").iterdir())
    assert [path.name for path in pictures] == sorted(f"{name}.png" for name in names)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


def test_a_model_that_came_without_its_notes(tiny_run, tiny_notes, run_command, tmp_path, monkeypatch):
    drawn = []
    for name in ("plot_note_grid", "plot_folded", "plot_training_curves"):
        monkeypatch.setattr(plots, name, lambda *arguments, **titles: drawn.append(titles.get("row_titles")))
    hidden = tiny_notes.rename(tiny_notes.with_name("hidden"))
    tiny_notes.write_text("no folder")
    try:
        finished = run_command("plot", str(tiny_run.folder), f"--output_dir={tmp_path}")
    finally:
        tiny_notes.unlink()
        hidden.rename(tiny_notes)
    assert finished.code == 0, finished.err
    assert "No real notes are drawn: " in finished.out
    assert drawn == [None, None, ["z 0 to z 1", "z 1 to z 2", "z 2 to z 3"], ["generated 0", "generated 1"]]


def test_an_audio_file_gets_its_picture_beside_it(sine, run_command, tmp_path):
    save_wav(tmp_path / "a3.wav", sine, 16000)
    finished = run_command("plot", str(tmp_path / "a3.wav"), "--format=svg")
    assert finished.code == 0 and finished.err == "", finished.err
    assert finished.out == f"Saved to {tmp_path / 'a3.svg'}\n"
    text = (tmp_path / "a3.svg").read_text()
    assert text.startswith("<?xml") and "</svg>" in text
    for written in ("time, s", "frequency, Hz", "time within a period, ms", "220.0 Hz, 1.000 repeats"):
        assert written in text, f"{written!r} is not in the picture"


def test_a_folder_of_notes_takes_as_many_pictures_as_it_needs(sine, run_command, tmp_path):
    for index in range(9):
        save_wav(tmp_path / "notes" / f"note_{index}.wav", sine[: 2000 + 700 * index], 16000)
    finished = run_command("plot", f"--output_dir={tmp_path / 'out'}", "--pitch=57", str(tmp_path / "notes"))
    assert finished.code == 0, finished.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["notes_000.png", "notes_008.png"]


def test_what_is_no_model_and_no_audio(run_command, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.wav").write_text("no audio")
    for name, words in (("empty", "experiment.json"), ("notes.wav", "audio"), ("missing", "does not exist")):
        finished = run_command("plot", str(tmp_path / name))
        assert finished.code == 2 and finished.err.count("\n") == 1 and words in finished.err, finished.err
