"""Updates: who moves and how far, in one call or several, on one device or two."""

import contextlib
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf import layers
from gansynth_tf.representations import Waveform
from gansynth_tf.schedules import ResolutionSchedule, StageSchedule
from gansynth_tf.training.objectives import LossWeights
from gansynth_tf.training.steps import METRICS, Updates

# Batches of 6 for blocks 1 and 2, of 4 for block 3.
SCHEDULE = StageSchedule(
    num_resolutions=3, stable_examples=24, transition_examples=24, total_examples=1000, batch_sizes=(6, 4)
)
RATE = 0.01
# Norms of the weights' gradients are each replica's own.
OF_THE_BATCH = tuple(set(METRICS) - {"generator_gradient_norm", "discriminator_gradient_norm"})


def make_dataset(batch_size: int, samples: int = 80, loudness: float = 0.5) -> tf.data.Dataset:
    """An endless stream of noise at three pitches, the same every time."""
    audio = loudness * np.random.default_rng(1).normal(size=(61, samples)).astype(np.float32)
    notes = {"audio": audio, "label": np.arange(61, dtype=np.int32) % 3}
    return tf.data.Dataset.from_tensor_slices(notes).repeat().batch(batch_size, drop_remainder=True)


class Training:
    """A tiny model with everything that updates it."""

    def __init__(self, make_model, strategy=None, optimizer=keras.optimizers.Adam, schedule=SCHEDULE, **settings):
        strategy = strategy or tf.distribute.OneDeviceStrategy("CPU:0")
        weights = settings.pop("weights", LossWeights())
        with strategy.scope():
            self.model = make_model(**settings.pop("model", {}))
            optimizers = []
            for network in (self.model.generator, self.model.discriminator):
                settings_of_adam = {"beta_1": 0.0, "beta_2": 0.99} if optimizer is keras.optimizers.Adam else {}
                optimizers.append(optimizer(RATE, **settings_of_adam))
                optimizers[-1].build(network.trainable_variables)
        self.updates = Updates(self.model, *optimizers, strategy, schedule, weights, **settings)
        self.functions = {}

    def run(self, stage: int, num_steps: int = 1, first_step: int = 0, fade=0.0, fade_step=0.0, **data) -> dict:
        """Some updates in one call; the metrics."""
        batch_size = self.updates.schedule.batch_size(stage)
        if stage not in self.functions:
            self.functions[stage] = self.updates.make_function(stage)
        dataset = make_dataset(batch_size, self.model.audio_length, **data).skip(first_step)
        result = self.functions[stage](
            iter(self.updates.strategy.experimental_distribute_dataset(dataset)),
            tf.constant(num_steps),
            tf.constant(first_step * batch_size, tf.int64),
            tf.constant(fade + first_step * fade_step, tf.float32),
            tf.constant(fade_step, tf.float32),
        )
        metrics, self.waited = result
        return {name: float(value) for name, value in metrics.items()}

    def weights(self) -> dict[str, np.ndarray]:
        """Copies of all weights, by network and path."""
        networks = ("generator", "smoothed_generator", "discriminator", "normalizer")
        return {f"{n} {i}": w for n in networks for i, w in enumerate(getattr(self.model, n).get_weights())}

    def active(self, stage: int) -> set[str]:
        """Names, as in `weights`, of what may move in a stage."""
        blocks, fading = SCHEDULE.num_blocks(stage), SCHEDULE.is_transition(stage)
        names = set()
        for name in ("generator", "smoothed_generator", "discriminator"):
            network = getattr(self.model, name)
            active = {id(v) for v in network.active_variables(blocks, fading)}
            names |= {f"{name} {i}" for i, v in enumerate(network.weights) if id(v) in active}
        return names


@pytest.fixture
def make(make_tiny_model):
    def make(**settings) -> Training:
        return Training(make_tiny_model, **settings)

    return make


@contextlib.contextmanager
def eagerly():
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def assert_same_weights(a: Training, b: Training, **tolerance):
    ours, theirs = a.weights(), b.weights()
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], err_msg=name, **tolerance)


# ---------------------------------------------------------------------------------------------------- one update


