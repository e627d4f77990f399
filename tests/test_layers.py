"""The parts of the networks against NumPy and SciPy, by hand, and in the ways they are run."""

import json

import keras
import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from gansynth_tf import layers


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def built(layer: keras.layers.Layer, x: np.ndarray) -> keras.layers.Layer:
    """The layer with a bias that is not zero."""
    layer.build(x.shape)
    layer.bias.assign(normal(*layer.bias.shape, seed=9))
    return layer


# ---------------------------------------------------------------------------------------------------- pixel norm


def test_pixel_norm_by_hand():
    # Mean square (9 + 16 + 0 + 0) / 4 = 6.25, root 2.5.
    x = np.array([[3.0, 4.0, 0.0, 0.0], [-1.0, 1.0, -1.0, 1.0]], np.float32)
    expected = [[1.2, 1.6, 0.0, 0.0], [-1.0, 1.0, -1.0, 1.0]]
    np.testing.assert_allclose(layers.pixel_norm(x), expected, rtol=1e-6)
    np.testing.assert_allclose(layers.pixel_norm(x, epsilon=2.75), x / np.sqrt([[9.0], [3.75]]), rtol=1e-6)
    np.testing.assert_array_equal(layers.pixel_norm(np.zeros((2, 3), np.float32)), 0.0)


