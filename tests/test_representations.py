"""Representations against Magenta's own output, and under every way to run them."""

import functools
import json

import keras
import librosa
import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf import representations

SIZES = {"lo": (256, 512), "hi": (128, 1024)}
LAYERS = {
    "linear": representations.LinearIF,
    "phase": representations.LinearPhase,
    "mel": representations.MelIF,
}


@pytest.fixture(scope="module")
def golden(golden_dir):
    with np.load(golden_dir / "spectral.npz") as file:
        return dict(file)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", LAYERS)
def test_encode_and_decode_match_magenta(golden, kind, size):
    layer = LAYERS[kind](SIZES[size], 64000, 16000)
    expected = golden[f"{kind}_{size}_specgram"]
    specgrams = layer.encode(golden["audio"]).numpy()

    # Below, the phase is noise: the magnitude is near the floor of 1e-6.
    audible = expected[..., 0] > -6.0
    difference = np.abs(specgrams - expected)[audible]
    assert difference[:, 0].max() < 3e-3
    frequency = np.abs((difference[:, 1] + 1.0) % 2.0 - 1.0)
    assert np.quantile(frequency, 0.999) < 1e-3
    assert frequency.max() < 5e-3

    waves = golden[f"{kind}_{size}_waves"]
    np.testing.assert_allclose(layer.decode(expected), waves, rtol=0, atol=1e-4)
    np.testing.assert_allclose(layer.decode(specgrams), waves, rtol=0, atol=1e-4)
    np.testing.assert_allclose(layer.decode_real(expected), waves, rtol=0, atol=1e-4)


AUDIO_LENGTH, SAMPLE_RATE = 1000, 8000


def _make(kind: str) -> keras.layers.Layer:
    """A small representation of each kind."""
    match kind:
        case "linear":
            return representations.LinearIF((16, 64), AUDIO_LENGTH - 450, SAMPLE_RATE)
        case "phase":
            return representations.LinearPhase((32, 64), AUDIO_LENGTH, SAMPLE_RATE)
        case "mel":
            return representations.MelIF((32, 64), AUDIO_LENGTH, SAMPLE_RATE)
        case "mel_coarse":
            return representations.MelIF((16, 32), AUDIO_LENGTH, SAMPLE_RATE, mel_downscale=4)
        case "mel_mean":
            return representations.MelIF((16, 32), AUDIO_LENGTH, SAMPLE_RATE, mel_downscale=4, mel_if="power_mean")
        case _:
            return representations.Waveform(None, AUDIO_LENGTH, SAMPLE_RATE)


KINDS = ["linear", "phase", "mel", "mel_coarse", "mel_mean", "wave"]


@pytest.fixture(params=KINDS)
def layer(request):
    return _make(request.param)


@pytest.fixture
def waves(layer):
    """Three noisy notes."""
    rng = np.random.default_rng(3)
    time = np.arange(layer.audio_length) / SAMPLE_RATE
    hz = np.array([[220.0], [331.0], [500.0]])
    tones = 0.3 * np.sin(2.0 * np.pi * hz * time + hz) + 0.1 * np.sin(2.0 * np.pi * 3.0 * hz * time)
    return (tones + 0.01 * rng.normal(size=tones.shape)).astype(np.float32)


