"""Spectral functions against numpy and scipy."""

import math

import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from gansynth_tf import spectral

FRAMING = spectral.Framing(num_frames=8, num_bins=32, num_samples=150)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_unwrap_equals_numpy(rng, axis, dtype):
    phase = rng.uniform(-20.0, 20.0, (5, 7, 6)).astype(dtype)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(spectral.unwrap(phase, axis), np.unwrap(phase, axis=axis), rtol=0, atol=tolerance * 20)
    turns = phase / np.pi
    expected = np.unwrap(turns, axis=axis, period=2.0)
    np.testing.assert_allclose(spectral.unwrap(turns, axis, period=2.0), expected, rtol=0, atol=tolerance * 20)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_jumps_of_half_a_turn_stay_as_in_numpy(dtype):
    pi = dtype(np.pi)
    phase = np.array([0, pi, 0, -pi, 0, pi, -pi, pi, 0], dtype)
    expected = np.unwrap(phase)
    np.testing.assert_array_equal(expected[:6], phase[:6])
    np.testing.assert_allclose(spectral.unwrap(phase, axis=0), expected, rtol=0, atol=1e-6)
    # A little more than half a turn does wrap.
    beyond = np.array([0, pi + dtype(1e-6)], dtype)
    np.testing.assert_allclose(spectral.unwrap(beyond, axis=0), np.unwrap(beyond), rtol=0, atol=1e-6)
    assert spectral.unwrap(beyond, axis=0)[1] < -3


def test_unwrap_of_a_long_phase_keeps_float32_precision():
    exact = 2.9 * np.arange(3000)[np.newaxis, :, np.newaxis]
    wrapped = np.angle(np.exp(1j * exact)).astype(np.float32)
    np.testing.assert_allclose(spectral.unwrap(wrapped), exact, rtol=2e-7, atol=1e-6)


def test_wrap_keeps_sign_of_half_turns():
    turns = np.array([0.0, 1.0, -1.0, 3.0, -3.0, 5.0, -5.0, 0.25, 2.25, -2.25, 7.75], np.float32)
    expected = np.array([0.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 0.25, 0.25, -0.25, -0.25], np.float32)
    np.testing.assert_array_equal(spectral.wrap(turns, period=2.0), expected)


def test_wrap_is_the_difference_of_unwrap(rng):
    phase = rng.uniform(-9.0, 9.0, (3, 40, 2))
    difference = np.diff(np.unwrap(phase, axis=1), axis=1)
    np.testing.assert_allclose(spectral.wrap(np.diff(phase, axis=1)), difference, rtol=0, atol=1e-12)


def test_instantaneous_frequency_is_the_difference_of_numpys_unwrap(rng):
    phase = rng.uniform(-np.pi, np.pi, (3, 11, 4))
    unwrapped = np.unwrap(phase, axis=1)
    expected = np.concatenate([unwrapped[:, :1], np.diff(unwrapped, axis=1)], axis=1) / np.pi
    frequency = spectral.instantaneous_frequency(phase.astype(np.float32))
    np.testing.assert_allclose(frequency, expected, rtol=0, atol=2e-6)
    assert np.abs(frequency).max() <= 1.0


def test_frequency_to_phase_undoes_instantaneous_frequency(rng):
    phase = rng.uniform(-3.1, 3.1, (3, 50, 4)).astype(np.float32)
    again = spectral.frequency_to_phase(spectral.instantaneous_frequency(phase)).numpy()
    np.testing.assert_allclose(np.exp(1j * again), np.exp(1j * phase), rtol=0, atol=3e-5)
    assert np.abs(again).max() <= np.float32(np.pi)