def test_pixel_norm_does_not_depend_on_scale():
    x = normal(2, 3, 5, 7)
    y = layers.pixel_norm(x)
    for scale in (0.1, 1000.0):
        np.testing.assert_allclose(layers.pixel_norm(scale * x), y, rtol=1e-5)
    np.testing.assert_allclose(np.mean(np.square(y), axis=-1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_one_pass_norms_change_nothing_but_rounding(dtype):
    x = tf.cast(normal(2, 3, 5, 7), dtype)
    x = tf.concat([x, 100.0 * x, tf.zeros_like(x)], axis=0)

    def values_and_gradients():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layers.leaky_pixel_norm(x)
            total = tf.reduce_sum(y * tf.sin(y))
        return y.numpy().astype(np.float32), tape.gradient(total, x).numpy().astype(np.float32)

    plain = values_and_gradients()
    with layers.one_pass_norms():
        once = values_and_gradients()
    for ours, theirs in zip(once, plain, strict=True):
        assert np.isfinite(ours).all()
        np.testing.assert_allclose(ours, theirs, rtol=1e-5 if dtype == "float32" else 0.02, atol=1e-6)


def test_one_pass_norms_are_for_what_is_made_inside():
    def operations(make):
        graph = tf.function(make).get_concrete_function(tf.TensorSpec([None, 7], tf.float32)).graph
        return {operation.type for operation in graph.get_operations()}

    assert "EuclideanNorm" in operations(layers.one_pass_norms()(layers.leaky_pixel_norm))
    assert "EuclideanNorm" not in operations(layers.leaky_pixel_norm)


# ---------------------------------------------------------------------------------------------------- box scaling


@pytest.mark.parametrize("scale", [(2, 2), (2, 1), (1, 3), (4, 3), (1, 1)])
def test_box_scaling_is_numpys(scale):
    x = normal(2, 8, 6, 3)
    repeated = x.repeat(scale[0], axis=1).repeat(scale[1], axis=2)
    np.testing.assert_array_equal(layers.upscale(x, scale), repeated)
    boxes = x.reshape(2, 8 // scale[0], scale[0], 6 // scale[1], scale[1], 3).mean(axis=(2, 4))
    np.testing.assert_allclose(layers.downscale(x, scale), boxes, atol=1e-6)
    np.testing.assert_allclose(layers.downscale(repeated, scale), x, rtol=1e-6)


def test_blend_by_hand():
    coarse, fine = np.array([2.0, -4.0], np.float32), np.array([6.0, 4.0], np.float32)
    np.testing.assert_array_equal(layers.blend(coarse, fine, 0.0), coarse)
    np.testing.assert_array_equal(layers.blend(coarse, fine, 0.25), [3.0, -2.0])
    np.testing.assert_array_equal(layers.blend(coarse, fine, tf.constant(1.0)), fine)


# ---------------------------------------------------------------------------------------------------- resize to stage


def test_resize_to_stage_is_continuous_across_boundaries():
    specgrams, step = normal(2, 8, 12, 3), (2, 2)
    coarse = layers.resize_to_stage(specgrams, (4, 4), step, None)
    fine = layers.resize_to_stage(specgrams, (2, 2), step, None)
    assert coarse.shape == (2, 2, 3, 3) and fine.shape == (2, 4, 6, 3)
    # A fade begins with the stage before it and ends with the stage after it.
    np.testing.assert_allclose(
        layers.resize_to_stage(specgrams, (2, 2), step, tf.constant(0.0)), layers.upscale(coarse, step), atol=1e-6
    )
    np.testing.assert_allclose(layers.resize_to_stage(specgrams, (2, 2), step, tf.constant(1.0)), fine, atol=1e-6)


@pytest.mark.parametrize("step", [(2, 2), (2, 1)])
def test_resize_to_stage_is_magentas_sum_over_all_blocks(step):
    specgrams, blocks = normal(2, 8, 12, 3), 3

    def scale(block):
        return tuple(s ** (blocks - block) for s in step)

    for num_blocks, fade in [(1, None), (2, 0.3), (2, None), (3, 0.85), (3, None)]:
        progress = num_blocks - 2 + (1.0 if fade is None else fade)
        alphas = [max(0.0, min(progress - (block - 2), block - progress)) for block in range(1, num_blocks + 1)]
        assert sum(alphas) == pytest.approx(1.0)
        expected = sum(
            alpha * layers.upscale(layers.downscale(specgrams, scale(block)), scale(block))
            for block, alpha in enumerate(alphas, start=1)
        )
        ours = layers.resize_to_stage(specgrams, scale(num_blocks), step, fade)
        np.testing.assert_allclose(layers.upscale(ours, scale(num_blocks)), expected, atol=1e-6)


# ---------------------------------------------------------------------------------------------------- batch deviation


def test_minibatch_stddev_is_numpys():
    x = normal(4, 3, 5, 2)
    y = layers.minibatch_stddev(x)
    assert y.shape == (4, 3, 5, 3)
    np.testing.assert_array_equal(y[..., :2], x)
    expected = np.mean(np.sqrt(np.var(x.astype(np.float64), axis=0) + 1e-6))
    np.testing.assert_allclose(y[..., 2], np.full((4, 3, 5), expected), rtol=1e-6)


def test_minibatch_stddev_by_hand_and_of_equal_examples():
    x = np.zeros((2, 3, 4, 5), np.float32)
    x[1] = 6.0  # Values 0 and 6: variance 9.
    np.testing.assert_allclose(layers.minibatch_stddev(x)[..., -1], 3.0, rtol=1e-6)
    equal = tf.Variable(np.ones((3, 2, 4, 5), np.float32))
    with tf.GradientTape() as tape:
        y = layers.minibatch_stddev(equal)
    np.testing.assert_allclose(y[..., -1], 1e-3, rtol=1e-6)
    assert np.isfinite(tape.gradient(y, equal)).all()


def test_minibatch_stddev_of_groups_is_that_of_each_alone():
    """Its value and its first and second derivatives."""
    x = normal(6, 3, 5, 2)
    x[4:] = x[4]  # A group without variety.

    def derivatives(x, **settings):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = layers.minibatch_stddev(x, **settings)
                loss = tf.reduce_sum(y[..., -1] ** 2)
            first = inner.gradient(loss, x)
            squares = tf.reduce_sum(first**2)
        return y, first, outer.gradient(squares, x)

    grouped = derivatives(tf.constant(x), group_size=2)
    alone = [derivatives(tf.constant(x[start : start + 2])) for start in (0, 2, 4)]
    for found, parts in zip(grouped, zip(*alone, strict=True), strict=True):
        np.testing.assert_allclose(found, tf.concat(parts, axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(grouped[0][4:, ..., -1], 1e-3, rtol=1e-5)
    compiled = tf.function(layers.minibatch_stddev, jit_compile=True)(tf.constant(x), group_size=3)
    np.testing.assert_allclose(compiled, layers.minibatch_stddev(x, 3), rtol=1e-5)


# ---------------------------------------------------------------------------------------------------- equalised layers


def test_he_scale_by_hand():
    assert layers.he_scale(50, slope=0.0) == pytest.approx(0.2)  # sqrt(2 / 50)
    assert layers.he_scale(100, slope=1.0) == pytest.approx(0.1)  # sqrt(1 / 100)
    conv = layers.EqualisedConv(7, (3, 5))
    conv.build((None, 8, 9, 6))
    assert conv.scale == pytest.approx(np.sqrt(2.0 / (3 * 5 * 6)))
    dense = layers.EqualisedDense(7)
    dense.build((None, 25))
    assert dense.scale == pytest.approx(0.2)


def test_kernels_are_stored_at_unit_variance():
    keras.utils.set_random_seed(3)
    conv = layers.EqualisedConv(48, (3, 5))
    conv.build((None, 8, 9, 32))
    kernel = conv.kernel.numpy()
    assert abs(kernel.mean()) < 0.02 and abs(kernel.std() - 1.0) < 0.02
    np.testing.assert_array_equal(conv.bias, 0.0)
    np.testing.assert_allclose(conv.scaled_kernel, kernel * np.sqrt(2.0 / (3 * 5 * 32)), rtol=1e-6)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_conv_is_scipys(padding):
    x = normal(2, 7, 9, 3)
    layer = built(layers.EqualisedConv(4, (3, 5), padding), x)
    kernel = layer.kernel.numpy().astype(np.float64) * layer.scale
    y = layer(x).numpy()
    for example in range(2):
        for channel in range(4):
            planes = [
                scipy.signal.correlate2d(x[example, ..., c], kernel[..., c, channel], mode=padding.lower())
                for c in range(3)
            ]
            np.testing.assert_allclose(y[example, ..., channel], sum(planes) + layer.bias[channel], atol=1e-5)


def test_dense_is_numpys():
    x = normal(4, 6)
    layer = built(layers.EqualisedDense(5), x)
    expected = x @ (layer.kernel.numpy() / np.sqrt(6)) + layer.bias.numpy()
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


def test_start_is_magentas_padded_convolution():
    x = normal(3, 6)
    layer = built(layers.EqualisedStart(5, (2, 4)), x)
    padded = np.pad(x[:, None, None, :], [(0, 0), (1, 1), (3, 3), (0, 0)])
    # He's scale counts the whole kernel as fan-in.
    kernel = layer.kernel.numpy() * np.sqrt(2.0 / (2 * 4 * 6))
    expected = tf.nn.conv2d(padded, kernel, strides=1, padding="VALID") + layer.bias
    assert layer(x).shape == (3, 2, 4, 5)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


@pytest.mark.parametrize("step", [(2, 2), (2, 1), (1, 2)])
@pytest.mark.parametrize("kernel_size", [(3, 3), (5, 5), (3, 5)])
def test_fused_upscaling_equals_repeat_then_convolve(kernel_size, step):
    x = normal(2, 3, 5, 4)
    fused = built(layers.EqualisedUpscaleConv(6, kernel_size, step), x)
    plain = built(layers.EqualisedConv(6, kernel_size), x)
    plain.kernel.assign(fused.kernel)
    weights = normal(2, 3 * step[0], 5 * step[1], 6, seed=1)

    def value_and_gradients(layer, inputs):
        with tf.GradientTape() as tape:
            x_in = tf.constant(x)
            tape.watch(x_in)
            y = layer(inputs(x_in))
            total = tf.reduce_sum(weights * tf.sin(y))
        return [y, *tape.gradient(total, [x_in, layer.kernel.value, layer.bias.value])]

    ours = value_and_gradients(fused, lambda x: x)
    expected = value_and_gradients(plain, lambda x: layers.upscale(x, step))
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_fused_upscaling_of_unknown_size():
    x = normal(2, 3, 5, 4)
    layer = built(layers.EqualisedUpscaleConv(6, (3, 3)), x)
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, 4], tf.float32)])
    np.testing.assert_allclose(graph(x), layer(x), atol=1e-6)


# ---------------------------------------------------------------------------------------------------- every layer

LAYERS = {
    "conv": (lambda: layers.EqualisedConv(7, (3, 5), padding="VALID", he_slope=0.3, name="c"), (2, 8, 6, 3)),
    "upscale": (lambda: layers.EqualisedUpscaleConv(7, (3, 5), step=(2, 1), name="u"), (2, 8, 6, 3)),
    "start": (lambda: layers.EqualisedStart(7, (3, 4), he_slope=0.2, name="s"), (2, 5)),
    "dense": (lambda: layers.EqualisedDense(7, he_slope=0.4, name="d"), (2, 5)),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_config_round_trip(kind):
    make, shape = LAYERS[kind]
    layer = built(make(), np.zeros(shape))
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(layer) and again.get_config() == layer.get_config() and again.name == layer.name
    assert again.built  # Keras keeps the input shape beside the config.
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(normal(*shape)), layer(normal(*shape)))


@pytest.mark.parametrize("kind", LAYERS)
def test_graph_equals_eager(kind):
    make, shape = LAYERS[kind]
    layer, x = built(make(), np.zeros(shape)), normal(*shape)
    unknown_batch = tf.TensorSpec([None, *shape[1:]], tf.float32)
    np.testing.assert_allclose(tf.function(layer, input_signature=[unknown_batch])(x), layer(x), atol=1e-6)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("kind", LAYERS)
def test_every_precision_policy(kind, policy):
    make, shape = LAYERS[kind]
    x = normal(*shape)
    exact = built(make(), x)
    layer = make()
    layer.dtype_policy = keras.dtype_policies.get(policy)
    layer.build(shape)
    layer.set_weights(exact.get_weights())
    y = layer(tf.cast(x, layer.compute_dtype))
    assert y.dtype == {"float32": tf.float32, "mixed_bfloat16": tf.bfloat16, "mixed_float16": tf.float16}[policy]
    assert layer.kernel.dtype == "float32"
    np.testing.assert_allclose(tf.cast(y, tf.float32), exact(x), atol=0.1)
