"""gansynth_generate and gansynth_tf.load: notes and clips from a run folder or an exported one."""

import json
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile

import gansynth_tf
from gansynth_tf.audio import load_audio
from gansynth_tf.latents import mix, slerp


@pytest.fixture
def tune(tmp_path):
    """A MIDI file: three notes, the last out of the model's three pitches, and a drum."""
    import pretty_midi

    music = pretty_midi.PrettyMIDI()
    piano, drums = pretty_midi.Instrument(0), pretty_midi.Instrument(0, is_drum=True)
    for start, end, pitch in ((0.0, 0.1, 60), (0.5, 0.6, 61), (1.5, 2.5, 74)):
        piano.notes.append(pretty_midi.Note(velocity=90, pitch=pitch, start=start, end=end))
    drums.notes.append(pretty_midi.Note(velocity=90, pitch=36, start=0.25, end=0.5))
    music.instruments += [piano, drums]
    music.write(str(tmp_path / "tune.mid"))
    return tmp_path / "tune.mid"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---------------------------------------------------------------------------------------------------- the command


def test_notes_need_no_data_and_a_seed_repeats_them(tiny_run, tiny_notes, run_command, tmp_path):
    moved = shutil.copytree(tiny_run.folder, tmp_path / "moved")
    flags = [f"--ckpt_dir={moved}", "--batch_size=5"]
    hidden = tiny_notes.rename(tiny_notes.with_name("hidden"))
    try:
        results = [
            run_command("generate", *flags, f"--seed={seed}", f"--output_dir={tmp_path / name}")
            for name, seed in (("a", 3), ("again", 3), ("other", 4))
        ]
    finally:
        hidden.rename(tiny_notes)
    assert [result.code for result in results] == [0, 0, 0], results
    files = contents(tmp_path / "a")
    names = [f"generated_{index}" for index in range(5)]
    assert sorted(files) == sorted([f"{n}.wav" for n in names] + [f"{n}.json" for n in names] + ["generated_z.npy"])
    assert files == contents(tmp_path / "again")
    assert soundfile.info(tmp_path / "a" / "generated_0.wav").subtype == "FLOAT"
    assert files["generated_0.wav"] != contents(tmp_path / "other")["generated_0.wav"]
    assert all(f"Saved to {tmp_path / 'a' / name}.wav" in results[0].out for name in names)


def test_the_json_beside_a_note_is_enough_to_make_it_again(tiny_run, run_command, tmp_path):
    flags = [f"--ckpt_dir={tiny_run.folder}", f"--output_dir={tmp_path}", "--batch_size=3"]
    assert run_command("generate", *flags).code == 0
    model = gansynth_tf.load(tiny_run.folder)
    for index in range(3):
        facts = json.loads((tmp_path / f"generated_{index}.json").read_text())
        assert facts["pitch"] in model.pitches and facts["sample_rate"] == 16000 and facts["seconds"] == 0.25
        z = np.load(tmp_path / facts["z_file"])[[facts["z_row"]]]
        np.testing.assert_array_equal(model.sample_z(3, facts["seed"])[[index]], z)
        wave = load_audio(tmp_path / facts["file"], 16000)
        np.testing.assert_allclose(wave, model.generate(z, [facts["pitch"]])[0], atol=1e-5)


def test_the_tune_needs_no_midi_file(tiny_run, run_command, tmp_path):
    flags = [f"--ckpt_dir={tiny_run.folder}", f"--output_dir={tmp_path / 'new'}", "--tune", "--seed=2"]
    finished = run_command("generate", *flags)
    assert finished.code == 0, finished.err
    wanted = ["generated_clip.json", "generated_clip.wav", "generated_clip_z.npy", "tune.mid"]
    assert sorted(contents(tmp_path / "new")) == wanted
    facts = json.loads((tmp_path / "new" / "generated_clip.json").read_text())
    assert facts["num_notes"] == 128 and facts["midi_file"].endswith("tune.mid")
    wave = load_audio(tmp_path / "new" / "generated_clip.wav", 16000)
    assert 26 * 16000 < len(wave) < 28 * 16000 and np.abs(wave).max() > 0
    flags[1] = f"--output_dir={tmp_path / 'none'}"
    for other, said in (("--pitch=60", "--midi_file alone"), ("--midi_file=mine.mid", "--tune or --midi_file")):
        refused = run_command("generate", *flags, other)
        assert refused.code == 2 and said in refused.err
    assert not (tmp_path / "none").exists()  # A mistake leaves nothing behind.


