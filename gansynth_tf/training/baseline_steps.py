"""Updates of the baselines: WaveGAN's five for the critic and one for the generator; one by a loss for the others.

They offer the loop what steps.Updates does. Everything random is a pure function of (seed, examples seen), so a run
that is stopped and resumed draws what an uninterrupted one would have drawn.
"""

import dataclasses
import typing
from collections.abc import Callable

import keras
import tensorflow as tf

from gansynth_tf import losses
from gansynth_tf.baselines.note_model import NoteModel
from gansynth_tf.baselines.wavegan import WaveGAN
from gansynth_tf.schedules import StageSchedule
from gansynth_tf.training.objectives import LossWeights
from gansynth_tf.training.steps import Metrics
from gansynth_tf.training.strategy import next_batch

STAGE = 0  # Of a schedule with one resolution.


@dataclasses.dataclass(frozen=True)
class OneStageCosts:
    """What training.costs.UpdateCosts says of a run whose updates all cost the same.

    Args:
        total_examples: Where the run ends.
    """

    total_examples: int

    def stage_name(self, stage: int) -> str:
        """There is but one."""
        return "all"

    def examples_left(self, clock: int) -> float:
        """Until the end."""
        return max(0, self.total_examples - clock)


class BaselineUpdates:
    """Updates of one baseline under one distribution strategy; subclasses write `_replica_update`.

    Args:
        model: What is trained.
        optimizers: Keras optimizers by name, built.
        strategy: Of tf.distribute; the model and the optimizers were made in its scope.
        schedule: With one stage; its batch is what one update takes.
        seed: Of everything random.
    """

    METRICS: tuple[str, ...] = ()

    def __init__(
        self,
        model: NoteModel,
        optimizers: dict[str, keras.optimizers.Optimizer],
        strategy: tf.distribute.Strategy,
        schedule: StageSchedule,
        seed: int,
    ):
        self.model, self.optimizers, self.strategy = model, optimizers, strategy
        self.schedule, self.seed = schedule, seed
        self.times_data = True

    def reset_optimizers(self) -> None:
        """Nothing to forget: the one stage begins with fresh optimizers."""

    def make_function(self, stage: int) -> Callable[..., tuple[Metrics, tf.Tensor]]:
        """The graph of several updates; see steps.Updates.make_function, whose fade it takes and leaves alone."""
        batch_size = self.schedule.batch_size(stage)
        update = tf.autograph.experimental.do_not_convert(self._update)
        take = tf.autograph.experimental.do_not_convert(next_batch)

        @tf.function
        def steps(iterator, num_steps, examples, fade, fade_step):
            totals, waited = tf.zeros([len(self.METRICS)]), tf.zeros([], tf.float64)
            for index in tf.range(num_steps):
                seen = examples + tf.cast(index, tf.int64) * batch_size
                batch, seconds, seen = take(self.strategy, iterator, totals, seen, self.times_data)
                totals += update(batch, seen)
                waited += seconds
            means = tf.unstack(totals / tf.cast(num_steps, tf.float32))
            return dict(zip(self.METRICS, means, strict=True)), waited

        return steps

    def _update(self, batch: dict, examples: tf.Tensor) -> tf.Tensor:
        """One update on all replicas; the metrics' means over them, in order."""
        metrics = self.strategy.run(self._wait_and_update, args=(batch, examples))
        return self.strategy.reduce("MEAN", metrics, axis=None)

    def _wait_and_update(self, batch: dict, examples: tf.Tensor) -> tf.Tensor:
        """An update that begins when `examples` is known, so that none of it passes for a wait (steps.next_batch)."""
        with tf.control_dependencies([examples]):
            batch = {name: tf.identity(value) for name, value in batch.items()}
        return self._replica_update(batch, examples)

    def _replica_update(self, batch: dict, examples: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def _seeds(self, examples: tf.Tensor, count: int) -> list[tf.Tensor]:
        """Seeds of this replica's share of an update."""
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.random.fold_in(tf.constant([self.seed, 0], tf.int32), tf.cast(examples, tf.int32))
        return tf.unstack(tf.random.split(tf.random.fold_in(seed, replica), count))

    def _share(self, loss: tf.Tensor) -> tf.Tensor:
        """What a replica adds to the loss: Keras sums gradients over replicas."""
        return loss / self.strategy.num_replicas_in_sync

    def _apply(self, optimizer: str, tape: tf.GradientTape, share: tf.Tensor, network: keras.Model) -> None:
        """Moves a network down the gradient of a share."""
        variables = network.trainable_variables
        self.optimizers[optimizer].apply(tape.gradient(share, [v.value for v in variables]), variables)


# ---------------------------------------------------------------------------------------------------- one network


class LossModel(typing.Protocol):
    """A model that measures itself: both autoencoders, the WaveNet."""

    trained: keras.Model
    smoothed: keras.Model | None

    def loss(self, waves: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, Metrics]:
        """The loss of a batch, and the metrics, `loss` among them."""


class LossUpdates(BaselineUpdates):
    """One network, one loss.

    Args:
        model: A LossModel.
        optimizer: Of its trained network.
        strategy, schedule, seed: See BaselineUpdates.
        ema_decay: Of the smoothed network, for each update, where the model has one.
    """

    METRICS = ("loss",)

    def __init__(
        self,
        model: NoteModel,
        optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
        schedule: StageSchedule,
        seed: int,
        ema_decay: float,
    ):
        super().__init__(model, {"optimizer": optimizer}, strategy, schedule, seed)
        self.ema_decay = ema_decay

    def _update(self, batch: dict, examples: tf.Tensor) -> tf.Tensor:
        metrics = super()._update(batch, examples)
        if self.model.smoothed is not None:

            def move(smoothed, trained):
                smoothed.assign_sub((1.0 - self.ema_decay) * (smoothed - trained))

            for trained, smoothed in zip(self.model.trained.weights, self.model.smoothed.weights, strict=True):
                self.strategy.extended.update(smoothed.value, move, args=(trained.value,), group=False)
        return metrics

    def _replica_update(self, batch: dict, examples: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss, metrics = self.model.loss(batch["audio"], batch["label"], self._seeds(examples, 1)[0])
            share = self._share(loss)
        self._apply("optimizer", tape, share, self.model.trained)
        return tf.stack([metrics[name] for name in self.METRICS])


# ---------------------------------------------------------------------------------------------------- WaveGAN


class WaveGANUpdates(BaselineUpdates):
    """Several updates of WaveGAN's critic, each on notes of its own, then one of its generator (Gulrajani et al. 2017).

    Args:
        model: What is trained.
        generator_optimizer, discriminator_optimizer: Of its networks.
        strategy, seed: See BaselineUpdates.
        schedule: Its batch is shared out to the critic's updates.
        weights: Of the losses.
        critic_updates: For each update of the generator. Published: 5.

    Raises:
        ValueError: When the batch cannot be shared out evenly.
    """

    METRICS = (
        "critic_distance", "gradient_norm", "gradient_penalty", "real_pitch_loss", "discriminator_loss",
        "fake_pitch_loss", "generator_loss",
    )  # fmt: skip

    def __init__(
        self,
        model: WaveGAN,
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
        schedule: StageSchedule,
        weights: LossWeights,
        critic_updates: int,
        seed: int,
    ):
        optimizers = {"generator_optimizer": generator_optimizer, "discriminator_optimizer": discriminator_optimizer}
        super().__init__(model, optimizers, strategy, schedule, seed)
        self.weights, self.critic_updates = weights, critic_updates
        self._batch, rest = divmod(schedule.batch_size(STAGE), critic_updates * strategy.num_replicas_in_sync)
        if rest:
            sharers = f"{critic_updates} updates of {strategy.num_replicas_in_sync} replicas"
            raise ValueError(f"Expected a batch that {sharers} can share. Received: {schedule.batch_size(STAGE)}")

    def _replica_update(self, batch: dict, examples: tf.Tensor) -> tf.Tensor:
        *seeds, last = self._seeds(examples, self.critic_updates + 1)
        rows = []
        for number, seed in enumerate(seeds):
            share = slice(number * self._batch, (number + 1) * self._batch)
            rows.append(self._update_critic(self.model.pad(batch["audio"][share]), batch["label"][share], seed))
        means = {name: tf.reduce_mean(tf.stack([row[name] for row in rows])) for name in rows[0]}
        metrics = means | self._update_generator(last)
        return tf.stack([metrics[name] for name in self.METRICS])

    def _update_critic(self, reals: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> Metrics:
        """Minimises the fakes' scores less the reals', with the penalty and the reals' pitch loss."""
        weights, critic = self.weights, self.model.discriminator
        seeds = tf.unstack(tf.random.split(seed, 5))
        fakes, _ = self._draw_fakes(seeds[0])
        with tf.GradientTape() as tape:
            real_scores, pitch_logits = critic(reals, seeds[1])
            fake_scores, _ = critic(fakes, seeds[2])
            norms = self._gradient_norms(reals, fakes, seeds[3], seeds[4])
            penalty = losses.gradient_penalty(norms, weights.gradient_penalty_target)
            pitch = _pitch_loss(pitch_logits, labels)
            distance = -losses.critic_loss(real_scores, fake_scores)
            total = weights.gradient_penalty * penalty + weights.discriminator_pitch * pitch - distance
            total += weights.score_drift * losses.score_drift(real_scores)
            share = self._share(total)
        self._apply("discriminator_optimizer", tape, share, critic)
        return {
            "critic_distance": distance, "gradient_norm": tf.reduce_mean(norms), "gradient_penalty": penalty,
            "real_pitch_loss": pitch, "discriminator_loss": total,
        }  # fmt: skip

    def _gradient_norms(
        self, reals: tf.Tensor, fakes: tf.Tensor, mixing_seed: tf.Tensor, shuffle_seed: tf.Tensor
    ) -> tf.Tensor:
        """Of the critic between reals and fakes, [batch]."""
        mixing = tf.random.stateless_uniform([self._batch, 1], mixing_seed)
        between = reals + mixing * (fakes - reals)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(between)
            scores, _ = self.model.discriminator(between, shuffle_seed)
        return losses.gradient_norms(tape.gradient(scores, between))

    def _update_generator(self, seed: tf.Tensor) -> Metrics:
        """Maximises the fakes' scores and their pitches' likelihood."""
        draw_seed, shuffle_seed = tf.unstack(tf.random.split(seed, 2))
        with tf.GradientTape() as tape:
            fakes, labels = self._draw_fakes(draw_seed)
            scores, pitch_logits = self.model.discriminator(fakes, shuffle_seed)
            pitch = _pitch_loss(pitch_logits, labels)
            total = losses.generator_loss(scores) + self.weights.generator_pitch * pitch
            share = self._share(total)
        self._apply("generator_optimizer", tape, share, self.model.generator)
        return {"fake_pitch_loss": pitch, "generator_loss": total}

    def _draw_fakes(self, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Waves as the critic sees them, and labels drawn as often as the data's pitches."""
        z_seed, label_seed = tf.unstack(tf.random.split(seed, 2))
        z = tf.random.stateless_uniform([self._batch, self.model.latent_size], z_seed, -1.0, 1.0)
        frequencies = tf.constant(self.model.pitch_classes.probabilities[None], tf.float32)
        labels = tf.random.stateless_categorical(tf.math.log(frequencies), self._batch, label_seed, tf.int32)[0]
        return self.model.generator(z, labels), labels


def _pitch_loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """0 for a critic without a pitch head."""
    return losses.pitch_loss(logits, labels) if logits.shape[1] else tf.zeros([])
