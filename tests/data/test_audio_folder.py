"""audio_folder: every kind of file becomes the same note; what is no use is counted, named, and stops nothing."""

import json
import os
import pathlib

import numpy as np
import pytest
import soundfile

from gansynth_tf import audio
from gansynth_tf.data import audio_folder, filters, notes, pipeline, records

RATE, LENGTH = 8000, 3200


def tone(pitch, seconds, rate, amplitude=0.5):
    """A tone with three harmonics and a short attack."""
    time = np.arange(round(seconds * rate)) / rate
    hz = 440 * 2 ** ((pitch - 69) / 12)
    wave = sum(np.sin(2 * np.pi * hz * k * time) / k for k in (1, 2, 3))
    return amplitude / 2 * wave * np.minimum(1, time / 0.005)


def prepare(folder, out, **settings):
    request = audio_folder.FolderRequest(str(folder), **{"sample_rate": RATE, "num_samples": LENGTH, **settings})
    return audio_folder.prepare_folder(request, out, progress=False)


def read(out, split="train"):
    loaded = pipeline.load_notes(records.open_split(out, split), LENGTH)
    return {name: dict(zip(loaded["id"], values, strict=True)) for name, values in loaded.items()}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sounds").mkdir()
    return tmp_path / "sounds"


FORMATS = [
    ("wav", "PCM_16", 8000, 1), ("wav", "PCM_24", 44100, 2), ("wav", "FLOAT", 22050, 1), ("wav", "PCM_U8", 16000, 3),
    ("flac", "PCM_16", 48000, 2), ("ogg", "VORBIS", 44100, 1), ("mp3", "MPEG_LAYER_III", 44100, 2),
    ("aiff", "PCM_16", 32000, 1), ("wav", "DOUBLE", 11025, 1),
]  # fmt: skip


def test_every_format_rate_depth_and_channel_count_gives_the_same_note(folder, tmp_path):
    for number, (ending, subtype, rate, channels) in enumerate(FORMATS):
        wave = np.stack([tone(57, 0.3, rate)] * channels, axis=1)
        soundfile.write(folder / f"{number}_A3.{ending}", wave, rate, subtype=subtype)
    manifest = prepare(folder, tmp_path / "out")
    assert manifest["splits"]["train"]["pitches"] == {"57": len(FORMATS)} and manifest["skip_counts"] == {}
    ideal = np.pad(tone(57, 0.3, RATE), (0, LENGTH - 2400))
    middle = slice(300, 2000)
    for note_id, wave in read(tmp_path / "out")["audio"].items():
        lossy = note_id.endswith(("ogg", "mp3"))
        # An MP3 may begin a few milliseconds late.
        lags = range(-60, 61) if lossy else range(-1, 2)
        errors = [np.abs(np.roll(wave, lag) - ideal)[middle].max() for lag in lags]
        assert min(errors) < (0.05 if lossy else 0.012), (note_id, min(errors))
        assert np.abs(wave[2700:]).max() < 0.01, note_id
    assert manifest["files"]["rate"] == {"8000": 1, "44100": 3, "22050": 1, "16000": 1, "48000": 1, "32000": 1,
                                         "11025": 1}  # fmt: skip
    assert manifest["files"]["channels"] == {"1": 5, "2": 3, "3": 1}


def test_a_note_keeps_its_onset_and_is_padded_at_the_end(folder, tmp_path):
    short, long = tone(60, 0.1, RATE), tone(60, 0.7, RATE)
    soundfile.write(folder / "short_60.wav", short, RATE, subtype="PCM_16")
    soundfile.write(folder / "long_60.wav", long, RATE, subtype="PCM_16")
    facts = prepare(folder, tmp_path / "out")["files"]
    waves = read(tmp_path / "out")["audio"]
    np.testing.assert_allclose(waves["short_60.wav"], audio.crop_or_pad(short, LENGTH), atol=1 / 32768)
    np.testing.assert_allclose(waves["long_60.wav"], long[:LENGTH], atol=1 / 32768)
    assert (facts["cropped"], facts["padded"], facts["scaled"]) == (1, 1, 0)
    assert facts["seconds"] == pytest.approx(0.8)