def _same_specgrams(actual, expected):
    """Equal, with IF or phase modulo 2 where the magnitude is above the floor."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape and actual.dtype == expected.dtype == np.float32
    np.testing.assert_allclose(actual[..., 0], expected[..., 0], rtol=0, atol=1e-3)
    difference = (actual[..., 1] - expected[..., 1] + 1.0) % 2.0 - 1.0
    assert np.abs(difference[expected[..., 0] > -4.0]).max() < 1e-3


def test_shapes(layer, waves):
    specgrams = layer.encode(waves)
    assert specgrams.shape == (3, *layer.specgram_shape)
    assert layer.compute_output_shape((None, layer.audio_length)) == (None, *layer.specgram_shape)
    again = layer.decode(specgrams)
    assert again.shape == waves.shape and again.dtype == tf.float32


def test_call_is_encode_in_any_number_of_examples(layer, waves):
    expected = layer.encode(waves)
    _same_specgrams(layer(waves), expected)
    for index in range(3):
        _same_specgrams(layer.encode(waves[index : index + 1]), expected[index : index + 1])


def test_graph_equals_eager(layer, waves):
    encode = tf.function(layer.encode, input_signature=[tf.TensorSpec([None, None], tf.float32)])
    decode = tf.function(layer.decode, input_signature=[tf.TensorSpec([None, None, None, None], tf.float32)])
    assert encode.get_concrete_function().output_shapes == tf.TensorShape([None, *layer.specgram_shape])
    assert decode.get_concrete_function().output_shapes == tf.TensorShape([None, layer.audio_length])
    specgrams = layer.encode(waves)
    _same_specgrams(encode(waves), specgrams)
    np.testing.assert_allclose(decode(specgrams), layer.decode(specgrams), rtol=0, atol=1e-5)


def test_compiled_equals_eager(layer, waves):
    specgrams = layer.encode(waves)
    _same_specgrams(tf.function(layer.encode, jit_compile=True)(waves), specgrams)
    compiled = tf.function(layer.decode, jit_compile=True)(specgrams)
    np.testing.assert_allclose(compiled, layer.decode(specgrams), rtol=0, atol=1e-4)


def test_dataset_equals_eager(layer, waves):
    dataset = tf.data.Dataset.from_tensor_slices(waves)
    single = dataset.map(lambda wave: layer.encode(wave[tf.newaxis])[0])
    batched = dataset.batch(2).map(layer.encode)
    expected = layer.encode(waves)
    _same_specgrams(np.stack(list(single.as_numpy_iterator())), expected)
    _same_specgrams(np.concatenate(list(batched.as_numpy_iterator())), expected)
    again = dataset.batch(3).map(lambda waves: layer.decode(layer.encode(waves))).get_single_element()
    np.testing.assert_allclose(again, layer.decode(expected), rtol=0, atol=1e-4)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64", "bfloat16"])
def test_float32_under_every_policy(policy):
    waves = np.random.default_rng(0).normal(size=(2, AUDIO_LENGTH)).astype(np.float32)
    expected = _make("mel_mean").encode(waves)
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        layer = _make("mel_mean")
        model = keras.Sequential([keras.Input((AUDIO_LENGTH,), dtype="float32"), layer])
        specgrams = model(waves)
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    assert layer.compute_dtype == "float32" and not layer.autocast
    _same_specgrams(specgrams, expected)
    assert layer.encode(tf.cast(waves, tf.bfloat16)).dtype == tf.float32
    assert layer.decode(tf.cast(specgrams, tf.float64)).dtype == tf.float32


def test_config_round_trip(layer, waves):
    config = json.loads(json.dumps(layer.get_config()))
    again = type(layer).from_config(config)
    assert again.get_config() == layer.get_config() and again.specgram_shape == layer.specgram_shape
    _same_specgrams(again.encode(waves), layer.encode(waves))


def test_keras_file_round_trip(layer, waves, tmp_path):
    model = keras.Sequential([keras.Input((layer.audio_length,)), layer])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.layers[0]) is type(layer)
    _same_specgrams(again(waves), layer.encode(waves))


def _inputs(shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(8)
    noise = rng.normal(size=shape)
    half = noise.copy()
    half[:, : shape[1] // 2] = 0.0
    impulse = np.zeros(shape)
    impulse[:, shape[1] // 2] = 1.0
    return {"silence": 0.0 * noise, "constant": 0.0 * noise + 1.0, "half": half, "impulse": impulse} | {
        f"noise {scale}": scale * noise for scale in (1e-30, 1e-20, 1e-12, 1e-6, 1.0, 10.0)
    }


def _weights(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(9).normal(size=shape).astype(np.float32)


def _gradients(function, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Value, first derivative and a second one."""
    with tf.GradientTape() as outer:
        outer.watch(values)
        with tf.GradientTape() as inner:
            inner.watch(values)
            result = function(values)
            total = tf.reduce_sum(result * _weights(result.shape))
        first = inner.gradient(total, values)
        # A bounded function of the gradient: its square may not fit into float32.
        size = tf.reduce_sum(tf.math.tanh(first))
    return result, first, outer.gradient(size, values, unconnected_gradients="zero")


def test_gradients_are_finite_everywhere(layer):
    for direction, shape in (("encode", (2, layer.audio_length)), ("decode", (2, *layer.specgram_shape))):
        gradients = tf.function(functools.partial(_gradients, getattr(layer, direction)))
        for name, values in _inputs(shape).items():
            for part in gradients(tf.constant(values, tf.float32)):
                assert np.isfinite(part).all(), (direction, name)


def test_wave_gradient_through_a_round_trip_is_finite(layer):
    def round_trip(waves):
        return layer.decode(layer.encode(waves))

    gradients = tf.function(functools.partial(_gradients, round_trip))
    for name, values in _inputs((2, layer.audio_length)).items():
        for part in gradients(tf.constant(values, tf.float32)):
            assert np.isfinite(part).all(), name


def test_encoding_silence_has_no_gradient():
    for kind in KINDS[:-1]:
        layer = _make(kind)
        _, first, _ = _gradients(layer.encode, tf.zeros([2, layer.audio_length]))
        np.testing.assert_array_equal(first, 0.0)


def _round_trip(layer: keras.layers.Layer) -> tuple[np.ndarray, np.ndarray]:
    """Half a second of two decaying notes with eight partials, before and after."""
    time = np.arange(8000) / 16000
    notes = [sum(np.sin(2.0 * np.pi * hz * k * time + k) / k for k in range(1, 9)) for hz in (261.6, 440.0)]
    waves = (0.2 * np.stack(notes) * np.exp(-3.0 * time)).astype(np.float32)
    return waves, layer.decode(layer.encode(waves)).numpy()


