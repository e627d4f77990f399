"""From a folder of sounds to notes of one's own: every rate and length, no pitch, sets filtered and mixed."""

import json

import numpy as np
import pretty_midi
import pytest
import soundfile

import gansynth_tf
from gansynth_tf import settings
from gansynth_tf.data import pipeline, records

TINY = {
    "data_type": "mel", "mel_downscale": 16, "start_height": 8, "start_width": 16, "num_resolutions": 2,
    "latent_vector_size": 5, "fmap_base": 8, "fmap_max": 4, "fmap_min": 2, "batch_size_schedule": [2],
    "train_progressive": False, "total_num_images": 2, "fake_batch_size": 2, "steps_per_call": 1,
    "save_summaries_num_images": 100, "audio_length": 4000, "sample_rate": 16000,
}  # fmt: skip


def tone(pitch, seconds, rate):
    time = np.arange(round(seconds * rate)) / rate
    return 0.3 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time) * np.exp(-time)


def flag(run, **others):
    return "--hparams=" + json.dumps(TINY | {"train_root_dir": str(run)} | others)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    for name, pitch in (("C4", 60), ("D4", 62), ("G4", 67), ("A4", 69)):
        soundfile.write(folder / f"tone_{name}.wav", tone(pitch, 0.6, 44100), 44100)
    (folder / "tone_B4.wav").write_text("broken")
    return folder


