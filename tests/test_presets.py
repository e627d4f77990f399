"""Every preset resolves, says what it is, and, built narrow on a few notes, trains, generates and exports."""

import ast
import json

import numpy as np
import pytest

import gansynth_tf
from gansynth_tf import build, export, settings

PRESETS = settings.list_presets()
# What makes a preset small without changing its signal path, its resolutions or its losses.
NARROW = {
    "soundfont_programs": [11, 24], "soundfont_velocities": [100], "min_pitch": 60, "max_pitch": 62,
    "fmap_base": 16, "fmap_max": 4, "fmap_min": 2, "batch_size_schedule": [2], "stable_stage_num_images": 2,
    "transition_stage_num_images": 2, "total_num_images": 4, "train_time_limit": None, "normalizer_num_examples": 4,
    "fake_batch_size": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def notes_folder(tmp_path_factory):
    """A folder of notes for each length, shared by the presets that have it."""
    parent = tmp_path_factory.mktemp("notes")
    return lambda hparams: parent / f"{hparams.audio_length}_{hparams.sample_rate}_{hparams.soundfont_hold_fraction}"


def test_there_are_presets():
    assert "quickstart" in PRESETS and gansynth_tf.list_presets() == PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_preset_resolves(name):
    hparams = settings.resolve_hparams(name, {"train_root_dir": "/tmp/gansynth/no/such/run"})
    representation, (resolutions, stages) = build.make_representation(hparams), build.make_schedules(hparams)
    assert tuple(representation.specgram_shape[:2]) == resolutions.final
    assert representation.audio_length == hparams.audio_length
    assert stages.stages[-1] == stages.num_stages - 1, "the run ends before its last stage"
    assert hparams.train_time_limit is None or hparams.total_num_images >= 1000 * hparams.batch_size_schedule[-1]


@pytest.mark.parametrize("name", PRESETS)
def test_preset_opens_with_its_command(name):
    text = ast.get_docstring(ast.parse(PRESETS[name].read_text()))
    assert text and f"gansynth_train --config={name}" in text
    assert settings.read_preset(name)["train_root_dir"] == f"runs/{name}"


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_preset_trains_generates_and_exports(name, notes_folder, run_command, tmp_path):
    run = tmp_path / "run"
    notes = notes_folder(settings.resolve_hparams(name, {"train_root_dir": str(run)}))
    overrides = NARROW | {"train_root_dir": str(run), "records_dir": str(notes)}
    finished = run_command("train", f"--config={name}", f"--hparams={json.dumps(overrides)}")
    assert finished.code == 0 and "Finished at 4 examples" in finished.out, finished
    model = gansynth_tf.load(run)
    model.set_stage(model.generator.resolutions.num_resolutions, None)  # Every block, however short the run was.
    z, pitches = model.sample_z(2, seed=0), [model.pitches[0], model.pitches[-1]]
    waves = model.generate(z, pitches)
    hparams = settings.read_experiment(run / "experiment.json")
    assert waves.shape == (2, hparams.audio_length) and np.all(np.isfinite(waves)) and np.abs(waves).max() > 0
    export.export_model(model, tmp_path / "export")
    exported = gansynth_tf.load(tmp_path / "export").generate(z, pitches)
    np.testing.assert_allclose(exported, waves, atol=1e-5 * max(1, np.abs(waves).max()))
