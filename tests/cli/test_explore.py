"""gansynth_explore: sliders are found, named, kept, set; and instruments are compared."""

import json
import re
import shutil

import numpy as np
import pytest

import gansynth_tf
from gansynth_tf import build_evaluation, plots
from gansynth_tf.audio import load_audio
from gansynth_tf.evaluation.classifier import Judgement
from gansynth_tf.exploration import encoding, sliders
from gansynth_tf.generation.instruments import load_instruments


@pytest.fixture(scope="module")
def explored(tiny_run, run_command, tmp_path_factory):
    """A run whose sliders have been found, and what the command said."""
    run = shutil.copytree(tiny_run.folder, tmp_path_factory.mktemp("explore") / "run")
    with pytest.MonkeyPatch.context() as patch:
        drawn = []
        patch.setattr(plots, "plot_note_grid", lambda *arguments: drawn.append(arguments))
        flags = ["--num_sliders=2", "--num_latents=300", "--rename=pca_2=bright"]
        finished = run_command("explore", f"--ckpt_dir={run}", *flags)
    assert finished.code == 0, finished.err
    return run, finished, drawn


def test_sliders_are_found_named_and_drawn(explored):
    run, finished, ((waves, rate, _, names, positions),) = explored
    model = gansynth_tf.load(run)
    found, _ = sliders.load_sliders(run / "sliders.json", model.latent_size)
    assert list(found) == names == ["pca_1", "bright", "sefa_1", "sefa_2"]
    assert positions == ["-3", "-1.5", "+0", "+1.5", "+3"] and rate == 16000
    z = model.sample_z(1, seed=0)
    expected = model.generate(sliders.move(z, found, {"bright": 1.5}), [61])[0]
    np.testing.assert_allclose(waves[1, 3], expected, atol=1e-4)
    sound = load_audio(run / "explore" / "slider_bright.wav", 16000)
    np.testing.assert_allclose(sound, waves[1].reshape(-1), atol=1e-6)
    assert len(re.findall(r"^\| \w+ \| 0\.\d{3} \| [+-]", finished.out, flags=re.MULTILINE)) == 4


def test_sliders_are_set_by_name(explored, run_command, tmp_path):
    run = explored[0]
    before = (run / "sliders.json").read_bytes()
    flags = ["--sliders=bright=2,sefa_1=-0.5", "--seed=7", "--pitch=62", f"--output_dir={tmp_path}"]
    finished = run_command("explore", f"--ckpt_dir={run}", *flags)
    assert finished.code == 0, finished.err
    assert (run / "sliders.json").read_bytes() == before
    facts = json.loads((tmp_path / "explored_random.json").read_text())
    assert facts["sliders"] == {"bright": 2.0, "sefa_1": -0.5} and facts["pitch"] == 62 and facts["seed"] == 7
    model = gansynth_tf.load(run)
    found, _ = sliders.load_sliders(run / "sliders.json", model.latent_size)
    z = load_instruments(tmp_path / facts["instruments_file"], model.latent_size)["random"]
    np.testing.assert_allclose(z, sliders.move(model.sample_z(1, seed=7)[0], found, facts["sliders"]), atol=1e-6)
    sound = load_audio(tmp_path / "explored_random.wav", 16000)
    np.testing.assert_allclose(sound, model.generate(z[np.newaxis], [62])[0], atol=1e-5)
    # What was saved can be moved on.
    again = run_command("explore", f"--ckpt_dir={run}", f"--z_file={tmp_path / 'explored.json'}", *flags)
    assert again.code == 0, again.err
    moved = load_instruments(tmp_path / "explored.json", model.latent_size)["random"]
    np.testing.assert_allclose(moved, sliders.move(z, found, facts["sliders"]), atol=1e-6)


