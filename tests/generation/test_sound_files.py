"""Sound files: formats, levels, rates; the same bytes again; whole or not at all."""

import json

import numpy as np
import pytest
import soundfile

from gansynth_tf.audio import resample
from gansynth_tf.generation import sound_files
from gansynth_tf.generation.sound_files import SoundFormat


def _wave(samples=7000, level=0.4, seed=0):
    return (level * np.sin(np.arange(samples) / 7.3)).astype(np.float32)


def _write(path, wave, sound_format, rate=16000, parts=3):
    return sound_files.write_sound(path, np.array_split(wave, parts), len(wave), rate, sound_format)


@pytest.mark.parametrize(
    ("container", "bit_depth", "subtype", "step"),
    [("wav", "", "FLOAT", 0), ("wav", "float", "FLOAT", 0), ("wav", "16", "PCM_16", 2**-15),
     ("wav", "24", "PCM_24", 2**-23), ("flac", "", "PCM_24", 2**-23), ("flac", "16", "PCM_16", 2**-15)],
)  # fmt: skip
def test_formats(tmp_path, container, bit_depth, subtype, step):
    wave, path = _wave(), tmp_path / "new" / f"note.{container}"
    facts = _write(path, wave, SoundFormat(container, bit_depth))
    assert facts == {"file": path.name, "sample_rate": 16000, "seconds": 7000 / 16000, "gain": 1.0}
    info = soundfile.info(path)
    assert (info.format, info.subtype, info.samplerate, info.frames) == (container.upper(), subtype, 16000, 7000)
    np.testing.assert_allclose(soundfile.read(path, dtype="float32")[0], wave, atol=step)
    before = path.read_bytes()
    _write(path, wave, SoundFormat(container, bit_depth), parts=5)
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("bit_depth", ["float", "16", "24"])
def test_nothing_is_clipped(tmp_path, bit_depth):
    wave = _wave() * np.float32(7)
    wave[100] = -5.0  # A peak is an absolute value.
    facts = _write(tmp_path / "a.wav", wave, SoundFormat(bit_depth=bit_depth))
    assert facts["gain"] == pytest.approx(0.99 / 5)
    read = soundfile.read(tmp_path / "a.wav", dtype="float32")[0]
    np.testing.assert_allclose(read, wave * 0.99 / 5, atol=2**-14)
    assert read.min() == pytest.approx(-0.99, abs=1e-4)


def test_levels(tmp_path):
    wave = _wave(48000, 0.01)
    assert _write(tmp_path / "a.wav", wave, SoundFormat(normalize="peak"))["gain"] == pytest.approx(99, rel=1e-4)
    assert np.abs(soundfile.read(tmp_path / "a.wav")[0]).max() == pytest.approx(0.99, rel=1e-4)
    gains = [
        _write(tmp_path / "a.wav", wave, SoundFormat(normalize="loudness", loudness=loudness))["gain"]
        for loudness in (-30.0, -20.0)
    ]
    assert gains[1] / gains[0] == pytest.approx(10**0.5)
    for normalize in ("peak", "loudness"):
        assert _write(tmp_path / "a.wav", np.zeros(9), SoundFormat(normalize=normalize))["gain"] == 1
        assert not soundfile.read(tmp_path / "a.wav")[0].any()


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
@pytest.mark.parametrize("samples", [1, 700, 20001])
def test_resampling_in_blocks_equals_resampling_at_once(tmp_path, rate, samples):
    wave = _wave(samples)
    facts = _write(tmp_path / "a.wav", wave, SoundFormat(sample_rate=rate), parts=7)
    read, read_rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert read_rate == facts["sample_rate"] == rate
    assert len(read) == round(samples * rate / 16000) and facts["seconds"] == len(read) / rate
    expected = resample(wave, 16000, rate)[: len(read)]
    np.testing.assert_allclose(read[: len(expected)], expected, atol=1e-5)