def test_a_clip_follows_its_midi_file(tiny_run, tune, run_command, tmp_path):
    flags = [f"--ckpt_dir={tiny_run.folder}", f"--midi_file={tune}", "--secs_per_instrument=1", "--seed=2"]
    finished = run_command("generate", *flags, f"--output_dir={tmp_path / 'a'}")
    assert finished.code == 0, finished.err
    assert sorted(contents(tmp_path / "a")) == ["generated_clip.json", "generated_clip.wav", "generated_clip_z.npy"]
    facts = json.loads((tmp_path / "a" / "generated_clip.json").read_text())
    assert facts["num_notes"] == 3 and facts["secs_per_instrument"] == 1.0 and facts["instruments"] == ["0", "1", "2"]
    assert (facts["num_folded"], facts["num_long"], facts["num_drums_skipped"]) == (1, 1, 1)
    for text in ("1 notes moved by octaves", "1 notes longer", "1 notes of drums skipped"):
        assert text in finished.out
    assert np.load(tmp_path / "a" / "generated_clip_z.npy").shape == (3, 5)
    wave = load_audio(tmp_path / "a" / "generated_clip.wav", 16000)
    sounding = [np.abs(wave[round(second * 16000) :][:1600]).max() > 0 for second in (0.0, 0.5, 1.5)]
    assert sounding == [True] * 3 and 0 < np.abs(wave).max() <= 1
    assert not wave[8000 - 160 : 8000].any()  # Between the first note's release and the second note.
    assert run_command("generate", *flags, f"--output_dir={tmp_path / 'again'}").code == 0
    assert contents(tmp_path / "again") == contents(tmp_path / "a")


def test_an_exported_folder_generates_the_same(tiny_run, exported, tune, run_command, tmp_path):
    for midi in ([], [f"--midi_file={tune}"]):
        for name, folder in (("run", tiny_run.folder), ("exported", exported)):
            flags = [f"--ckpt_dir={folder}", f"--output_dir={tmp_path / name}", "--seed=6", *midi]
            finished = run_command("generate", *flags)
            assert finished.code == 0, finished.err
    waves = {name: sorted((tmp_path / name).glob("*.wav")) for name in ("run", "exported")}
    assert len(waves["run"]) == 9 and [p.name for p in waves["run"]] == [p.name for p in waves["exported"]]
    for ours, theirs in zip(*waves.values(), strict=True):
        np.testing.assert_allclose(load_audio(theirs, 16000), load_audio(ours, 16000), atol=1e-5)


def test_chosen_pitches_and_numbers_of_notes(tiny_run, run_command, tmp_path):
    def pairs(name, *flags):
        finished = run_command("generate", f"--ckpt_dir={tiny_run.folder}", f"--output_dir={tmp_path / name}", *flags)
        assert finished.code == 0, finished.err
        facts = [json.loads((tmp_path / name / f"generated_{n}.json").read_text())
                 for n in range(len(list((tmp_path / name).glob("*.wav"))))]  # fmt: skip
        return [(fact["instrument"], fact["pitch"]) for fact in facts]

    assert pairs("a", "--pitch=62,C4", "--batch_size=5") == [("0", 62), ("0", 60), ("1", 62), ("1", 60)]
    assert pairs("b", "--pitch=all", "--num_notes=4", "--batch_size=1") == [("0", 60), ("0", 61), ("0", 62), ("1", 60)]
    assert pairs("c", "--pitch=60", "--instrument=3,1") == [("3", 60), ("1", 60)]
    assert [name for name, _ in pairs("d", "--num_notes=3")] == ["0", "1", "2"]
    # A random instrument's number says which it is, however many are drawn.
    instruments = [np.load(tmp_path / name / "generated_z.npy") for name in "ab"]
    assert instruments[0].shape == (2, 5)
    pairs("e", "--pitch=60", "--seed=9", "--batch_size=4")
    pairs("f", "--pitch=60", "--seed=9", "--instrument=2")
    waves = [load_audio(tmp_path / name, 16000) for name in ("e/generated_2.wav", "f/generated_0.wav")]
    np.testing.assert_allclose(*waves, atol=1e-5)