@pytest.mark.parametrize("stage", range(5))
def test_one_update_moves_exactly_the_active_variables(make, stage):
    training = make()
    before = training.weights()
    with eagerly():
        metrics = training.run(stage, fade=0.4)
    after = training.weights()
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved == training.active(stage)
    assert set(metrics) == set(METRICS) and np.isfinite(list(metrics.values())).all()
    assert int(training.updates.generator_optimizer.iterations) == 1
    assert int(training.updates.discriminator_optimizer.iterations) == 1


def test_losses_are_the_weighted_sum_of_their_terms(make):
    weights = LossWeights(gradient_penalty=7.0, score_drift=0.0, generator_pitch=3.0, discriminator_pitch=2.0)
    with eagerly():
        metrics = make(weights=weights).run(1, fade=0.3)
    np.testing.assert_allclose(metrics["critic_distance"], metrics["real_score"] - metrics["fake_score"], rtol=1e-5)
    expected = -metrics["critic_distance"] + 7.0 * metrics["gradient_penalty"] + 2.0 * metrics["real_pitch_loss"]
    np.testing.assert_allclose(metrics["discriminator_loss"], expected, rtol=1e-5)
    # Drift adds the mean squared real score; the rest stays.
    with_drift = LossWeights(gradient_penalty=7.0, score_drift=100.0, generator_pitch=3.0, discriminator_pitch=2.0)
    with eagerly():
        drifting = make(weights=with_drift).run(1, fade=0.3)
    assert drifting["discriminator_loss"] > metrics["discriminator_loss"] + 99.0 * metrics["real_score"] ** 2
    for name in set(METRICS) - {"discriminator_loss", "discriminator_gradient_norm"}:
        assert drifting[name] == metrics[name]


def test_updates_go_downhill(make):
    """Plain gradient steps, each against what its own network minimises, on the batch that they were made of."""
    training = make(optimizer=keras.optimizers.SGD, weights=LossWeights(gradient_penalty=0.0))
    metrics = []
    with eagerly():
        # Losses are those before the update; the generator learns in the first, the critic in the second.
        for generator_rate, discriminator_rate in ((1e-3, 0.0), (0.0, 1e-3), (0.0, 0.0)):
            training.updates.generator_optimizer.learning_rate = generator_rate
            training.updates.discriminator_optimizer.learning_rate = discriminator_rate
            metrics.append(training.run(4))
    assert metrics[1]["generator_loss"] < metrics[0]["generator_loss"]
    assert metrics[2]["discriminator_loss"] < metrics[1]["discriminator_loss"]


def test_smoothed_generator_moves_by_a_share_of_the_way(make):
    training = make(ema_decay=0.75)
    smoothed = training.model.smoothed_generator
    smoothed.set_weights([w + 1.0 for w in smoothed.get_weights()])
    before = training.weights()
    with eagerly():
        training.run(2)
    after, active = training.weights(), training.active(2)
    for name in [name for name in before if name.startswith("smoothed")]:
        target = after[name.removeprefix("smoothed_")]
        expected = before[name] + 0.25 * (target - before[name]) if name in active else before[name]
        np.testing.assert_allclose(after[name], expected, atol=1e-6)


def test_two_updates_smooth_twice(make):
    training = make(ema_decay=0.9, optimizer=keras.optimizers.SGD)
    for optimizer in (training.updates.generator_optimizer, training.updates.discriminator_optimizer):
        optimizer.learning_rate = 0.0
    smoothed = training.model.smoothed_generator
    smoothed.set_weights([w + 2.0 for w in smoothed.get_weights()])
    with eagerly():
        training.run(4, num_steps=3)
    active = {f"smoothed_{name}" for name in training.active(4) if name.startswith("generator")}
    after = training.weights()
    for name in active:  # 2 * 0.9**3.
        np.testing.assert_allclose(after[name] - after[name.removeprefix("smoothed_")], 1.458, atol=1e-5)


# ---------------------------------------------------------------------------------------------------- optimizers


