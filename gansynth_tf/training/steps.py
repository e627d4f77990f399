"""One distributed update of both networks, and several of them in one graph call.

Each update changes the generator once and the critic once, in that order and from fresh latents, as Magenta's does
(Engel et al. 2019, appendix D). Everything random is a pure function of (seed, examples seen) over the global batch, so
a run that is stopped and resumed draws what an uninterrupted one would have drawn, however many replicas share it.
"""

import functools
import typing
from collections.abc import Callable

import keras
import tensorflow as tf

from gansynth_tf import latents, losses
from gansynth_tf.model import GANSynth
from gansynth_tf.networks import Discriminator, Generator
from gansynth_tf.schedules import StageSchedule
from gansynth_tf.training.objectives import OBJECTIVES, LossWeights
from gansynth_tf.training.strategy import next_batch

Metrics = dict[str, tf.Tensor]


METRICS = (
    "critic_distance", "real_score", "fake_score", "gradient_norm", "gradient_penalty", "real_pitch_loss",
    "fake_pitch_loss", "consistency_loss", "generator_loss", "discriminator_loss",
    # Of the weights' gradients, each replica's own; 0 where a 16-bit overflow made the optimizer skip an update.
    "generator_gradient_norm", "discriminator_gradient_norm",
)  # fmt: skip


class _Parts(typing.NamedTuple):
    """The generator's gradients, and the critic's with and without the penalty."""

    generator: Callable[..., tuple[list[tf.Tensor], Metrics]]
    critic: dict[bool, Callable[..., tuple[list[tf.Tensor], Metrics]]]