def test_instruments_are_kept_mixed_and_played_again(tiny_run, run_command, tmp_path):
    kept = tmp_path / "mine.json"

    def generate(name, *flags):
        finished = run_command("generate", f"--ckpt_dir={tiny_run.folder}", f"--output_dir={tmp_path / name}", *flags)
        assert finished.code == 0, finished.err
        return finished.out

    generate("all", "--seed=1", "--batch_size=4", "--truncation=0.5")
    z = np.load(tmp_path / "all" / "generated_z.npy")
    np.testing.assert_allclose(z, 0.5 * gansynth_tf.load(tiny_run.folder).sample_z(4, 1), rtol=1e-6)
    out = generate(
        "two", f"--z_file={tmp_path / 'all' / 'generated_z.npy'}", "--instrument=2,0", f"--save_z={kept}",
        "--save_names=flute, bell",
    )  # fmt: skip
    assert "Saved 2 instruments to" in out
    instruments = json.loads(kept.read_text())["instruments"]
    assert list(instruments) == ["flute", "bell"]
    np.testing.assert_array_equal(np.float32(instruments["flute"]), z[2])
    mixture = "0.7*flute+0.3*bell"
    flags = (f"--z_file={kept}", f"--instrument=bell,{mixture}", "--pitch=61", f"--save_z={kept}")
    out = generate("mixed", *flags)
    assert "Replaced the instrument bell" in out and "which has 3" in out
    assert list(json.loads(kept.read_text())["instruments"]) == ["flute", "bell", "0.7_flute_0.3_bell"]
    facts = json.loads((tmp_path / "mixed" / "generated_1.json").read_text())
    assert facts["instrument"] == mixture and facts["instruments_file"] == str(kept)
    played = np.load(tmp_path / "mixed" / "generated_z.npy")
    np.testing.assert_array_equal(played[0], z[0])
    np.testing.assert_allclose(played[1], mix(z[[2, 0]], [0.7, 0.3]), rtol=1e-6)
    generate("random", "--seed=5", "--batch_size=1", f"--save_z={tmp_path / 'new.npz'}")
    assert list(np.load(tmp_path / "new.npz").files) == ["seed5_0"]


def test_a_walk_between_instruments(tiny_run, run_command, tmp_path):
    def generate(name, *corners):
        return run_command(
            "generate", f"--ckpt_dir={tiny_run.folder}", f"--output_dir={tmp_path / name}", *corners,
            "--steps=3", "--pitch=60,62", "--seed=3",
        )  # fmt: skip

    finished = generate("a", "--interpolate=1,0")
    assert finished.code == 0, finished.err
    files = contents(tmp_path / "a")
    names = [f"interpolation_{index}" for index in range(6)]
    assert sorted(files) == sorted(
        [f"{n}.wav" for n in names] + [f"{n}.json" for n in names] + ["interpolation_z.npy", "interpolation.png"]
    )
    z, corners = np.load(tmp_path / "a" / "interpolation_z.npy"), gansynth_tf.load(tiny_run.folder).sample_z(2, 3)
    np.testing.assert_allclose(z[[0, 2]], corners[[1, 0]], rtol=1e-5)
    np.testing.assert_allclose(z[1], slerp(corners[1], corners[0], 0.5), rtol=1e-5)
    facts = json.loads(files["interpolation_4.json"])
    assert (facts["pitch"], facts["z_row"], facts["instrument"]) == (62, 1, "1 to 0, step 1")
    assert generate("again", "--interpolate", "1", "0").code == 0 and contents(tmp_path / "again") == files
    width, height = struct.unpack(">II", files["interpolation.png"][16:24])
    assert width > 1.3 * height > 500  # Three columns and two rows.


