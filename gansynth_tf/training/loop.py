"""The whole of a training run: stages, calls of the graph, reports, snapshots, checkpoints, resume."""

import dataclasses
import math
import pathlib
import time
from collections.abc import Callable, Iterator

import tensorflow as tf

from gansynth_tf.schedules import StageSchedule
from gansynth_tf.training.checkpoints import TrainingState
from gansynth_tf.training.cluster import Cluster
from gansynth_tf.training.costs import UpdateCosts
from gansynth_tf.training.keeping import Keeper, kept_name
from gansynth_tf.training.reporting import Progress, Reporter, TrainingDiverged, check_finite
from gansynth_tf.training.steps import Updates
from gansynth_tf.training.strategy import distribute


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


@dataclasses.dataclass(frozen=True)
class Hooks:
    """What a loop asks of those that know more than training does.

    Args:
        make_dataset: (global batch size, examples to skip) -> an endless dataset of batches.
        on_snapshot: Called with (examples seen, seconds trained) at every snapshot and at the end; what it returns are
            the snapshot's metrics, by name, which are reported and decide which checkpoint is the best.
        stop_requested: Asked after every call; True saves and ends the run early.
    """

    make_dataset: Callable[[int, int], tf.data.Dataset]
    on_snapshot: Callable[[int, float], dict[str, float] | None]
    stop_requested: Callable[[], bool] = lambda: False


