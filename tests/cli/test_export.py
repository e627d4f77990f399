"""gansynth_export: a SavedModel that a process with TensorFlow alone can use, written whole or not at all."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import gansynth_tf
from gansynth_tf import export

# What a stranger would write: nothing of this package can be imported.
SERVE = """
import sys

class Guard:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "gansynth_tf":
            raise ImportError("gansynth_tf must not be needed")

sys.meta_path.insert(0, Guard())
import tensorflow as tf

folder, inputs, outputs = sys.argv[1:]
loaded = tf.saved_model.load(folder)
serve = loaded.signatures["serving_default"]
arguments = serve.structured_input_signature[1]
print({name: (spec.shape.as_list(), spec.dtype.name) for name, spec in sorted(arguments.items())})
print(list(serve.structured_outputs))
import numpy as np  # Comes with TensorFlow.
given = np.load(inputs)
answers = {}
for batch in (2, 3, 7):
    z, pitch = given[f"z{batch}"], given[f"pitch{batch}"]
    answers[f"audio{batch}"] = serve(z=tf.constant(z), pitch=tf.constant(pitch))["audio"].numpy()
answers["specgrams"] = loaded.signatures["specgrams"](z=tf.constant(z), pitch=tf.constant(pitch))["specgrams"].numpy()
np.savez(outputs, **answers)
assert not [name for name in sys.modules if name.startswith("gansynth_tf")]
"""


@pytest.fixture(scope="module")
def exported(tiny_run, run_command, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "new" / "export"
    finished = run_command("export", f"--ckpt_dir={tiny_run.folder}", f"--export_dir={folder}")
    assert finished.code == 0, finished.err
    assert finished.out == f"Saved to {folder}: z [batch, 5] and pitch [batch] -> 0.25 s of audio\n"
    return folder


def test_the_description_says_what_the_signature_takes(exported):
    description = json.loads((exported / "gansynth.json").read_text())
    assert description["pitches"] == [60, 61, 62] and description["latent_size"] == 5
    assert (description["sample_rate"], description["audio_length"]) == (16000, 4000)


@pytest.mark.slow
def test_tensorflow_alone_serves_it(tiny_run, exported, tmp_path):
    model = gansynth_tf.load(tiny_run.folder)
    # Pitches the model does not know are played by the nearest one it knows.
    asked = {2: [60, 62], 3: [61, 0, 127], 7: [59, 60, 61, 62, 63, -4, 300]}
    known = {2: [60, 62], 3: [61, 60, 62], 7: [60, 60, 61, 62, 62, 60, 62]}
    z = {batch: model.sample_z(batch, seed=batch) for batch in asked}
    inputs = {f"z{batch}": z[batch] for batch in asked} | {
        f"pitch{batch}": np.array(pitch, np.int32) for batch, pitch in asked.items()
    }
    np.savez(tmp_path / "inputs.npz", **inputs)
    arguments = [str(exported), str(tmp_path / "inputs.npz"), str(tmp_path / "outputs.npz")]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    finished = subprocess.run(
        [sys.executable, "-I", "-c", SERVE, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines() == ["{'pitch': ([None], 'int32'), 'z': ([None, 5], 'float32')}", "['audio']"]
    answers = np.load(tmp_path / "outputs.npz")
    for batch, pitches in known.items():
        expected = model.generate(z[batch], pitches)
        assert answers[f"audio{batch}"].shape == (batch, 4000) and answers[f"audio{batch}"].dtype == np.float32
        np.testing.assert_allclose(answers[f"audio{batch}"], expected, atol=1e-5)
    np.testing.assert_allclose(answers["specgrams"], model.generate_specgrams(z[7], known[7]), atol=1e-4)


def test_a_model_in_the_middle_of_a_fade_is_exported_as_it_stands(tiny_run, tmp_path):
    model = gansynth_tf.load(tiny_run.folder)
    model.set_stage(2, 0.25)
    z = model.sample_z(3, seed=1)
    waves = model.generate(z, [60, 61, 62])
    export.export_model(model, tmp_path / "export")
    np.testing.assert_allclose(
        gansynth_tf.load(tmp_path / "export").generate(z, [60, 61, 62]), waves, atol=1e-5
    )
    model.set_stage(2, None)
    assert np.abs(model.generate(z, [60, 61, 62]) - waves).max() > 1e-4


def test_an_earlier_export_is_replaced(tiny_run, exported, run_command, tmp_path):
    folder = shutil.copytree(exported, tmp_path / "export")
    (folder / "gansynth.json").write_text("{}")
    (folder / "variables" / "left_over").write_text("")
    finished = run_command("export", f"--ckpt_dir={tiny_run.folder}", f"--export_dir={folder}")
    assert finished.code == 0, finished.err
    assert sorted(p.name for p in folder.rglob("*")) == sorted(p.name for p in exported.rglob("*"))
    assert (folder / "gansynth.json").read_text() == (exported / "gansynth.json").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


@pytest.mark.parametrize("earlier", [False, True])
def test_a_folder_with_other_files_is_left_alone(earlier, tiny_run, exported, run_command, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(exported, folder) if earlier else folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    finished = run_command("export", f"--ckpt_dir={tiny_run.folder}", f"--export_dir={folder}")
    assert finished.code == 2 and finished.err.count("\n") == 1 and "thesis.txt" in finished.err
    assert (folder / "thesis.txt").read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (folder / "saved_model.pb").exists() == earlier


def test_an_export_cannot_be_exported(exported, run_command, tmp_path):
    finished = run_command("export", f"--ckpt_dir={exported}", f"--export_dir={tmp_path / 'export'}")
    assert finished.code == 2 and "an export already" in finished.err and not list(tmp_path.iterdir())


@pytest.mark.parametrize("damaged", ["gansynth.json", "saved_model.pb", "variables/variables.data-00000-of-00001"])
def test_a_damaged_export_is_one_line(damaged, exported, run_command, tmp_path):
    folder = shutil.copytree(exported, tmp_path / "export")
    content = (folder / damaged).read_bytes()
    (folder / damaged).write_bytes(content[: len(content) // 2])
    finished = run_command("generate", f"--ckpt_dir={folder}", f"--output_dir={tmp_path / 'notes'}")
    assert finished.code == 2 and finished.err.count("\n") == 1, finished.err
    assert str(folder) in finished.err and "damaged" in finished.err and not (tmp_path / "notes").exists()
