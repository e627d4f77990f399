"""soundfont and rendering: against librosa's pitch, and the rules of the set."""

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import os
import pathlib
import re
import struct
import sys

import librosa
import numpy as np
import pytest

from gansynth_tf.data import notes, pipeline, records, rendering, sf2, soundfont

RATE = 16000
# Vibraphone, violin, flute.
SMALL = soundfont.SoundfontRequest(
    programs=(11, 40, 73), min_pitch=60, max_pitch=64, velocities=(50, 127), num_samples=9600, hold_seconds=0.45, seed=3
)


@functools.cache
def default_font():
    return pathlib.Path(soundfont.default_soundfont()).read_bytes()


def font_with_programs(changes):
    """The default font with some presets at other programs."""
    font = bytearray(default_font())
    start = font.rfind(b"phdr")
    for place in range(start + 8, start + 8 + struct.unpack_from("<I", font, start + 4)[0], 38):
        program, bank = struct.unpack_from("<HH", font, place + 20)
        if bank == 0 and program in changes:
            struct.pack_into("<H", font, place + 20, changes[program])
    return bytes(font)


@pytest.fixture(scope="module")
def small_set(tmp_path_factory):
    directory = tmp_path_factory.mktemp("soundfont") / "small"
    return directory, soundfont.render_soundfont(SMALL, directory, progress=False)


def load_all(directory, num_samples=SMALL.num_samples):
    splits = {}
    for split in records.SPLITS:
        splits[split] = pipeline.load_notes(records.list_shards(directory, split), num_samples)
    return splits


def test_notes_have_their_pitch_level_and_end(small_set):
    directory, manifest = small_set
    num_notes = 0
    for loaded in load_all(directory).values():
        for audio, pitch, velocity in zip(loaded["audio"], loaded["pitch"], loaded["velocity"], strict=True):
            # All three instruments have strong fundamentals.
            hz = np.fft.rfftfreq(2**16, 1 / RATE)
            near = np.abs(12 * np.log2(np.maximum(hz, 1.0) / librosa.midi_to_hz(pitch))) < 6
            spectrum = np.abs(np.fft.rfft(audio[1600:7200] * np.hanning(5600), 2**16)) * near
            assert 12 * np.log2(hz[spectrum.argmax()] / librosa.midi_to_hz(pitch)) == pytest.approx(0, abs=0.4)
            assert np.abs(audio).max() == pytest.approx(0.4 + 0.5 * velocity / 127, abs=1e-4)
            assert audio[-1] == 0 and np.abs(audio[-20:]).max() < 0.1 * np.abs(audio).max()
            assert abs(audio.mean()) < 2e-3
            num_notes += 1
    assert num_notes + len(manifest["skipped"]) == 3 * 5 * 2
    assert len(manifest["skipped"]) <= 2


def test_the_manifest_tells_the_set(small_set):
    directory, manifest = small_set
    assert records.read_manifest(directory) == manifest
    assert manifest["soundfont"]["sha256"] == hashlib.sha256(default_font()).hexdigest()
    assert manifest["request"]["velocities"] == [50, 127]
    assert manifest["renderer"] == f"midirenderer {importlib.metadata.version('midirenderer')}"
    assert set(manifest["presets"]) == {"11", "40", "73"}
    assert manifest["presets"]["11"] == "Vibraphone"
    named = {(row["name"], row["family"], row["source"]) for row in manifest["instruments"]}
    assert named == {
        ("mallet_acoustic_011", "mallet", "acoustic"),
        ("string_acoustic_040", "string", "acoustic"),
        ("flute_acoustic_073", "flute", "acoustic"),
    }


def test_splits_share_no_instrument_with_pitch(small_set):
    directory, _ = small_set
    pairs = {}
    for split, loaded in load_all(directory).items():
        assert len(loaded["id"]), split
        pairs[split] = {name.rsplit("-", 1)[0] for name in loaded["id"]}
    assert not pairs["train"] & pairs["valid"]
    assert not pairs["train"] & pairs["test"]
    assert not pairs["valid"] & pairs["test"]
    assert len(pairs["train"]) > 2 * len(pairs["valid"])


def test_a_finished_set_is_used_again(small_set, monkeypatch):
    directory, manifest = small_set
    monkeypatch.setattr(rendering, "play_note", None)
    assert soundfont.render_soundfont(SMALL, directory, progress=False) == records.read_manifest(directory)