def test_stft_equals_scipy(rng):
    waves = rng.normal(size=(3, FRAMING.num_samples))
    padded = np.pad(waves, [[0, 0], [FRAMING.padding, 0]])
    window = scipy.signal.get_window("hann", FRAMING.frame_length, fftbins=True)
    _, _, expected = scipy.signal.stft(
        padded,
        window=window,
        nperseg=FRAMING.frame_length,
        noverlap=FRAMING.frame_length - FRAMING.hop_length,
        boundary=None,
        padded=False,
    )
    expected = np.swapaxes(expected, 1, 2)[:, :, 1:] * window.sum()
    stfts = spectral.waves_to_stfts(waves.astype(np.float32), FRAMING)
    assert stfts.shape == (3, 8, 32)
    np.testing.assert_allclose(stfts, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("arithmetic", ["complex", "real"])
def test_inverse_stft_equals_overlap_add(arithmetic, rng):
    shape = (3, FRAMING.num_frames, FRAMING.num_bins)
    stfts = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    window = scipy.signal.get_window("hann", FRAMING.frame_length)
    frames = window * np.fft.irfft(np.pad(stfts, [[0, 0], [0, 0], [1, 0]]), axis=2)
    total, weight = np.zeros((3, FRAMING.max_samples)), np.zeros(FRAMING.max_samples)
    for index in range(FRAMING.num_frames):
        part = slice(index * FRAMING.hop_length, index * FRAMING.hop_length + FRAMING.frame_length)
        total[:, part] += frames[:, index]
        weight[part] += window**2
    np.testing.assert_allclose(weight[3 * FRAMING.hop_length : -3 * FRAMING.hop_length], 1.5, rtol=1e-12)
    if arithmetic == "complex":
        waves = spectral.stfts_to_waves(stfts.astype(np.complex64), FRAMING)
    else:
        waves = spectral.parts_to_waves(stfts.real.astype(np.float32), stfts.imag.astype(np.float32), FRAMING)
    assert waves.shape == (3, FRAMING.num_samples)
    np.testing.assert_allclose(waves, total[:, FRAMING.padding :] / 1.5, rtol=0, atol=1e-6)


@pytest.mark.parametrize("instantaneous", [True, False])
def test_round_trip_is_exact_away_from_the_edges(rng, instantaneous):
    framing = spectral.Framing(num_frames=64, num_bins=128, num_samples=4000)
    # Noise without DC, which is dropped.
    band = scipy.signal.butter(4, [0.1, 0.9], "bandpass", output="sos")
    waves = 0.3 * scipy.signal.sosfiltfilt(band, rng.normal(size=(2, 4000)), axis=1)
    specgrams = spectral.waves_to_specgrams(waves.astype(np.float32), framing, instantaneous)
    again = spectral.specgrams_to_waves(specgrams, framing, instantaneous).numpy()
    error = (again - waves)[:, framing.frame_length : -framing.frame_length]
    assert np.sqrt(np.mean(np.square(error))) < 1e-5


@pytest.mark.parametrize("hz", [331.0, 1000.0, 2717.0])
def test_a_sine_has_constant_frequency_equal_to_its_advance(hz):
    sample_rate, framing = 8000, spectral.make_framing((32, 128), 2000)
    wave = np.sin(2.0 * np.pi * hz / sample_rate * np.arange(2000) + 0.4)[np.newaxis].astype(np.float32)
    specgram = spectral.waves_to_specgrams(wave, framing).numpy()[0]
    nearest_bin = round(hz / sample_rate * framing.frame_length) - 1
    # From the frame on whose predecessor lies wholly in the wave.
    first = math.ceil(framing.padding / framing.hop_length) + 1
    advance = 2.0 * hz * framing.hop_length / sample_rate
    for index in (nearest_bin - 1, nearest_bin, nearest_bin + 1):
        difference = specgram[first:, index, 1] - advance
        np.testing.assert_allclose((difference + 1.0) % 2.0 - 1.0, 0.0, rtol=0, atol=1e-4)
    # A sine of amplitude 1 has half the window's sum at the peak of the lobe, and 15 % less half a bin beside it.
    np.testing.assert_allclose(np.exp(specgram[first:, nearest_bin, 0]), 64.0, rtol=0.16)
    assert specgram[first:, nearest_bin, 0].std() < 1e-3


def test_silence_is_the_floor_with_phase_zero():
    for instantaneous in (True, False):
        specgrams = spectral.waves_to_specgrams(tf.zeros([2, FRAMING.num_samples]), FRAMING, instantaneous).numpy()
        np.testing.assert_allclose(specgrams[..., 0], np.log(1e-6), rtol=1e-6)
        np.testing.assert_array_equal(specgrams[..., 1], 0.0)


def test_polar_equals_numpy_and_has_finite_gradients(rng):
    values = (rng.normal(size=20) + 1j * rng.normal(size=20)) * 10.0 ** rng.uniform(-8, 6, 20)
    values = np.concatenate([values, [0, 1e-30, -1e-30j, 1e-13, 2, -2, 3j]]).astype(np.complex64)
    magnitude, phase = spectral.stfts_to_polar(values)
    heard = np.abs(values) > 1e-9
    np.testing.assert_allclose(magnitude[heard], np.abs(values)[heard], rtol=1e-6)
    np.testing.assert_allclose(phase[heard], np.angle(values)[heard], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(np.stack([magnitude, phase])[:, ~heard], 0.0)

    parts = tf.constant(np.stack([values.real, values.imag]))
    with tf.GradientTape() as tape:
        tape.watch(parts)
        magnitude, phase = spectral.stfts_to_polar(tf.complex(parts[0], parts[1]))
        total = tf.reduce_sum(magnitude + phase)
    gradient = tape.gradient(total, parts).numpy()
    assert np.isfinite(gradient).all()
    # d|X| + d angle = (re, im) / |X| + (-im, re) / |X|**2
    exact = values[heard].astype(np.complex128)
    expected = exact / np.abs(exact) + 1j * exact / np.abs(exact) ** 2
    np.testing.assert_allclose(gradient[0, heard], expected.real, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_array_equal(gradient[:, ~heard], 0.0)


def test_specgram_gradient_equals_a_finite_difference(rng):
    framing = spectral.Framing(num_frames=4, num_bins=4, num_samples=13)
    weights = rng.normal(size=(1, 4, 4, 2)).astype(np.float32)

    def value(waves):
        return tf.reduce_sum(weights * spectral.waves_to_specgrams(waves, framing))

    waves = tf.constant(rng.normal(size=(1, 13)), tf.float32)
    (analytic,), (numeric,) = tf.test.compute_gradient(value, [waves], delta=1e-3)
    np.testing.assert_allclose(analytic, numeric, rtol=0.03, atol=0.03)


def test_sizes_of_the_paper():
    low = spectral.make_framing((256, 512), 64000)
    assert (low.frame_length, low.hop_length, low.max_samples, low.padding) == (1024, 256, 66304, 2304)
    high = spectral.make_framing([128, 1024], 64000)
    assert (high.frame_length, high.hop_length, high.max_samples, high.padding) == (2048, 512, 67072, 3072)
    coarse = spectral.make_framing((32, 128), 8000, mel_downscale=4)
    assert (coarse.num_bins, coarse.frame_length, coarse.max_samples) == (512, 1024, 8960)


@pytest.mark.parametrize("shape", [(2, 2), (4, 64), (64, 4), (1, 8)])
def test_any_power_of_two_works_at_its_longest(rng, shape):
    framing = spectral.make_framing(shape, spectral.Framing(*shape, 0).max_samples)
    assert framing.padding == 0
    waves = rng.normal(size=(3, framing.num_samples)).astype(np.float32)
    specgrams = spectral.waves_to_specgrams(waves, framing)
    assert specgrams.shape == (3, *shape, 2)
    assert spectral.specgrams_to_waves(specgrams, framing).shape == waves.shape


@pytest.mark.parametrize(
    ("shape", "length", "downscale", "parts"),
    [
        ((100, 512), 64000, 1, ["(64 - 1) * 256 + 1024 = 17152", "(128, 512)", "(128 - 1) * 256 + 1024 = 33536"]),
        ((32, 100), 8000, 4, ["(32, 64)", "(32, 128) [holds (32 - 1) * 256 + 1024 = 8960"]),
        ((0, 1), 8, 1, ["(1, 2)"]),
        ((32, 128, 2), 8, 1, ["(time, freq)", "(32, 128, 2)"]),
        ((128, 1024), 70000, 1, ["67072", "(128 - 1) * 512 + 2048 = 67072", "(256, 1024)", "(128, 2048)", "132608"]),
        ((32, 128), 8961, 4, ["8960", "(64, 128)", "(32, 256)"]),
        ((32, 128), 0, 1, ["at least 1 sample"]),
        ((32, 128), 8000, 3, ["mel_downscale", "2 or 4"]),
        ((32, 128), 8000, 0, ["mel_downscale", "use 1"]),
    ],
)
def test_impossible_sizes_name_possible_ones(shape, length, downscale, parts):
    with pytest.raises(ValueError) as raised:
        spectral.make_framing(shape, length, downscale)
    message = str(raised.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
