"""gansynth_export: versions of a SavedModel that a process with TensorFlow alone can use, each whole or not there."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import gansynth_tf
from gansynth_tf import export, latents

BATCHES = (1, 3, 64)
# What a stranger would write, in a process that has TensorFlow, which brings Keras, and nothing else.
STRANGER = """
import sys

class OnlyTensorFlow:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("gansynth_tf", "tf_keras", "tensorflow_probability", "tensorflow_hub"):
            raise ImportError(f"{name} must not be needed")

sys.meta_path.insert(0, OnlyTensorFlow())
import numpy as np
import tensorflow as tf

folder, inputs, outputs, threads = sys.argv[1:]
tf.config.threading.set_intra_op_parallelism_threads(int(threads))
tf.config.threading.set_inter_op_parallelism_threads(int(threads))
model, given, answers = tf.saved_model.load(folder), np.load(inputs), {}
for batch in (1, 3, 64):
    z, pitch = tf.constant(given[f"z{batch}"]), tf.constant(given[f"pitch{batch}"])
    seed, position = tf.range(batch), tf.linspace(0.0, 1.0, batch)
    for signature, arguments in {
        "serving_default": {"z": z, "pitch": pitch},
        "random": {"pitch": pitch, "seed": seed},
        "interpolate": {"z_from": z, "z_to": z[::-1], "position": position, "pitch": pitch},
        "wav": {"z": z, "pitch": pitch},
        "specgram": {"z": z, "pitch": pitch},
    }.items():
        for name, value in model.signatures[signature](**arguments).items():
            if value.dtype == tf.string:
                value = tf.stack([tf.audio.decode_wav(wav).audio[:, 0] for wav in value])
            answers[f"{signature} {name} {batch}"] = value.numpy()
    answers[f"call {batch}"] = model({"z": z, "pitch": pitch}, training=False).numpy()
    answers[f"parts {batch}"] = model.decode(model.generator({"z": z, "pitch": pitch})).numpy()
    answers[f"encode {batch}"] = model.encode(tf.constant(given["wave"][:batch])).numpy()
with tf.GradientTape() as tape:
    loss = tf.reduce_mean(tf.square(model({"z": z, "pitch": pitch}, training=True)))