def test_reset_forgets_all_but_the_learning_rate(make):
    training = make()
    optimizers = training.updates.generator_optimizer, training.updates.discriminator_optimizer
    with eagerly():
        training.run(0, num_steps=3)
    for optimizer, rate in zip(optimizers, (0.02, 0.03), strict=True):
        optimizer.learning_rate = rate
        assert int(optimizer.iterations) == 3
        assert any(np.any(v.numpy()) for v in optimizer.variables[2:])
    weights = training.weights()
    training.updates.reset_optimizers()
    for optimizer, rate in zip(optimizers, (0.02, 0.03), strict=True):
        assert int(optimizer.iterations) == 0
        np.testing.assert_allclose(float(optimizer.learning_rate), rate, rtol=1e-6)
        others = [v for v in optimizer.variables if v is not optimizer._learning_rate]
        assert not any(np.any(v.numpy()) for v in others)
    for name, value in training.weights().items():
        np.testing.assert_array_equal(value, weights[name])


def test_first_step_after_a_reset_is_the_learning_rate(make):
    training = make()

    def step_sizes(stage):
        """Of the generator's kernels that are new in the stage."""
        before = training.weights()
        training.run(stage, fade=0.5)
        after = training.weights()
        new = [name for name in training.active(stage) - training.active(0) if name.startswith("generator")]
        return np.concatenate([np.abs(after[name] - before[name]).ravel() for name in new])

    with eagerly():
        training.run(0, num_steps=2)
        for optimizer in (training.updates.generator_optimizer, training.updates.discriminator_optimizer):
            optimizer.iterations.assign(10**6)
        # Without a reset: 1 / sqrt(1 - 0.99) times the rate.
        np.testing.assert_allclose(np.median(step_sizes(1)), 10 * RATE, rtol=0.01)
        training.updates.reset_optimizers()
        np.testing.assert_allclose(np.median(step_sizes(3)), RATE, rtol=0.01)
        assert step_sizes(3).max() < 10 * RATE


# ---------------------------------------------------------------------------------------------------- gradient penalty


def test_penalty_interval_doubles_what_it_does_not_skip(make):
    every = make(optimizer=keras.optimizers.SGD)
    second = make(optimizer=keras.optimizers.SGD, weights=LossWeights(gradient_penalty_interval=2))
    with eagerly():
        always, taken = every.run(1, fade=0.5), second.run(1, fade=0.5)
        np.testing.assert_allclose(taken["gradient_penalty"], 2.0 * always["gradient_penalty"], rtol=1e-5)
        np.testing.assert_allclose(taken["gradient_norm"], 2.0 * always["gradient_norm"], rtol=1e-5)
        more = 10.0 * always["gradient_penalty"]
        np.testing.assert_allclose(taken["discriminator_loss"], always["discriminator_loss"] + more, rtol=1e-5)
        skipped = second.run(1, first_step=1, fade=0.5)
        assert skipped["gradient_penalty"] == skipped["gradient_norm"] == 0.0
        assert second.run(1, first_step=2, fade=0.5)["gradient_norm"] > 0.0


def test_penalty_does_not_depend_on_the_stage_it_is_seen_from(make):
    """A specgram of equal boxes has the same gradient norm, however it is held."""
    training = make()
    coarse = np.random.default_rng(0).normal(size=(5, 2, 4, 2)).astype(np.float32)
    fine = np.repeat(np.repeat(coarse, 2, axis=1), 2, axis=2)
    _, gradients = training.model.score_gradients(tf.constant(coarse), 1, None)
    # At fade 0 the second block only downscales.
    _, faded = training.model.score_gradients(tf.constant(fine), 2, tf.constant(0.0))
    norms = [np.sqrt(np.sum(np.square(g), axis=(1, 2, 3))) for g in (gradients, faded)]
    np.testing.assert_allclose(norms[0], norms[1], rtol=1e-4)


# ---------------------------------------------------------------------------------------------------- several updates