def test_leading_silence_is_trimmed_on_request(folder, tmp_path):
    rng = np.random.default_rng(0)
    quiet = rng.normal(scale=1e-4, size=round(30.0 * 44100))  # Longer than one block of reading.
    soundfile.write(folder / "late_60.wav", np.concatenate([quiet, tone(60, 0.2, 44100)]), 44100)
    prepare(folder, tmp_path / "trimmed", trim_silence=True)
    wave = read(tmp_path / "trimmed")["audio"]["late_60.wav"]
    loud = np.flatnonzero(np.abs(wave) > 0.01)
    assert 0 < loud[0] / RATE < 0.012 and loud[-1] / RATE > 0.18
    with pytest.raises(ValueError, match="1 with silence"):
        prepare(folder, tmp_path / "whole")


def test_levels_above_full_scale_are_turned_down_not_clipped(folder, tmp_path):
    soundfile.write(folder / "hot_60.wav", tone(60, 0.4, RATE, amplitude=8), RATE, subtype="FLOAT")
    assert prepare(folder, tmp_path / "out")["files"]["scaled"] == 1
    wave = read(tmp_path / "out")["audio"]["hot_60.wav"]
    expected = tone(60, 0.4, RATE)
    np.testing.assert_allclose(wave, expected / np.abs(expected).max(), atol=1e-4)


def write_useless(folder):
    """Files of no use: id -> the reason that is given."""
    (folder / "text_60.wav").write_text("this is no audio")
    (folder / "empty_60.wav").write_bytes(b"")
    soundfile.write(folder / "nothing_60.wav", np.zeros(0), RATE)
    soundfile.write(folder / "silent_60.wav", np.zeros(RATE), RATE)
    soundfile.write(folder / "click_60.wav", tone(60, 0.01, RATE), RATE)
    soundfile.write(folder / "high_110.wav", tone(90, 0.3, RATE), RATE)
    soundfile.write(folder / "unnamed.wav", tone(60, 0.3, RATE), RATE)
    broken = tone(60, 0.3, RATE)
    broken[7] = np.nan
    soundfile.write(folder / "nan_60.wav", broken, RATE, subtype="FLOAT")
    soundfile.write(folder / "cut_60.flac", tone(60, 0.3, RATE), RATE)
    content = (folder / "cut_60.flac").read_bytes()
    (folder / "cut_60.flac").write_bytes(content[:30])
    return {
        "text_60.wav": "unreadable", "empty_60.wav": "unreadable", "nothing_60.wav": "less than 0.05 s of sound",
        "silent_60.wav": "silence", "click_60.wav": "less than 0.05 s of sound", "high_110.wav": "pitch outside 24..84",
        "unnamed.wav": "no pitch", "nan_60.wav": "NaN or infinity", "cut_60.flac": "unreadable",
    }  # fmt: skip


def test_what_is_no_use_is_counted_and_named(folder, tmp_path):
    useless = write_useless(folder)
    (folder / "notes.txt").write_text("")
    (folder / ".hidden_60.wav").write_text("")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._a_60.wav").write_text("")
    soundfile.write(folder / "good_60.wav", tone(60, 0.3, RATE), RATE)
    manifest = prepare(folder, tmp_path / "out", keep=filters.NoteFilter(24, 84))
    assert {skip["id"]: skip["reason"].partition(":")[0] for skip in manifest["skipped"]} == useless
    assert sum(manifest["skip_counts"].values()) == len(useless) and manifest["skip_counts"]["unreadable"] == 3
    assert manifest["files"]["others"] == {".txt": 1} and manifest["files"]["audio"] == len(useless) + 1
    assert list(read(tmp_path / "out")["id"]) == ["good_60.wav"]


