"""Checkpoints that stay: which, where, and that they play."""

import json
import math
import pathlib

import pytest

from gansynth_tf.training import checkpoints
from gansynth_tf.training.keeping import Keeper, kept_name


@pytest.fixture
def run(tmp_path) -> pathlib.Path:
    """A run folder whose checkpoint is files of one word."""
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    for name in ("ckpt-40.index", "ckpt-40.data-00000-of-00001", "ckpt-400.index"):
        (folder / "checkpoints" / name).write_text(name)
    for name in ("experiment.json", "pitches.json"):
        (folder / name).write_text(f'{{"from": "{name}"}}')
    return folder


def newest(run: pathlib.Path) -> str:
    return str(run / "checkpoints" / "ckpt-40")


def test_counts_to_keep(run):
    assert Keeper(run).next_count(7) is None
    keeper = Keeper(run, every_examples=50)
    assert [keeper.next_count(count) for count in (0, 49, 50, 101)] == [50, 50, 100, 150]
    assert kept_name(1200) == "examples_000001200"


def test_a_copy_is_a_run_folder_that_outlives_the_original(run):
    folder = Keeper(run).keep(newest(run), kept_name(40))
    assert folder == run / "kept" / "examples_000000040"
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    data = "checkpoints/ckpt-40.data-00000-of-00001"
    assert names == ["checkpoints/checkpoint", data, "checkpoints/ckpt-40.index", "experiment.json", "pitches.json"]
    for path in run.glob("checkpoints/ckpt-40.*"):
        path.unlink()
    assert (folder / data).read_text() == "ckpt-40.data-00000-of-00001"
    assert checkpoints.latest_checkpoint(folder) == str(folder / "checkpoints" / "ckpt-40")
    assert not [path for path in run.rglob(".*")]


@pytest.mark.parametrize(("best_by", "values", "expected"), [
    ("pitch_accuracy", [0.1, 0.5, 0.4, math.nan, 0.6], [True, True, False, False, True]),
    ("-fid", [9.0, 12.0, 8.0, math.inf, 7.5], [True, False, True, False, True]),
])  # fmt: skip
def test_the_best_by_a_metric(run, best_by, values, expected):
    name, found = best_by.removeprefix("-"), []
    for examples, value in enumerate(values):
        keeper = Keeper(run, best_by=best_by)  # Each a process of its own.
        found.append(keeper.is_best({name: value, "other": 100.0}))
        if found[-1]:
            keeper.keep_best(newest(run), examples, {name: value})
            assert not keeper.is_best({name: value})
    assert found == expected
    record = json.loads((run / "kept" / "best" / "best.json").read_text())
    assert record == {"metric": name, "value": values[-1], "examples": len(values) - 1}
    assert Keeper(run, best_by="other").is_best({"other": -5.0})  # Another metric begins anew.


def test_what_is_not_measured_cannot_be_best(run):
    assert not Keeper(run).is_best({})
    with pytest.raises(ValueError, match="must name one of a, fid. Received: 'fit'"):
        Keeper(run, best_by="-fit").is_best({"fid": 1.0, "a": 2.0})
    with pytest.raises(ValueError, match="needs snapshots that are measured"):
        Keeper(run, best_by="fid").is_best({})


def test_a_damaged_record_is_named(run):
    Keeper(run, best_by="fid").keep_best(newest(run), 40, {"fid": 1.0})
    (run / "kept" / "best" / "best.json").write_text('{"metric": "fid"')
    with pytest.raises(ValueError, match="best.json is damaged"):
        Keeper(run, best_by="fid")
