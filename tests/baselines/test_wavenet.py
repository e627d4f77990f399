"""WaveNet: causality, what it can see, and the cached sampler against the teacher-forced network."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf.baselines import wavenet, wavenet_sampling
from gansynth_tf.baselines.distributions import MixtureOfLogistics, MuLawSoftmax

BATCH, FRAMES, HOP, CONDITION = 3, 5, 7, 4


def make_network(num_parameters=256, layers=5, seed=3, **sizes):
    """A WaveNet of five layers in stacks of three, with biases that are not zero."""
    keras.utils.set_random_seed(seed)
    sizes = {"width": 6, "skip_width": 5, "num_layers": layers, "layers_per_stack": 3, "kernel_size": 3} | sizes
    network = wavenet.WaveNet(num_parameters, CONDITION, HOP, **sizes)
    network.build()
    rng = np.random.default_rng(seed)
    for variable in network.trainable_variables:
        if variable.name.endswith("bias"):
            variable.assign(rng.normal(scale=0.3, size=variable.shape))
    return network


@pytest.fixture(scope="module")
def network():
    return make_network()


@pytest.fixture(scope="module")
def condition():
    return tf.constant(np.random.default_rng(0).normal(size=[BATCH, FRAMES, CONDITION]), tf.float32)


def random_noise(seed=1):
    return tf.constant(np.random.default_rng(seed).uniform(size=[FRAMES * HOP, BATCH, 2]), tf.float32)


def test_taps_are_delayed():
    x = tf.reshape(tf.range(1.0, 6.0), [1, 5, 1])
    taps = wavenet.delayed_taps(x, 3, 2)[0]
    np.testing.assert_array_equal(taps, [[0, 0, 1], [0, 0, 2], [0, 1, 3], [0, 2, 4], [1, 3, 5]])
    np.testing.assert_array_equal(wavenet.shift(x, 9), tf.zeros_like(x))


def test_layer_is_a_gated_dilated_convolution(condition):
    """Against Keras's own causal convolution."""
    layer = wavenet.GatedLayer(6, 5, CONDITION, 3, 4)
    layer.build()
    x = tf.random.stateless_normal([BATCH, FRAMES * HOP, 6], [0, 1])
    y, skip = layer(x, condition)
    convolution = keras.layers.Conv1D(12, 3, dilation_rate=4, padding="causal")
    convolution.build(x.shape)
    convolution.set_weights([np.reshape(layer.kernel, [3, 6, 12]), layer.bias])
    z = convolution(x) + tf.repeat(condition @ tf.convert_to_tensor(layer.condition_kernel), HOP, axis=1)
    outputs = tf.sigmoid(z[..., :6]) * tf.tanh(z[..., 6:]) @ tf.convert_to_tensor(layer.output_kernel)
    np.testing.assert_allclose(y, x + outputs[..., :6], atol=1e-5)
    np.testing.assert_allclose(skip, outputs[..., 6:], atol=1e-5)


def test_sees_its_receptive_field_and_nothing_later(condition):
    network = make_network(layers=3, layers_per_stack=2, skip_width=19)  # Dilations 1, 2, 1: 1 + 2 * (1 + 4) = 11.
    assert network.receptive_field == 11
    inputs = tf.Variable(tf.random.stateless_uniform([BATCH, FRAMES * HOP], [1, 2], -1, 1))
    with tf.GradientTape() as tape:
        parameters = tf.reduce_sum(network(inputs, condition)[:, 20])
    touched = np.flatnonzero(np.any(tape.gradient(parameters, inputs).numpy() != 0, axis=0))
    assert touched.tolist() == list(range(9, 20))


def test_published_sizes():
    network = wavenet.WaveNet(256, 512, 512)
    assert len(network.gated_layers) == 30
    assert [layer.dilation for layer in network.gated_layers] == 3 * [2**power for power in range(10)]
    assert network.receptive_field == 6141  # The taps of 31 convolutions: 0.38 s.


@pytest.mark.parametrize(
    ("distribution", "compiled"),
    [(MuLawSoftmax(), False), (MuLawSoftmax(), True), (MixtureOfLogistics(2), False)],
    ids=["mu-law", "mu-law compiled", "logistics"],
)
def test_cached_parameters_equal_the_teacher_forced(condition, distribution, compiled):
    network = make_network(distribution.num_parameters)
    inputs = distribution.waves_to_inputs(tf.random.stateless_uniform([BATCH, FRAMES * HOP], [3, 4], -1, 1))
    sampler = wavenet_sampling.CachedSampler(network, distribution)
    batch = wavenet_sampling.CachedSampler.COMPILED_BATCH if compiled else BATCH
    sample = tf.function(lambda: sampler(condition[:batch], random_noise()[:, :batch], tf.transpose(inputs[:batch])))
    _, parameters = sample()
    np.testing.assert_allclose(tf.transpose(parameters, [1, 0, 2]), network(inputs, condition)[:batch], atol=1e-4)


