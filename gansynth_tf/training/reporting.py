"""One row of numbers per report: a status line, a line of metrics.jsonl, TensorBoard scalars; and the stop at NaN."""

import dataclasses
import json
import math
import pathlib
import sys
import time
from typing import TextIO

import tensorflow as tf

from gansynth_tf import files

# The metrics of the status line, those that a model has.
_SHOWN = {
    "discriminator_loss": "D {:+.3g}  ", "generator_loss": "G {:+.3g}  ", "critic_distance": "W {:.3g}  ",
    "real_pitch_loss": "pitch {:.2f} real ", "fake_pitch_loss": "{:.2f} fake  ", "loss": "loss {:.4g}  ",
}  # fmt: skip


class TrainingDiverged(RuntimeError):
    """A loss stopped being a finite number."""


def check_finite(metrics: dict[str, float], first: int, last: int) -> None:
    """Raises TrainingDiverged, naming the counts, when a metric is not finite."""
    broken = sorted(name for name, value in metrics.items() if not math.isfinite(value))
    if broken:
        raise TrainingDiverged(
            f"{', '.join(broken)} became NaN or infinite between {first} and {last} examples. The last checkpoint is "
            "kept; start again from it with a lower learning rate."
        )


def _drop_rows_beyond(path: pathlib.Path, examples: int) -> None:
    kept = []
    for line in path.read_text().splitlines():
        try:
            if json.loads(line)["examples"] <= examples:
                kept.append(line + "\n")
        except (json.JSONDecodeError, KeyError, TypeError):
            continue  # A line cut short by a kill.
    with files.replacing(path) as beside:
        beside.write_text("".join(kept))


def format_seconds(seconds: float) -> str:
    """'42s', '12m30s', '3h05m' or '2d04h'."""
    seconds = int(round(seconds))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    if seconds < 86400:
        return f"{seconds // 3600}h{seconds % 3600 // 60:02d}m"
    return f"{seconds // 86400}d{seconds % 86400 // 3600:02d}h"


def format_bytes(count: int) -> str:
    """'12 MB' or '3.4 GB'."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Args:
        examples: Examples seen.
        clock, total: Examples, or what stands for them in a run that is given time, and where they end.
        stage, num_stages: Which stage of how many, from 1.
        stage_name: What happens in it.
        seconds: Seconds trained.
        examples_left: What is left, in examples that cost as much as now.
        seconds_left: Of a run that is given time; None: to be worked out from the rate.
    """

    examples: int
    clock: int
    total: int
    stage: int
    num_stages: int
    stage_name: str
    seconds: float
    examples_left: float
    seconds_left: float | None = None

    @property
    def done(self) -> float:
        """Share of the run that is behind it: of its time, where that is given, else of its examples."""
        if self.seconds_left is None or self.clock >= self.total:
            return self.clock / self.total
        return self.seconds / (self.seconds + self.seconds_left)


