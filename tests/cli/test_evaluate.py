"""gansynth_train_classifier and gansynth_evaluate: a judge, and what it says of everything with audio and pitches."""

import csv
import json
import shutil

import numpy as np
import pytest

from gansynth_tf import audio


@pytest.fixture(scope="module")
def classifier(tiny_hparams, run_command, tmp_path_factory):
    """A classifier of the tiny notes, hardly trained: its folder, the flags that made it, what the command wrote."""
    folder = tmp_path_factory.mktemp("classifier") / "trained"
    arguments = [tiny_hparams(folder.parent / "run"), f"--output_dir={folder}", "--heads=pitch,family"]
    arguments += ["--batch_size=4", "--round_notes=8", "--max_rounds=2"]
    finished = run_command("train_classifier", *arguments)
    assert finished.code == 0, finished.err
    return folder, arguments, finished


@pytest.fixture
def run_copy(tiny_run, tmp_path):
    return shutil.copytree(tiny_run.folder, tmp_path / "run")


def read_rows(folder):
    return [json.loads(line) for line in (folder / "evaluation.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_classifier_is_trained_reported_and_exported(classifier, run_command):
    folder, arguments, finished = classifier
    report = json.loads((folder / "report.json").read_text())
    assert report["accuracy"] <= report["within_semitone"] and report["split"] == "test" and "family_accuracy" in report
    assert f"accuracy: {report['accuracy']:.3f} of {report['num_notes']} test notes" in finished.out
    assert finished.out.count("round ") >= 2 and "family accuracy" in finished.out
    assert (folder / "confusion.png").read_bytes().startswith(b"\x89PNG")
    description = json.loads((folder / "export" / "classifier.json").read_text())
    assert description["hash"] == report["hash"] and description["heads"] == ["pitch", "family"]
    # Finished: the same command reports again; another size is refused.
    again = run_command("train_classifier", *arguments)
    assert again.code == 0 and "Going on" in again.out and json.loads((folder / "report.json").read_text()) == report
    other = run_command("train_classifier", *arguments, "--size=nsynth")
    assert other.code == 2 and "another size" in other.err and other.err.count("\n") == 1


@pytest.mark.slow
def test_everything_with_audio_and_pitches_is_scored_by_one_judge(run_copy, classifier, run_command, tmp_path):
    export = tmp_path / "export"
    assert run_command("export", f"--ckpt_dir={run_copy}", f"--export_dir={export}").code == 0
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "noise.npz", audio=0.1 * rng.normal(size=[7, 5000]), pitch=np.full(7, 61))
    for place in range(5):
        audio.save_wav(tmp_path / "wavs" / f"note_{place}_60.wav", 0.1 * rng.normal(size=3000), 22050)
    compared = f"--compare={run_copy},exported={export},{tmp_path / 'noise.npz'},{tmp_path / 'wavs'}"
    out = tmp_path / "out"
    flags = ["--num_notes=6", "--num_f0_notes=4", f"--classifier={classifier[0]}", f"--output_dir={out}"]
    finished = run_command("evaluate", compared, "--ceiling=wave,mel", *flags)
    assert finished.code == 0, finished.err
    rows = read_rows(out)
    names = ["real, trained on", "real through waveform", "real through mel IF", "run", "exported", "noise.npz", "wavs"]
    assert [row["notes"] for row in rows] == names
    assert [row["num_notes"] for row in rows][3:] == [6, 6, 6, 5]
    real, waveform, _, run, exported = rows[:5]
    # The same model, and a lossless representation, give the same numbers.
    for ours, theirs in ((run, exported), (real, waveform)):
        for key in ("pitch_accuracy", "phase_coherence", "rms_db", f"fid{ours['num_notes']}"):
            assert ours[key] == pytest.approx(theirs[key], rel=2e-2, abs=1e-3), key
    assert rows[5]["phase_coherence"] < 0.4 < real["phase_coherence"]
    protocols = [row["protocol"] for row in rows]
    hashes = {protocol["classifier"] for protocol in protocols}
    assert hashes == {json.loads((classifier[0] / "report.json").read_text())["hash"]}
    assert protocols[3]["latent_seed"] == 0 and protocols[3]["weights"] == "smoothed generator (EMA)"
    assert protocols[2]["representation"] == "mel" and protocols[0]["pitches"] == [60, 61, 62]
    table = list(csv.DictReader((out / "evaluation.csv").read_text().splitlines()))
    assert [row["notes"] for row in table] == names
    assert "| noise.npz (6) |" in (out / "evaluation.md").read_text() and "FID" in finished.out
    assert (out / "evaluation.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_run_without_a_classifier_says_how_to_get_one(run_copy, run_command):
    finished = run_command("evaluate", f"--ckpt_dir={run_copy}", "--num_notes=6", "--num_f0_notes=4")
    assert finished.code == 0, finished.err
    assert finished.out.startswith("| notes | in tune |") and "NDB" in finished.out
    assert "gansynth_train_classifier" in finished.out
    assert [row["notes"] for row in read_rows(run_copy)] == ["real, trained on", "generated"]


@pytest.mark.slow
def test_every_snapshot_of_a_training_is_measured(tiny_hparams, classifier, run_command, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(classifier[0], run / "classifier")
    simple = {"train_progressive": False, "num_resolutions": 1, "start_height": 16, "start_width": 32}
    flag = tiny_hparams(run, **simple, batch_size_schedule=[4], total_num_images=24, save_summaries_num_images=12,
                        snapshot_metric_notes=5)  # fmt: skip
    finished = run_command("train", flag)
    assert finished.code == 0, finished.err
    rows = [json.loads(line) for line in (run / "snapshot_metrics.jsonl").read_text().splitlines()]
    assert [row["examples"] for row in rows] == [12, 24]
    for row in rows:
        assert {"fid5", "ndb2", "pitch_accuracy", "inception_score", "phase_coherence", "in_tune"} <= set(row)
        assert np.all(np.isfinite(list(row.values())))
    # The last snapshot is the finished model: gansynth_evaluate says the same of the same notes.
    flags = [f"--ckpt_dir={run}", "--num_notes=5", "--num_f0_notes=4", "--num_reference=2000"]
    assert run_command("evaluate", *flags).code == 0
    last = read_rows(run)[-1]
    for name in ("fid5", "pitch_entropy", "phase_coherence", "rms_db"):
        assert last[name] == pytest.approx(rows[-1][name], rel=1e-3, abs=1e-3), name


def test_numbers_and_a_picture_of_earlier_snapshots(run_copy, run_command, tmp_path):
    picture = tmp_path / "growth.png"
    flags = [f"--ckpt_dir={run_copy}", "--num_f0_notes=4", "--minutes=0,99", f"--picture={picture}"]
    finished = run_command("evaluate", *flags)
    assert finished.code == 0, finished.err
    assert "42 examples" in finished.out and "75 examples" in finished.out
    assert "fake pitch loss" in finished.out and finished.out.count("\n|") > 5
    assert picture.read_bytes().startswith(b"\x89PNG")
    wrong = run_command("evaluate", f"--ckpt_dir={run_copy}", "--minutes=soon")
    assert wrong.code == 2 and "--minutes must be numbers" in wrong.err and wrong.err.count("\n") == 1


def test_mistakes_end_in_one_line(run_copy, run_command, tmp_path):
    (tmp_path / "empty").mkdir()
    mistakes = {
        f"--compare={run_copy},{tmp_path / 'nothing'}": "does not exist",
        f"--compare={run_copy},{tmp_path / 'empty'}": "Expected audio files",
        f"--ckpt_dir={tmp_path / 'empty'}": "experiment.json",
        f"--compare={tmp_path / 'samples.npz'}": "--config",
    }
    for flag, words in mistakes.items():
        finished = run_command("evaluate", flag, "--num_notes=4")
        assert finished.code == 2 and words in finished.err and finished.err.count("\n") == 1, finished.err
    finished = run_command("evaluate", f"--ckpt_dir={run_copy}", "--ceiling=mp3", "--num_notes=4")
    assert finished.code == 2 and "wave, phase, linear, mel" in finished.err
    finished = run_command("evaluate", f"--ckpt_dir={run_copy}", f"--classifier={tmp_path / 'empty'}", "--num_notes=4")
    assert finished.code == 2 and "gansynth_train_classifier" in finished.err
