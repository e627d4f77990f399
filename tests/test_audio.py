"""audio: against soundfile and numpy, and round trips."""

import os

import numpy as np
import pytest
import soundfile

from gansynth_tf import audio


def test_load_averages_channels_and_keeps_the_rate(tmp_path):
    channels = np.array([[0.5, -0.25], [0.125, 0.375], [-1.0, 0.5]], np.float32)
    soundfile.write(tmp_path / "stereo.wav", channels, 11025, subtype="FLOAT")
    wave = audio.load_audio(tmp_path / "stereo.wav", 11025)
    assert wave.dtype == np.float32
    np.testing.assert_allclose(wave, [0.125, 0.25, -0.25])


@pytest.mark.parametrize(("from_rate", "to_rate"), [(48000, 16000), (44100, 16000), (8000, 16000)])
def test_resampled_sine_is_the_sine_at_the_new_rate(from_rate, to_rate):
    seconds, hz = 0.5, 1234.5
    wave = np.sin(2 * np.pi * hz * np.arange(int(seconds * from_rate)) / from_rate)
    expected = np.sin(2 * np.pi * hz * np.arange(int(seconds * to_rate)) / to_rate)
    resampled = audio.resample(wave, from_rate, to_rate)
    assert resampled.shape == expected.shape
    inner = slice(len(expected) // 8, -len(expected) // 8)
    np.testing.assert_allclose(resampled[inner], expected[inner], atol=2e-5)


def test_resampling_removes_what_would_alias():
    wave = np.sin(2 * np.pi * 9000 * np.arange(24000) / 48000)
    assert np.abs(audio.resample(wave, 48000, 16000)[500:-500]).max() < 1e-4


def test_equal_rates_change_nothing():
    wave = np.array([0.1, -0.2, 0.3], np.float32)
    np.testing.assert_array_equal(audio.resample(wave, 16000, 16000), wave)


def test_save_then_load_is_exact_in_float(tmp_path):
    wave = np.random.default_rng(3).uniform(-1.2, 1.2, 777).astype(np.float32)
    path = tmp_path / "new" / "note.wav"
    audio.save_wav(path, wave, 22050)
    np.testing.assert_array_equal(audio.load_audio(path, 22050), wave)
    assert os.listdir(path.parent) == ["note.wav"]
    assert os.stat(path).st_mode & 0o444 == 0o444


def test_save_16_bit_clips(tmp_path):
    audio.save_wav(tmp_path / "loud.wav", np.array([2.0, -2.0, 0.5]), 8000, subtype="PCM_16")
    np.testing.assert_allclose(audio.load_audio(tmp_path / "loud.wav", 8000), [1.0, -1.0, 0.5], atol=1e-4)


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "note.wav"
    audio.save_wav(path, np.ones(5), 8000)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="finite samples"):
        audio.save_wav(path, np.array([0.0, np.nan]), 8000)
    with pytest.raises(ValueError):
        audio.save_wav(path, np.zeros(7), 8000, subtype="NO_SUCH")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["note.wav"]


def test_save_wants_one_note(tmp_path):
    with pytest.raises(ValueError, match=r"shape \[samples\]"):
        audio.save_wav(tmp_path / "batch.wav", np.zeros((2, 3)), 8000)


@pytest.mark.parametrize(("num_samples", "expected"), [(2, [1, 2]), (3, [1, 2, 3]), (5, [1, 2, 3, 0, 0])])
def test_crop_or_pad_works_at_the_end(num_samples, expected):
    wave = np.array([1, 2, 3], np.float32)
    np.testing.assert_array_equal(audio.crop_or_pad(wave, num_samples), expected)
    assert audio.crop_or_pad(wave, num_samples).dtype == np.float32


def test_errors_name_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing.wav"):
        audio.load_audio(tmp_path / "missing.wav", 16000)
    (tmp_path / "text.wav").write_text("not audio")
    with pytest.raises(ValueError, match="text.wav") as caught:
        audio.load_audio(tmp_path / "text.wav", 16000)
    assert "\n" not in str(caught.value)
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    with pytest.raises(ValueError, match="holds none"):
        audio.load_audio(tmp_path / "empty.wav", 16000)
    with pytest.raises(ValueError, match="positive sample rates"):
        audio.resample(np.zeros(4), 0, 16000)


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_16"])
def test_the_same_sound_is_the_same_bytes_at_any_time(subtype, tmp_path):
    audio.save_wav(tmp_path / "note.wav", np.linspace(-1, 1, 50), 16000, subtype)
    content = (tmp_path / "note.wav").read_bytes()
    place = content.find(b"PEAK")
    # A PEAK chunk is its name, size, version, and the time of writing.
    assert place < 0 or content[place + 12 : place + 16] == bytes(4)
    assert (place < 0) == (subtype == "PCM_16")
