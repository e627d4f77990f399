"""Normalizers against hand numbers and Magenta's formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf import normalizers


@pytest.fixture
def specgrams():
    """Log-magnitudes and IFs, [6, 5, 8, 2], with bin 3 silent."""
    rng = np.random.default_rng(2)
    values = np.stack([rng.uniform(-13.0, 3.0, (6, 5, 8)), rng.uniform(-1.0, 1.0, (6, 5, 8))], axis=-1)
    values[:, :, 3, 0] = np.log(1e-6)
    values[:, :, 3, 1] = 0.0
    return values.astype(np.float32)


def test_prespecified_constants_are_magentas():
    normalizer = normalizers.prespecified_normalizer()
    # 0.0661371661726 * -10 + 0.113718730221, 0.8 * 0.5; the loud point is clipped at 1.
    values = np.array([[[[-10.0, 0.5], [20.0, -1.0]]]], np.float32)
    expected = [[[[-0.547652931505, 0.4], [1.0, -0.8]]]]
    np.testing.assert_allclose(normalizer.normalize(values), expected, rtol=1e-6)


def test_denormalize_undoes_normalize(specgrams):
    for normalizer in (
        normalizers.prespecified_normalizer(0.05, 0.2, 0.7, -0.1),
        normalizers.fit_simple_normalizer(specgrams),
        normalizers.fit_freq_normalizer(specgrams),
        normalizers.identity_normalizer(),
    ):
        normalized = normalizer.normalize(specgrams)
        np.testing.assert_array_equal(normalizer(specgrams), normalized)
        np.testing.assert_allclose(normalizer.denormalize(normalized), specgrams, rtol=0, atol=2e-5)


def test_simple_maps_each_channels_range_to_the_margin(specgrams):
    normalizer = normalizers.fit_simple_normalizer(specgrams, margin=0.75)
    for channel in range(2):
        low, high = specgrams[..., channel].min(), specgrams[..., channel].max()
        # Magenta's formulas.
        np.testing.assert_allclose(normalizer.a[channel], 0.75 * 2.0 / (high - low), rtol=1e-6)
        expected = 0.75 * (-2.0 * low / (high - low) - 1.0)
        np.testing.assert_allclose(normalizer.b[channel], expected, rtol=1e-5, atol=1e-6)
    normalized = normalizer.normalize(specgrams).numpy()
    np.testing.assert_allclose(normalized.min(axis=(0, 1, 2)), -0.75, rtol=1e-5)
    np.testing.assert_allclose(normalized.max(axis=(0, 1, 2)), 0.75, rtol=1e-5)


def test_freq_maps_each_bins_range_and_silent_bins_to_zero(specgrams):
    normalizer = normalizers.fit_freq_normalizer(specgrams)
    assert normalizer.a.shape == normalizer.b.shape == (8, 2)
    normalized = normalizer.normalize(specgrams).numpy()
    heard = np.arange(8) != 3
    np.testing.assert_allclose(normalized.min(axis=(0, 1))[heard], -0.8, rtol=1e-5)
    np.testing.assert_allclose(normalized.max(axis=(0, 1))[heard], 0.8, rtol=1e-5)
    np.testing.assert_allclose(normalized[:, :, 3], 0.0, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(normalizer.a[3], normalizers.fit_simple_normalizer(specgrams).a)
    np.testing.assert_allclose(normalizer.denormalize(normalized), specgrams, rtol=0, atol=2e-5)


@pytest.mark.parametrize("fit", [normalizers.fit_simple_normalizer, normalizers.fit_freq_normalizer])
def test_fitting_in_batches_equals_fitting_at_once(specgrams, fit):
    whole = fit(specgrams)
    streamed = fit(part for part in (specgrams[:1], specgrams[1:1], specgrams[1:4], specgrams[4:]))
    dataset = fit(tf.data.Dataset.from_tensor_slices(specgrams).batch(4))
    tensor = fit(tf.constant(specgrams))
    for other in (streamed, dataset, tensor):
        np.testing.assert_array_equal(other.a, whole.a)
        np.testing.assert_array_equal(other.b, whole.b)


@pytest.mark.parametrize("fit", [normalizers.fit_simple_normalizer, normalizers.fit_freq_normalizer])
def test_a_constant_channel_stays_finite(fit):
    values = np.full((2, 3, 4, 2), -13.8, np.float32)
    # One float32 step is no range either.
    values[0, 0, 0] = np.nextafter(np.float32(-13.8), np.float32(0))
    normalizer = fit(values)
    normalized = normalizer.normalize(values).numpy()
    assert np.abs(normalized).max() < 1e-5
    np.testing.assert_allclose(normalizer.denormalize(normalized), values, rtol=0, atol=1e-5)


def test_freq_constants_are_averaged_for_coarse_specgrams(specgrams):
    normalizer = normalizers.fit_freq_normalizer(specgrams)
    a, b = normalizer.a.numpy(), normalizer.b.numpy()
    coarse = specgrams.reshape(6, 5, 2, 4, 2).mean(axis=3)
    mean_a, mean_b = (values.reshape(2, 4, 2).mean(axis=1) for values in (a, b))
    normalized = normalizer.normalize(coarse).numpy()
    np.testing.assert_allclose(normalized, mean_a * coarse + mean_b, rtol=0, atol=1e-5)
    # Close to what the full resolution says, silent bin or not.
    average = normalizer.normalize(specgrams).numpy().reshape(6, 5, 2, 4, 2).mean(axis=3)
    np.testing.assert_allclose(normalized, average, rtol=0, atol=0.15)
    np.testing.assert_allclose(normalizer.denormalize(normalizer.normalize(coarse)), coarse, rtol=0, atol=1e-5)
    for num_bins in (3, 16):
        with pytest.raises(ValueError, match=f"freq must be 8 or that divided by a whole number, got {num_bins}"):
            normalizer.normalize(np.zeros((1, 5, num_bins, 2), np.float32))


def test_gradient_stops_where_it_clips():
    normalizer = normalizers.prespecified_normalizer(0.5, 0.0, 0.8, 0.0)
    values = tf.constant([[[[1.0, 0.5], [3.0, -2.0]]]])
    with tf.GradientTape() as tape:
        tape.watch(values)
        total = tf.reduce_sum(normalizer.normalize(values))
    np.testing.assert_allclose(tape.gradient(total, values), [[[[0.5, 0.8], [0.0, 0.0]]]])


def test_identity_does_not_clip():
    values = np.array([[[[-13.0, 4.0]]]], np.float32)
    np.testing.assert_array_equal(normalizers.identity_normalizer().normalize(values), values)


# Keras 3.15 reads variables in a way that NumPy 2.4 calls outdated.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_constants_are_saved_with_the_model(specgrams, tmp_path):
    model = keras.Sequential([keras.Input((5, 8, 2)), normalizers.fit_freq_normalizer(specgrams)])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(specgrams), model(specgrams))
    assert not again.trainable_variables and len(again.non_trainable_variables) == 2

    fresh = normalizers.SpecgramNormalizer(num_bins=8)
    tf.train.Checkpoint(normalizer=model.layers[0]).write(str(tmp_path / "checkpoint"))
    tf.train.Checkpoint(normalizer=fresh).read(str(tmp_path / "checkpoint")).assert_consumed()
    np.testing.assert_array_equal(fresh.normalize(specgrams), model(specgrams))
    assert normalizers.SpecgramNormalizer.from_config(fresh.get_config()).get_config() == fresh.get_config()


def test_float32_inside_a_bfloat16_layer(specgrams):
    normalizer = normalizers.prespecified_normalizer()
    expected = normalizer.normalize(specgrams)

    class Outer(keras.layers.Layer):
        """Reads the normalizer under its own autocast scope."""

        def call(self, inputs):
            return normalizer.normalize(inputs)

    outer = Outer(dtype="mixed_bfloat16", autocast=True)
    coarse = outer(specgrams)
    assert coarse.dtype == tf.float32
    rounded = normalizer.normalize(tf.cast(specgrams, tf.bfloat16))
    np.testing.assert_array_equal(coarse, rounded)
    assert np.abs(rounded - expected).max() < 1e-2
    np.testing.assert_array_equal(normalizer(specgrams), expected)


def test_graph_equals_eager(specgrams):
    normalizer = normalizers.fit_freq_normalizer(specgrams)
    for function in (normalizer.normalize, normalizer.denormalize):
        compiled = tf.function(function, jit_compile=True)(specgrams)
        np.testing.assert_allclose(compiled, function(specgrams), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: normalizers.prespecified_normalizer(mag_a=0.0), "a must be finite and not 0"),
        (lambda: normalizers.prespecified_normalizer(p_b=np.nan), "b finite"),
        (lambda: normalizers.SpecgramNormalizer(4).assign([1, 1], [0, 0]), r"must have shape \(4, 2\), got \(2,\)"),
        (lambda: normalizers.fit_simple_normalizer([]), "at least one example, got none"),
        (lambda: normalizers.fit_simple_normalizer(np.zeros((0, 3, 4, 2))), "at least one example, got none"),
        (lambda: normalizers.fit_simple_normalizer([np.zeros((3, 4, 2))]), r"got \[3, 4, 2\]"),
        (lambda: normalizers.fit_freq_normalizer(np.full((2, 3, 4, 2), np.nan)), "must be finite"),
        (lambda: normalizers.fit_freq_normalizer(np.full((2, 3, 4, 2), np.inf)), "must be finite"),
        (lambda: normalizers.fit_simple_normalizer(np.zeros((2, 3, 4, 2)), margin=0.0), r"margin must be in \(0, 1\]"),
    ],
)
def test_errors_say_what_was_expected(make, message):
    with pytest.raises(ValueError, match=message) as raised:
        make()
    assert "\n" not in str(raised.value)