class Reporter:
    """Writes what happens in a run to the terminal, to metrics.jsonl and to TensorBoard.

    Args:
        run: The run folder.
        metrics_file: Name of the row file in the folder.
        snapshot_file: Name of the file of the snapshots' rows.
        every_seconds: Seconds between two rows; a row holds the means since the one before.
        out: Where status lines go, None: standard output; a progress bar is drawn when it is a terminal.
    """

    def __init__(
        self,
        run: pathlib.Path,
        metrics_file: str,
        snapshot_file: str,
        every_seconds: float = 10.0,
        out: TextIO | None = None,
    ):
        self.settings: dict[str, object] = {}  # Of the run, for TensorBoard.
        self.path, self.snapshot_path = run / metrics_file, run / snapshot_file
        self.every_seconds, self.out = every_seconds, out or sys.stdout
        self._writer: tf.summary.SummaryWriter | None = None  # Opened by the first row: a finished run writes none.
        self._bar = None
        self._reported = -math.inf
        self._progress: Progress | None = None
        self._calls: list[dict[str, float]] = []
        self._timed_examples, self._timed_seconds, self._waited_seconds = 0, 0.0, 0.0
        self._disk_bytes, self._disk_measured = 0, -math.inf

    def resume(self, examples: int) -> None:
        """Drops the rows beyond the checkpoint that the run goes on from."""
        for path in (self.path, self.snapshot_path):
            if path.exists():
                _drop_rows_beyond(path, examples)

    def say(self, text: str) -> None:
        """Prints a line without breaking the progress bar."""
        if self._bar is not None:
            self._bar.clear()
        print(text, file=self.out, flush=True)

    def add(self, progress: Progress, metrics: dict[str, float], examples: int, seconds: float, waited: float) -> None:
        """Takes the metrics of one call of the graph; writes a row when it is time.

        Args:
            progress: After the call.
            metrics: Means over the call.
            examples: Examples in the call.
            seconds: The call's duration. Both are 0 when it compiled, so that no rate is made of it.
            waited: Seconds of them in which data were waited for.
        """
        self._calls.append(metrics)
        self._timed_examples += examples
        self._timed_seconds += seconds
        self._waited_seconds += waited
        self._progress = progress
        if time.monotonic() - self._reported >= self.every_seconds or progress.done >= 1:
            self._write_row(progress)

    def add_snapshot(self, examples: int, seconds: float, metrics: dict[str, float]) -> None:
        """Writes what was measured of a snapshot: a line, a row, and TensorBoard's `metrics/NAME`."""
        self.say(f"{examples} examples  " + "  ".join(f"{name} {value:.3g}" for name, value in metrics.items()))
        row = {"examples": examples, "train_seconds": round(seconds, 3)} | metrics
        with self.snapshot_path.open("a") as rows:
            rows.write(json.dumps(row) + "\n")
        self._summarise(examples, {f"metrics/{name}": value for name, value in metrics.items()})

    def flush(self) -> None:
        """Writes a row of the calls that are in none yet."""
        if self._calls:
            self._write_row(self._progress)

    def _write_row(self, progress: Progress) -> None:
        """One row from the calls since the last."""
        rate = self._timed_examples / self._timed_seconds if self._timed_seconds else None
        means = {name: sum(call[name] for call in self._calls) / len(self._calls) for name in self._calls[0]}
        row = {"examples": progress.examples, "train_seconds": round(progress.seconds, 3), "stage": progress.stage}
        waiting = self._waited_seconds / self._timed_seconds if self._timed_seconds else None
        row |= means | {"notes_per_second": rate, "data_waiting": waiting, "disk_gb": round(self._disk() / 1e9, 3)}
        with self.path.open("a") as rows:
            rows.write(json.dumps(row) + "\n")
        tags = {f"losses/{name}" if name.endswith("_loss") else name: value for name, value in row.items()}
        self._summarise(progress.examples, {tag: value for tag, value in tags.items() if value is not None})
        left = progress.seconds_left
        if left is None and rate is not None:
            left = progress.examples_left / rate
        self._show(progress, row, left)
        self._calls.clear()
        self._timed_examples, self._timed_seconds, self._waited_seconds = 0, 0.0, 0.0
        self._reported = time.monotonic()

    def _summarise(self, examples: int, scalars: dict[str, float]) -> None:
        """Gives numbers to TensorBoard."""
        with self._open_writer().as_default(step=examples):
            for tag, value in scalars.items():
                tf.summary.scalar(tag, value)
        self._writer.flush()

    def _open_writer(self) -> tf.summary.SummaryWriter:
        """TensorBoard's file, which begins with the settings for its HParams tab."""
        if self._writer is None:
            from tensorboard.plugins.hparams import api

            self._writer = tf.summary.create_file_writer(str(self.path.parent))
            kinds = (bool, int, float, str)
            settings = {n: v if isinstance(v, kinds) else json.dumps(v) for n, v in self.settings.items()}
            with self._writer.as_default(step=0):
                api.hparams(settings)
        return self._writer

    def _disk(self) -> int:
        """Bytes of the run folder, looked at once a minute."""
        if time.monotonic() - self._disk_measured >= 60.0:
            self._disk_bytes, self._disk_measured = files.folder_bytes(self.path.parent), time.monotonic()
        return self._disk_bytes

    def _show(self, progress: Progress, row: dict[str, float | None], left: float | None) -> None:
        """The status line, or the bar."""
        rate, waiting = row["notes_per_second"], row["data_waiting"]
        text = (
            f"stage {progress.stage} of {progress.num_stages}, {progress.stage_name}  "
            f"{''.join(form.format(row[name]) for name, form in _SHOWN.items() if name in row)}"
            f"{'?' if rate is None else f'{rate:.1f}'} notes/s  "
            f"waiting for data {'?' if waiting is None else f'{100 * waiting:.1f}'} %  "
            f"disk {format_bytes(self._disk_bytes)}  ETA {'?' if left is None else format_seconds(left)}"
        )
        if not self.out.isatty():
            self.say(f"{progress.examples} examples  {100 * progress.done:.1f} %  {text}")
            return
        if self._bar is None:
            from tqdm import tqdm

            bar_format = "{percentage:3.0f}%|{bar:20}| {desc}"
            self._bar = tqdm(total=1.0, file=self.out, dynamic_ncols=True, bar_format=bar_format)
        self._bar.n = progress.done
        self._bar.set_description_str(f"{progress.examples} examples  {text}")

    def close(self) -> None:
        """Ends the bar and the TensorBoard file."""
        if self._bar is not None:
            self._bar.close()
        if self._writer is not None:
            self._writer.close()
