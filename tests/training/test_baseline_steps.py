"""Updates of the baselines: what moves, by how much, and that a resumed run draws the same."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf.baselines import spectral_autoencoder, wavegan
from gansynth_tf.pitches import PitchClasses
from gansynth_tf.schedules import StageSchedule
from gansynth_tf.training.baseline_steps import STAGE, LossUpdates, OneStageCosts, WaveGANUpdates
from gansynth_tf.training.objectives import LossWeights

CLASSES = PitchClasses((40, 43, 50), (2, 1, 5))
STRATEGY = tf.distribute.OneDeviceStrategy("CPU:0")


def adam(network: keras.Model, rate: float = 0.01) -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(network.trainable_variables)
    return optimizer


def schedule(batch_size: int) -> StageSchedule:
    return StageSchedule(1, 1, 1, 100, (batch_size,), progressive=False)


def batches(size: int, samples: int) -> tf.data.Dataset:
    rng = np.random.default_rng(0)
    audio = rng.uniform(-0.5, 0.5, [size, samples]).astype(np.float32)
    labels = np.arange(size, dtype=np.int32) % 3
    return tf.data.Dataset.from_tensors({"audio": audio, "label": labels}).repeat()


def make_wavegan_updates(batch_size: int = 4, critic_updates: int = 2) -> WaveGANUpdates:
    keras.utils.set_random_seed(0)
    model = wavegan.WaveGAN(
        lambda: wavegan.Generator(16384, 5, 3, dim=1), wavegan.Discriminator(16384, 3, dim=1), CLASSES, 8000, 3000
    )
    optimizers = adam(model.generator), adam(model.discriminator)
    return WaveGANUpdates(model, *optimizers, STRATEGY, schedule(batch_size), LossWeights(), critic_updates, seed=3)


def call(updates, iterator, steps: int, examples: int) -> dict[str, float]:
    function = updates.make_function(STAGE)
    numbers = tf.constant(steps), tf.constant(examples, tf.int64), tf.constant(1.0), tf.constant(0.0)
    metrics, waited = function(iterator, *numbers)
    assert float(waited) >= 0
    return {name: float(value) for name, value in metrics.items()}


def test_wavegan_updates_the_critic_oftener():
    updates = make_wavegan_updates()
    before = [w.numpy() for network in updates.model.networks for w in network.weights]
    metrics = call(updates, iter(batches(4, 3000)), 2, 0)
    assert set(metrics) == set(WaveGANUpdates.METRICS) and np.all(np.isfinite(list(metrics.values())))
    assert metrics["gradient_penalty"] > 0 and metrics["real_pitch_loss"] > 0
    after = [w.numpy() for network in updates.model.networks for w in network.weights]
    assert all(not np.array_equal(a, b) for a, b in zip(after, before, strict=True))
    counts = {name: int(optimizer.iterations) for name, optimizer in updates.optimizers.items()}
    assert counts == {"generator_optimizer": 2, "discriminator_optimizer": 4}
    # From the same weights and count of examples the same is drawn, in one call or in two.
    again = make_wavegan_updates()
    iterator = iter(batches(4, 3000))
    call(again, iterator, 1, 0)
    call(again, iterator, 1, 4)
    for a, b in zip(again.model.generator.weights, updates.model.generator.weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match=r"3 updates of 1 replicas can share. Received: 4"):
        make_wavegan_updates(4, 3)


class LineModel:
    """y = w x for targets 2 x, as a model with a moving average."""

    def __init__(self):
        self.trained, self.smoothed = (keras.Sequential([keras.layers.Dense(1, use_bias=False)]) for _ in range(2))
        for network in (self.trained, self.smoothed):
            network.build((None, 1))
            network.set_weights([np.ones([1, 1])])

    def loss(self, waves, labels, seed):
        loss = tf.reduce_mean(tf.square(self.trained(waves) - 2 * waves))
        return loss, {"loss": loss}


def test_moving_average_follows_each_update():
    model = LineModel()
    updates = LossUpdates(model, adam(model.trained, 0.1), STRATEGY, schedule(5), 0, ema_decay=0.75)
    iterator, average = iter(batches(5, 1)), 1.0
    for step in range(3):
        call(updates, iterator, 1, 5 * step)
        weight = model.trained.get_weights()[0].item()
        average = 0.75 * average + 0.25 * weight
        assert weight == pytest.approx(1 + 0.1 * (step + 1), abs=0.02)  # Adam's first steps are the rate itself.
        assert model.smoothed.get_weights()[0].item() == pytest.approx(average, rel=1e-5)


def test_spectral_autoencoder_learns():
    keras.utils.set_random_seed(0)
    network = spectral_autoencoder.SpectralNetwork(8, 3, code_size=6, width=2)
    model = spectral_autoencoder.SpectralAutoencoder(network, CLASSES, 16000, 2000, iterations=1)
    updates = LossUpdates(model, adam(network), STRATEGY, schedule(3), 0, ema_decay=0.9)
    iterator = iter(batches(3, 2000))
    function = updates.make_function(STAGE)
    losses = [float(function(iterator, 4, tf.constant(12 * k, tf.int64), 1.0, 0.0)[0]["loss"]) for k in range(4)]
    assert losses[-1] < 0.7 * losses[0], json.dumps(losses)


def test_costs_of_one_stage():
    costs = OneStageCosts(70)
    assert [costs.examples_left(clock) for clock in (0, 30, 90)] == [70, 40, 0] and costs.stage_name(0)
