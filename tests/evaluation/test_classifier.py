"""An exported classifier says what the network says, and notices damage."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf.evaluation.classifier import ExportedClassifier, export_classifier
from gansynth_tf.pitch_classifier import PitchClassifier

WAVES = np.random.default_rng(0).normal(size=[70, 3000]).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    return PitchClassifier(4000, 3000, "small", ("pitch", "family"))


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier") / "export"
    export_classifier(network, folder, {"accuracy": 0.5})
    return folder


def test_it_says_what_the_network_says(network, exported):
    loaded = ExportedClassifier(exported)
    judgement = loaded.judge(WAVES)
    outputs = network(WAVES)
    np.testing.assert_allclose(judgement.probabilities, tf.nn.softmax(outputs["pitch"]), atol=1e-5)
    np.testing.assert_allclose(judgement.features, outputs["features"], atol=1e-4)
    assert (loaded.sample_rate, loaded.audio_length) == (4000, 3000)
    assert loaded.description["heads"] == ["pitch", "family"] and loaded.description["accuracy"] == 0.5


def test_notes_of_any_length_and_broken_ones(exported):
    loaded = ExportedClassifier(exported)
    long, short = np.pad(WAVES[:2], ((0, 0), (0, 500))), np.pad(WAVES[:2, :800], ((0, 0), (0, 2200)))
    np.testing.assert_allclose(loaded.judge(long).features, loaded.judge(WAVES[:2]).features, atol=1e-5)
    np.testing.assert_allclose(loaded.judge(WAVES[:2, :800]).features, loaded.judge(short).features, atol=1e-5)
    assert np.all(np.isfinite(loaded.judge(np.full([1, 3000], np.nan)).features))


def test_the_hash_is_that_of_the_weights(network, exported, tmp_path):
    again = export_classifier(network, tmp_path / "again", {})["hash"]
    assert again == ExportedClassifier(exported).hash and len(again) == 64
    other = PitchClassifier(4000, 3000, "small", ("pitch", "family"))
    assert export_classifier(other, tmp_path / "other", {})["hash"] != again


@pytest.mark.slow
def test_it_needs_only_tensorflow(exported):
    program = (
        "import sys, tensorflow as tf\n"
        "serve = tf.saved_model.load(sys.argv[1]).signatures['serving_default']\n"
        "print(serve(audio=tf.zeros([3, 3000]))['pitch'].shape)\n"
        "assert not any(name.startswith('gansynth_tf') for name in sys.modules)\n"
    )
    finished = subprocess.run([sys.executable, "-c", program, exported], capture_output=True, text=True, cwd="/")
    assert finished.stdout.strip() == "(3, 128)", finished.stderr


def test_damage_is_noticed(exported, tmp_path):
    with pytest.raises(ValueError, match="gansynth_train_classifier"):
        ExportedClassifier(tmp_path)
    folder = shutil.copytree(exported, tmp_path / "copy")
    description = json.loads((folder / "classifier.json").read_text())
    (folder / "classifier.json").write_text(json.dumps(description | {"hash": "0"}))
    with pytest.raises(ValueError, match="not the ones described"):
        ExportedClassifier(folder)
    (folder / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ValueError, match="is damaged"):
        ExportedClassifier(folder)