def test_the_same_request_gives_the_same_bytes(small_set, tmp_path, monkeypatch):
    directory, _ = small_set
    # In one process and other portions, as on another machine.
    monkeypatch.setattr(soundfont, "_CHUNK_NOTES", 1000)
    soundfont.render_soundfont(SMALL, tmp_path / "again", progress=False)
    for split in records.SPLITS:
        for one, two in zip(
            records.list_shards(directory, split), records.list_shards(tmp_path / "again", split), strict=True
        ):
            assert pathlib.Path(one).read_bytes() == pathlib.Path(two).read_bytes()


def test_another_request_font_or_damage_renders_anew(tmp_path):
    tiny = dataclasses.replace(SMALL, programs=(73,), max_pitch=62, velocities=(90,), num_samples=4800)
    first = soundfont.render_soundfont(tiny, tmp_path / "set", progress=False)
    other = soundfont.render_soundfont(dataclasses.replace(tiny, seed=4), tmp_path / "set", progress=False)
    assert other["fingerprint"] != first["fingerprint"]
    assert records.read_manifest(tmp_path / "set")["request"]["seed"] == 4
    # The flute's preset is now what was the recorder's.
    (tmp_path / "font.sf2").write_bytes(font_with_programs({73: 74, 74: 73}))
    swapped = dataclasses.replace(tiny, soundfont_path=str(tmp_path / "font.sf2"))
    third = soundfont.render_soundfont(swapped, tmp_path / "set", progress=False)
    assert third["presets"] == {"73": "Recorder"}
    # The same bytes elsewhere are the same font.
    (tmp_path / "font.sf2").rename(tmp_path / "moved.sf2")
    moved = dataclasses.replace(tiny, soundfont_path=str(tmp_path / "moved.sf2"))
    assert soundfont.render_soundfont(moved, tmp_path / "set", progress=False)["fingerprint"] == third["fingerprint"]
    os.unlink(records.list_shards(tmp_path / "set", "train")[0])
    soundfont.render_soundfont(moved, tmp_path / "set", progress=False)
    assert records.list_shards(tmp_path / "set", "train")
    assert sorted(os.listdir(tmp_path)) == ["moved.sf2", "set"]


def test_a_bar_is_shown(tmp_path, capsys):
    tiny = dataclasses.replace(SMALL, programs=(73,), max_pitch=62, velocities=(90,), num_samples=4800)
    soundfont.render_soundfont(tiny, tmp_path / "set")
    assert re.search(r"rendering: 100%.*3/3", capsys.readouterr().err)


def test_notes_do_not_depend_on_their_neighbours():
    played = [rendering.play_note(default_font(), *note, 0.3, 0.5) for note in ((48, 60, 127), (73, 66, 50))]
    again = [rendering.play_note(default_font(), *note, 0.3, 0.5) for note in ((73, 66, 50), (48, 60, 127))]
    np.testing.assert_array_equal(played[0], again[1])
    np.testing.assert_array_equal(played[1], again[0])


def test_layers_only_refine_the_rounding(monkeypatch):
    layered = rendering.play_note(default_font(), 73, 66, 60, 0.4, 0.5)
    monkeypatch.setattr(rendering, "_MAX_LAYERS", 1)
    single = rendering.play_note(default_font(), 73, 66, 60, 0.4, 0.5)
    np.testing.assert_allclose(layered / 4.0, single, atol=1.01)
    assert np.abs(layered).max() > 3.9 * np.abs(single).max()


def test_notes_are_dry():
    """The flute rings on for half a second with the font's own reverb, and the strings swell with its chorus."""
    dry = sf2.remove_effects(default_font())
    tails = [rendering.play_note(font, 73, 64, 127, 0.5, 1.5)[57600:] for font in (default_font(), dry)]
    assert np.abs(tails[0]).max() > 10
    assert np.abs(tails[1]).max() == 0
    sends = [sf2.remove_effects(font) == dry for font in (dry, default_font())]
    assert sends == [True, True] and len(dry) == len(default_font())
    assert 0 < np.sum(np.frombuffer(dry, np.uint8) != np.frombuffer(default_font(), np.uint8)) < 10000


