"""One distributed update of both networks, and several of them in one graph call.

Each update changes the generator once and the critic once, in that order and from fresh latents, as Magenta's does
(Engel et al. 2019, appendix D). Everything random is a pure function of (seed, examples seen) over the global batch, so
a run that is stopped and resumed draws what an uninterrupted one would have drawn, however many replicas share it.
"""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from gansynth_tf import latents, layers, losses
from gansynth_tf.model import GANSynth
from gansynth_tf.networks import Discriminator, Generator
from gansynth_tf.schedules import StageSchedule

Metrics = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """What each term of the objective counts.

    Args:
        gradient_penalty, gradient_penalty_target: Weight and desired gradient norm.
        gradient_penalty_interval: The penalty is taken every k-th update, with k times the weight.
        score_drift: Weight of the mean squared real score.
        generator_pitch, discriminator_pitch: Weights of the pitch loss on fakes and on reals.
        consistency: Weight of the STFT-consistency loss, used in the last stage only.
    """

    gradient_penalty: float = 10.0
    gradient_penalty_target: float = 1.0
    gradient_penalty_interval: int = 1
    score_drift: float = 0.001
    generator_pitch: float = 10.0
    discriminator_pitch: float = 10.0
    consistency: float = 0.0


METRICS = (
    "critic_distance", "real_score", "fake_score", "gradient_norm", "gradient_penalty", "real_pitch_loss",
    "fake_pitch_loss", "consistency_loss", "generator_loss", "discriminator_loss",
)  # fmt: skip