def test_formats_rates_and_levels(tiny_run, tune, run_command, tmp_path):
    flags = ["--format=flac", "--sample_rate=22050", "--bit_depth=16", "--normalize=peak", "--seed=1"]
    for kind, name, seconds in (([], "generated_0", 0.25), ([f"--midi_file={tune}"], "generated_clip", 2.5625)):
        for folder in ("a", "again"):
            arguments = [f"--ckpt_dir={tiny_run.folder}", f"--output_dir={tmp_path / folder}", *flags, *kind]
            finished = run_command("generate", *arguments)
            assert finished.code == 0, finished.err
        info = soundfile.info(tmp_path / "a" / f"{name}.flac")
        assert (info.format, info.subtype, info.samplerate) == ("FLAC", "PCM_16", 22050)
        assert info.frames == round(seconds * 22050)
        peak = np.abs(soundfile.read(tmp_path / "a" / f"{name}.flac")[0]).max()
        assert peak == pytest.approx(0.99, abs=1e-3)
        assert json.loads((tmp_path / "a" / f"{name}.json").read_text())["gain"] > 1
    assert contents(tmp_path / "a") == contents(tmp_path / "again")
    arguments = [f"--ckpt_dir={tiny_run.folder}", f"--output_dir={tmp_path / 'b'}", "--normalize=loudness", "--seed=1"]
    gains = []
    for loudness in (-40, -34):
        assert run_command("generate", *arguments, f"--loudness={loudness}", f"--midi_file={tune}").code == 0
        gains.append(json.loads((tmp_path / "b" / "generated_clip.json").read_text())["gain"])
    assert gains[1] / gains[0] == pytest.approx(10**0.3)


