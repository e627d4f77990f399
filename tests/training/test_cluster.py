"""Two processes on this machine train as one does; together they stop, break off and go on."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf.training import strategy
from gansynth_tf.training.cluster import Cluster, WorkerLost

# One stage of one block; both batches and both replicas of four notes. Adam's first steps are the rate times the sign
# of a gradient, so that rounding alone moves a weight whose gradient is nearly 0; small rates keep that far below 1e-4.
SIMPLE = {
    "train_progressive": False, "num_resolutions": 1, "start_height": 16, "start_width": 32, "batch_size_schedule": [4],
    "steps_per_call": 2, "total_num_images": 40, "generator_learning_rate": 2e-5, "discriminator_learning_rate": 2e-5,
}  # fmt: skip


class Pair:
    """Two workers of one run."""

    def __init__(self, *flags: str):
        ports = [socket.create_server(("localhost", 0)) for _ in range(2)]
        addresses = [f"localhost:{port.getsockname()[1]}" for port in ports]
        for port in ports:
            port.close()
        script = pathlib.Path(sys.executable).parent / "gansynth_train"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        environment |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
        self.workers = []
        for index in range(2):
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            self.workers.append(
                subprocess.Popen(
                    [script, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                    env=environment | {"TF_CONFIG": json.dumps(task)},
                )
            )  # fmt: skip

    def finish(self) -> list[tuple[int, str, str]]:
        """Exit code, output and errors of each."""
        ends = []
        for worker in self.workers:
            out, err = worker.communicate(timeout=300)
            ends.append((worker.returncode, out, err))
        return ends


def read_rows(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_two_processes_train_as_one(tiny_hparams, run_command, tmp_path):
    """The same losses on the same global batches; the chief alone writes."""
    runs = tmp_path / "one", tmp_path / "two"
    pair = Pair(tiny_hparams(runs[1], **SIMPLE))
    finished = run_command("train", tiny_hparams(runs[0], **SIMPLE))
    assert finished.code == 0, finished.err
    (code, out, err), (other_code, other_out, other_err) = pair.finish()
    assert code == 0 and other_code == 0, err + other_err
    assert "Finished at 40 examples" in out and other_out.splitlines() == out.splitlines()[-1:]
    ours, theirs = (read_rows(run) for run in runs)
    assert ours[-1]["examples"] == theirs[-1]["examples"] == 40
    for name in [name for name in ours[0] if name.endswith(("_loss", "_score", "_distance", "_penalty"))]:
        # The first row is the first call's; the last, of all later ones.
        for a, b in ((ours[0], theirs[0]), (ours[-1], theirs[-1])):
            np.testing.assert_allclose(b[name], a[name], rtol=1e-4, atol=1e-4, err_msg=name)
    assert len(list(runs[1].glob("events.*"))) == len(list(runs[0].glob("events.*")))


@pytest.mark.long
def test_a_killed_worker_ends_the_pair_which_then_goes_on(tiny_hparams, tmp_path):
    run = tmp_path / "run"
    endless = tiny_hparams(run, **SIMPLE | {"total_num_images": 10**6}, checkpoint_seconds=0.5)
    pair = Pair(endless)
    while not tf.train.latest_checkpoint(str(run / "checkpoints")) and pair.workers[0].poll() is None:
        time.sleep(0.1)
    pair.workers[1].send_signal(signal.SIGKILL)
    (code, out, err), _ = pair.finish()
    assert code == 1 and "gansynth_train: Another worker is gone or out of reach" in err, (code, err)
    # Both stop when one is asked to, and are saved.
    pair = Pair(endless)
    first, second = (pair.workers[0].stdout.readline() for _ in range(2))
    assert re.match(r"Going on in .* from [1-9]\d* examples", first) and " examples  " in second
    pair.workers[1].send_signal(signal.SIGTERM)
    (code, out, err), (other_code, other_out, _) = pair.finish()
    assert code == other_code == 0, err
    (count,) = set(re.findall(r"Stopped at (\d+) examples; everything is saved", out + other_out))
    assert tf.train.latest_checkpoint(str(run / "checkpoints")).endswith(f"ckpt-{count}")


# ---------------------------------------------------------------------------------------------------- one process


def test_one_process_agrees_with_itself():
    cluster = Cluster(tf.distribute.OneDeviceStrategy("CPU:0"))
    assert cluster.is_chief and cluster.num_workers == 1
    assert cluster.largest(True, 2.5) == [1.0, 2.5]
    cluster.wait()
    cluster.check_alike("the count", 2**40 + 1)


def test_errors_of_one_process_are_its_own():
    cluster = Cluster(tf.distribute.OneDeviceStrategy("CPU:0"))
    with pytest.raises(tf.errors.UnavailableError), cluster.losses_reported():
        raise tf.errors.UnavailableError(None, None, "gone")
    cluster.num_workers = 2
    with pytest.raises(WorkerLost, match="same commands"), cluster.losses_reported():
        raise tf.errors.UnavailableError(None, None, "gone")


@pytest.mark.parametrize("rows", [[[3.0], [3.0]], [[3.0], [4.0]]])
def test_workers_that_differ_are_named(rows, monkeypatch):
    cluster = Cluster(tf.distribute.OneDeviceStrategy("CPU:0"))
    monkeypatch.setattr(cluster, "gather", lambda values: np.array(rows))
    if rows[0] == rows[1]:
        cluster.check_alike("the count", 3.0)
    else:
        with pytest.raises(ValueError, match=r"disagree in the count \(3, 4\)"):
            cluster.check_alike("the count", 3.0)


# ---------------------------------------------------------------------------------------------------- the strategy


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_a_damaged_cluster_is_shown(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match="TF_CONFIG must be a JSON object"):
        strategy.make_strategy("auto")


def test_what_is_not_there_is_named(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.delenv("TPU_NAME", raising=False)
    with pytest.raises(ValueError, match="expects the cluster in the environment variable TF_CONFIG"):
        strategy.make_strategy("multi_worker")
    with pytest.raises(ValueError, match="expects a TPU"):
        strategy.make_strategy("tpu")
    with pytest.raises(ValueError, match="must be one of auto, one_device"):
        strategy.make_strategy("two")
    assert isinstance(strategy.make_strategy("auto"), tf.distribute.OneDeviceStrategy)


def rows_by_replica(shares: tf.distribute.Strategy, batch_size: int, count: int) -> list[list[int]]:
    dataset = strategy.distribute(
        shares, lambda: tf.data.Dataset.range(12).batch(batch_size, drop_remainder=True), batch_size
    )
    batches = [shares.experimental_local_results(batch) for batch, _ in zip(dataset, range(count), strict=False)]
    return [[part.numpy().tolist() for part in batch] for batch in batches]


def test_replicas_get_the_rows_at_their_number(mirrored):
    assert rows_by_replica(mirrored, 6, 2) == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]
    assert rows_by_replica(tf.distribute.OneDeviceStrategy("CPU:0"), 6, 1) == [[[0, 1, 2, 3, 4, 5]]]