class Updates:
    """Updates of one model under one distribution strategy.

    Args:
        model: What is trained.
        generator_optimizer, discriminator_optimizer: Keras optimizers, built on all variables of their network.
        strategy: Of tf.distribute; the model and the optimizers were made in its scope.
        schedule: Which blocks run in a stage.
        weights: Of the losses.
        ema_decay: Of the smoothed generator, for each update.
        seed: Of everything random.
    """

    def __init__(
        self,
        model: GANSynth,
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
        schedule: StageSchedule,
        weights: LossWeights,
        ema_decay: float = 0.999,
        seed: int = 0,
    ):
        self.model = model
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.strategy = strategy
        self.schedule = schedule
        self.weights = weights
        self.ema_decay = ema_decay
        self.seed = seed

    def reset_optimizers(self) -> None:
        """Forgets the optimizers' moments and step counts, as Magenta does at every stage boundary.

        With beta1 = 0 and beta2 = 0.99 a stale step count makes a fresh block's first step ten times the learning rate.
        """
        for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
            for variable in optimizer.variables:
                if variable is not optimizer.learning_rate:
                    variable.assign(tf.zeros(variable.shape, variable.dtype))

    def make_function(self, stage: int) -> Callable[..., Metrics]:
        """The graph of several updates in one stage.

        Args:
            stage: Fixed in the graph, since it decides which blocks run.

        Returns:
            A function of (iterator, num_steps int32, examples int64, fade float32, fade_step float32): the data, how
            many updates, the count of examples before the first, the fade then, and the fade's growth by one update.
            It returns the mean of every metric over the updates.

        Raises:
            ValueError: When the replicas cannot share the stage's batch evenly.
        """
        batch_size, replicas = self.schedule.batch_size(stage), self.strategy.num_replicas_in_sync
        if batch_size % replicas:
            raise ValueError(f"Batch sizes must be a multiple of the {replicas} replicas. Received: {batch_size}")
        # AutoGraph is for the loop below only: what runs inside it holds no Python control flow over tensors.
        update = tf.autograph.experimental.do_not_convert(self._replica_update)

        @tf.function
        def steps(iterator, num_steps, examples, fade, fade_step):
            totals = tf.zeros([len(METRICS)])
            for index in tf.range(num_steps):
                seen = examples + tf.cast(index, tf.int64) * batch_size
                now = tf.minimum(1.0, fade + tf.cast(index, tf.float32) * fade_step)
                metrics = self.strategy.run(update, args=(next(iterator), stage, seen, now))
                self._update_smoothed_generator(stage)
                totals += self.strategy.reduce("MEAN", metrics, axis=None)
            return dict(zip(METRICS, tf.unstack(totals / tf.cast(num_steps, tf.float32)), strict=True))

        return steps

    def _update_smoothed_generator(self, stage: int) -> None:
        """Moves every smoothed weight by 1 - ema_decay towards the trained one."""

        def move(smoothed, trained):
            smoothed.assign_sub((1.0 - self.ema_decay) * (smoothed - trained))

        active = self._active(self.model.generator, stage), self._active(self.model.smoothed_generator, stage)
        for trained, smoothed in zip(*active, strict=True):
            self.strategy.extended.update(smoothed.value, move, args=(trained.value,), group=False)

    # ------------------------------------------------------------------------------------------ one replica

    def _replica_update(self, batch: dict, stage: int, examples: tf.Tensor, fade: tf.Tensor) -> tf.Tensor:
        """One generator update, then one critic update, on this replica's share of the batch; the metrics in order."""
        num_blocks = self.schedule.num_blocks(stage)
        fade = fade if self.schedule.is_transition(stage) else None
        step_seed = tf.random.fold_in(tf.constant([self.seed, 0], tf.int32), tf.cast(examples, tf.int32))
        seeds = tf.random.split(step_seed, 3)
        metrics = self._update_generator(stage, num_blocks, fade, seeds[0])
        reals = self.model.real_specgrams(batch["audio"], num_blocks, fade)
        fakes, _ = self._draw_fakes(stage, num_blocks, fade, seeds[1])
        mixing = self._own_share(tf.random.stateless_uniform([self.schedule.batch_size(stage)], seeds[2]))
        interval = self.weights.gradient_penalty_interval
        penalise = True if interval == 1 else (examples // self.schedule.batch_size(stage)) % interval == 0
        metrics |= self._update_critic(stage, num_blocks, fade, reals, fakes, batch["label"], mixing, penalise)
        return tf.stack([metrics[name] for name in METRICS])

    def _update_generator(self, stage: int, num_blocks: int, fade: tf.Tensor | None, seed: tf.Tensor) -> Metrics:
        """Maximises the fakes' scores and their pitches' likelihood."""
        variables = self._active(self.model.generator, stage)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([v.value for v in variables])
            fakes, labels = self._draw_fakes(stage, num_blocks, fade, seed)
            scores, pitch_logits = self.model.judge(fakes, num_blocks, fade)
            pitch = losses.pitch_loss(pitch_logits, labels)
            consistency = self._consistency(fakes, stage)
            adversarial = losses.generator_loss(scores)
            total = adversarial + self.weights.generator_pitch * pitch + self.weights.consistency * consistency
            share = total / self.strategy.num_replicas_in_sync  # Keras sums gradients over replicas.
        self.generator_optimizer.apply(tape.gradient(share, [v.value for v in variables]), variables)
        return {"fake_pitch_loss": pitch, "consistency_loss": consistency, "generator_loss": total}

    def _update_critic(
        self,
        stage: int,
        num_blocks: int,
        fade: tf.Tensor | None,
        reals: tf.Tensor,
        fakes: tf.Tensor,
        labels: tf.Tensor,
        mixing: tf.Tensor,
        penalise: tf.Tensor | bool,
    ) -> Metrics:
        """Minimises the fakes' scores less the reals', with the penalties and the reals' pitch loss."""
        weights = self.weights
        variables = self._active(self.model.discriminator, stage)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([v.value for v in variables])
            real_scores, pitch_logits = self.model.judge(reals, num_blocks, fade)
            fake_scores, _ = self.model.judge(fakes, num_blocks, fade)
            pitch = losses.pitch_loss(pitch_logits, labels)

            penalty, norm = self._gradient_penalty(num_blocks, fade, reals, fakes, mixing, penalise)
            total = (
                losses.critic_loss(real_scores, fake_scores)
                + weights.gradient_penalty * penalty
                + weights.score_drift * losses.score_drift(real_scores)
                + weights.discriminator_pitch * pitch
            )
            share = total / self.strategy.num_replicas_in_sync
        self.discriminator_optimizer.apply(tape.gradient(share, [v.value for v in variables]), variables)
        means = {"real_score": tf.reduce_mean(real_scores), "fake_score": tf.reduce_mean(fake_scores)}
        distance = means["real_score"] - means["fake_score"]
        return means | {
            "critic_distance": distance, "gradient_penalty": penalty, "gradient_norm": norm,
            "real_pitch_loss": pitch, "discriminator_loss": total,
        }  # fmt: skip

    # ------------------------------------------------------------------------------------------ parts

    def _gradient_penalty(
        self,
        num_blocks: int,
        fade: tf.Tensor | None,
        reals: tf.Tensor,
        fakes: tf.Tensor,
        mixing: tf.Tensor,
        penalise: tf.Tensor | bool,
    ) -> list[tf.Tensor]:
        """The penalty and the mean gradient norm between reals and fakes."""

        def penalty():
            between = layers.blend(reals, fakes, mixing[:, None, None, None])
            _, gradients = self.model.score_gradients(between, num_blocks, fade)
            norms = losses.gradient_norms(gradients)
            return tf.stack(
                [losses.gradient_penalty(norms, self.weights.gradient_penalty_target), tf.reduce_mean(norms)]
            )

        # Skipped updates are made up for by the interval, in the loss and in the reported means.
        taken = penalty() if penalise is True else tf.cond(penalise, penalty, lambda: tf.zeros([2]))
        return tf.unstack(taken * float(self.weights.gradient_penalty_interval))

    def _active(self, network: Generator | Discriminator, stage: int) -> list[keras.Variable]:
        return network.active_variables(self.schedule.num_blocks(stage), self.schedule.is_transition(stage))

    def _draw_fakes(
        self, stage: int, num_blocks: int, fade: tf.Tensor | None, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """This replica's share of a batch of fakes, and their labels drawn as often as the data's pitches."""
        batch_size = self.schedule.batch_size(stage)
        z_seed, label_seed = tf.unstack(tf.random.split(seed, 2))
        z = latents.sample_latents(batch_size, self.model.latent_size, z_seed)
        frequencies = tf.constant(self.model.pitch_classes.probabilities[None], tf.float32)
        labels = tf.random.stateless_categorical(tf.math.log(frequencies), batch_size, label_seed, tf.int32)[0]
        z, labels = self._own_share(z), self._own_share(labels)
        return self.model.fake_specgrams(z, labels, num_blocks, fade), labels

    def _own_share(self, whole: tf.Tensor) -> tf.Tensor:
        """The rows of a global batch that belong to this replica, so that splitting a batch draws nothing else."""
        replicas = self.strategy.num_replicas_in_sync
        if replicas == 1:
            return whole
        size = whole.shape[0] // replicas
        start = tf.distribute.get_replica_context().replica_id_in_sync_group * size
        return tf.ensure_shape(whole[start : start + size], [size, *whole.shape[1:]])

    def _consistency(self, fakes: tf.Tensor, stage: int) -> tf.Tensor:
        """STFT consistency of the fakes; 0 where it is not asked for."""
        if not self.weights.consistency or stage != self.schedule.num_stages - 1:
            return tf.zeros([])
        return losses.stft_consistency(*self.model.representation.consistency_magnitudes(fakes))