def test_tracks_with_instruments_of_their_own_and_long_notes(tiny_run, run_command, tmp_path):
    import pretty_midi

    music = pretty_midi.PrettyMIDI()
    for name, pitch in (("Lead", 60), ("Bass", 61), ("Pad", 62)):
        track = pretty_midi.Instrument(0, name=name)
        track.notes.append(pretty_midi.Note(velocity=90, pitch=pitch, start=0.0, end=1.5))
        music.instruments.append(track)
    music.write(str(tmp_path / "band.mid"))
    flags = [f"--ckpt_dir={tiny_run.folder}", f"--midi_file={tmp_path / 'band.mid'}", "--tracks=own", "--seed=1"]
    looped = run_command("generate", *flags, f"--output_dir={tmp_path / 'a'}", "--long_notes=loop")
    assert looped.code == 0, looped.err
    assert "3 notes longer than the model's notes and looped" in looped.out
    assert "Bass, channel 2: instrument 1" in looped.out
    assert np.load(tmp_path / "a" / "generated_clip_z.npy").shape == (3, 5)
    cut = run_command("generate", *flags, f"--output_dir={tmp_path / 'b'}", "--instrument=4,2")
    assert "and cut" in cut.out and "Pad, channel 3: instrument 4" in cut.out
    waves = [load_audio(tmp_path / name / "generated_clip.wav", 16000) for name in "ab"]
    assert len(waves[0]) == len(waves[1]) == 1.5625 * 16000
    assert np.abs(waves[0][20000:22000]).max() > 0 and not waves[1][20000:].any()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--pitch=63"], "3 pitches from 60 to 62. Received: 63; the nearest is 62"),
        (["--instrument=flute"], "Received: 'flute'"),
        (["--interpolate=1"], "Expected --interpolate=A,B or more. Received: 1"),
        (["--steps=2", "1", "2"], "Expected flags only. Received: 1 2"),
        (["--steps=1", "--interpolate=0,1"], "--steps=1"),
        (["--truncation=nan"], "psi"),
        (["--format=flac", "--bit_depth=float"], "24, 16 for flac"),
        (["--sample_rate=20"], "1000 to 384000 Hz"),
        (["--output_dir=gs://bucket/notes"], "folder of this machine"),
        (["--midi_file=a.mid", "--pitch=60"], "--midi_file alone"),
        (["--z_file=none.npy"], "none.npy"),
        (["--save_z=a.json", "--save_names=b"], "8 --save_names. Received: 1"),
        (["--save_z=a.txt"], "ends in .json or .npz"),
    ],
)
def test_what_cannot_be_asked_for(flags, words, tiny_run, run_command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finished = run_command("generate", f"--ckpt_dir={tiny_run.folder}", "--output_dir=out", *flags)
    assert finished.code == 2 and words in finished.err and finished.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------------------------------------- the interface


def test_both_kinds_of_folder_have_the_same_interface(tiny_run, exported):
    run, saved = gansynth_tf.load(tiny_run.folder), gansynth_tf.load(str(exported))
    for model in (run, saved):
        assert model.pitches == [60, 61, 62]
        assert (model.sample_rate, model.audio_length, model.latent_size) == (16000, 4000, 5)
    z = run.sample_z(3, seed=9)
    np.testing.assert_array_equal(saved.sample_z(3, seed=9), z)
    assert z.dtype == np.float32 and not np.array_equal(run.sample_z(3), run.sample_z(3))
    waves, specgrams = run.generate(z, [62, 60, 61]), run.generate_specgrams(z, [62, 60, 61])
    assert waves.shape == (3, 4000) and specgrams.shape == (3, 16, 32, 2)
    assert isinstance(waves, np.ndarray) and waves.dtype == specgrams.dtype == np.float32
    np.testing.assert_allclose(saved.generate(z, [62, 60, 61]), waves, atol=1e-5)
    np.testing.assert_allclose(saved.generate_specgrams(z, np.array([62, 60, 61])), specgrams, atol=1e-4)


def test_a_run_folder_gives_its_parts_too(tiny_run):
    model = gansynth_tf.load(tiny_run.folder)
    waves = model.generate(model.sample_z(2, seed=0), [60, 62])
    specgrams = np.asarray(model.representation.encode(waves))
    assert specgrams.shape == (2, 16, 32, 2)
    assert np.asarray(model.representation.decode(specgrams)).shape == (2, 4000)
    scores, pitch_logits = model.discriminator(model.normalizer.normalize(specgrams))
    assert scores.shape == (2,) and pitch_logits.shape == (2, 3)
    assert model.generator.count_params() > 0


@pytest.mark.parametrize("kind", ["run", "exported"])
def test_wrong_pitches_and_shapes_are_refused(kind, tiny_run, exported):
    model = gansynth_tf.load(tiny_run.folder if kind == "run" else exported)
    with pytest.raises(ValueError, match="3 pitches from 60 to 62. Received: 64; the nearest is 62"):
        model.generate(model.sample_z(2, seed=0), [60, 64])
    with pytest.raises(ValueError, match=r"z of shape \[batch, 5\].*Received: z \[2, 4\], pitch \[2\]"):
        model.generate(np.zeros([2, 4], np.float32), [60, 61])
    with pytest.raises(ValueError, match=r"Received: z \[2, 5\], pitch \[3\]"):
        model.generate(model.sample_z(2, seed=0), [60, 61, 62])


def test_importing_the_package_is_cheap():
    code = (
        "import sys, gansynth_tf; gansynth_tf.HParams(); gansynth_tf.list_presets()\n"
        "heavy = {'tensorflow', 'keras', 'scipy', 'librosa', 'matplotlib', 'soundfile', 'pretty_midi', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
