"""Where settings come from: presets, files, the command line."""

import json

import pytest

from gansynth_tf import settings
from gansynth_tf.hparams import IGNORED_MAGENTA_KEYS, HParams


def test_a_magenta_command_line_runs_with_one_warning(tmp_path):
    values = {"train_root_dir": str(tmp_path), "train_data_path": "/path/to/nsynth-train.tfrecord", "ps_tasks": 0,
              "master": "", "debug_hook": False, "stable_stage_num_images": 24}  # fmt: skip
    with pytest.warns(UserWarning, match="mean nothing here: train_data_path, master, ps_tasks, debug_hook") as caught:
        hparams = settings.resolve_hparams("", values)
    assert len(caught) == 1 and hparams.stable_stage_num_images == 24
    with pytest.warns(UserWarning) as caught:
        settings.resolve_hparams("", dict.fromkeys(IGNORED_MAGENTA_KEYS) | {"train_root_dir": str(tmp_path)})
    assert len(caught) == 1


def test_settings_without_magentas_dead_ones_warn_of_nothing(tmp_path):
    settings.resolve_hparams("quickstart", {"train_root_dir": str(tmp_path)})


def test_config_may_be_a_runs_own_settings(tmp_path):
    hparams = HParams(train_root_dir=str(tmp_path / "run"), fmap_max=13, seed=5)
    file = tmp_path / "run" / "experiment.json"
    file.parent.mkdir()
    file.write_text(json.dumps(hparams.to_dict()))
    assert settings.resolve_hparams(str(file), {}) == hparams
    elsewhere = settings.resolve_hparams(str(file), {"train_root_dir": str(tmp_path / "other"), "seed": 6})
    assert (elsewhere.fmap_max, elsewhere.seed) == (13, 6)
    with pytest.raises(ValueError, match="or the path of a .py file or of a run's experiment.json"):
        settings.resolve_hparams(str(tmp_path / "missing.json"), {})
