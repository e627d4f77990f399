"""Reports: rows, resume, the stop at NaN, times and what is left of them."""

import io
import json
import math

import pytest
import tensorflow as tf

from gansynth_tf.training import reporting
from gansynth_tf.training.reporting import Progress, Reporter, check_finite, format_seconds

METRICS = {
    "discriminator_loss": -1.5,
    "generator_loss": 2.0,
    "critic_distance": 3.0,
    "real_pitch_loss": 0.5,
    "fake_pitch_loss": 0.25,
}


class Clock:
    """Stands for the time module."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(reporting, "time", clock)
    return clock


def make_reporter(tmp_path, every_seconds=10.0, out=None) -> Reporter:
    out = io.StringIO() if out is None else out
    return Reporter(tmp_path, "metrics.jsonl", "snapshot_metrics.jsonl", every_seconds, out)


def progress(examples: int, seconds: float = 5.0, **changes) -> Progress:
    facts = {"clock": examples, "total": 1000, "stage": 2, "num_stages": 5, "stage_name": "fade to 4x32"}
    facts |= {"seconds": seconds, "examples_left": 1000 - examples}
    return Progress(examples, **{**facts, **changes})


def rows(tmp_path) -> list[dict]:
    return [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]


def read_scalars(tmp_path) -> dict[str, tuple[int, float]]:
    """Tag -> (step, value), the last of each."""
    (log,) = tmp_path.glob("events.*")
    scalars = {}
    for record in tf.data.TFRecordDataset(str(log)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == "scalars":
                scalars[value.tag] = (event.step, float(tf.make_ndarray(value.tensor)))
    return scalars


# ---------------------------------------------------------------------------------------------------- rows


def test_a_row_holds_means_since_the_row_before(tmp_path, clock):
    reporter = make_reporter(tmp_path)
    reporter.add(progress(20, 1.0), METRICS, 0, 0.0, 0.0)  # The first call compiles; it is reported at once.
    for examples, loss in ((60, 1.0), (100, 3.0), (140, 8.0)):
        clock.now += 4.0
        reporter.add(progress(examples, examples / 20), METRICS | {"generator_loss": loss}, 40, 2.0, 0.0)
    reporter.close()
    first, second = rows(tmp_path)
    measured = {"notes_per_second": None, "data_waiting": None, "disk_gb": 0.0}
    assert first == {"examples": 20, "train_seconds": 1.0, "stage": 2} | measured | METRICS
    # Three calls in twelve seconds, of which six were spent in the graph.
    assert second["generator_loss"] == 4.0 and second["critic_distance"] == 3.0
    assert (second["examples"], second["train_seconds"], second["notes_per_second"]) == (140, 7.0, 20.0)


def test_rows_come_no_more_often_than_asked_and_at_the_end(tmp_path, clock):
    reporter = make_reporter(tmp_path)
    for examples in range(100, 1001, 100):
        reporter.add(progress(examples), METRICS, 100, 1.0, 0.0)
        clock.now += 3.0
    reporter.close()
    assert [row["examples"] for row in rows(tmp_path)] == [100, 500, 900, 1000]


def test_flush_writes_what_is_in_no_row_yet(tmp_path, clock):
    reporter = make_reporter(tmp_path)
    reporter.flush()
    for examples in (100, 200, 300):
        reporter.add(progress(examples), METRICS | {"generator_loss": examples / 100}, 100, 1.0, 0.0)
    reporter.flush()
    reporter.flush()
    reporter.close()
    assert [(row["examples"], row["generator_loss"]) for row in rows(tmp_path)] == [(100, 1.0), (300, 2.5)]


def test_compiling_calls_do_not_count_in_the_rate(tmp_path, clock):
    reporter = make_reporter(tmp_path, every_seconds=100.0)
    reporter.add(progress(10), METRICS, 10, 2.0, 0.0)
    reporter.add(progress(20), METRICS, 0, 0.0, 0.0)
    reporter.add(progress(50), METRICS, 30, 3.0, 0.0)
    clock.now += 200.0
    reporter.add(progress(60), METRICS, 0, 0.0, 0.0)
    reporter.close()
    assert [row["notes_per_second"] for row in rows(tmp_path)] == [5.0, 10.0]


def test_tensorboard_gets_the_same_numbers(tmp_path, clock):
    reporter = make_reporter(tmp_path)
    reporter.add(progress(20), METRICS, 20, 4.0, 0.0)
    reporter.close()
    scalars = read_scalars(tmp_path)
    assert scalars["losses/generator_loss"] == (20, 2.0) and scalars["losses/real_pitch_loss"] == (20, 0.5)
    assert scalars["critic_distance"] == (20, 3.0) and scalars["notes_per_second"] == (20, 5.0)


# ---------------------------------------------------------------------------------------------------- resume


def test_resume_drops_later_rows_and_cut_lines(tmp_path):
    reporter = make_reporter(tmp_path)
    path = tmp_path / "metrics.jsonl"
    kept = ['{"examples": 40, "a": 1}', '{"examples": 80, "a": null}']
    cut = '{"examples": 120, "a": 3}\n{"exam'
    path.write_text("\n".join([*kept, cut]))
    reporter.resume(80)
    assert path.read_text() == "\n".join(kept) + "\n"
    reporter.add(progress(100), METRICS, 20, 1.0, 0.0)
    assert [row["examples"] for row in rows(tmp_path)] == [40, 80, 100]
    reporter.resume(-1)
    assert path.read_text() == ""
    reporter.close()


def test_resume_skips_lines_that_are_no_rows(tmp_path):
    reporter = make_reporter(tmp_path)
    (tmp_path / "metrics.jsonl").write_text('\n{"a": 1}\n[3]\n7\n{"examples": 40}\n')
    reporter.resume(80)
    assert rows(tmp_path) == [{"examples": 40}]


def test_resume_without_a_file(tmp_path):
    make_reporter(tmp_path).resume(80)
    assert not (tmp_path / "metrics.jsonl").exists()


# ---------------------------------------------------------------------------------------------------- snapshots


def test_what_is_measured_of_a_snapshot_is_a_row_and_a_scalar(tmp_path):
    reporter = make_reporter(tmp_path)
    reporter.add_snapshot(40, 1.25, {"pitch_accuracy": 0.5, "fid": 30.0})
    reporter.add_snapshot(80, 2.5, {"pitch_accuracy": 0.75, "fid": 20.0})
    reporter.close()
    path = tmp_path / "snapshot_metrics.jsonl"
    first, second = [json.loads(line) for line in path.read_text().splitlines()]
    assert first == {"examples": 40, "train_seconds": 1.25, "pitch_accuracy": 0.5, "fid": 30.0}
    assert read_scalars(tmp_path)["metrics/fid"] == (80, 20.0)
    reporter.resume(60)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [first]


# ---------------------------------------------------------------------------------------------------- NaN


def test_finite_numbers_pass():
    check_finite(METRICS | {"zero": 0.0, "large": 1e38}, 100, 140)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_the_stop_names_metrics_and_counts(value):
    broken = METRICS | {"generator_loss": value, "critic_distance": math.nan}
    expected = "critic_distance, generator_loss became NaN or infinite between 100 and 140 examples"
    with pytest.raises(reporting.TrainingDiverged, match=expected) as raised:
        check_finite(broken, 100, 140)
    assert "\n" not in str(raised.value)


# ---------------------------------------------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (42.4, "42s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (750, "12m30s"),
        (3599, "59m59s"),
        (3600, "1h00m"),
        (11100, "3h05m"),
        (86399, "23h59m"),
        (86400, "1d00h"),
        (187300, "2d04h"),
    ],
)
def test_format_seconds(seconds, text):
    assert format_seconds(seconds) == text


def test_status_line(tmp_path, clock):
    out = io.StringIO()
    reporter = make_reporter(tmp_path, out=out)
    reporter.add(progress(20), METRICS, 0, 0.0, 0.0)
    clock.now += 11.0
    reporter.add(progress(150), METRICS | {"discriminator_loss": 0.012345}, 130, 6.5, 0.065)
    reporter.close()
    first, second = out.getvalue().splitlines()
    assert first.startswith(
        "20 examples  2.0 %  stage 2 of 5, fade to 4x32  D -1.5  G +2  W 3  pitch 0.50 real 0.25 fake"
    )
    assert first.endswith("? notes/s  waiting for data ? %  disk 0 MB  ETA ?")
    # 850 examples are left at 20 a second.
    assert second.startswith("150 examples  15.0 %  stage 2 of 5, fade to 4x32  D +0.0123")
    assert second.endswith("20.0 notes/s  waiting for data 1.0 %  disk 0 MB  ETA 42s")


def test_eta_of_a_run_that_is_given_time(tmp_path, clock):
    out = io.StringIO()
    reporter = make_reporter(tmp_path, out=out)
    reporter.add(progress(150, 1300.0, clock=4, seconds_left=3700.0), METRICS, 20, 1.0, 0.0)
    reporter.close()
    line = out.getvalue()
    assert line.startswith("150 examples  26.0 %")  # Of the time; of the examples it is 0.4.
    assert line.endswith("20.0 notes/s  waiting for data 0.0 %  disk 0 MB  ETA 1h01m\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_bar_on_a_terminal(tmp_path, clock):
    out = Terminal()
    reporter = make_reporter(tmp_path, out=out)
    reporter.add(progress(250), METRICS, 20, 1.0, 0.0)
    reporter.say("Going on.")
    clock.now += 11.0
    reporter.add(progress(1000), METRICS, 750, 10.0, 0.0)
    reporter.close()
    text = out.getvalue()
    assert " 25%|" in text and "100%|" in text and "250 examples  stage 2 of 5, fade" in text
    assert "Going on.\n" in text and "ETA 0s" in text
    assert len(rows(tmp_path)) == 2
