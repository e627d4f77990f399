"""Every baseline's preset resolves and, built narrow on a few notes, trains, goes on, makes notes and is exported."""

import numpy as np
import pytest

import gansynth_tf
from gansynth_tf import build, build_baselines, build_training, export, settings
from gansynth_tf.training import strategy

PRESETS = [name for name in settings.list_presets() if "model_type" in settings.read_preset(name)]
# What makes a preset small without changing its networks' kinds or its losses.
NARROW = {
    "dataset_name": "records", "audio_length": 2100, "latent_vector_size": 5, "batch_size_schedule": [1],
    "total_num_images": 4, "train_time_limit": None, "steps_per_call": 2,
    "wavegan_dim": 1, "wavegan_critic_updates": 2, "wavenet_width": 4, "wavenet_skip_width": 5, "wavenet_layers": 2,
    "wavenet_stack_layers": 2, "wavenet_condition_width": 3, "wavenet_chunk_frames": 2, "wavenet_encoder_width": 3,
    "wavenet_code_size": 2, "spectral_width": 2, "spectral_code_size": 6, "griffin_lim_iterations": 2,
}  # fmt: skip


def train(hparams) -> gansynth_tf.model.GANSynth:
    loop = build_training.make_training(hparams, strategy.make_strategy("one_device"), lambda *_: None)
    assert loop.run() and loop.examples == hparams.total_num_images
    loop.reporter.close()
    return loop.updates.model


def test_there_are_presets():
    kinds = {settings.read_preset(name)["model_type"] for name in PRESETS}
    assert kinds == {"wavegan", "wavenet", "wavenet_autoencoder", "spectral_autoencoder"}
    assert {f"{kind}_laptop" for kind in kinds} <= set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_preset_resolves(name):
    hparams = settings.resolve_hparams(name, {"train_root_dir": "/tmp/gansynth/no/such/run"})
    build_baselines.check_length(hparams)
    _, stages = build.make_schedules(hparams)
    assert stages.stages == (0,) and stages.total_examples == hparams.total_num_images
    assert hparams.train_time_limit is None or hparams.total_num_images >= 1000 * hparams.batch_size_schedule[-1]


@pytest.mark.parametrize("name", PRESETS)
def test_preset_trains_generates_and_exports(name, tiny_notes, tmp_path):
    run, values = tmp_path / "run", settings.read_preset(name)
    places = {"data_path": str(tiny_notes), "train_root_dir": str(run)}
    hparams = settings.resolve_hparams(name, NARROW | places)
    trained = train(hparams)
    model = gansynth_tf.load(run)
    assert model.name == values["model_type"] and list(run.glob("events.*")) and (run / "metrics.jsonl").is_file()
    z, pitches = model.sample_z(3, seed=0), [model.pitches[0], *model.pitches[-1:] * 2]
    np.testing.assert_allclose(trained.sample_z(3, seed=0), z, atol=1e-6)
    waves = model.generate(z, pitches)
    assert waves.shape == (3, 2100) and np.all(np.isfinite(waves)) and np.abs(waves).max() > 0
    if values["model_type"] == "spectral_autoencoder":
        with pytest.raises(ValueError, match="outside of any graph"):
            export.export_model(model, tmp_path / "export")
        return
    export.export_model(model, tmp_path / "export")
    exported = gansynth_tf.load(tmp_path / "export")
    np.testing.assert_allclose(exported.sample_z(3, seed=0), z, atol=1e-5)
    # A draw on the edge of two classes may fall to either side.
    assert np.mean(np.abs(exported.generate(z, pitches) - waves) < 1e-4) > 0.98
