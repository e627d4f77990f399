"""Every preset resolves, says what it is, and, built narrow on a few notes, trains, generates and exports."""

import ast

import numpy as np
import pytest

import gansynth_tf
from gansynth_tf import build, build_training, export, settings
from gansynth_tf.hparams import HParams
from gansynth_tf.training import strategy

PRESETS = settings.list_presets()
# Those of the systems that GANSynth was compared with have their own tests, in tests/baselines.
GANSYNTHS = [name for name in PRESETS if "model_type" not in settings.read_preset(name)]
# What makes a preset small without changing its signal path, its schedule's shape or its losses: two resolutions, a few
# channels, one update in batches of two.
NARROW = {
    "dataset_name": "records", "num_resolutions": 2, "latent_vector_size": 5, "fmap_base": 16, "fmap_max": 4,
    "fmap_min": 2, "batch_size_schedule": [2], "stable_stage_num_images": 2, "transition_stage_num_images": 2,
    "total_num_images": 2, "train_time_limit": None, "normalizer_num_examples": 4, "fake_batch_size": 2,
}  # fmt: skip


def narrow(hparams: HParams) -> dict:
    """What to override, with as many samples as the small specgram has room for."""
    step = hparams.scale_base if hparams.scale_mode == "ALL" else 1
    frame = 2 * hparams.start_width * step * hparams.mel_downscale
    frames = hparams.start_height * hparams.scale_base
    own = {"audio_length": (frames - 1) * frame // 4 + frame, "pitch_group_size": min(2, hparams.pitch_group_size)}
    return NARROW | own


def test_there_are_presets():
    assert "quickstart" in PRESETS and gansynth_tf.list_presets() == PRESETS


@pytest.mark.parametrize("name", GANSYNTHS)
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


def test_the_best_preset_has_magentas_values():
    # magenta/models/gansynth/configs/mel_prog_hires.py; g_fn and d_fn mean nothing here.
    assert {k: v for k, v in settings.read_preset("mel_prog_hires").items() if k != "train_root_dir"} == {
        "data_type": "mel", "total_num_images": 11000000, "discriminator_learning_rate": 0.0008,
        "generator_learning_rate": 0.0008, "train_progressive": True, "stable_stage_num_images": 800000,
        "transition_stage_num_images": 800000, "save_summaries_num_images": 10000, "batch_size_schedule": [8],
        "fmap_base": 4096, "fmap_decay": 1.0, "fmap_max": 256, "fake_batch_size": 61, "latent_vector_size": 256,
        "kernel_size": 3, "gradient_penalty_target": 1.0, "gradient_penalty_weight": 10.0,
        "real_score_penalty_weight": 0.001, "generator_ac_loss_weight": 10.0, "discriminator_ac_loss_weight": 10.0,
        "gen_gl_consistency_loss_weight": 0.0, "dataset_name": "nsynth_tfds", "scale_mode": "ALL", "scale_base": 2,
        "num_resolutions": 7, "start_height": 2, "start_width": 16,
    }  # fmt: skip


@pytest.mark.parametrize("kind, data_type", [("mel", "mel"), ("if", "linear"), ("phase", "phase")])
def test_the_papers_presets_differ_in_what_their_names_say(kind, data_type):
    best = settings.read_preset("mel_prog_hires")
    for resolution, start in (("_hires", (2, 16)), ("", (4, 8))):
        for growth, progressive, total in (("", True, 11000000), ("_noprog", False, 4000000)):
            values = best | settings.read_preset(f"{kind}_prog{resolution}{growth}")
            assert values["data_type"] == data_type and (values["start_height"], values["start_width"]) == start
            assert values["train_progressive"] is progressive and values["total_num_images"] == total
            changed = {name for name in best if values[name] != best[name]}
            assert changed <= {"train_root_dir", "data_type", "start_height", "start_width", "train_progressive",
                               "total_num_images"}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", GANSYNTHS)
def test_preset_trains_generates_and_exports(name, tiny_notes, tmp_path):
    run = tmp_path / "run"
    places = {"data_path": str(tiny_notes), "train_root_dir": str(run)}
    hparams = settings.resolve_hparams(name, {"train_root_dir": str(run)})
    hparams = hparams.override(narrow(hparams) | places)
    loop = build_training.make_training(hparams, strategy.make_strategy("one_device"), lambda *_: None)
    assert loop.run() and loop.examples == 2
    loop.reporter.close()
    model = gansynth_tf.load(run)
    model.set_stage(model.generator.resolutions.num_resolutions, None)  # Every block, however short the run was.
    z, pitches = model.sample_z(2, seed=0), [model.pitches[0], model.pitches[-1]]
    waves = model.generate(z, pitches)
    assert waves.shape == (2, hparams.audio_length) and np.all(np.isfinite(waves)) and np.abs(waves).max() > 0
    export.export_model(model, tmp_path / "export")
    exported = gansynth_tf.load(tmp_path / "export").generate(z, pitches)
    np.testing.assert_allclose(exported, waves, atol=1e-5 * max(1, np.abs(waves).max()))
