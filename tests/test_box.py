"""The model in the box: whole, licensed, small, in tune, and what commands play when they are given no model."""

import hashlib
import json
import pathlib

import numpy as np
import pytest

import gansynth_tf
from gansynth_tf import audio, settings
from gansynth_tf.evaluation.pitch_metrics import measure_pitch

PACKAGE = pathlib.Path(gansynth_tf.__file__).parent
IN_TUNE = json.loads((settings.BOX / "model.json").read_text())["reported"]["in_tune"]


@pytest.fixture(scope="module")
def box():
    return gansynth_tf.load()


def test_its_weights_are_those_that_were_measured():
    reported = json.loads((settings.BOX / "model.json").read_text())["reported"]
    assert hashlib.sha256((settings.BOX / "weights.npz").read_bytes()).hexdigest() == reported["sha256"]


def test_its_licence_and_recipe_stand_beside_it():
    licence = (settings.BOX / "LICENSE").read_text()
    for words in ("Frank Wen", "Michael Cowgill", "Permission is hereby granted, free of charge", "Apache"):
        assert words in licence
    assert "gansynth_train --config=mini" in (settings.BOX / "README.md").read_text()


def test_it_is_small_and_nothing_else_in_the_package_is_large():
    sizes = {path: path.stat().st_size for path in PACKAGE.rglob("*") if "__pycache__" not in path.parts}
    files = {path: size for path, size in sizes.items() if path.is_file()}
    assert sum(size for path, size in files.items() if settings.BOX in path.parents) < 8_000_000
    assert max(size for path, size in files.items() if path != settings.BOX / "weights.npz") < 100_000


def test_it_was_built_by_its_preset(box):
    expected = settings.read_preset("mini")
    own = settings.read_experiment(settings.BOX / "experiment.json").to_dict()
    architecture = ("num_resolutions", "start_height", "start_width", "latent_vector_size", "fmap_max", "audio_length")
    assert {name: own[name] for name in architecture} == {name: expected[name] for name in architecture}
    assert box.audio_length >= box.sample_rate == 16000
    assert np.ptp(box.pitches) >= 36 and len(box.pitches) == np.ptp(box.pitches) + 1


def test_32_notes_are_in_tune(box):
    pitches = np.linspace(box.pitches[0], box.pitches[-1], 32).round().astype(int)
    waves = box.generate(box.sample_z(32, seed=7), pitches)
    assert np.isfinite(waves).all() and np.abs(waves).max(axis=1).min() > 0.01
    measured = np.array([measure_pitch(wave, box.sample_rate) for wave in waves])
    in_tune = np.mean(np.abs(measured - pitches) < 0.5)
    # Three standard deviations of a share of 32.
    assert in_tune >= IN_TUNE - 3 * np.sqrt(IN_TUNE * (1 - IN_TUNE) / 32)


@pytest.mark.parametrize("given", ["", "box", None])
def test_it_is_what_no_name_means(given, box, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert settings.find_model(given or "") == settings.BOX
    if given != "":
        (tmp_path / "box").mkdir()
        assert settings.find_model("box") == pathlib.Path("box")  # A folder of that name comes first.


def test_a_tune_without_a_model(run_command, tmp_path):
    finished = run_command("generate", "--tune", "--tracks=own", "--seed=1", f"--output_dir={tmp_path}")
    assert finished.code == 0, finished.err
    wave = audio.load_audio(tmp_path / "generated_clip.wav", 16000)
    assert len(wave) > 20 * 16000 and np.abs(wave).max() > 0.05


def test_a_run_starts_from_it(run_command, tmp_path):
    notes = {
        "soundfont_programs": [24, 40], "soundfont_velocities": [100], "min_pitch": 60, "max_pitch": 63,
        "total_num_images": 8, "snapshot_metric_notes": 0, "train_root_dir": str(tmp_path / "run"),
    }  # fmt: skip
    finished = run_command("train", "--init_from=box", f"--hparams={json.dumps(notes)}")
    assert finished.code == 0, finished.err
    assert gansynth_tf.load(tmp_path / "run").latent_size == gansynth_tf.load().latent_size


def test_it_is_explored_and_drawn_outside_of_the_package(run_command, tmp_path):
    before = sorted(settings.BOX.iterdir())
    finished = run_command("explore", "--ckpt_dir=box", f"--output_dir={tmp_path / 'explore'}", "--num_latents=64")
    assert finished.code == 0, finished.err
    assert (tmp_path / "explore" / "sliders.png").is_file()
    finished = run_command("explore", "--ckpt_dir=box", "--refit")
    assert finished.code == 2 and "copy it" in finished.err
    finished = run_command("plot", "--ckpt_dir=box", f"--output_dir={tmp_path / 'plots'}")
    assert finished.code == 0, finished.err
    assert (tmp_path / "plots" / "generated.png").is_file() and sorted(settings.BOX.iterdir()) == before