@pytest.fixture(scope="module")
def noises(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noises")
    for name in ("rain", "wind", "sea"):
        soundfile.write(folder / f"{name}.flac", np.random.default_rng(0).normal(scale=0.1, size=9000), 16000)
    return folder


def test_a_folder_is_prepared_reported_and_trained_on(sounds, run_command, tmp_path):
    out = tmp_path / "notes"
    size = json.dumps({"audio_length": TINY["audio_length"]})
    prepare = ["prepare", "--source=folder", f"--data_path={sounds}", f"--output_dir={out}", f"--hparams={size}"]
    finished = run_command(*prepare)
    assert finished.code == 0, finished.err
    for words in ("| train | 4 ", "Pitches: 4 from 60 (C4) to 69 (A4)", "44100 Hz 4", "4 cut at the end", "unreadable"):
        assert words in finished.out
    report = json.loads((out / "report.json").read_text())
    assert report["skipped"][0]["id"] == "tone_B4.wav" and report["pitches"] == {"60": 1, "62": 1, "67": 1, "69": 1}
    assert (out / "report.png").read_bytes().startswith(b"\x89PNG")
    again = run_command(*prepare)
    assert again.code == 0 and again.err == "" and again.out == finished.out
    trained = run_command("train", flag(tmp_path / "run", dataset_name="records", data_path=str(out)))
    assert trained.code == 0 and "Finished at 2 examples" in trained.out, trained.err
    assert not (tmp_path / "run" / "data").exists()
    assert gansynth_tf.load(tmp_path / "run").pitches == [60, 62, 67, 69]
    # A part of the set: a manifest that points at it.
    part = flag(tmp_path / "part", dataset_name="records", data_path=str(out), min_pitch=61, max_pitch=67)
    trained = run_command("train", part)
    assert trained.code == 0, trained.err
    assert gansynth_tf.load(tmp_path / "part").pitches == [62, 67]
    assert {path.suffix for path in (tmp_path / "part" / "data").iterdir()} == {".json", ".png"}


@pytest.mark.slow
def test_sounds_without_pitch_train_generate_play_and_export(noises, run_command, tmp_path):
    run = tmp_path / "run"
    trained = run_command("train", flag(run, dataset_name="folder", data_path=str(noises)))
    assert trained.code == 0 and "unconditional: one class of 3 notes" in trained.out, trained.err
    model = gansynth_tf.load(run)
    assert model.pitches == [60] and not model.pitch_classes.pitched
    waves = model.generate(model.sample_z(2, seed=0), [60, 60])
    with pytest.raises(ValueError, match="the nearest is 60"):
        model.generate(model.sample_z(1, seed=0), [61])
    finished = run_command("generate", f"--ckpt_dir={run}", f"--output_dir={tmp_path / 'notes'}", "--batch_size=2")
    assert finished.code == 0, finished.err
    assert json.loads((tmp_path / "notes" / "generated_0.json").read_text())["pitch"] == 60
    music = pretty_midi.PrettyMIDI()
    music.instruments.append(pretty_midi.Instrument(0))
    music.instruments[0].notes = [pretty_midi.Note(90, pitch, pitch / 100, pitch / 100 + 0.2) for pitch in (40, 72)]
    music.write(str(tmp_path / "tune.mid"))
    flags = [f"--ckpt_dir={run}", f"--output_dir={tmp_path / 'notes'}", f"--midi_file={tmp_path / 'tune.mid'}"]
    played = run_command("generate", *flags)
    assert played.code == 0, played.err
    exported = run_command("export", f"--ckpt_dir={run}", f"--export_dir={tmp_path / 'export'}")
    assert exported.code == 0, exported.err
    served = gansynth_tf.load(tmp_path / "export")
    assert served.pitches == [60] and not served.pitch_classes.pitched
    np.testing.assert_allclose(served.generate(model.sample_z(2, seed=0), [60, 60]), waves, atol=1e-5)


def test_pitched_sounds_may_be_one_class_too(sounds, run_command, tmp_path):
    trained = run_command("train", flag(tmp_path / "run", dataset_name="folder", data_path=str(sounds),
                                        unconditional=True, min_pitch=80))  # fmt: skip
    assert trained.code == 0, trained.err
    classes = json.loads((tmp_path / "run" / "pitches.json").read_text())
    assert classes == {"pitches": [60], "counts": [4], "pitched": False}


def test_a_mix_trains_and_goes_on(sounds, run_command, tiny_notes, tmp_path):
    sources = [
        {"name": "folder", "weight": 3, "data_path": str(sounds)},
        {"name": "records", "data_path": str(tiny_notes), "max_pitch": 61},
    ]
    run = tmp_path / "run"
    first = run_command("train", flag(run, dataset_name="mix", sources=sources))
    assert first.code == 0 and "Weight 3: Notes in" in first.out, first.err
    hparams = settings.read_experiment(run / "experiment.json")
    assert hparams.to_dict()["sources"] == sources
    classes = gansynth_tf.load(run).pitch_classes
    assert classes.pitches == (60, 61, 62, 67, 69)
    # Three quarters of the stream are the folder's, whose four pitches are equally frequent.
    shares = dict(zip(classes.pitches, classes.probabilities, strict=True))
    assert shares[67] == pytest.approx(3 / 16, abs=0.05) and shares[60] > shares[67]
    sets = records.open_split(run / "data" / "mix", "train")
    dataset = pipeline.make_dataset(sets, classes, 4000, 100, 0)
    rows = next(iter(dataset))["instrument"].numpy()
    assert 60 < np.count_nonzero(rows < sets[1].first_label) < 90
    longer = run_command("train", flag(run, dataset_name="mix", sources=sources, total_num_images=4))
    assert longer.code == 0 and "from 2 examples" in longer.out, longer.err


# Rate, seconds, specgram (time, freq), linear bins for each mel band. Frames of 2 * freq * downscale samples, a quarter
# of that apart, must cover the note.
SIZES = [
    (8000, 0.25, (16, 16), 16), (8000, 8.0, (64, 32), 64), (16000, 4.0, (64, 32), 64), (22050, 1.0, (32, 32), 64),
    (44100, 0.25, (32, 32), 32), pytest.param(44100, 8.0, (64, 64), 256, marks=pytest.mark.long),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "seconds", "shape", "downscale"), SIZES)