def test_unusable_notes_are_found():
    silent = np.zeros((24000, 2), np.int16)
    assert rendering.why_unusable(silent, 60, 0.4).startswith("silent")
    sine = np.sin(2 * np.pi * librosa.midi_to_hz(60) * np.arange(24000) / 48000)
    stereo = np.round(20000 * np.stack([sine, 0.8 * sine], axis=1)).astype(np.int16)
    assert rendering.why_unusable(stereo, 60, 0.4) == ""
    assert re.fullmatch(r"unpitched \(median -(199|200|201) cents\)", rendering.why_unusable(stereo, 62, 0.4))
    stereo[777, 1] = 32767
    assert rendering.why_unusable(stereo, 60, 0.4) == "clipped"


@pytest.mark.parametrize("pitch", [24, 37, 60, 84, 96])
@pytest.mark.parametrize("cents", [-40, 0, 30])
def test_pitch_error_of_harmonic_tones(pitch, cents):
    hz = librosa.midi_to_hz(pitch + cents / 100)
    time = np.arange(96000) / 48000
    wave = sum(np.sin(2 * np.pi * order * hz * time) / order for order in range(1, 6)).astype(np.float32)
    assert rendering.measure_pitch_error(wave, pitch, 1.9) == pytest.approx(cents, abs=5)


@pytest.mark.parametrize(("weak", "expected"), [(0.3, 0.0), (0.0, 1200.0)])
def test_an_octave_up_needs_odd_harmonics(weak, expected):
    """Even harmonics alone are a tone an octave up; with some odd ones it is a weak fundamental."""
    hz = librosa.midi_to_hz(43)
    time = np.arange(96000) / 48000
    even = np.sin(2 * np.pi * 2 * hz * time) + 0.5 * np.sin(2 * np.pi * 4 * hz * time)
    odd = 0.5 * np.sin(2 * np.pi * hz * time) + 0.5 * np.sin(2 * np.pi * 3 * hz * time)
    wave = (even + weak * odd).astype(np.float32)
    assert rendering.measure_pitch_error(wave, 43, 1.9) == pytest.approx(expected, abs=5)


def test_a_short_note_is_not_judged():
    assert np.isnan(rendering.measure_pitch_error(np.ones(960, np.float32), 30, 0.02))


def test_finishing_removes_an_offset_and_fades():
    time = np.arange(48000) / 48000
    wave = np.where(time < 0.7, 0.3 * np.sin(2 * np.pi * 220 * time) + 0.1, 0.0)
    finished = rendering.finish_note(wave, 100, RATE, 15000)
    assert finished.shape == (15000,) and finished.dtype == np.float32
    assert np.abs(finished).max() == pytest.approx(0.4 + 50 / 127)
    assert abs(finished[4000:11000].mean()) < 2e-3
    assert np.abs(finished[-400:]).max() < 2e-3
    assert finished[-1] == 0


def test_default_programs_are_the_usable_ones():
    table = soundfont.program_table()
    default = [program for program, row in table.items() if row["default"]]
    assert len(table) == 96 and len(default) == 49
    assert 0 in default and not {1, 3, 9, 14, 16, 41, 47, 78} & set(default)
    assert {row["family"] for row in table.values()} == set(notes.FAMILIES)
    assert {row["source"] for row in table.values()} == set(notes.SOURCES)
    request = soundfont.SoundfontRequest(velocities=(100,))
    plan = soundfont._plan_notes(request, sf2.read_presets(default_font()), [])
    assert len(plan) == 1834
    for note in plan:
        assert max(24, table[note.program]["low"]) <= note.pitch <= min(84, table[note.program]["high"])
    sizes = {split: sum(note.split == split for note in plan) for split in records.SPLITS}
    assert sizes == {"train": 1468, "valid": 183, "test": 183}
    assert plan != sorted(plan, key=lambda note: note.program)


@pytest.mark.parametrize(
    ("num_pairs", "sizes"), [(1, (1, 0, 0)), (2, (2, 0, 0)), (3, (1, 1, 1)), (5, (3, 1, 1)), (100, (80, 10, 10))]
)
def test_small_sets_are_split_too(num_pairs, sizes):
    names = soundfont._split_names(num_pairs, (0.8, 0.1, 0.1))
    assert tuple(names.count(split) for split in records.SPLITS) == sizes


def test_velocities_of_a_pair_stay_together():
    plan = soundfont._plan_notes(SMALL, {11: "", 40: "", 73: ""}, [])
    for pair in {(note.program, note.pitch) for note in plan}:
        assert len({note.split for note in plan if (note.program, note.pitch) == pair}) == 1