answers["gradients"] = [tf.norm(gradient) for gradient in tape.gradient(loss, model.trainable_variables)]
np.savez(outputs, **answers)
print([name for name in sys.modules if name.startswith("gansynth_tf")])
"""


def test_the_description_says_what_the_model_takes_and_where_it_comes_from(tiny_run, exported):
    description = json.loads((exported / "1" / "gansynth.json").read_text())
    assert description["pitches"] == [60, 61, 62] and description["latent_size"] == 5
    assert (description["sample_rate"], description["audio_length"]) == (16000, 4000)
    assert description["specgram_shape"] == [16, 32, 2]
    assert description["hparams"] == json.loads((tiny_run.folder / "experiment.json").read_text())
    assert description["training"] == {"examples_seen": 75, "checkpoint": "ckpt-75"}
    data = description["training_data"]
    assert data["notes"] == sum(description["pitch_counts"]) and data["source"] == "soundfont"
    assert data["presets"] == {"11": "Vibraphone", "24": "Nylon Guitar"} and len(data["instruments"]) == 2
    assert description["versions"]["gansynth_tf"] == gansynth_tf.__version__
    assert description["versions"]["tensorflow"] == tf.__version__
    assert description["signatures"]["random"]["inputs"] == {"pitch": "int32 [batch]", "seed": "int32 [batch]"}
    assert description["signatures"]["specgram"]["outputs"] == {"specgram": "float32 [batch, 16, 32, 2]"}
    assert set(description["signatures"]) == {"serving_default", "random", "interpolate", "wav", "specgram"}


def test_data_that_are_gone_do_not_stop_it(tiny_run, run_command, tmp_path):
    run = shutil.copytree(tiny_run.folder, tmp_path / "run")
    settings = json.loads((run / "experiment.json").read_text()) | {"records_dir": str(tmp_path / "gone")}
    (run / "experiment.json").write_text(json.dumps(settings))
    assert run_command("export", f"--ckpt_dir={run}", f"--export_dir={tmp_path / 'export'}").code == 0
    description = json.loads((tmp_path / "export" / "1" / "gansynth.json").read_text())
    assert description["training_data"] == {"notes": sum(description["pitch_counts"])}


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_tensorflow_alone_serves_it(threads, tiny_run, exported, tmp_path):
    model = gansynth_tf.load(tiny_run.folder)
    z = {batch: model.sample_z(batch, seed=batch) for batch in BATCHES}
    # Pitches the model does not know are played by the nearest one it knows.
    asked = {batch: np.resize([61, -4, 300, 62, 60, 59, 63], batch).astype(np.int32) for batch in BATCHES}
    known = {batch: np.clip(asked[batch], 60, 62) for batch in BATCHES}
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, [64, 4000]).astype(np.float32)
    inputs = {f"z{batch}": z[batch] for batch in BATCHES} | {f"pitch{batch}": asked[batch] for batch in BATCHES}
    np.savez(tmp_path / "inputs.npz", wave=wave, **inputs)
    arguments = [exported / "1", tmp_path / "inputs.npz", tmp_path / "outputs.npz", threads]
    finished = subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, *map(str, arguments)],
        cwd=tmp_path, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}, capture_output=True, text=True,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == "[]\n"
    answers = np.load(tmp_path / "outputs.npz")
    assert np.isfinite(answers["gradients"]).all() and (answers["gradients"] > 0).all()
    for batch in BATCHES:
        waves = model.generate(z[batch], known[batch])
        labels = tf.constant(model.pitch_classes.to_index(known[batch]))
        specgrams = model.specgrams_from_labels(tf.constant(z[batch]), labels).numpy()
        random_z = np.concatenate([model.sample_z(1, seed) for seed in range(batch)])
        between = latents.slerp(z[batch], z[batch][::-1], np.linspace(0, 1, batch, dtype=np.float32))
        expected = {
            "serving_default audio": waves, "call": waves, "parts": waves, "specgram specgram": specgrams,
            "random z": random_z, "random audio": model.generate(random_z, known[batch]),
            "interpolate audio": model.generate(between, known[batch]),
        }  # fmt: skip
        for name, values in expected.items():
            found = answers[f"{name} {batch}"]
            assert found.shape == values.shape and found.dtype == np.float32 and np.isfinite(found).all(), name
            np.testing.assert_allclose(found, values, atol=1e-4 if "specgram" in name else 1e-5, err_msg=name)
        encoded = model.representation.encode(wave[:batch]).numpy()
        np.testing.assert_allclose(answers[f"encode {batch}"][..., 0], encoded[..., 0], atol=1e-4)
        quiet = waves / np.maximum(1, np.abs(waves).max(axis=1, keepdims=True))
        np.testing.assert_allclose(answers[f"wav wav_bytes {batch}"], quiet, atol=1 / 32767)


def test_a_model_in_the_middle_of_a_fade_is_exported_as_it_stands(tiny_run, tmp_path):
    model = gansynth_tf.load(tiny_run.folder)
    model.set_stage(2, 0.25)
    z = model.sample_z(3, seed=1)
    waves = model.generate(z, [60, 61, 62])
    export.export_model(model, tmp_path / "export")
    np.testing.assert_allclose(gansynth_tf.load(tmp_path / "export").generate(z, [60, 61, 62]), waves, atol=1e-5)
    model.set_stage(2, None)
    assert np.abs(model.generate(z, [60, 61, 62]) - waves).max() > 1e-4


# ---------------------------------------------------------------------------------------------------- versions


def test_the_next_number_is_written_and_the_newest_is_loaded(tiny_run, exported, run_command, tmp_path):
    folder = shutil.copytree(exported, tmp_path / "export")
    before = {path: path.read_bytes() for path in (folder / "1").rglob("*") if path.is_file()}
    (folder / "9").mkdir()  # As an interrupted copy may leave it: no model, but a number that is taken.
    (folder / "thesis.txt").write_text("years of work")
    finished = run_command("export", f"--ckpt_dir={tiny_run.folder}", f"--export_dir={folder}")
    assert finished.code == 0 and finished.out.startswith(f"Saved to {folder / '10'}:"), finished
    assert sorted(path.name for path in folder.iterdir()) == ["1", "10", "9", "thesis.txt"]
    assert {path: path.read_bytes() for path in before} == before
    names = [sorted(p.relative_to(version) for p in version.rglob("*")) for version in (folder / "1", folder / "10")]
    assert names[0] == names[1]
    (folder / "11.tmp").mkdir()
    assert export.find_export(folder) == folder / "10" and export.find_export(folder / "1") == folder / "1"
    waves = [gansynth_tf.load(path).generate(np.ones((2, 5)), [60, 62]) for path in (folder, folder / "1")]
    np.testing.assert_array_equal(*waves)


@pytest.mark.parametrize("exists", [False, True])
def test_a_failure_leaves_nothing(exists, tiny_run, tmp_path, monkeypatch):
    folder = tmp_path / "export"
    if exists:
        folder.mkdir()
    half_written = []

    def fail(path, requests):
        half_written.extend(path.parents[1].iterdir())
        raise OSError("the disk is gone")

    monkeypatch.setattr(export.warmup, "write_requests", fail)
    with pytest.raises(OSError, match="disk is gone"):
        export.export_model(gansynth_tf.load(tiny_run.folder), folder)
    assert "saved_model.pb" in {path.name for path in half_written}  # It did fail half-way.
    assert list(tmp_path.rglob("*")) == ([folder] if exists else [])


def test_what_a_killed_export_leaves_is_no_version(exported, tmp_path):
    folder = tmp_path / "export"
    shutil.copytree(exported / "1", folder / ".unfinished-abc")
    assert export.find_export(folder) is None
    with pytest.raises(ValueError, match="Expected a run folder"):
        gansynth_tf.load(folder)


@pytest.mark.parametrize("reason", ["a run folder", "a SavedModel", "a file"])
def test_a_place_that_is_something_else_is_refused(reason, tiny_run, exported, run_command, tmp_path):
    (tmp_path / "file").write_text("")
    folder = {"a run folder": tiny_run.folder, "a SavedModel": exported / "1", "a file": tmp_path / "file"}[reason]
    before = sorted(folder.rglob("*"))
    finished = run_command("export", f"--ckpt_dir={tiny_run.folder}", f"--export_dir={folder}")
    assert finished.code == 2 and finished.err.count("\n") == 1 and reason in finished.err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("version", ["", "1"])
def test_an_export_cannot_be_exported(version, exported, run_command, tmp_path):
    finished = run_command("export", f"--ckpt_dir={exported / version}", f"--export_dir={tmp_path / 'export'}")
    assert finished.code == 2 and "an export already" in finished.err and not list(tmp_path.iterdir())


@pytest.mark.parametrize("damaged", ["gansynth.json", "saved_model.pb", "variables/variables.data-00000-of-00001"])
def test_a_damaged_export_is_one_line(damaged, exported, run_command, tmp_path):
    folder = shutil.copytree(exported, tmp_path / "export")
    content = (folder / "1" / damaged).read_bytes()
    (folder / "1" / damaged).write_bytes(content[: len(content) // 2])
    finished = run_command("generate", f"--ckpt_dir={folder}", f"--output_dir={tmp_path / 'notes'}")
    assert finished.code == 2 and finished.err.count("\n") == 1, finished.err
    assert str(folder) in finished.err and "damaged" in finished.err and not (tmp_path / "notes").exists()