def test_every_rate_and_length_trains_a_step_and_generates(rate, seconds, shape, downscale, run_command, tmp_path):
    folder, run, length = tmp_path / "sounds", tmp_path / "run", round(rate * seconds)
    folder.mkdir()
    for pitch in (57, 64):
        soundfile.write(folder / f"tone_{pitch}.wav", tone(pitch, seconds * 1.25, 32000), 32000)
    finished = run_command("train", flag(
        run, dataset_name="folder", data_path=str(folder), sample_rate=rate, audio_length=length,
        mel_downscale=downscale, start_height=shape[0] // 2, start_width=shape[1] // 2,
    ))  # fmt: skip
    assert finished.code == 0 and "Finished at 2 examples" in finished.out, finished.err
    model = gansynth_tf.load(run)
    assert (model.sample_rate, model.audio_length, model.pitches) == (rate, length, [57, 64])
    waves = model.generate(model.sample_z(2, seed=0), [57, 64])
    assert waves.shape == (2, length) and np.all(np.isfinite(waves)) and np.abs(waves).max() > 0
    written = run_command("generate", f"--ckpt_dir={run}", f"--output_dir={tmp_path / 'notes'}", "--batch_size=1")
    assert written.code == 0, written.err
    about = soundfile.info(tmp_path / "notes" / "generated_0.wav")
    assert (about.samplerate, about.frames) == (rate, length)
    # What is trained on is the beginning of the sounds at this rate.
    (note_set,) = records.open_split(run / "data", "train")
    loaded = pipeline.load_notes([note_set], length)
    for pitch, wave in zip(loaded["pitch"], loaded["audio"], strict=True):
        ideal = tone(pitch, seconds, rate)
        assert np.abs(wave - ideal)[rate // 50 : -rate // 50].max() < 0.01


def test_sizes_that_do_not_fit_show_their_arithmetic(sounds, run_command, tmp_path):
    own = {"dataset_name": "folder", "data_path": str(sounds)}
    finished = run_command("train", flag(tmp_path / "run", **own, audio_length=10000, sample_rate=8000))
    assert finished.code == 2 and finished.err.count("\n") == 1
    for words in (
        "at most 4864", "(16 - 1) * 256 + 1024", "10000 is 1.25 s at sample_rate 8000", "(8, 16) * 2**1 = (16, 32)",
    ):  # fmt: skip
        assert words in finished.err, finished.err
    assert not (tmp_path / "run").exists()
    out = tmp_path / "notes"
    size = json.dumps({"audio_length": 2000})
    assert run_command("prepare", "--source=folder", f"--data_path={sounds}", f"--output_dir={out}",
                       f"--hparams={size}").code == 0  # fmt: skip
    records_of = {"dataset_name": "records", "data_path": str(out)}
    longer = run_command("train", flag(tmp_path / "run", **records_of))
    assert longer.code == 2 and "audio_length 4000 = 0.25 s at 16000 Hz" in longer.err
    assert "of 2000 = 0.125 s; set audio_length to 2000 or less" in longer.err
    faster = run_command("train", flag(tmp_path / "run", **records_of, sample_rate=22050, audio_length=2000))
    assert faster.code == 2 and "sample_rate 22050 Hz" in faster.err
    assert "at 16000 Hz; set sample_rate to 16000" in faster.err


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"dataset_name": "folder"}, ["data_path must name a folder of audio files"]),
        ({"dataset_name": "folder", "data_path": "/no/such/folder"}, ["/no/such/folder, which does not exist"]),
        ({"dataset_name": "records", "data_path": "/no/such"}, ["manifest.json", "/no/such; prepare it first"]),
        ({"dataset_name": "nsynth_records", "data_path": "/no/such"}, ["wget http", "nsynth-train.tfrecord"]),
        ({"dataset_name": "nsynth_tfds", "tfds_data_dir": "/no/such"}, ["tfds build nsynth/gansynth_subset"]),
        ({"dataset_name": "nsynth"}, ["dataset_name must be one of soundfont, folder, records, nsynth_tfds"]),
        ({"dataset_name": "mix"}, ["'mix', which needs at least one", "0 sources"]),
        ({"sources": [{"name": "folder"}]}, ["sources belong to dataset_name 'mix'", "'soundfont'"]),
        ({"dataset_name": "mix", "sources": [{"name": "tape"}]}, ["'name' among soundfont, folder", "'tape'"]),
        ({"dataset_name": "mix", "sources": [{"name": "mix"}]}, ["Source 1", "'mix'"]),
        ({"dataset_name": "mix", "sources": [{"name": "folder", "weight": 0}]}, ["Source 1", "'weight' above 0"]),
        ({"dataset_name": "mix", "sources": [{"name": "folder", "data_pat": "x"}]}, ["Did you mean 'data_path'"]),
        ({"dataset_name": "mix", "sources": [{"name": "folder", "seed": 8}]}, ["unknown setting 'seed'"]),
        ({"dataset_name": "mix", "sources": ["folder"]}, ["sources must be a list of objects"]),
        ({"instrument_sources": ["acustic"]}, ["sources among acoustic, electronic, synthetic", "'acustic'"]),
        ({"instrument_families": ["vocal"], "soundfont_programs": [40]}, ["of pitch 24 to 84, family vocal", "[40]"]),
        ({"instrument_families": "flute"}, ["instrument_families must be a list of strings"]),
        ({"min_velocity": 90, "max_velocity": 20}, ["min_velocity <= max_velocity", "90 and 20"]),
    ],
)
def test_mistakes_are_one_line(others, words, run_command, tmp_path):
    finished = run_command("train", flag(tmp_path / "run", **others))
    assert finished.code == 2 and finished.err.count("\n") == 1, finished.err
    assert all(word in finished.err for word in words), finished.err
    assert not (tmp_path / "run").exists()