@pytest.mark.slow
def test_several_updates_in_one_graph_equal_separate_eager_ones(make):
    """But for rounding, which now and then turns a slope of the leaky ReLU around."""
    weights = LossWeights(gradient_penalty_interval=3)
    together, apart = (make(optimizer=keras.optimizers.SGD, weights=weights) for _ in range(2))
    mean = together.run(1, num_steps=4, fade=0.1, fade_step=0.2)
    with eagerly():
        single = [apart.run(1, first_step=step, fade=0.1, fade_step=0.2) for step in range(4)]
    assert_same_weights(together, apart, atol=1e-3)
    for name in METRICS:
        np.testing.assert_allclose(mean[name], np.mean([m[name] for m in single]), rtol=1e-2, atol=1e-3, err_msg=name)
    assert [metrics["gradient_norm"] > 0.0 for metrics in single] == [True, False, False, True]
    # The same graph, called again for two updates.
    mean = together.run(1, num_steps=2, first_step=4, fade=0.1, fade_step=0.2)
    with eagerly():
        for step in (4, 5):
            apart.run(1, first_step=step, fade=0.1, fade_step=0.2)
    assert_same_weights(together, apart, atol=1e-3)


def test_fade_never_passes_one(make):
    training, held = (make(optimizer=keras.optimizers.SGD) for _ in range(2))
    with eagerly():
        training.run(1, fade=0.9, fade_step=0.5, num_steps=2)
        held.run(1, fade=0.9)
        held.run(1, first_step=1, fade=1.0)
    assert_same_weights(training, held, atol=1e-6)


# ---------------------------------------------------------------------------------------------------- what is drawn


def test_fakes_are_a_function_of_seed_and_count(make):
    def drawn(seed, first_step):
        training = make(seed=seed, optimizer=keras.optimizers.SGD)
        with eagerly():
            metrics = training.run(0, first_step=first_step)
        return metrics["fake_pitch_loss"], metrics["fake_score"]

    first = drawn(1, 0)
    assert drawn(1, 0) == first
    for other in (drawn(1, 1), drawn(2, 0)):
        assert other[0] != first[0] and other[1] != first[1]


def test_pitches_are_drawn_as_often_as_the_data_has_them(make):
    schedule = StageSchedule(3, 24, 24, 1000, (4000,))
    updates = make(schedule=schedule).updates
    _, labels = updates._draw(0, tf.constant([3, 4]))
    shares = np.bincount(labels, minlength=3) / 4000
    # 2, 1 and 5 of 8 notes; four standard deviations are 0.03.
    np.testing.assert_allclose(shares, [0.25, 0.125, 0.625], atol=0.03)


def test_fakes_of_a_group_share_their_pitch_and_nothing_else(make, mirrored):
    schedule = StageSchedule(3, 24, 24, 1000, (4000,))
    updates = make(schedule=schedule, weights=LossWeights(group_size=4)).updates
    z, labels = (drawn.numpy() for drawn in updates._draw(0, tf.constant([3, 4])))
    groups = labels.reshape(1000, 4)
    np.testing.assert_array_equal(groups, groups[:, :1].repeat(4, axis=1))
    # Four standard deviations of a thousand draws are 0.06.
    np.testing.assert_allclose(np.bincount(groups[:, 0], minlength=3) / 1000, [0.25, 0.125, 0.625], atol=0.06)
    assert len(np.unique(z, axis=0)) == 4000
    two = make(schedule=schedule, weights=LossWeights(group_size=4), strategy=mirrored).updates
    shares = mirrored.experimental_local_results(mirrored.run(two._draw, args=(0, tf.constant([3, 4])))[1])
    np.testing.assert_array_equal(tf.concat(shares, axis=0), labels)


# ---------------------------------------------------------------------------------------------------- consistency loss


def test_consistency_counts_in_the_last_stage_only(make):
    training = make(weights=LossWeights(consistency=50.0), optimizer=keras.optimizers.SGD)
    plain = make(optimizer=keras.optimizers.SGD)
    with eagerly():
        assert training.run(3, fade=0.5)["consistency_loss"] == plain.run(3, fade=0.5)["consistency_loss"] == 0.0
        training, plain = make(weights=LossWeights(consistency=50.0)), make()
        metrics, without = training.run(4), plain.run(4)
    assert metrics["consistency_loss"] > 0.0 and without["consistency_loss"] == 0.0
    expected = without["generator_loss"] + 50.0 * metrics["consistency_loss"]
    np.testing.assert_allclose(metrics["generator_loss"], expected, rtol=1e-5)


def test_waves_have_no_consistency_loss(make):
    model = {"representation": Waveform(None, 30, 2000), "resolutions": ResolutionSchedule((8, 1), 3, "H")}
    training = make(weights=LossWeights(consistency=50.0), model=model)
    with eagerly():
        metrics = training.run(4)
    assert metrics["consistency_loss"] == 0.0 and np.isfinite(list(metrics.values())).all()