class TrainingLoop:
    """Runs updates until the schedule ends or somebody asks to stop.

    Of several workers the chief alone reports, pictures and saves; all of them stop together.

    Args:
        run: The run folder.
        updates: One update and its graph.
        state: What is saved and restored.
        costs: Of an update in each stage, from which the time that is left is worked out.
        reporter: Where the numbers go.
        keeper: Which checkpoints stay.
        pace: How often things happen.
        hooks: Data, snapshots, the wish to stop.
    """

    def __init__(
        self,
        run: pathlib.Path,
        updates: Updates,
        state: TrainingState,
        costs: UpdateCosts,
        reporter: Reporter,
        keeper: Keeper,
        pace: Pace,
        hooks: Hooks,
    ):
        self.run_folder, self.updates, self.state, self.costs = run, updates, state, costs
        self.reporter, self.keeper, self.pace, self.hooks = reporter, keeper, pace, hooks
        self.schedule: StageSchedule = updates.schedule
        self.cluster = Cluster(updates.strategy)
        self.examples = int(state.examples_seen.numpy())
        self.earlier_seconds = float(state.train_seconds.numpy())
        self.started = self.saved = time.monotonic()
        self.saved_examples = self.pictured_examples = self.examples
        self.stopping = False
        self._agreed_seconds = self.earlier_seconds

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
        return self.schedule.clock_at(self._agreed_seconds, self.pace.time_limit, self.pace.time_multiplier)

    def _agree(self) -> None:
        """Looks at the clock and asks whether to stop; several workers do so together, or they would part."""
        stop, seconds = self.hooks.stop_requested(), self.seconds
        if self.cluster.num_workers > 1:
            stop, seconds = self.cluster.largest(stop, seconds)
        self.stopping, self._agreed_seconds = bool(stop), seconds

    # ------------------------------------------------------------------------------------------ the run

    def run(self) -> bool:
        """Trains to the end.

        Returns:
            True at the end of the schedule, False when it was asked to stop; the state is saved in both cases. A run
            that had ended before returns at once.

        Raises:
            TrainingDiverged: When a loss or a weight is not finite; the state is not saved then.
            WorkerLost: When another process is gone.
            ValueError: When the run folder is gone.
        """
        try:
            with self.cluster.losses_reported():
                return self._run()
        except (OSError, tf.errors.OpError) as error:
            if self.cluster.is_chief and not self.run_folder.is_dir():
                raise ValueError(
                    f"The run folder {self.run_folder} is gone, and with it what was saved there: at {self.examples} "
                    "examples. Put it back and run the same command again."
                ) from error
            raise

    def _run(self) -> bool:
        self._agree()
        while self.clock < self.schedule.total_examples:
            if self.stopping:
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
        start = self.examples
        batches = distribute(self.updates.strategy, lambda: self.hooks.make_dataset(batch_size, start), batch_size)
        iterator = iter(batches)
        compiled = False
        while (steps := self._steps_in_call(stage, batch_size)) > 0 and not self.stopping:
            if time.monotonic() - self.saved > self.pace.checkpoint_seconds:
                self._save()
            snapshot_at, kept_at = self._next_snapshot(), self.keeper.next_count(self.examples)
            began = time.monotonic()
            metrics, waited = self._call(function, iterator, stage, steps, batch_size)
            took = time.monotonic() - began
            self._agree()
            if self.cluster.is_chief:
                call = (metrics, steps * batch_size, took, waited) if compiled else (metrics, 0, 0.0, 0.0)
                self.reporter.add(self._progress(stage), *call)
            compiled = True
            if self.examples >= snapshot_at:
                self._snapshot()
            if kept_at is not None and self.examples >= kept_at:
                self._keep(kept_at)
        self.reporter.flush()

    def _steps_in_call(self, stage: int, batch_size: int) -> int:
        """Updates in the next call: fewer before a snapshot or the stage's end, 0 when the stage is over."""
        if self.schedule.stage_at(self.clock) != stage or self.clock >= self.schedule.total_examples:
            return 0
        end = min(self._next_snapshot(), self.keeper.next_count(self.examples) or math.inf)
        if self.pace.time_limit is None:
            end = min(end, self.schedule.stage_end(stage))
        return min(self.pace.steps_per_call, math.ceil((end - self.examples) / batch_size))

    def _call(
        self, function: Callable, iterator: Iterator, stage: int, steps: int, batch_size: int
    ) -> tuple[dict[str, float], float]:
        """Runs `steps` updates and moves the clock; the metrics' means, and the seconds that data were waited for."""
        result, waited = function(
            iterator,
            tf.constant(steps, tf.int32),
            tf.constant(self.examples, tf.int64),
            tf.constant(self.schedule.fade_at(stage, self.clock), tf.float32),
            tf.constant(0.0 if self.pace.time_limit else self.schedule.fade_slope(stage) * batch_size, tf.float32),
        )
        metrics = {name: float(value) for name, value in result.items()}
        check_finite(metrics, self.examples, self.examples + steps * batch_size)
        self.examples += steps * batch_size
        return metrics, float(waited)

    # ------------------------------------------------------------------------------------------ what is written

    def _next_snapshot(self) -> int:
        return (self.examples // self.pace.snapshot_examples + 1) * self.pace.snapshot_examples

    def _progress(self, stage: int) -> Progress:
        stages = self.schedule.stages
        seconds, total = self.seconds, self.schedule.total_examples
        clock = min(self.clock, total)
        return Progress(
            examples=self.examples,
            clock=clock,
            total=total,
            stage=stages.index(stage) + 1,
            num_stages=len(stages),
            stage_name=self.costs.stage_name(stage),
            seconds=seconds,
            seconds_left=None if self.pace.time_limit is None else max(0.0, self.pace.time_limit - seconds),
            examples_left=self.costs.examples_left(clock),
        )

    def _snapshot(self) -> None:
        """Tells the model where it stands and hands it out, once at a count of examples; keeps the best."""
        if self.pictured_examples == self.examples:
            return
        stage = int(self.state.stage.numpy())
        fading = self.schedule.is_transition(stage)
        self.updates.model.set_stage(
            self.schedule.num_blocks(stage), self.schedule.fade_at(stage, self.clock) if fading else None
        )
        self.pictured_examples = self.examples
        if not self.cluster.is_chief:
            return
        metrics = self.hooks.on_snapshot(self.examples, self.seconds) or {}
        if metrics:
            self.reporter.add_snapshot(self.examples, self.seconds, metrics)
        if self.keeper.is_best(metrics):
            self.keeper.keep_best(self._save(), self.examples, metrics)

    def _keep(self, count: int) -> None:
        """Keeps a checkpoint of this moment for good."""
        if self.cluster.is_chief:
            self.keeper.keep(self._save(), kept_name(count))

    def _save(self) -> str:
        """Writes a checkpoint, once at a count of examples: rewriting one would leave a moment in which it is torn."""
        if self.saved_examples != self.examples and self.cluster.is_chief:
            if not self.state.is_finite():
                raise TrainingDiverged(f"A weight became NaN or infinite by {self.examples} examples.")
            self.state.examples_seen.assign(self.examples)
            self.state.train_seconds.assign(self.seconds)
            self.state.save()
            self.saved, self.saved_examples = time.monotonic(), self.examples
        return self.state.newest
