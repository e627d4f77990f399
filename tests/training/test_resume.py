"""A run that is killed at random moments goes on each time, and ends where an uninterrupted one does."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

import gansynth_tf

KILLS = 3
SCHEDULE = {
    "stable_stage_num_images": 480, "transition_stage_num_images": 480, "total_num_images": 1440,
    "batch_size_schedule": [8, 4], "save_summaries_num_images": 1000, "checkpoint_seconds": 0.2, "keep_checkpoints": 2,
}  # fmt: skip


def start(flag):
    """A process that trains on one thread: several add gradients up in any order, and training magnifies that."""
    script = pathlib.Path(sys.executable).parent / "gansynth_train"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    environment |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    return subprocess.Popen([script, flag], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def weights(run):
    model = gansynth_tf.load(run)
    networks = (model.generator, model.smoothed_generator, model.discriminator, model.normalizer)
    return [variable.numpy() for network in networks for variable in network.weights]


def read_rows(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def newest_count(run):
    newest = tf.train.latest_checkpoint(str(run / "checkpoints"))
    return int(newest.rpartition("-")[2]) if newest else 0


@pytest.fixture(scope="module")
def killed(tiny_hparams, tmp_path_factory):
    """A run's folder after three SIGKILLs and an end; the newest checkpoint and the first line of each process."""
    run, seed = tmp_path_factory.mktemp("resume") / "run", random.randrange(1000)
    print(f"Moments of seed {seed}:")
    moments, begun = random.Random(seed), []
    for kill in range(KILLS + 1):
        process, newest = start(tiny_hparams(run, **SCHEDULE)), newest_count(run)
        begun.append((newest, process.stdout.readline()))
        if kill < KILLS:
            # Not before it has got somewhere, or killing it would prove nothing.
            while newest_count(run) == newest and process.poll() is None:
                time.sleep(0.05)
            time.sleep(moments.uniform(0.0, 1.2))
            process.send_signal(signal.SIGKILL)
        out, err = process.communicate(timeout=240)
        print(*begun[-1], out)
        assert process.returncode == (-signal.SIGKILL if kill < KILLS else 0), err
    assert "Finished at 1440 examples" in out
    return run, begun


@pytest.mark.slow
def test_each_time_it_goes_on_from_the_newest_checkpoint(killed):
    run, begun = killed
    assert begun[0] == (0, f"Starting in {run}.\n")
    counts = [count for count, _ in begun]
    assert counts == sorted(set(counts))
    assert [line for _, line in begun[1:]] == [f"Going on in {run} from {count} examples.\n" for count in counts[1:]]


@pytest.mark.slow
def test_it_ends_at_the_same_count_with_whole_files(killed):
    run, _ = killed
    rows = read_rows(run)
    counts = [row["examples"] for row in rows]
    assert counts == sorted(set(counts)) and counts[-1] == 1440
    losses = [value for row in rows for name, value in row.items() if name.endswith(("_loss", "_score", "_penalty"))]
    assert len(losses) >= 7 * len(rows) and np.all(np.isfinite(losses))
    samples = sorted(path.name for path in (run / "samples").iterdir())
    assert samples == ["examples_000001000", "examples_000001440"]
    assert not [path for path in run.rglob("*") if path.name.startswith(".") or path.name.endswith("_temp")]
    listed = tf.train.get_checkpoint_state(str(run / "checkpoints")).all_model_checkpoint_paths
    assert len(listed) == len(list((run / "checkpoints").glob("*.index"))) == 2


@pytest.mark.slow
def test_its_losses_and_weights_are_those_of_an_uninterrupted_run(killed, tiny_hparams, tmp_path):
    run, _ = killed
    process = start(tiny_hparams(tmp_path / "run", **SCHEDULE))
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    for ours, theirs in zip(weights(run), weights(tmp_path / "run"), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    # A row holds means since the one before, and a killed run has other rows; the trend is the same.
    ends = [read_rows(folder)[-1] for folder in (run, tmp_path / "run")]
    assert ends[0]["examples"] == ends[1]["examples"]
    np.testing.assert_allclose(*([end[name] for name in sorted(end) if name.endswith("_loss")] for end in ends), atol=1)
