"""Checkpoints that stay when newer ones replace the rest: every so many examples, and the best by a metric.

Each is kept in a folder of its own under `kept/`, with the settings beside it, so that it plays like a run folder.
"""

import json
import math
import os
import pathlib
import shutil

from gansynth_tf import files
from gansynth_tf.training import checkpoints

KEPT_FOLDER = "kept"
BEST = "best"
_BEST_FILE = "best.json"


class Keeper:
    """Keeps copies of a run's checkpoints.

    Args:
        run: The run folder.
        every_examples: Keep one about every so many examples; 0: none.
        best_by: Name of the snapshots' metric that should be largest, or with a minus in front smallest; '': none.

    Raises:
        ValueError: When the record of the best is damaged.
    """

    def __init__(self, run: pathlib.Path, every_examples: int = 0, best_by: str = ""):
        self.run, self.every_examples = run, every_examples
        self.best_by, self._sign = best_by.removeprefix("-"), -1.0 if best_by.startswith("-") else 1.0
        self._best = self._read_best()

    def next_count(self, examples: int) -> int | None:
        """The count of examples after `examples` at which a checkpoint is to be kept."""
        return (examples // self.every_examples + 1) * self.every_examples if self.every_examples else None

    def is_best(self, metrics: dict[str, float]) -> bool:
        """Whether a snapshot's metrics are better than those of the best so far.

        Raises:
            ValueError: When they lack the metric.
        """
        if not self.best_by:
            return False
        if not metrics:
            raise ValueError("keep_best needs snapshots that are measured, and none of this one's metrics is on.")
        if self.best_by not in metrics:
            raise ValueError(f"keep_best must name one of {', '.join(sorted(metrics))}. Received: {self.best_by!r}")
        value = metrics[self.best_by]
        return math.isfinite(value) and self._sign * value > self._best

    def keep(self, checkpoint: str, name: str, record: dict | None = None) -> pathlib.Path:
        """Copies a checkpoint, by links where the disk has them; the folder appears complete or not at all."""
        source = pathlib.Path(checkpoint)
        folder = self.run / KEPT_FOLDER / name
        with files.replacing_folder(folder) as beside:
            (beside / checkpoints.CHECKPOINTS_FOLDER).mkdir()
            for path in sorted(source.parent.glob(f"{source.name}.*")):
                _link(path, beside / checkpoints.CHECKPOINTS_FOLDER / path.name)
            listing = beside / checkpoints.CHECKPOINTS_FOLDER / "checkpoint"
            listing.write_text(f'model_checkpoint_path: "{source.name}"\n')
            for file in (checkpoints.EXPERIMENT_FILE, checkpoints.PITCHES_FILE):
                shutil.copyfile(self.run / file, beside / file)
            if record:
                files.write_json(beside / _BEST_FILE, record)
        return folder

    def keep_best(self, checkpoint: str, examples: int, metrics: dict[str, float]) -> pathlib.Path:
        """Keeps the checkpoint that the metrics were measured of as the best."""
        record = {"metric": self.best_by, "value": metrics[self.best_by], "examples": examples}
        folder = self.keep(checkpoint, BEST, record)
        self._best = self._sign * metrics[self.best_by]
        return folder

    def _read_best(self) -> float:
        """The best value so far, signed; another metric's does not count."""
        path = self.run / KEPT_FOLDER / BEST / _BEST_FILE
        if not self.best_by or not path.is_file():
            return -math.inf
        try:
            record = json.loads(path.read_text())
            return self._sign * float(record["value"]) if record["metric"] == self.best_by else -math.inf
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged: {error}. Delete {path.parent} to begin again.") from None


def kept_name(examples: int) -> str:
    """Name of the copy at a count of examples."""
    return f"examples_{examples:09d}"


def _link(source: pathlib.Path, target: pathlib.Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