def test_peaks_between_samples_that_resampling_shows_are_limited_too(tmp_path):
    wave = (0.98 * np.sign(np.sin(np.arange(4000) / 3.1))).astype(np.float32)
    facts = _write(tmp_path / "a.wav", wave, SoundFormat(bit_depth="16", sample_rate=48000))
    assert facts["gain"] < 1 and np.abs(soundfile.read(tmp_path / "a.wav")[0]).max() <= 0.9901


def test_long_sounds_pass_through_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(sound_files, "_SPOOLED", 1000)
    monkeypatch.setattr(sound_files, "_CHUNK", 999)
    _write(tmp_path / "a.wav", _wave(), SoundFormat())
    np.testing.assert_array_equal(soundfile.read(tmp_path / "a.wav", dtype="float32")[0], _wave())
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"container": "mp3"}, "wav, flac. Received: 'mp3'"),
        ({"container": "flac", "bit_depth": "float"}, "24, 16 for flac. Received: 'float'"),
        ({"bit_depth": "8"}, "float, 16, 24 for wav"),
        ({"normalize": "rms"}, "none, peak, loudness"),
        ({"loudness": 3.0}, "-70 LUFS, to 0. Received: 3.0"),
        ({"loudness": float("nan")}, "Received: nan"),
        ({"sample_rate": 0}, "1000 to 384000 Hz. Received: 0"),
    ],
)
def test_formats_that_do_not_exist(settings, words):
    with pytest.raises(ValueError, match=words):
        SoundFormat(**settings)


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    path = tmp_path / "a.wav"
    for wave in ([0.0, np.nan], [np.inf], [[0.0, 1.0]]):
        with pytest.raises(ValueError, match="Expected finite samples"):
            sound_files.write_sound(path, [np.zeros(3), np.array(wave)], 5, 16000, SoundFormat())
    with pytest.raises(ValueError, match="at most 20833 s at 48000 Hz. Received: 25000 s"):
        sound_files.write_sound(path, [], 25000 * 16000, 16000, SoundFormat(sample_rate=48000))

    def interrupted():
        yield np.zeros(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sound_files.write_sound(path, interrupted(), 20, 16000, SoundFormat())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sound_format", [SoundFormat(), SoundFormat("wav", "16"), SoundFormat("flac")])
def test_a_full_disk_is_said_so(tmp_path, monkeypatch, sound_format):
    class FullDisk(sound_files._Disk):
        def write(self, data):
            if self.tell() + len(data) > 8000:
                self.error = OSError(28, "No space left on device")
                return 0
            return super().write(data)

    monkeypatch.setattr(sound_files, "_Disk", FullDisk)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 70000).astype(np.float32)
    with pytest.raises(OSError, match="No space left"):
        _write(tmp_path / "a.wav", noise, sound_format)
    assert not list(tmp_path.iterdir())


def test_saved_note_and_what_is_beside_it(tmp_path):
    wave = np.linspace(-0.5, 0.5, 700, dtype=np.float32)
    metadata = {"pitch": np.int64(60), "velocity": 100, "seed": 7, "z_file": "z.npy", "z": np.ones(2, np.float32)}
    path = sound_files.save_note(tmp_path / "new", "note_3", wave, 16000, metadata)
    read, rate = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(read, wave)
    facts = json.loads((tmp_path / "new" / "note_3.json").read_text())
    assert rate == 16000 and facts == {
        "file": "note_3.wav", "sample_rate": 16000, "seconds": 700 / 16000, "gain": 1.0, "pitch": 60, "velocity": 100,
        "seed": 7, "z_file": "z.npy", "z": [1.0, 1.0],
    }  # fmt: skip
    assert len(list((tmp_path / "new").iterdir())) == 2
    with pytest.raises(ValueError, match="plain file name"):
        sound_files.save_note(tmp_path, "../note", wave, 16000, {})