def _sum(a: tf.Tensor | None, b: tf.Tensor | None) -> tf.Tensor | None:
    return b if a is None else a if b is None else a + b


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
        jit_compile: Whether XLA compiles the networks and their gradients; for one replica, or TPUs, which always do.

    Raises:
        ValueError: When XLA is asked for and several replicas share a batch.
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
        jit_compile: bool = False,
    ):
        if jit_compile and strategy.num_replicas_in_sync > 1:
            raise ValueError(
                "jit_compile expects one device: several replicas meet inside of what it would compile. "
                f"Received: {strategy.num_replicas_in_sync} replicas"
            )
        self.model = model
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.strategy = strategy
        self.schedule = schedule
        self.weights = weights
        self.objective = OBJECTIVES[weights.adversarial]
        self.ema_decay = ema_decay
        self.seed = seed
        self.jit_compile = jit_compile
        # Off where results must repeat bit for bit: TensorFlow refuses to read the time then.
        self.times_data = True

    def reset_optimizers(self) -> None:
        """Forgets the optimizers' moments and step counts, as Magenta does at every stage boundary.

        With beta1 = 0 and beta2 = 0.99 a stale step count makes a fresh block's first step ten times the learning rate.
        """
        for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
            optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # Under a loss scale, which stays.
            for variable in optimizer.variables:
                if variable is not optimizer.learning_rate:
                    variable.assign(tf.zeros(variable.shape, variable.dtype))

    def make_function(self, stage: int) -> Callable[..., tuple[Metrics, tf.Tensor]]:
        """The graph of several updates in one stage.

        Args:
            stage: Fixed in the graph, since it decides which blocks run.

        Returns:
            A function of (iterator, num_steps int32, examples int64, fade float32, fade_step float32): the data, how
            many updates, the count of examples before the first, the fade then, and the fade's growth by one update.
            It returns the mean of every metric over the updates, and the seconds spent waiting for data.

        Raises:
            ValueError: When the replicas cannot share the stage's batch evenly.
        """
        batch_size, replicas = self.schedule.batch_size(stage), self.strategy.num_replicas_in_sync
        if batch_size % replicas:
            raise ValueError(f"Batch sizes must be a multiple of the {replicas} replicas. Received: {batch_size}")
        # AutoGraph is for the loop below only: what runs inside it holds no Python control flow over tensors.
        update = tf.autograph.experimental.do_not_convert(functools.partial(self._update, self._parts(stage), stage))
        take = tf.autograph.experimental.do_not_convert(next_batch)

        @tf.function
        def steps(iterator, num_steps, examples, fade, fade_step):
            totals, waited = tf.zeros([len(METRICS)]), tf.zeros([], tf.float64)
            for index in tf.range(num_steps):
                seen = examples + tf.cast(index, tf.int64) * batch_size
                now = tf.minimum(1.0, fade + tf.cast(index, tf.float32) * fade_step)
                batch, seconds, seen = take(self.strategy, iterator, totals, seen, self.times_data)
                totals += update(batch, seen, now)
                waited += seconds
            means = tf.unstack(totals / tf.cast(num_steps, tf.float32))
            return dict(zip(METRICS, means, strict=True)), waited

        return steps

    def _update(self, parts: _Parts, stage: int, batch: dict, examples: tf.Tensor, fade: tf.Tensor) -> tf.Tensor:
        """One update on all replicas; the metrics' means over them, in order."""

        def update(penalise: bool) -> tf.Tensor:
            metrics = self.strategy.run(self._replica_update, args=(parts, batch, stage, examples, fade, penalise))
            return self.strategy.reduce("MEAN", metrics, axis=None)

        interval = self.weights.gradient_penalty_interval
        if interval == 1:
            metrics = update(True)
        else:  # Chosen here, not inside a replica: replicas cannot meet inside of a condition.
            due = (examples // self.schedule.batch_size(stage)) % interval == 0
            metrics = tf.cond(due, lambda: update(True), lambda: update(False))
        self._update_smoothed_generator(stage)
        return metrics

    def _parts(self, stage: int) -> _Parts:
        """The gradients of both networks as functions of tensors, compiled where XLA is asked for."""

        def compiled(function: Callable) -> Callable:
            function = functools.partial(function, stage)
            return tf.function(function, jit_compile=True, autograph=False) if self.jit_compile else function

        critic = {penalise: functools.partial(self._critic_gradients, penalise) for penalise in (True, False)}
        return _Parts(
            compiled(self._generator_gradients), {penalise: compiled(part) for penalise, part in critic.items()}
        )

    def _update_smoothed_generator(self, stage: int) -> None:
        """Moves every smoothed weight by 1 - ema_decay towards the trained one."""

        def move(smoothed, trained):
            smoothed.assign_sub((1.0 - self.ema_decay) * (smoothed - trained))

        active = self._active(self.model.generator, stage), self._active(self.model.smoothed_generator, stage)
        for trained, smoothed in zip(*active, strict=True):
            self.strategy.extended.update(smoothed.value, move, args=(trained.value,), group=False)

    # ------------------------------------------------------------------------------------------ one replica

    def _replica_update(
        self, parts: _Parts, batch: dict, stage: int, examples: tf.Tensor, fade: tf.Tensor, penalise: bool
    ) -> tf.Tensor:
        """One generator update, then one critic update, on this replica's share of the batch; the metrics in order."""
        num_blocks = self.schedule.num_blocks(stage)
        fade = fade if self.schedule.is_transition(stage) else None
        step_seed = tf.random.fold_in(tf.constant([self.seed, 0], tf.int32), tf.cast(examples, tf.int32))
        seeds = tf.unstack(tf.random.split(step_seed, 3))

        def make_reals():
            return self.model.real_specgrams(batch["audio"], num_blocks, fade)

        reals = make_reals() if self.objective.paired else None
        drawn = self._draw(stage, seeds[0], batch["label"])
        gradients, metrics = parts.generator(fade, *drawn, reals)
        self.generator_optimizer.apply(gradients, self._active(self.model.generator, stage))
        # One network after the other: at the same time they would need the memory of both.
        with tf.control_dependencies(list(metrics.values())):
            reals = make_reals() if reals is None else reals
        # Drawn here, since XLA would draw others.
        mixing = self._own_share(tf.random.stateless_uniform([self.schedule.batch_size(stage)], seeds[2]))
        drawn = self._draw(stage, seeds[1], batch["label"])
        gradients, found = parts.critic[penalise](fade, *drawn, reals, batch["label"], mixing)
        # TensorFlow drops the order between the penalty's pass and the change of a bias that no gradient of it reaches.
        with tf.control_dependencies(list(found.values())):
            self.discriminator_optimizer.apply(gradients, self._active(self.model.discriminator, stage))
        metrics = metrics | found
        return tf.stack([metrics[name] for name in METRICS])

    def _generator_gradients(
        self,
        stage: int,
        fade: tf.Tensor | None,
        z: tf.Tensor,
        labels: tf.Tensor,
        reals: tf.Tensor | None,
    ) -> tuple[list[tf.Tensor], Metrics]:
        """What raises the fakes' scores, above those of reals in a paired game, and their pitches' likelihood."""
        num_blocks = self.schedule.num_blocks(stage)
        against = None if reals is None else self.model.judge(reals, num_blocks, fade, self._projected(labels))[0]
        variables = [v.value for v in self._active(self.model.generator, stage)]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            fakes = self.model.fake_specgrams(z, labels, num_blocks, fade)
            scores, pitch_logits = self.model.judge(fakes, num_blocks, fade, self._projected(labels))
            pitch = losses.pitch_loss(pitch_logits, labels)
            consistency = self._consistency(fakes, stage)
            adversarial = self.objective.generator(scores, against)
            total = adversarial + self.weights.generator_pitch * pitch + self.weights.consistency * consistency
            share = self._share(total, self.generator_optimizer)
        gradients = tape.gradient(share, variables)
        norm = self._norm(gradients, self.generator_optimizer)
        metrics = {"fake_pitch_loss": pitch, "consistency_loss": consistency, "generator_loss": total}
        return gradients, metrics | {"generator_gradient_norm": norm}

    def _critic_gradients(
        self,
        penalise: bool,
        stage: int,
        fade: tf.Tensor | None,
        z: tf.Tensor,
        fake_labels: tf.Tensor,
        reals: tf.Tensor,
        labels: tf.Tensor,
        mixing: tf.Tensor,
    ) -> tuple[list[tf.Tensor], Metrics]:
        """What tells fakes from reals, lowers the penalties and the reals' pitch loss.

        The loss is a sum of terms, each with a pass of its own through the critic (a pair of notes with two); their
        gradients are taken one after the other, so that only one is in memory.
        """
        num_blocks = self.schedule.num_blocks(stage)
        fakes = self.model.fake_specgrams(z, fake_labels, num_blocks, fade)
        terms = [
            functools.partial(self._real_term, num_blocks, fade, reals, labels),
            functools.partial(self._fake_term, num_blocks, fade, fakes, fake_labels),
        ]
        if self.objective.paired:
            terms = [functools.partial(self._pair_term, num_blocks, fade, reals, fakes, labels)]
        if penalise:
            terms.append(functools.partial(self._penalty_term, num_blocks, fade, reals, labels, fakes, mixing))
        variables = [v.value for v in self._active(self.model.discriminator, stage)]
        gradients, total, metrics = [None] * len(variables), 0.0, {"gradient_penalty": 0.0, "gradient_norm": 0.0}
        for term in terms:
            before = [gradient for gradient in gradients if gradient is not None]
            with tf.control_dependencies(before):
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    tape.watch(variables)
                    loss, found = term()
                    share = self._share(loss, self.discriminator_optimizer)
                gradients = [_sum(a, b) for a, b in zip(gradients, tape.gradient(share, variables), strict=True)]
            total, metrics = total + loss, metrics | found
        metrics["critic_distance"] = metrics["real_score"] - metrics["fake_score"]
        metrics["discriminator_gradient_norm"] = self._norm(gradients, self.discriminator_optimizer)
        return gradients, metrics | {"discriminator_loss": total}

    # ------------------------------------------------------------------------------------------ parts

    def _real_term(
        self, num_blocks: int, fade: tf.Tensor | None, reals: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, Metrics]:
        """What the critic minimises on reals: with its score, the score's drift, their pitch loss."""
        scores, loss, metrics = self._judge_reals(num_blocks, fade, reals, labels)
        return loss + self.objective.real(scores), metrics

    def _fake_term(
        self, num_blocks: int, fade: tf.Tensor | None, fakes: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, Metrics]:
        """What the critic minimises on fakes."""
        scores, _ = self.model.judge(fakes, num_blocks, fade, self._projected(labels))
        return self.objective.fake(scores), {"fake_score": tf.reduce_mean(scores)}

    def _pair_term(
        self, num_blocks: int, fade: tf.Tensor | None, reals: tf.Tensor, fakes: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, Metrics]:
        """What the critic minimises on pairs of a real and a fake of one pitch."""
        scores, loss, metrics = self._judge_reals(num_blocks, fade, reals, labels)
        fake_scores, _ = self.model.judge(fakes, num_blocks, fade, self._projected(labels))
        loss += self.objective.pair(scores, fake_scores)
        return loss, metrics | {"fake_score": tf.reduce_mean(fake_scores)}

    def _judge_reals(
        self, num_blocks: int, fade: tf.Tensor | None, reals: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, Metrics]:
        """Scores of reals, and what they cost in drift and pitch."""
        scores, pitch_logits = self.model.judge(reals, num_blocks, fade, self._projected(labels))
        pitch, score = losses.pitch_loss(pitch_logits, labels), tf.reduce_mean(scores)
        drift = self.weights.score_drift * losses.score_drift(scores)
        metrics = {"real_score": score, "real_pitch_loss": pitch}
        return scores, drift + self.weights.discriminator_pitch * pitch, metrics

    def _penalty_term(
        self,
        num_blocks: int,
        fade: tf.Tensor | None,
        reals: tf.Tensor,
        labels: tf.Tensor,
        fakes: tf.Tensor,
        mixing: tf.Tensor,
    ) -> tuple[tf.Tensor, Metrics]:
        """The gradient penalty, where the objective takes it; a projected score goes by the real notes' pitches."""
        chosen = (self.objective.normalised, self._projected(labels))
        norms = [
            losses.gradient_norms(self.model.score_gradients(points, num_blocks, fade, *chosen)[1])
            for points in self.objective.penalised(reals, fakes, mixing)
        ]
        norms = tf.concat(norms, axis=0)
        # Skipped updates are made up for by the interval, in the loss and in the reported means.
        interval = float(self.weights.gradient_penalty_interval)
        penalty = interval * self.objective.penalty(norms, self.weights.gradient_penalty_target)
        metrics = {"gradient_penalty": penalty, "gradient_norm": interval * tf.reduce_mean(norms)}
        return self.weights.gradient_penalty * penalty, metrics

    def _share(self, loss: tf.Tensor, optimizer: keras.optimizers.Optimizer) -> tf.Tensor:
        """This replica's share of a loss, since Keras sums gradients over replicas; scaled up for 16-bit gradients."""
        return optimizer.scale_loss(loss / self.strategy.num_replicas_in_sync)

    def _norm(self, gradients: list[tf.Tensor], optimizer: keras.optimizers.Optimizer) -> tf.Tensor:
        """Euclidean norm of all gradients of one network."""
        norm = tf.linalg.global_norm(gradients) / self._share(tf.ones([]), optimizer)
        return tf.where(tf.math.is_finite(norm), norm, 0.0)

    def _active(self, network: Generator | Discriminator, stage: int) -> list[keras.Variable]:
        return network.active_variables(self.schedule.num_blocks(stage), self.schedule.is_transition(stage))

    def _projected(self, labels: tf.Tensor) -> tf.Tensor | None:
        """What `judge` is told of the notes' pitches."""
        return labels if self.weights.projection else None

    def _draw(
        self, stage: int, seed: tf.Tensor, real_labels: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """This replica's share of a batch of latents, and their labels, drawn as often as the data's pitches.

        In a paired game the labels are those of the reals.
        """
        batch_size, group_size = self.schedule.batch_size(stage), self.weights.group_size
        z_seed, label_seed = tf.unstack(tf.random.split(seed, 2))
        frequencies = tf.constant(self.model.pitch_classes.probabilities[None], tf.float32)
        drawn = (tf.math.log(frequencies), batch_size // group_size, label_seed, tf.int32)
        labels = tf.repeat(tf.random.stateless_categorical(*drawn)[0], group_size)
        z = latents.sample_latents(batch_size, self.model.latent_size, z_seed)
        return self._own_share(z), real_labels if self.objective.paired else self._own_share(labels)

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
