"""The networks while they grow: shapes, fades, who gets a gradient, and the critic at a stage's own resolution."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf import layers, losses
from gansynth_tf.networks import Discriminator, Generator
from gansynth_tf.representations import LinearIF, Waveform
from gansynth_tf.schedules import ResolutionSchedule

BATCH, LATENT, PITCHES = 4, 11, 3
FILTERS = (9, 7, 6, 5)
ALL, HEIGHT = ResolutionSchedule((2, 4), 3), ResolutionSchedule((2, 5), 3, "H")
STAGES = [(1, None), (2, 0.3), (2, None), (3, 0.6), (3, None)]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


Z, LABELS = normal(BATCH, LATENT), np.array([2, 0, 1, 2])


def make_generator(resolutions=ALL, seed=3, **settings) -> Generator:
    keras.utils.set_random_seed(seed)
    generator = Generator(resolutions, FILTERS, LATENT, PITCHES, **settings)
    generator.build()
    return generator


def make_discriminator(resolutions=ALL, seed=4, **settings) -> Discriminator:
    keras.utils.set_random_seed(seed)
    discriminator = Discriminator(resolutions, FILTERS, PITCHES, **settings)
    discriminator.build()
    return discriminator


def judge(discriminator: Discriminator, specgrams: np.ndarray, num_blocks: int, fade=None):
    return discriminator(specgrams, num_blocks=num_blocks, fade=fade)


# ---------------------------------------------------------------------------------------------------- generator


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("resolutions", [ALL, HEIGHT])
def test_generator_shapes(resolutions, kernel_size):
    generator = make_generator(resolutions, kernel_size=kernel_size)
    for num_blocks, fade in STAGES:
        specgrams = generator(Z, LABELS, num_blocks=num_blocks, fade=fade)
        assert specgrams.shape == (BATCH, *resolutions.resolution(num_blocks), 2)
        assert specgrams.dtype == tf.float32 and np.isfinite(specgrams).all()
    np.testing.assert_array_equal(generator(Z, LABELS), generator(Z, LABELS, num_blocks=3))


@pytest.mark.parametrize("num_blocks", [2, 3])
@pytest.mark.parametrize("resolutions", [ALL, HEIGHT])
def test_generator_fades_from_the_previous_block(resolutions, num_blocks):
    generator = make_generator(resolutions)
    coarse = layers.upscale(generator(Z, LABELS, num_blocks=num_blocks - 1), resolutions.step)
    fine = generator(Z, LABELS, num_blocks=num_blocks)
    np.testing.assert_allclose(generator(Z, LABELS, num_blocks=num_blocks, fade=0.0), coarse, atol=1e-6)
    np.testing.assert_allclose(generator(Z, LABELS, num_blocks=num_blocks, fade=tf.constant(1.0)), fine, atol=1e-6)
    middle = generator(Z, LABELS, num_blocks=num_blocks, fade=0.25)
    np.testing.assert_allclose(middle, 0.75 * coarse + 0.25 * fine, atol=1e-6)


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_generator_written_out_in_float64(kernel_size):
    generator = make_generator(kernel_size=kernel_size, activation="linear", pitch_scale=2.5)

    def convolve(layer, x):
        kernel = layer.kernel.numpy().astype(np.float64) * layer.scale
        return tf.nn.conv2d(x, kernel, 1, "SAME").numpy() + layer.bias.numpy()

    def activate(x):
        x = np.where(x > 0, x, 0.2 * x)
        return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-8)

    x = np.concatenate([Z.astype(np.float64), 2.5 * np.eye(PITCHES)[LABELS]], axis=1)
    x /= np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-8)
    start = generator.blocks[0].first
    taps = start.kernel.numpy().astype(np.float64)[::-1, ::-1] * np.sqrt(2.0 / (2 * 4 * (LATENT + PITCHES)))
    x = activate(np.einsum("bi,tfio->btfo", x, taps) + start.bias.numpy())
    for block in range(1, 4):
        layer = generator.blocks[block - 1]
        if block > 1:
            x = activate(convolve(layer.first, x.repeat(2, axis=1).repeat(2, axis=2)))
        x = activate(convolve(layer.second, x))
        expected = convolve(layer.to_specgram, x)
        np.testing.assert_allclose(generator(Z, LABELS, num_blocks=block), expected, atol=2e-5)


def test_activation_is_tanh_of_the_linear_output_before_the_fade():
    tanh, linear = make_generator(), make_generator(activation="linear")
    linear.set_weights(tanh.get_weights())
    for num_blocks in (1, 2, 3):
        plain = linear(Z, LABELS, num_blocks=num_blocks)
        assert np.abs(plain).max() > 1.0
        np.testing.assert_allclose(tanh(Z, LABELS, num_blocks=num_blocks), np.tanh(plain), atol=1e-6)
    coarse, fine = (np.tanh(linear(Z, LABELS, num_blocks=b)) for b in (1, 2))
    expected = 0.5 * layers.upscale(coarse, (2, 2)) + 0.5 * fine
    np.testing.assert_allclose(tanh(Z, LABELS, num_blocks=2, fade=0.5), expected, atol=1e-6)
    with pytest.raises(ValueError, match="'tanh' or 'linear'.*'relu'"):
        make_generator(activation="relu")


def test_pitch_scale_makes_the_pitch_louder_than_the_latent():
    def differences(pitch_scale):
        generator = make_generator(pitch_scale=pitch_scale)
        notes = generator(Z, LABELS)
        other_pitch, other_z = generator(Z, (LABELS + 1) % 3), generator(normal(BATCH, LATENT, seed=8), LABELS)
        return np.mean(np.abs(notes - other_pitch)), np.mean(np.abs(notes - other_z))

    weak, strong = differences(1.0), differences(8.0)
    assert strong[0] > 1.5 * weak[0] and strong[1] < weak[1]
    # At 0 the pitch is not heard at all.
    assert differences(0.0)[0] == 0.0


# ---------------------------------------------------------------------------------------------------- discriminator


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("resolutions", [ALL, HEIGHT])
def test_discriminator_shapes(resolutions, kernel_size):
    discriminator = make_discriminator(resolutions, kernel_size=kernel_size)
    for num_blocks, fade in STAGES:
        scores, logits = judge(discriminator, normal(BATCH, *resolutions.resolution(num_blocks), 2), num_blocks, fade)
        assert scores.shape == (BATCH,) and logits.shape == (BATCH, PITCHES)
        assert scores.dtype == logits.dtype == tf.float32 and np.isfinite(scores).all()


@pytest.mark.parametrize("num_blocks", [2, 3])
@pytest.mark.parametrize("resolutions", [ALL, HEIGHT])
def test_discriminator_is_continuous_across_boundaries(resolutions, num_blocks):
    discriminator = make_discriminator(resolutions)
    fine = normal(BATCH, *resolutions.resolution(num_blocks), 2)
    coarse = layers.downscale(fine, resolutions.step)
    # At fade 0 only the coarse specgram counts; at 1, only the new block.
    at_zero, before = judge(discriminator, fine, num_blocks, 0.0), judge(discriminator, coarse, num_blocks - 1)
    for a, b in zip(at_zero, before, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    at_one, after = judge(discriminator, fine, num_blocks, tf.constant(1.0)), judge(discriminator, fine, num_blocks)
    for a, b in zip(at_one, after, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def magentas_discriminator(discriminator: Discriminator, full: tf.Tensor, num_blocks: int, progress: float):
    """The critic over whole specgrams, as Magenta computes it: every block sees the whole, downscaled by itself."""
    resolutions = discriminator.resolutions
    x = None
    for index in range(num_blocks - 1, -1, -1):
        block = discriminator.blocks[index]
        entering = block.enter(layers.downscale(full, resolutions.scale_to_final(index + 1)))
        alpha = np.clip(index + 1 - progress, 0.0, 1.0)
        x = entering if x is None else alpha * entering + (1.0 - alpha) * x
        if index:
            x = layers.downscale(block(x), resolutions.step)
    features = discriminator.blocks[0](layers.minibatch_stddev(x))[:, 0, 0, :]
    return discriminator.score(features)[:, 0], discriminator.pitch(features)


@pytest.mark.parametrize(("num_blocks", "fade"), STAGES)
@pytest.mark.parametrize("resolutions", [ALL, HEIGHT])
def test_scores_at_a_stages_own_resolution_are_those_of_whole_specgrams(resolutions, num_blocks, fade):
    discriminator = make_discriminator(resolutions)
    own = tf.constant(normal(BATCH, *resolutions.resolution(num_blocks), 2))
    full = layers.upscale(own, resolutions.scale_to_final(num_blocks))
    assert full.shape == (BATCH, *resolutions.final, 2)
    progress = num_blocks - 2 + (1.0 if fade is None else fade)
    expected = magentas_discriminator(discriminator, full, num_blocks, progress)
    for a, b in zip(judge(discriminator, own, num_blocks, fade), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize(("num_blocks", "fade"), STAGES)
@pytest.mark.parametrize("kind", ["mel", "linear", "wave"])
def test_gradient_norms_are_those_of_whole_specgrams(make_tiny_model, kind, num_blocks, fade):
    match kind:
        case "mel":
            model = make_tiny_model()
        case "linear":
            model = make_tiny_model(LinearIF((8, 4), 17, 2000), ResolutionSchedule((2, 4), 3, "H"))
        case "wave":
            model = make_tiny_model(Waveform((16, 1), 13, 2000), ResolutionSchedule((4, 1), 3, "H"))
    resolutions = model.generator.resolutions
    own = tf.constant(normal(BATCH, *resolutions.resolution(num_blocks), 2))
    scores, gradients = model.score_gradients(own, num_blocks, fade)
    assert gradients.shape == own.shape

    full = layers.upscale(own, resolutions.scale_to_final(num_blocks))
    with tf.GradientTape() as tape:
        tape.watch(full)
        normalised = model.normalizer.normalize(full)
        progress = num_blocks - 2 + (1.0 if fade is None else fade)
        full_scores, _ = magentas_discriminator(model.discriminator, normalised, num_blocks, progress)
    np.testing.assert_allclose(scores, full_scores, atol=1e-5)
    norms = losses.gradient_norms(tape.gradient(full_scores, full))
    np.testing.assert_allclose(losses.gradient_norms(gradients), norms, rtol=1e-4)
    np.testing.assert_allclose(scores, model.judge(own, num_blocks, fade)[0], atol=1e-6)


# ---------------------------------------------------------------------------------------------------- gradients


def gradients_of(network, make_value) -> dict[str, np.ndarray | None]:
    """Path of every trainable variable -> its gradient."""
    with tf.GradientTape() as tape:
        value = make_value()
    variables = network.trainable_variables
    return dict(zip([v.path for v in variables], tape.gradient(value, [v.value for v in variables]), strict=True))


@pytest.mark.parametrize("resolutions", [ALL, HEIGHT])
def test_active_variables_are_those_with_a_gradient(resolutions):
    generator, discriminator = make_generator(resolutions), make_discriminator(resolutions)
    for num_blocks, fade in STAGES:

        def judged(num_blocks=num_blocks, fade=fade):
            fakes = generator(Z, LABELS, num_blocks=num_blocks, fade=fade)
            scores, logits = discriminator(fakes, num_blocks=num_blocks, fade=fade)
            return tf.reduce_sum(scores * normal(BATCH)) + tf.reduce_sum(logits * normal(BATCH, PITCHES, seed=1))

        for network in (generator, discriminator):
            gradients = gradients_of(network, judged)
            active = network.active_variables(num_blocks, fade is not None)
            assert len({id(v) for v in active}) == len(active)
            assert {v.path for v in active} == {path for path, g in gradients.items() if g is not None}
            for variable in active:
                assert np.any(gradients[variable.path]) and np.isfinite(gradients[variable.path]).all()


def test_variable_count_by_hand():
    # Blocks 1 to 3 with 7, 6 and 5 channels: start, second, to_specgram; then first, second, to_specgram.
    block_1 = 2 * 4 * 14 * 7 + 7 + 9 * 7 * 7 + 7 + 7 * 2 + 2
    block_2 = 9 * 7 * 6 + 6 + 9 * 6 * 6 + 6 + 6 * 2 + 2
    block_3 = 9 * 6 * 5 + 5 + 9 * 5 * 5 + 5 + 5 * 2 + 2
    assert make_generator().count_params() == block_1 + block_2 + block_3
    # From specgram, first, second; block 1 sees the deviation and ends in 9 features.
    block_1 = 2 * 7 + 7 + 9 * 8 * 7 + 7 + 2 * 4 * 7 * 9 + 9
    block_2 = 2 * 6 + 6 + 9 * 6 * 6 + 6 + 9 * 6 * 7 + 7
    block_3 = 2 * 5 + 5 + 9 * 5 * 5 + 5 + 9 * 5 * 6 + 6
    assert make_discriminator().count_params() == block_1 + block_2 + block_3 + 9 + 1 + 9 * 3 + 3


# ---------------------------------------------------------------------------------------------------- every way to run


@pytest.mark.parametrize(("num_blocks", "fade"), [(2, 0.3), (3, None)])
def test_graph_equals_eager(num_blocks, fade):
    generator, discriminator = make_generator(), make_discriminator()
    fade = None if fade is None else tf.constant(fade)

    @tf.function(input_signature=[tf.TensorSpec([None, LATENT]), tf.TensorSpec([None], tf.int32)])
    def run(z, labels):
        fakes = generator(z, labels, num_blocks=num_blocks, fade=fade)
        return fakes, *discriminator(fakes, num_blocks=num_blocks, fade=fade)

    fakes = generator(Z, LABELS, num_blocks=num_blocks, fade=fade)
    scores, logits = discriminator(fakes, num_blocks=num_blocks, fade=fade)
    for graph, eager in zip(run(Z, LABELS.astype(np.int32)), (fakes, scores, logits), strict=True):
        np.testing.assert_allclose(graph, eager, atol=1e-5)


def test_a_note_does_not_depend_on_its_batch():
    generator = make_generator()
    together = generator(Z, LABELS)
    for index in range(BATCH):
        alone = generator(Z[index : index + 1], LABELS[index : index + 1])
        np.testing.assert_allclose(alone, together[index : index + 1], atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_stays_near_float32(policy):
    exact = make_generator(), make_discriminator()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        generator, discriminator = make_generator(), make_discriminator()
    finally:
        keras.config.set_dtype_policy(before)
    generator.set_weights(exact[0].get_weights())
    discriminator.set_weights(exact[1].get_weights())
    for num_blocks, fade in STAGES:
        fade = None if fade is None else tf.constant(fade)
        specgrams = exact[0](Z, LABELS, num_blocks=num_blocks, fade=fade)
        rough = generator(Z, LABELS, num_blocks=num_blocks, fade=fade)
        assert rough.dtype == tf.float32
        assert np.sqrt(np.mean(np.square(rough - specgrams))) < 0.05
        ours, expected = (judge(d, s, num_blocks, fade) for d, s in ((discriminator, rough), (exact[1], specgrams)))
        for a, b in zip(ours, expected, strict=True):
            assert a.dtype == tf.float32
            np.testing.assert_allclose(a, b, atol=0.3)
    # Silent channels: the epsilon of pixel norm must not vanish in 16 bits.
    for layer in (generator.blocks[0].first, generator.blocks[0].second):
        layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    assert np.isfinite(generator(Z, LABELS)).all()
    for equal in (np.zeros((BATCH, 8, 16, 2), np.float32), np.ones((BATCH, 8, 16, 2), np.float32)):
        assert all(np.isfinite(part).all() for part in discriminator(equal))