@pytest.mark.parametrize("distribution", [MuLawSoftmax(), MixtureOfLogistics(2)], ids=["mu-law", "logistics"])
def test_cached_samples_equal_the_naive(condition, distribution):
    network = make_network(distribution.num_parameters)
    noise = random_noise()
    drawn, parameters = tf.function(wavenet_sampling.CachedSampler(network, distribution, False))(condition, noise)
    assert wavenet_sampling.naive_window(network) == 5 and parameters.shape[0] == 0
    naive = tf.function(wavenet_sampling.naive_sample)(network, distribution, condition, noise, FRAMES * HOP)
    # A draw that falls on an edge may differ by a class where the last bits of the parameters do.
    assert np.mean(np.abs(drawn - naive) > 1e-4) < 0.02
    assert len(np.unique(drawn)) > FRAMES * HOP / 2


@pytest.mark.slow
def test_a_sampler_of_published_width_runs_uncompiled():
    """At this size TensorFlow rewrites sums of several terms, which then failed inside the loop."""
    network = wavenet.WaveNet(256, CONDITION, hop=128)
    network.build()
    sampler = wavenet_sampling.CachedSampler(network, MuLawSoftmax(), compiled=False)
    condition, noise = tf.random.normal([8, 2, CONDITION]), tf.random.uniform([256, 8, 2])
    draw = tf.function(lambda: sampler(condition, noise)[0])
    drawn = [draw().numpy() for _ in range(4)]
    assert drawn[0].shape == (256, 8) and len(np.unique(drawn)) > 50 and np.abs(drawn).max() <= 1


def test_naive_window_moves_with_the_sample():
    """More frames than the network can see: only the last ones are run."""
    network = make_network(layers=2, layers_per_stack=1)  # 1 + 2 * 3 = 7 samples: a frame, and the sample's own.
    assert wavenet_sampling.naive_window(network) == 2 < FRAMES
    condition = tf.constant(np.random.default_rng(5).normal(size=[BATCH, FRAMES, CONDITION]), tf.float32)
    noise = random_noise(2)
    naive = wavenet_sampling.naive_sample(network, MuLawSoftmax(), condition, noise, 20)
    drawn, _ = wavenet_sampling.CachedSampler(network, MuLawSoftmax(), False)(condition, noise)
    assert np.mean(drawn[:20].numpy() != naive[:20].numpy()) < 0.05
    assert not np.any(naive[20:])


def test_noise_depends_on_each_latent_alone():
    z = tf.random.stateless_normal([4, 2], [0, 1])
    noise = wavenet_sampling.latent_noise(z, 500).numpy()
    assert noise.shape == (500, 4, 2) and noise.min() >= 0 and noise.max() < 1
    np.testing.assert_array_equal(wavenet_sampling.latent_noise(z[1:3], 500), noise[:, 1:3])
    correlations = np.corrcoef(noise.transpose(1, 2, 0).reshape(8, 500))
    assert np.abs(correlations - np.eye(8)).max() < 0.25


# ---------------------------------------------------------------------------------------------------- conditions


def test_held_frames():
    np.testing.assert_allclose(wavenet.held_frames(5, 8, 20), [1, 1, 0.5, 0, 0])
    # Three of four seconds, 125 frames of 512 samples.
    assert wavenet.held_frames(125, 512, 48000).sum() == 93.75


def test_pitch_condition_tells_pitches_and_time_apart():
    keras.utils.set_random_seed(0)
    condition = wavenet.PitchCondition(3, wavenet.held_frames(90, 512, 512 * 20), width=6)
    condition.build()
    frames = condition(tf.constant([0, 2, 0])).numpy()
    assert frames.shape == (3, 90, 6)
    np.testing.assert_array_equal(frames[0], frames[2])
    assert not np.allclose(frames[0, :20], frames[1, :20])
    # 2 + 4 + 8 + 16 + 32 + 3 frames on either side: those long after the note hear nothing of it.
    np.testing.assert_array_equal(frames[0, 85], frames[1, 85])
    assert not np.allclose(frames[0, 80], frames[1, 80])