# ---------------------------------------------------------------------------------------------------- delicate data


@pytest.mark.parametrize("loudness", [0.0, 1e-12])
def test_losses_are_finite_at_silence(make, loudness):
    training = make(weights=LossWeights(consistency=1.0))
    with eagerly():
        for stage in (0, 4):
            metrics = training.run(stage, num_steps=1 + stage // 4, loudness=loudness)
            assert np.isfinite(list(metrics.values())).all(), metrics
    assert all(np.isfinite(value).all() for value in training.weights().values())


# ---------------------------------------------------------------------------------------------------- two replicas


def test_two_replicas_draw_the_batch_of_one(make, mirrored):
    one, two = make(), make(strategy=mirrored)
    seed = tf.constant([5, 6])
    for stage in (1, 4):
        drawn = one.updates._draw(stage, seed)
        halves = mirrored.run(two.updates._draw, args=(stage, seed))
        for whole, parts in zip(drawn, halves, strict=True):
            parts = mirrored.experimental_local_results(parts)
            assert len(parts) == 2
            np.testing.assert_array_equal(tf.concat(parts, axis=0), whole)


def assert_replicas_alike(training: Training, strategy: tf.distribute.Strategy):
    for network in (training.model.generator, training.model.smoothed_generator, training.model.discriminator):
        for variable in network.weights:
            copies = strategy.experimental_local_results(variable.value)
            assert len(copies) == 2
            np.testing.assert_array_equal(copies[0], copies[1])


@pytest.mark.slow
@pytest.mark.parametrize("interval", [1, 2])
def test_two_replicas_train_as_one(make, mirrored, interval):
    """A global batch is the same however it is split, its deviation included."""
    weights = LossWeights(gradient_penalty_interval=interval)
    one, two = (make(strategy=s, optimizer=keras.optimizers.SGD, weights=weights) for s in (None, mirrored))
    assert_same_weights(one, two)
    theirs = two.run(1, fade=0.5)
    with eagerly():
        ours = one.run(1, fade=0.5)
    for name in OF_THE_BATCH:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4, atol=1e-5, err_msg=name)
    assert_same_weights(one, two, atol=1e-5)
    with eagerly():
        ours = one.run(1, num_steps=3, first_step=1, fade=0.5, fade_step=0.1)
    theirs = two.run(1, num_steps=3, first_step=1, fade=0.5, fade_step=0.1)
    for name in OF_THE_BATCH:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-3, atol=1e-4, err_msg=name)
    assert_replicas_alike(two, mirrored)


def test_the_deviation_is_that_of_the_whole_batch(mirrored):
    """Its value and its first and second derivatives, on two replicas as on one."""
    x = np.random.default_rng(2).normal(size=(6, 3, 5, 2)).astype(np.float32)

    def derivatives(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                deviation = layers.minibatch_stddev(x)[..., -1]
                loss = tf.reduce_sum(deviation**2)
            first = inner.gradient(loss, x)
            squares = tf.reduce_sum(first**2)
        return deviation, first, outer.gradient(squares, x)

    def on_a_replica():
        start = 3 * tf.distribute.get_replica_context().replica_id_in_sync_group
        return derivatives(tf.constant(x)[start : start + 3])

    expected = derivatives(tf.constant(x))
    parts = tf.function(lambda: mirrored.run(on_a_replica))()
    for whole, halves in zip(expected, parts, strict=True):
        assert np.abs(whole).max() > 1e-4
        gathered = np.concatenate([half.numpy() for half in mirrored.experimental_local_results(halves)])
        np.testing.assert_allclose(gathered, whole, rtol=1e-4, atol=1e-6)


def test_reset_reaches_all_replicas(make, mirrored):
    training = make(strategy=mirrored)
    for optimizer in (training.updates.generator_optimizer, training.updates.discriminator_optimizer):
        for variable in optimizer.variables:
            variable.assign(tf.fill(variable.shape, tf.cast(3, variable.dtype)))
        optimizer.learning_rate = 0.02
    training.updates.reset_optimizers()
    for optimizer in (training.updates.generator_optimizer, training.updates.discriminator_optimizer):
        for variable in optimizer.variables:
            expected = np.float32(0.02) if variable is optimizer._learning_rate else 0
            for copy in mirrored.experimental_local_results(variable.value):
                np.testing.assert_array_equal(copy, np.full(variable.shape, expected))


# ---------------------------------------------------------------------------------------------------- savings


@pytest.mark.slow
def test_xla_gives_the_same_numbers(make):
    """Numbers of what it compiles; the transform is outside of it."""
    plain, compiled = (make(optimizer=keras.optimizers.SGD, jit_compile=jit) for jit in (False, True))
    ours, theirs = (training.run(1, num_steps=2, fade=0.4, fade_step=0.1) for training in (plain, compiled))
    for name in METRICS:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-2, atol=1e-3, err_msg=name)
    assert_same_weights(plain, compiled, atol=1e-3)


