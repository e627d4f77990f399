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

SCHEDULE = {
    "stable_stage_num_images": 480, "transition_stage_num_images": 480, "total_num_images": 1440,
    "batch_size_schedule": [8, 4], "save_summaries_num_images": 1000, "checkpoint_seconds": 0.05, "keep_checkpoints": 2,
}  # fmt: skip


def start(flag):
    """A process that trains the same way every time, to the bit; it spends most of its time saving."""
    script = pathlib.Path(sys.executable).parent / "gansynth_train"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    command = [script, flag, "--deterministic"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def weights(run):
    model = gansynth_tf.load(run)
    networks = (model.generator, model.smoothed_generator, model.discriminator, model.normalizer)
    return [variable.numpy() for network in networks for variable in network.weights]


def read_rows(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def newest_count(run):
    newest = tf.train.latest_checkpoint(str(run / "checkpoints"))
    return int(newest.rpartition("-")[2]) if newest else 0


def train_with_kills(tiny_hparams, run, kills):
    """Trains to the end over so many SIGKILLs; the newest checkpoint and the first line of each process."""
    seed = random.randrange(1000)
    print(f"Moments of seed {seed}:")
    moments, begun = random.Random(seed), []
    for kill in range(kills + 1):
        process, newest = start(tiny_hparams(run, **SCHEDULE)), newest_count(run)
        begun.append((newest, process.stdout.readline()))
        if kill < kills:
            # Not before it has got somewhere, or killing it would prove nothing.
            while newest_count(run) == newest and process.poll() is None:
                time.sleep(0.01)
            time.sleep(moments.uniform(0.0, 3.0 / kills))
            process.send_signal(signal.SIGKILL)
        out, err = process.communicate(timeout=240)
        print(*begun[-1], out)
        assert process.returncode == (-signal.SIGKILL if kill < kills else 0), err
    assert "Finished at 1440 examples" in out
    return begun


@pytest.fixture(scope="module")
def killed(tiny_hparams, tmp_path_factory):
    """A run's folder after three SIGKILLs, and how its processes began."""
    run = tmp_path_factory.mktemp("resume") / "run"
    return run, train_with_kills(tiny_hparams, run, 3)


@pytest.fixture(scope="module")
def uninterrupted(tiny_hparams, tmp_path_factory):
    """The folder of a run that nobody disturbed."""
    run = tmp_path_factory.mktemp("whole") / "run"
    process = start(tiny_hparams(run, **SCHEDULE))
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return run


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
    samples = sorted(path.name for path in (run / "samples").iterdir() if path.is_dir())
    assert samples == ["examples_000001000", "examples_000001440"]
    assert not [path for path in run.rglob("*") if path.name.startswith(".") or path.name.endswith("_temp")]
    listed = tf.train.get_checkpoint_state(str(run / "checkpoints")).all_model_checkpoint_paths
    assert len(listed) == len(list((run / "checkpoints").glob("*.index"))) == 2


@pytest.mark.slow
def test_its_weights_are_those_of_an_uninterrupted_run_bit_for_bit(killed, uninterrupted):
    run, _ = killed
    for ours, theirs in zip(weights(run), weights(uninterrupted), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # A row holds means since the one before, and a killed run has other rows; the trend is the same.
    ends = [read_rows(folder)[-1] for folder in (run, uninterrupted)]
    assert ends[0]["examples"] == ends[1]["examples"]
    np.testing.assert_allclose(*([end[name] for name in sorted(end) if name.endswith("_loss")] for end in ends), atol=1)


@pytest.mark.long
def test_twenty_kills_change_no_bit(tiny_hparams, uninterrupted, tmp_path):
    begun = train_with_kills(tiny_hparams, tmp_path / "run", 20)
    counts = [count for count, _ in begun]
    assert counts == sorted(set(counts))
    for ours, theirs in zip(weights(tmp_path / "run"), weights(uninterrupted), strict=True):
        np.testing.assert_array_equal(ours, theirs)
