"""Training of the pitch classifier: rounds of updates, validation after each, early stopping, exact resume."""

import dataclasses
import json
import math
import pathlib
import time
from collections.abc import Callable, Iterable, Mapping

import keras
import numpy as np
import tensorflow as tf

from gansynth_tf.pitch_classifier import PitchClassifier, head_losses
from gansynth_tf.training.checkpoints import CHECKPOINTS_FOLDER, METRICS_FILE
from gansynth_tf.training.reporting import format_seconds

_LEAST_GAIN = 1e-3  # Nats: a validation loss that falls by less is as good as standing still.


@dataclasses.dataclass(frozen=True)
class ClassifierSchedule:
    """How long a classifier trains.

    Args:
        batch_size: Notes in an update.
        round_notes: Notes between two validations.
        patience: Rounds without a lower validation loss after which training ends.
        max_rounds: Rounds at most.
    """

    batch_size: int = 16
    round_notes: int = 2048
    patience: int = 12
    max_rounds: int = 200


class ClassifierTraining:
    """Trains a classifier until its validation loss stops falling; the weights of the best round are kept.

    Args:
        folder: Where checkpoints and metrics.jsonl go; a training found there goes on.
        make_classifier: Makes one with fresh weights; called twice, for the one trained and the best one.
        schedule: How long.
        learning_rate: Of Adam (beta1 0.5, as in the authors' early code).
    """

    def __init__(
        self,
        folder: pathlib.Path,
        make_classifier: Callable[[], PitchClassifier],
        schedule: ClassifierSchedule,
        learning_rate: float,
    ):
        self.folder, self.schedule = folder, schedule
        self.classifier, self.best = make_classifier(), make_classifier()
        self.best.set_weights(self.classifier.get_weights())
        self._optimizer = keras.optimizers.Adam(learning_rate, beta_1=0.5)
        self._optimizer.build(self.classifier.trainable_variables)
        self._rounds, self._best_round = (tf.Variable(0, dtype=tf.int64, trainable=False) for _ in range(2))
        self._best_loss = tf.Variable(math.inf, dtype=tf.float64, trainable=False)
        self._manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(
                classifier=self.classifier,
                best=self.best,
                optimizer=self._optimizer,
                rounds=self._rounds,
                best_round=self._best_round,
                best_loss=self._best_loss,
            ),
            str(folder / CHECKPOINTS_FOLDER),
            max_to_keep=1,
        )
        self._update = tf.function(self._one_update)
        self._validate = tf.function(self._one_validation)

    def restore(self) -> int:
        """Goes back to the last complete round; the number of rounds done, 0 when it starts.

        Raises:
            ValueError: When the checkpoint is damaged or of another classifier.
        """
        newest = self._manager.latest_checkpoint
        if newest is None:
            return 0
        try:
            self._manager.checkpoint.restore(newest).assert_existing_objects_matched()
        except (AssertionError, ValueError, IndexError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(
                f"{newest} is damaged, or holds a classifier of another size: {reason}. Choose another folder."
            ) from None
        return self.rounds

    @property
    def rounds(self) -> int:
        """Rounds done."""
        return int(self._rounds.numpy())

    @property
    def best_round(self) -> int:
        """The round whose weights are kept, from 1; 0 before the first."""
        return int(self._best_round.numpy())

    @property
    def finished(self) -> bool:
        """Whether patience or rounds are used up."""
        waited = self.rounds - self.best_round
        return self.rounds >= self.schedule.max_rounds or waited >= self.schedule.patience

    def run(
        self,
        make_dataset: Callable[[int, int], Iterable[Mapping[str, tf.Tensor]]],
        valid: Callable[[], Iterable[Mapping[str, tf.Tensor]]],
        say: Callable[[str], None] = print,
        stop_requested: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Trains to the end.

        Args:
            make_dataset: (batch size, notes to skip) -> endless batches with "audio" and a label for each head.
            valid: Makes the batches of the validation set, each note once.
            say: Takes a status line after each round.
            stop_requested: Asked after every update.

        Returns:
            False when it was asked to stop; the round begun then is lost.
        """
        steps = max(1, self.schedule.round_notes // self.schedule.batch_size)
        batches = iter(make_dataset(self.schedule.batch_size, self.rounds * steps * self.schedule.batch_size))
        while not self.finished:
            began = time.monotonic()
            losses = []
            for _ in range(steps):
                if stop_requested():
                    return False
                losses.append(self._update(next(batches)))
            row = {"round": self.rounds + 1, "loss": float(np.mean(losses))} | self.validate(valid())
            self._end_round(row)
            seconds = time.monotonic() - began
            left = min(self.schedule.max_rounds, self.best_round + self.schedule.patience) - self.rounds
            say(
                f"round {row['round']}  loss {row['loss']:.3f}  valid loss {row['valid_loss']:.3f}  "
                f"valid accuracy {row['valid_accuracy']:.3f}  best round {self.best_round}  "
                f"ends in {format_seconds(seconds * left)} unless it improves"
            )
        return True

    def _end_round(self, row: dict[str, float]) -> None:
        """Keeps the best weights, writes the row and the checkpoint."""
        if not math.isfinite(row["loss"] + row["valid_loss"]):
            raise ValueError(f"The loss became NaN or infinite in round {row['round']}; use a lower learning rate.")
        self._rounds.assign_add(1)
        if row["valid_loss"] < float(self._best_loss.numpy()) - _LEAST_GAIN:
            self._best_loss.assign(row["valid_loss"])
            self._best_round.assign(self._rounds)
            self.best.set_weights(self.classifier.get_weights())
        self._manager.save(checkpoint_number=self.rounds)
        with (self.folder / METRICS_FILE).open("a") as file:
            file.write(json.dumps(row) + "\n")

    def validate(self, batches: Iterable[Mapping[str, tf.Tensor]]) -> dict[str, float]:
        """Loss (all heads) and pitch accuracy of the classifier in training."""
        totals = np.sum([[float(value) for value in self._validate(batch)] for batch in batches], axis=0)
        return {"valid_loss": totals[0] / totals[2], "valid_accuracy": totals[1] / totals[2]}

    def _one_update(self, batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        with tf.GradientTape() as tape:
            losses = head_losses(self.classifier(batch["audio"], training=True), batch)
            loss = tf.add_n(list(losses.values()))
        variables = self.classifier.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    def _one_validation(self, batch: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Loss times notes, notes at the right pitch, notes."""
        outputs = self.classifier(batch["audio"], training=False)
        num = tf.cast(tf.shape(batch["audio"])[0], tf.float32)
        right = tf.equal(tf.argmax(outputs["pitch"], axis=1, output_type=tf.int32), batch["pitch"])
        loss = tf.add_n(list(head_losses(outputs, batch).values()))
        return loss * num, tf.reduce_sum(tf.cast(right, tf.float32)), num