def test_xla_is_for_one_replica(make, mirrored):
    with pytest.raises(ValueError, match="jit_compile expects one device.*2 replicas"):
        make(strategy=mirrored, jit_compile=True)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_16_bit_networks_learn_nearly_the_same(make, policy):
    exact, rough = make(), make(model={"dtype": policy})
    with eagerly():
        ours, theirs = (training.run(4) for training in (exact, rough))
    for name in METRICS:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0.1, atol=0.1, err_msg=name)
    assert ours["real_score"] != theirs["real_score"]
    assert all(v.dtype == "float32" for v in rough.model.discriminator.weights)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_the_penalty_is_taken_in_full_precision(make, policy):
    exact, rough = make(), make(model={"dtype": policy})
    specgrams = tf.constant(np.random.default_rng(0).normal(size=(5, 8, 16, 2)).astype(np.float32))
    for ours, theirs in zip(*(t.model.score_gradients(specgrams, 3, None) for t in (exact, rough)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(exact.model.judge(specgrams, 3, None)[0], rough.model.judge(specgrams, 3, None)[0])


def test_a_loss_scale_changes_nothing_but_the_overflow(make):
    def scaled(rate, **settings):
        return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(rate), initial_scale=2.0**10)

    plain, training = make(optimizer=keras.optimizers.SGD), make(optimizer=scaled)
    with eagerly():
        ours, theirs = plain.run(4), training.run(4)
    for name in METRICS:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-3, atol=1e-5, err_msg=name)
    assert_same_weights(plain, training, atol=1e-5)
    optimizer = training.updates.generator_optimizer
    optimizer.dynamic_scale.assign(2.0**127)  # Too much for any gradient.
    before = training.weights()
    with eagerly():
        metrics = training.run(4)
    assert metrics["generator_gradient_norm"] == 0.0 and np.isfinite(list(metrics.values())).all()
    after = training.weights()
    kept = [name for name in before if name.startswith("generator")]
    assert all(np.array_equal(before[name], after[name]) for name in kept)
    scale = float(optimizer.dynamic_scale.numpy())
    assert scale == 2.0**126
    training.updates.reset_optimizers()
    assert float(optimizer.dynamic_scale.numpy()) == scale and int(optimizer.iterations) == 0


def test_waiting_for_data_is_measured(make):
    training = make()
    dataset = make_dataset(6, training.model.audio_length).map(lambda batch: (tf.py_function(slow, [], []), batch)[1])
    function = training.updates.make_function(0)
    iterator = iter(training.updates.strategy.experimental_distribute_dataset(dataset))
    _, waited = function(iterator, tf.constant(3), tf.constant(0, tf.int64), tf.constant(1.0), tf.constant(0.0))
    assert 0.2 < float(waited) < 5.0
    training.run(0)
    assert 0.0 <= float(training.waited) < 0.2


def slow():
    time.sleep(0.1)


# ---------------------------------------------------------------------------------------------------- options


