"""The loop around the updates: the best is kept, what cannot be saved is not, a folder that is gone is named."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

import gansynth_tf
from gansynth_tf import build_training
from gansynth_tf.hparams import HParams
from gansynth_tf.training.reporting import TrainingDiverged

# One stage of one block; snapshots after 8, 16, 24 examples.
SIMPLE = {
    "train_progressive": False, "num_resolutions": 1, "start_height": 16, "start_width": 32, "batch_size_schedule": [4],
    "steps_per_call": 2, "save_summaries_num_images": 8, "total_num_images": 24,
}  # fmt: skip


@pytest.fixture
def make_loop(tiny_hparams, tmp_path):
    """Makes a loop on shared notes, in a folder of its own; a function of the examples measures its snapshots."""

    def make(measure=lambda examples: None, **others):
        flag = tiny_hparams(tmp_path / "run", **SIMPLE | others)
        hparams = HParams().override(json.loads(flag.removeprefix("--hparams=")))
        strategy = tf.distribute.OneDeviceStrategy("CPU:0")
        return build_training.make_training(hparams, strategy, lambda model, examples, seconds: measure(examples))

    return make


@pytest.mark.slow
def test_the_best_snapshot_and_every_so_many_are_kept(make_loop, tmp_path):
    run, worth = tmp_path / "run", {8: 0.2, 16: 0.7, 24: 0.5}
    loop = make_loop(lambda examples: {"charm": worth[examples]}, keep_best="charm", keep_every_examples=12)
    assert loop.run()
    loop.reporter.close()
    kept = {path.name for path in (run / "kept").iterdir()}
    assert kept == {"best", "examples_000000012", "examples_000000024"}
    assert json.loads((run / "kept" / "best" / "best.json").read_text())["examples"] == 16
    measured = [json.loads(line) for line in (run / "snapshot_metrics.jsonl").read_text().splitlines()]
    assert [(row["examples"], row["charm"]) for row in measured] == sorted(worth.items())
    shutil.rmtree(run / "checkpoints")
    models = {name: gansynth_tf.load(run / "kept" / name) for name in kept}
    z = models["best"].sample_z(2, seed=1)
    best, first, last = (models[name].generate(z, [60, 62]) for name in sorted(kept))
    assert not np.array_equal(best, first) and not np.array_equal(best, last)
    np.testing.assert_array_equal(last, loop.updates.model.generate(z, [60, 62]))


def test_batches_are_of_whole_groups(make_loop):
    with pytest.raises(ValueError, match=r"multiples of 3: .* times pitch_group_size \(3\). Received: 4"):
        make_loop(pitch_group_size=3)


def test_weights_that_are_no_numbers_are_not_saved(make_loop, tmp_path):
    loop = make_loop()
    kernel = loop.updates.model.discriminator.score.kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    loop.examples = 4
    with pytest.raises(TrainingDiverged, match="A weight became NaN or infinite by 4 examples"):
        loop._save()
    assert not list((tmp_path / "run").glob("checkpoints/*"))


def test_a_folder_that_is_gone_is_named(make_loop, tmp_path, monkeypatch):
    loop = make_loop()
    shutil.rmtree(tmp_path / "run")
    monkeypatch.setattr(loop, "_run", lambda: open(tmp_path / "run" / "metrics.jsonl", "a"))
    with pytest.raises(ValueError, match=f"The run folder {tmp_path / 'run'} is gone"):
        loop.run()


def test_an_unmeasured_best_is_refused_at_the_first_snapshot(make_loop):
    loop = make_loop(keep_best="charm")
    loop.examples = 8
    loop.state.stage.assign(0)
    with pytest.raises(ValueError, match="keep_best needs snapshots that are measured"):
        loop._snapshot()
