"""gansynth_train --init_from: settings and weights of another model, notes of one's own."""

import json
import pathlib

import numpy as np
import pytest

import gansynth_tf

# What a user gives: where, which notes, how long.
NOTES = {
    "soundfont_programs": [24, 40], "soundfont_velocities": [100], "min_pitch": 61, "max_pitch": 64,
    "total_num_images": 24, "batch_size_schedule": [4], "snapshot_metric_notes": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def tuned(tiny_run, run_command, tmp_path_factory):
    """A run of 24 examples from the small run's weights, and what the command printed."""
    folder = tmp_path_factory.mktemp("tuned") / "run"
    flags = [f"--init_from={tiny_run.folder}", f"--hparams={json.dumps(NOTES | {'train_root_dir': str(folder)})}"]
    return folder, flags, run_command("train", *flags)


def test_settings_come_from_the_model_but_for_notes_files_and_length(tuned, tiny_run):
    folder, _, finished = tuned
    assert finished.code == 0, finished.err
    own, theirs = (json.loads((run / "experiment.json").read_text()) for run in (folder, tiny_run.folder))
    assert own["init_from"] == str(tiny_run.folder) and own["train_progressive"] is False
    same = ("mel_downscale", "start_height", "latent_vector_size", "fmap_base", "audio_length", "adam_beta2")
    assert [own[name] for name in same] == [theirs[name] for name in same]
    assert own["records_dir"] == "" and own["max_pitch"] == 64
    assert gansynth_tf.load(folder).pitches == [61, 62, 63, 64]


def test_it_says_what_it_starts_from(tuned, tiny_run):
    _, _, finished = tuned
    assert f"Starting from the weights of {tiny_run.folder}." in finished.out
    assert "Pitches that it does not know begin as the nearest that it does: 63, 64." in finished.out


def test_it_starts_near_the_model_and_moves(tuned, tiny_run):
    folder, _, _ = tuned
    before, after = gansynth_tf.load(tiny_run.folder), gansynth_tf.load(folder)
    z = before.sample_z(6, seed=1)
    was, became = (model.generate_specgrams(z, [62] * 6) for model in (before, after))
    assert 0 < np.abs(was - became).mean() < 0.5 * np.std(was)


def test_the_same_command_goes_on_even_when_the_model_is_gone(tuned, run_command):
    _, flags, _ = tuned
    gone = [flags[0] + "_gone", flags[1].replace('"total_num_images": 24', '"total_num_images": 32')]
    refused = run_command("train", *gone)
    assert refused.code == 2 and "init_from" in refused.err
    finished = run_command("train", flags[0], gone[1])
    assert finished.code == 0 and "Finished at 32 examples" in finished.out, finished.err


def test_a_preset_of_another_architecture(tiny_run, run_command, tmp_path):
    given = json.dumps(NOTES | {"train_root_dir": str(tmp_path / "run")})
    finished = run_command("train", "--config=quickstart", f"--init_from={tiny_run.folder}", f"--hparams={given}")
    assert finished.code == 2 and "same architecture" in finished.err and "Traceback" not in finished.err
    assert not list((tmp_path / "run").rglob("*.index"))


def test_an_exported_model_has_no_critic(exported, run_command, tiny_hparams, tmp_path):
    finished = run_command("train", tiny_hparams(tmp_path / "run"), f"--init_from={exported}")
    assert finished.code == 2 and "with its critic" in finished.err


def test_magentas_model_is_tuned(make_magenta, run_command, tmp_path):
    source = make_magenta(tmp_path / "magenta")
    given = json.dumps(NOTES | {"train_root_dir": str(tmp_path / "run"), "total_num_images": 8})
    finished = run_command("train", f"--init_from={source.folder}", f"--hparams={given}")
    assert finished.code == 0, finished.err
    assert gansynth_tf.load(tmp_path / "run").pitches == [61, 62, 63, 64]
    assert json.loads((pathlib.Path(tmp_path) / "run" / "experiment.json").read_text())["fmap_max"] == 7