def _peaks(waves: np.ndarray) -> np.ndarray:
    """Loudest frequency, Hz."""
    spectra = np.abs(np.fft.rfft(waves * np.hanning(8000), 1 << 17))
    return spectra.argmax(axis=1) * 16000 / (1 << 17)


@pytest.mark.parametrize(
    ("layer", "loudness", "distance"),
    [
        (representations.MelIF((64, 256), 8000, 16000), 0.75, 4.7),
        (representations.MelIF((32, 512), 8000, 16000), 0.85, 4.4),
        (representations.MelIF((32, 512), 8000, 16000, mel_if="power_mean"), 0.95, 3.6),
        (representations.MelIF((32, 128), 8000, 16000, 4), 0.65, 10.5),
        (representations.MelIF((32, 128), 8000, 16000, 4, mel_if="power_mean"), 0.75, 8.0),
    ],
)
def test_mel_round_trip_keeps_pitch_loudness_and_spectrum(layer, loudness, distance):
    waves, again = _round_trip(layer)
    np.testing.assert_allclose(_peaks(again), _peaks(waves), rtol=1e-3)
    ratio = np.sqrt(np.mean(again**2, axis=1) / np.mean(waves**2, axis=1))
    assert (ratio > loudness).all() and (ratio < 1.05).all()
    assert _log_spectral_distance(waves, again).max() < distance


def _log_spectral_distance(waves: np.ndarray, again: np.ndarray) -> np.ndarray:
    """dB between mel spectra, within 60 dB of each note's peak."""
    sizes = {"sr": 16000, "n_fft": 1024, "hop_length": 256, "n_mels": 64}
    levels = [10.0 * np.log10(librosa.feature.melspectrogram(y=x, **sizes) + 1e-7) for x in (waves, again)]
    floor = levels[0].max(axis=(1, 2), keepdims=True) - 60.0
    difference = np.maximum(levels[0], floor) - np.maximum(levels[1], floor)
    return np.sqrt(np.mean(np.square(difference), axis=(1, 2)))


def test_waveform_is_padded_on_both_sides_and_doubled():
    layer = representations.Waveform(None, 64000, 16000)
    assert layer.specgram_shape == (65536, 1, 2)
    waves = np.random.default_rng(1).normal(size=(2, 64000)).astype(np.float32)
    specgrams = layer.encode(waves).numpy()
    # Magenta: 768 zeros on either side.
    np.testing.assert_array_equal(specgrams[:, 768:-768, 0, 0], waves)
    np.testing.assert_array_equal(specgrams[..., 1], specgrams[..., 0])
    assert not specgrams[:, :768].any() and not specgrams[:, -768:].any()
    np.testing.assert_array_equal(layer.decode(specgrams), waves)


@pytest.mark.parametrize(("shape", "length"), [(None, 1023), (None, 1024), ((2048, 1), 1023), (None, 1)])
def test_waveform_of_any_length(shape, length):
    layer = representations.Waveform(shape, length, 8000)
    waves = np.random.default_rng(1).normal(size=(3, length)).astype(np.float32)
    np.testing.assert_array_equal(layer.decode(layer.encode(waves)), waves)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: representations.LinearIF((128, 1024), 67073, 16000), r"67072.*\(256, 1024\)"),
        (lambda: representations.LinearPhase((100, 64), 99, 16000), r"\(64, 64\).*\(128, 64\)"),
        (lambda: representations.MelIF((32, 128), 8961, 16000, 4), r"\(32 - 1\) \* 256 \+ 1024 = 8960"),
        (lambda: representations.MelIF((32, 128), 8000, 16000, mel_if="mean"), "'matrix' or 'power_mean', got 'mean'"),
        (lambda: representations.MelIF((32, 128), 2000, 0), "sample_rate must be positive"),
        (lambda: representations.Waveform((100, 1), 99, 16000), r"power of two >= 128.*use \(128, 1\) or None"),
        (lambda: representations.Waveform((64, 1), 99, 16000), r"power of two >= 128"),
        (lambda: representations.Waveform((128, 2), 99, 16000), r"got \(128, 2\)"),
        (lambda: _make("mel").encode(np.zeros((2, 999), np.float32)), r"waves must be \[batch, 1000\], got \(2, 999\)"),
        (lambda: _make("mel").encode(np.zeros(1000, np.float32)), r"waves must be \[batch, 1000\], got \(1000,\)"),
        (lambda: _make("mel").decode(np.zeros((32, 64, 2), np.float32)), r"specgrams must be \[batch, 32, 64, 2\]"),
    ],
)
def test_errors_say_what_to_do(make, message):
    with pytest.raises(ValueError, match=message) as raised:
        make()
    assert "\n" not in str(raised.value)
