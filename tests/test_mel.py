"""Mel matrices against librosa and Magenta's own, and mel specgrams against their definitions in float64."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf import mel, spectral


def _tones(length: int, sample_rate: int) -> np.ndarray:
    """Two decaying notes with eight partials, [2, samples]."""
    time = np.arange(length) / sample_rate
    notes = [
        sum(np.sin(2.0 * np.pi * hz * k * time + k) / k for k in range(1, 9)) * np.exp(-3.0 * time)
        for hz in (261.6, 440.0)
    ]
    return (0.2 * np.stack(notes)).astype(np.float32)


@pytest.fixture(scope="module")
def stfts():
    """Notes after a silent frame, [2, 32, 256]: what training sees."""
    framing = spectral.make_framing((32, 256), 3900)
    assert framing.padding > framing.frame_length
    return spectral.waves_to_stfts(_tones(3900, 16000), framing).numpy()


def test_mel_scale_is_htk():
    # HTK: 1000 Hz is 1000 mel; 2595 * log10(1 + f / 700), where 1127 stands for 2595 / ln(10).
    np.testing.assert_allclose(mel.hz_to_mel([0.0, 700.0, 1000.0]), [0.0, 1127.0 * np.log(2.0), 1000.0], rtol=1e-4)
    hz = np.array([20.0, 440.0, 7999.0])
    np.testing.assert_allclose(mel.hz_to_mel(hz), librosa.hz_to_mel(hz, htk=True), rtol=2e-5)
    np.testing.assert_allclose(mel.mel_to_hz(mel.hz_to_mel(hz)), hz, rtol=1e-12)


def test_wide_triangles_equal_librosa():
    weights = mel.linear_to_mel_weights(513, 40, 16000)
    expected = librosa.filters.mel(sr=16000, n_fft=1024, n_mels=40, htk=True, norm=None, dtype=np.float64).T
    np.testing.assert_allclose(weights, expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize("num_bins", [512, 1024])
def test_matrix_equals_magentas(golden_dir, num_bins):
    with np.load(golden_dir / "spectral.npz") as file:
        expected = file[f"linear_to_mel_{num_bins}"]
    np.testing.assert_allclose(mel.linear_to_mel_weights(num_bins, num_bins, 16000), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("num_linear", "num_mel"), [(512, 512), (512, 128), (64, 32), (16, 4)])
def test_inverse_keeps_a_flat_spectrum_flat(num_linear, num_mel):
    weights = mel.linear_to_mel_weights(num_linear, num_mel, 16000)
    inverse = mel.mel_to_linear_weights(weights)
    covered = weights.max(axis=1) > 0.0
    # Row 0, taken for DC, and Nyquist, where the last triangle ends.
    np.testing.assert_array_equal(np.flatnonzero(~covered), [0, num_linear - 1])
    np.testing.assert_allclose(np.ones(num_linear) @ weights @ inverse, covered, rtol=1e-12)


def test_inverse_keeps_the_power_of_one_partial():
    weights = mel.linear_to_mel_weights(512, 128, 16000)
    kept = (weights @ mel.mel_to_linear_weights(weights)).sum(axis=1)
    np.testing.assert_allclose(kept[1:400], 1.0, atol=0.05)


def test_nearest_bands_follow_the_largest_weight():
    weights = mel.linear_to_mel_weights(64, 16, 16000)
    bands = mel.nearest_bands(weights)
    assert bands.dtype == np.int32
    np.testing.assert_array_equal(bands[1:-1], weights[1:-1].argmax(axis=1))
    assert bands[0] == bands[1] and bands[-1] == bands[-2] == 15
    assert (np.diff(bands) >= 0).all()


@pytest.mark.parametrize("sizes", [(0, 4, 16000), (16, 0, 16000), (16, 4, 0)])
def test_sizes_must_be_positive(sizes):
    with pytest.raises(ValueError, match="must be positive"):
        mel.linear_to_mel_weights(*sizes)


def test_melspecgram_equals_the_unwrapped_phase_times_the_matrix(stfts):
    weights = mel.linear_to_mel_weights(256, 64, 16000)
    result = mel.stfts_to_melspecgrams(stfts, weights.astype(np.float32)).numpy()

    exact = stfts.astype(np.complex128)
    power = np.square(np.abs(exact) + 1e-6) @ weights
    np.testing.assert_allclose(result[..., 0], np.log(power + 1e-6), rtol=0, atol=1e-4)
    phase = np.unwrap(np.unwrap(np.where(np.abs(exact) > 1e-9, np.angle(exact), 0.0), axis=1) @ weights, axis=1)
    frequency = np.concatenate([phase[:, :1], np.diff(phase, axis=1)], axis=1) / np.pi
    difference = (result[..., 1] - frequency + 1.0) % 2.0 - 1.0
    np.testing.assert_allclose(difference, 0.0, rtol=0, atol=1e-5)
    assert np.abs(result[:, 1:, :, 1]).max() <= 1.0


def test_first_frame_of_the_matrix_product_is_not_wrapped():
    phase = np.full((1, 2, 16), 3.0)
    stfts = np.exp(1j * phase).astype(np.complex64)
    weights = mel.linear_to_mel_weights(16, 4, 16000)
    first = mel.stfts_to_melspecgrams(stfts, weights.astype(np.float32)).numpy()[0, 0, :, 1]
    np.testing.assert_allclose(first, 3.0 / np.pi * weights.sum(axis=0), rtol=1e-6)
    assert first.max() > 2.0


def test_melspecgram_inverse_equals_the_summed_phase(stfts):
    weights = mel.linear_to_mel_weights(256, 64, 16000)
    inverse = mel.mel_to_linear_weights(weights)
    melspecgrams = mel.stfts_to_melspecgrams(stfts, weights.astype(np.float32)).numpy()
    result = tf.complex(*mel.melspecgrams_to_parts(melspecgrams, inverse.astype(np.float32))).numpy()

    exact = melspecgrams.astype(np.float64)
    magnitude = np.sqrt(np.exp(exact[..., 0]) @ inverse + 1e-6)
    phase = np.cumsum(np.pi * exact[..., 1], axis=1) @ inverse
    np.testing.assert_allclose(result, magnitude * np.exp(1j * phase), rtol=0, atol=1e-4 * magnitude.max())


def test_power_mean_equals_its_definition(stfts):
    weights = mel.linear_to_mel_weights(256, 64, 16000)
    result = mel.stfts_to_mean_melspecgrams(stfts, weights.astype(np.float32)).numpy()

    exact = stfts.astype(np.complex128) * (-1.0) ** np.arange(1, 257)
    silent = np.abs(exact) < 1e-9
    exact = np.where(silent, 1e-6, exact * (1.0 + 1e-6 / np.where(silent, 1.0, np.abs(exact))))
    power = np.square(np.abs(exact)) @ weights
    np.testing.assert_allclose(result[..., 0], np.log(power + 1e-6), rtol=0, atol=1e-4)
    before = np.concatenate([np.abs(exact[:, :1]), exact[:, :-1]], axis=1)
    mean = (exact * before.conj()) @ weights
    # Where bins cancel, the angle of what is left is rounding.
    clear = np.abs(mean) > 1e-3 * (np.abs(exact * before) @ weights)
    difference = (result[..., 1] - np.angle(mean) / np.pi + 1.0) % 2.0 - 1.0
    assert clear.mean() > 0.95
    np.testing.assert_allclose(difference[clear], 0.0, rtol=0, atol=1e-3)


def test_power_mean_of_one_frequency_is_that_frequency():
    frames = np.arange(12)
    phase = 0.7 + np.pi * 0.31 * frames[np.newaxis, :, np.newaxis]
    # All bins of one partial: signs alternate at the start of the frame.
    stfts = (np.exp(1j * phase) * (-1.0) ** np.arange(1, 65)).astype(np.complex64)
    weights = mel.linear_to_mel_weights(64, 16, 16000)
    # A quiet band is as good as a loud one.
    for loudness in (1e-5, 1.0, 100.0):
        result = mel.stfts_to_mean_melspecgrams(np.complex64(loudness) * stfts, weights.astype(np.float32)).numpy()
        np.testing.assert_allclose(result[0, 0, :, 1], 0.7 / np.pi, rtol=0, atol=1e-5)
        np.testing.assert_allclose(result[0, 1:, :, 1], 0.31, rtol=0, atol=1e-5)
    inverse = mel.mel_to_linear_weights(weights).astype(np.float32)
    again = tf.complex(*mel.mean_melspecgrams_to_parts(result, inverse, mel.nearest_bands(weights))).numpy()
    np.testing.assert_allclose(again[:, :, 1:-1], 100.0 * stfts[:, :, 1:-1], rtol=0, atol=1e-2)


@pytest.mark.parametrize("kind", ["matrix", "power_mean"])
def test_silence_is_the_floor_with_phase_zero(kind):
    convert = mel.stfts_to_melspecgrams if kind == "matrix" else mel.stfts_to_mean_melspecgrams
    weights = mel.linear_to_mel_weights(64, 16, 16000).astype(np.float32)
    result = convert(np.zeros((2, 3, 64), np.complex64), weights).numpy()
    np.testing.assert_allclose(result[..., 0], np.log(1e-6), rtol=1e-5)
    np.testing.assert_array_equal(result[..., 1], 0.0)