def test_an_exported_model_has_its_sliders(explored, run_command, tmp_path):
    run = explored[0]
    assert run_command("export", f"--ckpt_dir={run}", f"--export_dir={tmp_path / 'export'}").code == 0
    flags = ["--sliders=bright=2", "--seed=3"]
    for name, folder in (("run", run), ("export", tmp_path / "export")):
        finished = run_command("explore", f"--ckpt_dir={folder}", *flags, f"--output_dir={tmp_path / name}")
        assert finished.code == 0, finished.err
    ours, theirs = (load_audio(tmp_path / name / "explored_random.wav", 16000) for name in ("run", "export"))
    np.testing.assert_allclose(theirs, ours, atol=1e-5)
    exported = gansynth_tf.load(tmp_path / "export")
    note = exported.generate(exported.sample_z(1, seed=5), [61])[0]
    heard = []
    maker = encoding.make_note_maker(exported, 61)
    encoding.encode_note(maker, note, 5, 2, 8, num_steps=6, learning_rate=0.02, progress=heard.append)
    assert heard[-1] < heard[0]  # Gradients pass through the SavedModel.
    finished = run_command("explore", f"--ckpt_dir={tmp_path / 'export'}", "--rename=bright=dark")
    assert finished.code == 2 and "Expected a run folder" in finished.err


def test_sliders_of_other_weights_are_found_again(explored, run_command, tmp_path):
    run = shutil.copytree(explored[0], tmp_path / "run")
    content = json.loads((run / "sliders.json").read_text())
    content["fingerprint"] = "0123456789abcdef"
    (run / "sliders.json").write_text(json.dumps(content))
    flags = ["--num_sliders=1", "--num_latents=300", "--sliders=sefa_1=1"]
    finished = run_command("explore", f"--ckpt_dir={run}", *flags)
    assert finished.code == 0 and "trained since its sliders were found" in finished.out, finished
    found, weights = sliders.load_sliders(run / "sliders.json", 5)
    assert list(found) == ["pca_1", "sefa_1"] and weights != "0123456789abcdef"


def test_nearest_training_instruments(explored, run_command):
    finished = run_command("explore", f"--ckpt_dir={explored[0]}", "--nearest=2")
    assert finished.code == 0, finished.err
    rows = re.findall(r"^\| random \| (\w+) \| ([\d.]+) \| (\d) \|$", finished.out, flags=re.MULTILINE)
    assert len(rows) == 2 and len({name for name, *_ in rows}) == 2
    assert float(rows[0][1]) <= float(rows[1][1])
    assert "By specgrams, among" in finished.out


def test_nearest_by_a_classifier(explored, run_command, monkeypatch):
    class Classifier:
        sample_rate = 16000

        def judge(self, waves):
            return Judgement(None, np.abs(np.fft.rfft(waves, axis=1)))

    monkeypatch.setattr(build_evaluation, "find_classifier", lambda path, run: Classifier())
    finished = run_command("explore", f"--ckpt_dir={explored[0]}", "--nearest=1")
    assert finished.code == 0 and "By features of the pitch classifier" in finished.out, finished
    Classifier.sample_rate = 44100
    finished = run_command("explore", f"--ckpt_dir={explored[0]}", "--nearest=1")
    assert finished.code == 2 and "Received one of 44100 Hz" in finished.err


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--sliders=pca_1", "--sliders: Set these sliders"),
        ("--sliders=pca_1=much", "Received: pca_1=much"),
        ("--sliders=pca_9=1", "Received: 'pca_9'"),
        ("--rename=pca_9=loud", "Received: 'pca_9'"),
        ("--rename=pca_1=", "Received: pca_1="),
        ("--pitch=70", "the nearest is 62"),
        ("--z_file=missing.npy", "missing.npy"),
    ],
)
def test_mistakes(flag, words, explored, run_command):
    finished = run_command("explore", f"--ckpt_dir={explored[0]}", flag)
    assert finished.code == 2 and words in finished.err and finished.err.count("\n") == 1, finished
