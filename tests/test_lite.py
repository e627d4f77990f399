"""TFLite files give the SavedModel's audio, by the interpreter that telephones have."""

import json

import numpy as np
import pytest
import tensorflow as tf

import gansynth_tf
from gansynth_tf import export, lite, representations
from gansynth_tf.schedules import ResolutionSchedule

interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="pip install ai-edge-litert")


@pytest.fixture(scope="module")
def both(tiny_run, run_command, tmp_path_factory):
    """A version that holds both formats."""
    folder = tmp_path_factory.mktemp("lite") / "export"
    flags = [f"--ckpt_dir={tiny_run.folder}", f"--export_dir={folder}", "--format=tflite", "--format=saved_model"]
    finished = run_command("export", *flags)
    assert finished.code == 0, finished.err
    return folder / "1"


@pytest.mark.parametrize("threads", [1, 2])
def test_it_equals_the_saved_model(threads, both):
    saved = gansynth_tf.load(both)
    run = interpreter.Interpreter(str(both / "model.tflite"), num_threads=threads).get_signature_runner()
    for batch in (3, 1, 64):  # One file, one interpreter, any batch size.
        z, pitch = saved.sample_z(batch, seed=batch), np.resize([61, 60, 62], batch).astype(np.int32)
        audio = run(z=z, pitch=pitch)["audio"]
        assert audio.shape == (batch, 4000) and audio.dtype == np.float32
        np.testing.assert_allclose(audio, saved.generate(z, pitch), rtol=0, atol=1e-4)


def test_it_takes_any_numbers(both):
    lite_interpreter = interpreter.Interpreter(str(both / "model.tflite"))
    assert lite_interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["pitch", "z"], "outputs": ["audio"]}
    }
    run = lite_interpreter.get_signature_runner()
    z = np.array([[np.nan, np.inf, -np.inf, 1e30, 0]], np.float32)
    for asked, known in ((-5, 60), (59, 60), (63, 62), (127, 62), (10**6, 62)):
        audio = run(z=z, pitch=np.array([asked], np.int32))["audio"]
        assert np.isfinite(audio).all()
        np.testing.assert_array_equal(audio, run(z=z, pitch=np.array([known], np.int32))["audio"])


def test_it_has_only_operations_of_tflite_and_none_of_complex_numbers(both):
    content = (both / "model.tflite").read_bytes()
    assert b"Flex" not in content  # Operations that only a whole TensorFlow can run.
    lite_interpreter = interpreter.Interpreter(model_content=content)
    types = {details["dtype"] for details in lite_interpreter.get_tensor_details()}
    assert np.float32 in types and not types & {np.complex64, np.complex128, np.float64, np.float16}


def test_it_stands_alone_and_cannot_be_loaded_as_a_model(tiny_run, run_command, tmp_path):
    flags = [f"--ckpt_dir={tiny_run.folder}", f"--export_dir={tmp_path / 'lite'}", "--format=tflite"]
    assert run_command("export", *flags).code == 0
    assert sorted(path.name for path in (tmp_path / "lite" / "1").iterdir()) == ["gansynth.json", "model.tflite"]
    description = json.loads((tmp_path / "lite" / "1" / "gansynth.json").read_text())
    assert list(description["signatures"]) == ["serving_default"] and description["training"]["examples_seen"] == 75
    finished = run_command("generate", f"--ckpt_dir={tmp_path / 'lite'}", f"--output_dir={tmp_path / 'notes'}")
    assert finished.code == 2 and finished.err.count("\n") == 1 and "ai_edge_litert" in finished.err
    # An older SavedModel beside it is found.
    export.export_model(gansynth_tf.load(tiny_run.folder), tmp_path / "two")
    (tmp_path / "lite" / "1").rename(tmp_path / "two" / "2")
    assert export.find_export(tmp_path / "two") == tmp_path / "two" / "1"


RESOLUTIONS = {"ALL": ResolutionSchedule((4, 8), 3), "H": ResolutionSchedule((8, 1), 3, "H", 4)}
REPRESENTATIONS = {
    "linear": lambda: representations.LinearIF((16, 32), 300, 2000),
    "phase": lambda: representations.LinearPhase((16, 32), 280, 2000),
    "mean": lambda: representations.MelIF((16, 32), 1100, 2000, mel_downscale=4, mel_if="power_mean"),
    "wave": lambda: representations.Waveform(None, 101, 2000),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", REPRESENTATIONS)
def test_every_representation_can_be_converted(kind, make_tiny_model):
    resolutions = RESOLUTIONS["H" if kind == "wave" else "ALL"]
    model = make_tiny_model(REPRESENTATIONS[kind](), resolutions, activation="linear" if kind == "wave" else "tanh")
    model.set_stage(2 if kind == "linear" else 3, 0.25 if kind == "phase" else None)
    z, pitch = model.sample_z(3, seed=1), np.array([50, 40, 43], np.int32)
    waves = model.generate(z, pitch)
    run = interpreter.Interpreter(model_content=lite.to_tflite(model)).get_signature_runner()
    found = run(z=z, pitch=pitch)["audio"]
    assert found.shape == waves.shape and np.abs(waves).max() > 1e-3
    np.testing.assert_allclose(found, waves, rtol=0, atol=1e-4 * max(1, np.abs(waves).max()))


def test_the_file_is_a_flatbuffer_of_tflite(both):
    assert (both / "model.tflite").read_bytes()[4:8] == b"TFL3"
    assert tf.io.gfile.exists(str(both / "saved_model.pb"))