def test_logistic_losses_are_the_weighted_sum_of_their_terms(make):
    weights = LossWeights("logistic_r1", gradient_penalty=7.0, score_drift=0.0, discriminator_pitch=2.0)
    training = make(weights=weights)
    with eagerly():
        metrics = training.run(4)
    assert metrics["gradient_penalty"] > 0
    scored = metrics["discriminator_loss"] - 7.0 * metrics["gradient_penalty"] - 2.0 * metrics["real_pitch_loss"]
    # Jensen: a mean of softplus lies above the softplus of the mean.
    lowest = np.logaddexp(0, -metrics["real_score"]) + np.logaddexp(0, metrics["fake_score"])
    assert lowest - 1e-5 <= scored < lowest + 1.0


def test_relativistic_losses_are_the_weighted_sum_of_their_terms(make):
    weights = LossWeights("relativistic_r1_r2", gradient_penalty=7.0, score_drift=0.0, discriminator_pitch=2.0)
    with eagerly():
        metrics = make(weights=weights).run(4)
    assert metrics["gradient_penalty"] > 0
    paired = metrics["discriminator_loss"] - 7.0 * metrics["gradient_penalty"] - 2.0 * metrics["real_pitch_loss"]
    # Jensen: a mean of softplus lies above the softplus of the mean.
    lowest = np.logaddexp(0, -metrics["critic_distance"])
    assert lowest - 1e-5 <= paired < lowest + 1.0


def test_fakes_of_a_paired_game_have_the_pitches_of_the_reals(make):
    seed, labels = tf.constant([3, 4]), tf.constant([2, 2, 0, 1, 0, 2])
    paired, alone = (make(weights=LossWeights(game)).updates for game in ("relativistic_r1_r2", "logistic_r1"))
    z, drawn = paired._draw(0, seed, labels)
    np.testing.assert_array_equal(drawn, labels)
    np.testing.assert_array_equal(z, alone._draw(0, seed, labels)[0])
    assert not np.array_equal(alone._draw(0, seed, labels)[1], labels)


OPTIONS = {
    "logistic": LossWeights("logistic_r1"),
    "projection": LossWeights(projection=True, generator_pitch=0.0, discriminator_pitch=0.0),
    "grouping": LossWeights(group_size=2),
    "pairs": LossWeights("relativistic_r1_r2", 2.0),
    "all": LossWeights("logistic_r1", 5.0, gradient_penalty_interval=2, projection=True, group_size=2),
    "all, paired": LossWeights("relativistic_r1_r2", 5.0, gradient_penalty_interval=2, projection=True, group_size=2),
}


def settings_of(option: str) -> dict:
    """Of `make`, with a critic that looks at the groups, too."""
    return {"weights": OPTIONS[option], "model": {"group_size": OPTIONS[option].group_size}}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("loudness", [0.0, 0.5])
def test_every_option_moves_all_active_weights_and_stays_finite(make, option, loudness):
    training = make(**settings_of(option))
    before = training.weights()
    metrics = training.run(3, fade=0.4, loudness=loudness)
    after = training.weights()
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert np.isfinite(list(metrics.values())).all()
    if loudness:
        assert moved == training.active(3)
    assert all(np.isfinite(weight).all() for weight in after.values())


@pytest.mark.parametrize("option", ["all", "all, paired", "grouping"])
def test_options_are_drawn_alike_in_one_call_and_in_several(make, option):
    # Adam would make a whole step of a gradient that is nothing but rounding, which differs with the threads at hand.
    several, one = (make(optimizer=keras.optimizers.SGD, **settings_of(option)) for _ in range(2))
    for step in range(3):
        several.run(1, first_step=step, fade_step=0.1)
    one.run(1, num_steps=3, fade_step=0.1)
    assert_same_weights(several, one, atol=2e-5)


@pytest.mark.parametrize("option", ["all", "all, paired"])
def test_two_replicas_train_as_one_with_every_option(make, mirrored, option):
    # Batches of 8, of which each replica has two groups.
    schedule = StageSchedule(3, 24, 24, 1000, (8,))
    alone, shared = (
        make(strategy=strategy, optimizer=keras.optimizers.SGD, schedule=schedule, **settings_of(option))
        for strategy in (None, mirrored)
    )
    for training in (alone, shared):
        training.metrics = training.run(3, num_steps=2, fade=0.4)
    for name in ("real_score", "fake_score", "gradient_penalty", "generator_loss", "discriminator_loss"):
        assert shared.metrics[name] == pytest.approx(alone.metrics[name], rel=2e-3, abs=1e-4), name
