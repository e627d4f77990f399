"""The whole of a training run: stages, calls of the graph, reports, snapshots, checkpoints, resume."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator

import tensorflow as tf

from gansynth_tf.schedules import StageSchedule
from gansynth_tf.training.checkpoints import TrainingState
from gansynth_tf.training.reporting import Progress, Reporter, check_finite
from gansynth_tf.training.steps import Updates


@dataclasses.dataclass(frozen=True)
class Pace:
    """How often things happen.

    Args:
        steps_per_call: Updates in one call of the graph.
        snapshot_examples: Examples between two snapshots.
        checkpoint_seconds: Seconds between two checkpoints.
        time_limit: Seconds the run is given; None counts examples instead.
        time_multiplier: See StageSchedule.clock_at.
    """

    steps_per_call: int = 20
    snapshot_examples: int = 10000
    checkpoint_seconds: float = 600.0
    time_limit: float | None = None
    time_multiplier: float = 1.0


class TrainingLoop:
    """Runs updates until the schedule ends or somebody asks to stop.

    Args:
        updates: One update and its graph.
        state: What is saved and restored.
        schedule: Stages.
        reporter: Where the numbers go.
        make_dataset: (global batch size, examples to skip) -> an endless dataset of batches.
        pace: How often things happen.
        on_snapshot: Called with (examples seen, seconds trained) at every snapshot and at the end; what it returns are
            the snapshot's metrics, by name, which are reported.
        stop_requested: Asked after every call; True saves and ends the run early.
    """

    def __init__(
        self,
        updates: Updates,
        state: TrainingState,
        schedule: StageSchedule,
        reporter: Reporter,
        make_dataset: Callable[[int, int], tf.data.Dataset],
        pace: Pace,
        on_snapshot: Callable[[int, float], dict[str, float] | None],
        stop_requested: Callable[[], bool] = lambda: False,
    ):
        self.updates, self.state, self.schedule, self.reporter = updates, state, schedule, reporter
        self.make_dataset, self.pace = make_dataset, pace
        self.on_snapshot, self.stop_requested = on_snapshot, stop_requested
        self.examples = int(state.examples_seen.numpy())
        self.earlier_seconds = float(state.train_seconds.numpy())
        self.started = self.saved = time.monotonic()
        self.saved_examples = self.pictured_examples = self.examples

    # ------------------------------------------------------------------------------------------ the clock

    @property
    def seconds(self) -> float:
        """Seconds trained, over all sittings."""
        return self.earlier_seconds + time.monotonic() - self.started

    @property
    def clock(self) -> int:
        """Examples seen, or the examples that the seconds trained stand for when the run is given time."""
        if self.pace.time_limit is None:
            return self.examples
        return self.schedule.clock_at(self.seconds, self.pace.time_limit, self.pace.time_multiplier)

    # ------------------------------------------------------------------------------------------ the run

    def run(self) -> bool:
        """Trains to the end.

        Returns:
            True at the end of the schedule, False when it was asked to stop; the state is saved in both cases. A run
            that had ended before returns at once.

        Raises:
            TrainingDiverged: When a loss is not finite; the state is not saved then.
        """
        while self.clock < self.schedule.total_examples:
            if self.stop_requested():
                return False
            stage = self.schedule.stage_at(self.clock)
            self._enter(stage)
            self._run_stage(stage)
            if self.clock >= self.schedule.total_examples:
                self._snapshot()  # Before the checkpoint: a run that is killed here still owes its last snapshot.
            self._save()
        return True

    def _enter(self, stage: int) -> None:
        """Prepares a stage: fresh optimizers unless the run was stopped inside it."""
        if int(self.state.stage.numpy()) != stage:
            self.updates.reset_optimizers()
            self.state.stage.assign(stage)

    def _run_stage(self, stage: int) -> None:
        """Updates until the stage ends, or until asked to stop."""
        batch_size = self.schedule.batch_size(stage)
        function = self.updates.make_function(stage)
        dataset = self.make_dataset(batch_size, self.examples)
        iterator = iter(self.updates.strategy.experimental_distribute_dataset(dataset))
        compiled = False
        while (steps := self._steps_in_call(stage, batch_size)) > 0 and not self.stop_requested():
            if time.monotonic() - self.saved > self.pace.checkpoint_seconds:
                self._save()
            snapshot_at = self._next_snapshot()
            began = time.monotonic()
            metrics = self._call(function, iterator, stage, steps, batch_size)
            took = time.monotonic() - began
            self.reporter.add(self._progress(stage), metrics, steps * batch_size, took if compiled else None)
            compiled = True
            if self.examples >= snapshot_at:
                self._snapshot()
        self.reporter.flush()

    def _steps_in_call(self, stage: int, batch_size: int) -> int:
        """Updates in the next call: fewer before a snapshot or the stage's end, 0 when the stage is over."""
        if self.schedule.stage_at(self.clock) != stage or self.clock >= self.schedule.total_examples:
            return 0
        end = self._next_snapshot()
        if self.pace.time_limit is None:
            end = min(end, self.schedule.stage_end(stage))
        return min(self.pace.steps_per_call, math.ceil((end - self.examples) / batch_size))

    def _call(
        self, function: Callable, iterator: Iterator, stage: int, steps: int, batch_size: int
    ) -> dict[str, float]:
        """Runs `steps` updates and moves the clock; the metrics' means."""
        result = function(
            iterator,
            tf.constant(steps, tf.int32),
            tf.constant(self.examples, tf.int64),
            tf.constant(self.schedule.fade_at(stage, self.clock), tf.float32),
            tf.constant(0.0 if self.pace.time_limit else self.schedule.fade_slope(stage) * batch_size, tf.float32),
        )
        metrics = {name: float(value) for name, value in result.items()}
        check_finite(metrics, self.examples, self.examples + steps * batch_size)
        self.examples += steps * batch_size
        return metrics

    def _next_snapshot(self) -> int:
        return (self.examples // self.pace.snapshot_examples + 1) * self.pace.snapshot_examples

    def _progress(self, stage: int) -> Progress:
        stages = self.schedule.stages
        seconds = self.seconds
        left = None if self.pace.time_limit is None else max(0.0, self.pace.time_limit - seconds)
        return Progress(self.examples, min(self.clock, self.schedule.total_examples), self.schedule.total_examples,
                        stages.index(stage) + 1, len(stages), seconds, left)  # fmt: skip

    def _snapshot(self) -> None:
        """Tells the model where it stands and hands it out, once at a count of examples."""
        if self.pictured_examples == self.examples:
            return
        stage = int(self.state.stage.numpy())
        fading = self.schedule.is_transition(stage)
        self.updates.model.set_stage(
            self.schedule.num_blocks(stage), self.schedule.fade_at(stage, self.clock) if fading else None
        )
        metrics = self.on_snapshot(self.examples, self.seconds)
        if metrics:
            self.reporter.add_snapshot(self.examples, self.seconds, metrics)
        self.pictured_examples = self.examples

    def _save(self) -> None:
        """Writes a checkpoint, once at a count of examples: rewriting one would leave a moment in which it is torn."""
        if self.saved_examples == self.examples:
            return
        self.state.examples_seen.assign(self.examples)
        self.state.train_seconds.assign(self.seconds)
        self.state.save()
        self.saved, self.saved_examples = time.monotonic(), self.examples
