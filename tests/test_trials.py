"""benchmarks/trials.py: every variant that can be trained has settings that fit each other."""

import importlib.util
import pathlib
import sys

import pytest

from gansynth_tf import build, settings

BENCHMARKS = pathlib.Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def trials():
    place = importlib.util.spec_from_file_location("trials", BENCHMARKS / "trials.py")
    module = importlib.util.module_from_spec(place)
    sys.modules["trials"] = module  # Where dataclasses look their module up.
    place.loader.exec_module(module)
    yield module
    del sys.modules["trials"]


def test_every_variant_fits(trials, tmp_path):
    chosen = set()
    for trial in trials.TRIALS.values():
        for variant, values in trial.variants.items():
            values = trial.shared | values | {"train_root_dir": str(tmp_path)}
            hparams = settings.resolve_hparams(trial.preset, values)
            resolutions, stages = build.make_schedules(hparams)
            build.make_representation(hparams)
            assert min(resolutions.final) > 1 and stages.total_examples > 0
            assert all(size % hparams.pitch_group_size == 0 for size in hparams.batch_size_schedule)
            chosen.add((trial.preset, variant))
    assert len(chosen) == sum(len(trial.variants) for trial in trials.TRIALS.values()) > 30


def test_a_table_has_means_and_every_seed(trials):
    found = {"real": {"in tune": 1.0, "FID": 5.25}}
    found |= {"a_0": {"in tune": 0.5, "FID": 8.0}, "a_1": {"in tune": 0.75, "FID": None}}
    lines = trials.table(found, ["a"], [0, 1]).splitlines()
    row = dict(zip(lines[0].split(" | "), lines[3].split(" | "), strict=True))
    assert row["in tune"] == "0.62 (0.50, 0.75)" and row["FID"] == "8.0"
    assert dict(zip(lines[0].split(" | "), lines[2].split(" | "), strict=True))["FID"] == "5.2"