def test_presets_are_read_from_the_font():
    presets = sf2.read_presets(default_font())
    assert sorted(presets) == list(range(128))
    assert presets[6] == "Harpsichord" and presets[108] == "Kalimba"
    with pytest.raises(ValueError, match="phdr"):
        sf2.read_presets(b"RIFF....sfbk")


def test_programs_that_the_font_lacks(tmp_path):
    path = tmp_path / "font.sf2"
    path.write_bytes(font_with_programs({40: 120}))
    request = dataclasses.replace(SMALL, soundfont_path=str(path), max_pitch=60, programs=(40, 73), velocities=(80,))
    manifest = soundfont.render_soundfont(request, tmp_path / "set", progress=False)
    assert manifest["skipped"] == [{"program": 40, "reason": "the SoundFont has no such preset"}]
    with pytest.raises(ValueError, match=r"No program of \(40,\)"):
        soundfont.render_soundfont(dataclasses.replace(request, programs=(40,)), tmp_path / "none", progress=False)
    assert not (tmp_path / "none").exists()


def test_when_every_note_is_unusable(tmp_path, monkeypatch):
    monkeypatch.setattr(rendering, "why_unusable", lambda *_: "silent (peak 0.00000)")
    request = dataclasses.replace(SMALL, max_pitch=60, programs=(73,))
    with pytest.raises(ValueError, match=r"All 2 were left out, the first, flute_acoustic_073-060-\d*, as silent"):
        soundfont.render_soundfont(request, tmp_path / "set", progress=False)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no RIFF/sfbk header"),
        (b"just a text, much longer than a header", "no RIFF/sfbk header"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ....", "no RIFF/sfbk header"),
        ("cut", "cut short"),
        ("hollow", "phdr"),
        ("scrambled", "midirenderer refuses"),
    ],
)
def test_bad_fonts_get_one_line(tmp_path, content, message):
    font = default_font()
    if content == "cut":
        content = font[: len(font) // 3]
    elif content == "hollow":
        content = b"RIFF" + struct.pack("<I", 4) + b"sfbk"
    elif content == "scrambled":
        content = font[:12] + b"JUNK" + font[16:]
    path = tmp_path / "bad.sf2"
    path.write_bytes(content)
    request = dataclasses.replace(SMALL, soundfont_path=str(path), max_pitch=60, programs=(73,), velocities=(80,))
    with pytest.raises(ValueError, match=message) as caught:
        soundfont.render_soundfont(request, tmp_path / "set", progress=False)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["bad.sf2"]


def test_missing_font_or_renderer(tmp_path, monkeypatch):
    request = dataclasses.replace(SMALL, soundfont_path=str(tmp_path / "none.sf2"))
    with pytest.raises(FileNotFoundError, match="none.sf2, which does not exist; check the path"):
        soundfont.render_soundfont(request, tmp_path / "set", progress=False)
    monkeypatch.setitem(sys.modules, "midirenderer", None)
    with pytest.raises(ImportError, match="pip install midirenderer"):
        soundfont.render_soundfont(SMALL, tmp_path / "set", progress=False)


def test_another_folder_is_refused_before_rendering(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match="photo.jpg; choose another"):
        soundfont.render_soundfont(SMALL, tmp_path, progress=False)


@pytest.mark.parametrize(
    "changes",
    [
        {"programs": (0, 127)},
        {"min_pitch": 70, "max_pitch": 69},
        {"velocities": ()},
        {"velocities": (0,)},
        {"num_samples": 0},
        {"hold_seconds": 0.0},
        {"split_fractions": (0.5, 0.5, 0.5)},
        {"split_fractions": (0.0, 0.5, 0.5)},
    ],
)
def test_bad_requests_are_refused(changes):
    with pytest.raises(ValueError, match="Expected"):
        dataclasses.replace(SMALL, **changes)


def test_importing_is_cheap():
    """Workers import this module for every pool; TensorFlow would cost seconds and memory in each."""
    import subprocess

    code = "import sys, gansynth_tf.data.soundfont; print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", "import json; " + code], capture_output=True, text=True, check=True, cwd=_repository()
    )
    loaded = set(json.loads(result.stdout.splitlines()[-1]))
    assert not {"tensorflow", "librosa", "soundfile", "soxr", "mido", "scipy", "joblib"} & loaded


def _repository():
    return pathlib.Path(soundfont.__file__).parents[2]
