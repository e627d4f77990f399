"""gansynth_generate and gansynth_tf.load: notes and clips from a run folder or an exported one."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

import gansynth_tf
from gansynth_tf.audio import load_audio


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


def test_a_clip_follows_its_midi_file(tiny_run, tune, run_command, tmp_path):
    flags = [f"--ckpt_dir={tiny_run.folder}", f"--midi_file={tune}", "--secs_per_instrument=1", "--seed=2"]
    finished = run_command("generate", *flags, f"--output_dir={tmp_path / 'a'}")
    assert finished.code == 0, finished.err
    assert sorted(contents(tmp_path / "a")) == ["generated_clip.json", "generated_clip.wav", "generated_clip_z.npy"]
    facts = json.loads((tmp_path / "a" / "generated_clip.json").read_text())
    assert facts["pitch"] == [60, 61, 74] and facts["secs_per_instrument"] == 1.0
    assert (facts["num_folded"], facts["num_shortened"], facts["num_drums_skipped"]) == (1, 1, 1)
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
