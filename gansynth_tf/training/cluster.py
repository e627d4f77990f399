"""What the processes that train one model together agree upon; a single one agrees with itself."""

import contextlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf


class WorkerLost(RuntimeError):
    """Another process of the cluster is gone."""


class Cluster:
    """The processes of one run.

    Args:
        strategy: Of tf.distribute; only MultiWorkerMirroredStrategy has several processes that run the same program.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self._strategy = strategy
        self.num_workers, self.is_chief = 1, True
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            resolver = strategy.cluster_resolver
            jobs = resolver.cluster_spec().as_dict()
            self.num_workers = sum(len(jobs.get(job, ())) for job in ("chief", "worker"))
            first = "chief" if "chief" in jobs else "worker"
            self.is_chief = (resolver.task_type, resolver.task_id) == (first, 0)
        self._gather = tf.function(self._gather_rows)

    def _gather_rows(self, row: tf.Tensor) -> tf.Tensor:
        return self._strategy.gather(self._strategy.run(lambda: row), axis=0)

    def gather(self, values: list[float]) -> np.ndarray:
        """Every replica's values: float64 [replicas, values]."""
        row = np.array([values], np.float64)
        return row if self.num_workers == 1 else self._gather(tf.constant(row)).numpy()

    def largest(self, *values: float) -> list[float]:
        """The largest of each value over all processes: what one of them asks for, all do."""
        return self.gather(list(values)).max(axis=0).tolist()

    def wait(self) -> None:
        """Returns when every process has come here."""
        self.gather([0.0])

    def check_alike(self, what: str, value: float) -> None:
        """Raises ValueError when the processes have different values."""
        found = np.unique(self.gather([value]))
        if len(found) > 1:
            raise ValueError(
                f"The workers disagree in {what} ({', '.join(f'{v:.0f}' for v in found)}). Give all of them the same "
                "command, with a run folder on a file system that they share."
            )

    @contextlib.contextmanager
    def losses_reported(self) -> Iterator[None]:
        """Turns TensorFlow's errors about a process that is gone into WorkerLost."""
        try:
            yield
        except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.InternalError,
                tf.errors.DeadlineExceededError) as error:  # fmt: skip
            if self.num_workers == 1:
                raise
            raise WorkerLost(
                f"Another worker is gone or out of reach ({type(error).__name__}); the last checkpoint is kept. "
                "Start all workers again with the same commands to go on from it."
            ) from error