def test_only_useless_files_is_one_line(folder, tmp_path):
    write_useless(folder)
    with pytest.raises(ValueError, match=r"Expected usable notes in .*sounds. None is: .*unreadable") as caught:
        prepare(folder, tmp_path / "out", keep=filters.NoteFilter(24, 84))
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "to be a folder of audio files. Received: .*sounds, which does not exist"),
        ("file", "to be a folder of audio files. Received: .*sounds, a file"),
        ("empty", "in the folder .*sounds. It holds no files; check the path"),
        ("others", "It holds 1 .jpg, 2 .txt; check the path"),
    ],
)
def test_a_folder_without_audio_is_one_line(kind, message, folder, tmp_path):
    if kind in ("missing", "file"):
        folder.rmdir()
    if kind == "file":
        folder.write_text("")
    if kind == "others":
        for name in ("a.txt", "b.txt", "c.jpg"):
            (folder / name).write_text("")
    with pytest.raises(ValueError, match=message):
        prepare(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_sounds_without_pitch_make_an_unconditional_set(folder, tmp_path):
    for name in ("rain", "wind", "door"):
        soundfile.write(folder / f"{name}.wav", np.random.default_rng(0).normal(scale=0.1, size=4000), RATE)
    manifest = prepare(folder, tmp_path / "out")
    assert manifest["splits"]["train"]["num_notes"] == 3 and manifest["splits"]["train"]["pitches"] == {}
    assert set(read(tmp_path / "out")["pitch"].values()) == {notes.UNKNOWN}


@pytest.mark.slow
def test_pitch_is_measured_on_request(folder, tmp_path):
    for pitch in (40, 57, 71, 84):
        soundfile.write(folder / f"p{pitch}.wav", tone(pitch, 0.6, 16000), 16000)
    soundfile.write(folder / "noise.wav", np.random.default_rng(0).normal(scale=0.1, size=9000), 16000)
    soundfile.write(folder / "named_60.wav", tone(72, 0.6, 16000), 16000)
    settings = {"sample_rate": 16000, "num_samples": 9600, "detect_pitch": True}
    manifest = prepare(folder, tmp_path / "out", keep=filters.NoteFilter(24, 80), **settings)
    assert manifest["splits"]["train"]["pitches"] == {"40": 1, "57": 1, "60": 1, "71": 1}
    assert manifest["skip_counts"] == {"no pitch": 1, "pitch outside 24..80": 1}


def test_nsynths_folders_keep_everything_they_say(tmp_path):
    root = tmp_path / "nsynth"
    examples = {}
    for number, (split, source) in enumerate([("train", "acoustic"), ("train", "electronic"), ("valid", "acoustic")]):
        name = f"flute_{source}_00{number}-06{number}-075"
        where = root / f"nsynth-{split}"
        (where / "audio").mkdir(parents=True, exist_ok=True)
        soundfile.write(where / "audio" / f"{name}.wav", tone(60, 0.2, 16000), 16000, subtype="PCM_16")
        examples.setdefault(split, {})[name] = {
            "note": number, "note_str": name, "pitch": 60 + number, "velocity": 75, "sample_rate": 16000,
            "instrument": number, "instrument_str": f"flute_{source}_00{number}", "instrument_family": 2,
            "instrument_family_str": "flute", "instrument_source": ["acoustic", "electronic"].index(source),
            "instrument_source_str": source, "qualities": [0, 1, 0, 0, 0, 0, 0, 0, 0, 0], "qualities_str": ["dark"],
        }  # fmt: skip
        (where / "examples.json").write_text(json.dumps(examples[split]))
    manifest = prepare(root, tmp_path / "out", keep=filters.NoteFilter(sources=("acoustic",)))
    assert manifest["splits"]["train"]["pitches"] == {"60": 1} and manifest["splits"]["valid"]["pitches"] == {"62": 1}
    assert manifest["skip_counts"] == {"source not acoustic": 1}
    assert manifest["files"]["pitch_from"] == {"examples.json": 3}
    train = read(tmp_path / "out")
    (note_id,) = train["id"]
    assert note_id == "flute_acoustic_000-060-075" and train["velocity"][note_id] == 75
    assert train["family"][note_id] == notes.FAMILIES.index("flute") and train["source"][note_id] == 0


def test_a_finished_folder_is_kept_and_a_changed_one_read_again(folder, tmp_path):
    soundfile.write(folder / "a_60.wav", tone(60, 0.3, RATE), RATE)
    out = tmp_path / "out"
    first = prepare(folder, out)
    stamp = os.stat(out / "manifest.json").st_mtime_ns
    assert prepare(folder, out) == first and os.stat(out / "manifest.json").st_mtime_ns == stamp
    soundfile.write(folder / "b_61.wav", tone(61, 0.3, RATE), RATE)
    assert prepare(folder, out)["splits"]["train"]["pitches"] == {"60": 1, "61": 1}
    (folder / "labels.csv").write_text("file,pitch\nb_61.wav,62\n")
    assert prepare(folder, out)["splits"]["train"]["pitches"] == {"60": 1, "62": 1}
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    # The sounds are gone, the notes are not; other settings would need the sounds.
    assert prepare(folder, out)["splits"]["train"]["pitches"] == {"60": 1, "62": 1}
    with pytest.raises(ValueError, match="does not exist"):
        prepare(folder, out, num_samples=99)


def test_links_are_followed_once(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    soundfile.write(tmp_path / "elsewhere" / "a_60.wav", tone(60, 0.3, RATE), RATE)
    os.symlink(tmp_path / "elsewhere", folder / "link")
    os.symlink(folder, tmp_path / "elsewhere" / "back")
    prepare(folder, tmp_path / "out")
    assert list(read(tmp_path / "out")["id"]) == ["link/a_60.wav"]


def test_names_that_are_no_text_are_read(folder, tmp_path):
    wave = folder / "x_60.wav"
    soundfile.write(wave, tone(60, 0.3, RATE), RATE)
    os.rename(wave, os.fsencode(folder) + b"/\xff_60.wav")
    assert prepare(folder, tmp_path / "out")["splits"]["train"]["num_notes"] == 1


def test_no_order_of_files_changes_the_shards(tmp_path, folder):
    for pitch in range(60, 72):
        soundfile.write(folder / f"a_{pitch}.wav", tone(pitch, 0.2, RATE), RATE)
    request = audio_folder.FolderRequest(str(folder), RATE, LENGTH)
    found, others = audio_folder.find_files(str(folder))
    for name, order in (("forward", found), ("backward", found[::-1])):
        plan = audio_folder.plan_notes(request, order, others)
        made = plan.collect((file, audio_folder.read_file(request, file)) for file in plan.wanted)
        records.write_records(tmp_path / name, made, {}, 3)
    shards = {
        name: [pathlib.Path(path).read_bytes() for path in records.list_shards(tmp_path / name, "train")]
        for name in ("forward", "backward")
    }
    assert shards["forward"] == shards["backward"] and len(shards["forward"]) > 1


def test_sounds_are_read_from_any_file_system_of_tensorflow(folder, tmp_path):
    """As gs:// and s3:// are; "ram" is one that knows nothing of local paths."""
    import tensorflow as tf

    soundfile.write(folder / "a_60.flac", tone(60, 0.3, RATE), RATE)
    place = f"ram://{tmp_path.name}-sounds"
    tf.io.gfile.makedirs(f"{place}/deep")
    with tf.io.gfile.GFile(f"{place}/deep/a_60.flac", "wb") as file:
        file.write((folder / "a_60.flac").read_bytes())
    with tf.io.gfile.GFile(f"{place}/labels.csv", "w") as file:
        file.write("file,velocity\ndeep/a_60.flac,99\n")
    request = audio_folder.FolderRequest(place, RATE, LENGTH)
    found, others = audio_folder.find_files(place)
    assert [(file.path, file.label.velocity) for file in found] == [("deep/a_60.flac", 99)]
    # What is in the memory of this process is not in that of others, so it is read here.
    (note,) = audio_folder.plan_notes(request, found, others).collect(
        (file, audio_folder.read_file(request, file)) for file in found
    )
    prepare(folder, tmp_path / "out")
    np.testing.assert_array_equal(note.audio / 32768, read(tmp_path / "out")["audio"]["a_60.flac"])
    with pytest.raises(ValueError, match="Received: ram://nowhere, which is none"):
        audio_folder.find_files("ram://nowhere")
