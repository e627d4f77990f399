"""The saved graphs: what each signature answers, and the object as TF-Hub and tf_keras use it."""

import io
import pathlib
import subprocess
import sys
import warnings

import numpy as np
import pytest
import soundfile
import tensorflow as tf

import gansynth_tf
from gansynth_tf import export, latents

MIDDLE = tf.constant([60, 61, 62])


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(str(exported / "1"))


@pytest.fixture(scope="module")
def model(tiny_run):
    return gansynth_tf.load(tiny_run.folder)


@pytest.fixture(scope="module")
def z(model):
    return tf.constant(model.sample_z(3, seed=1))


# ---------------------------------------------------------------------------------------------------- signatures


def test_random_notes_depend_on_their_own_seed_alone(loaded, model):
    answer = loaded.signatures["random"](pitch=MIDDLE, seed=tf.constant([7, 2**31 - 1, 7]))
    expected = np.concatenate([model.sample_z(1, seed) for seed in (7, 2**31 - 1, 7)])
    np.testing.assert_array_equal(answer["z"], expected)
    np.testing.assert_allclose(answer["audio"], model.generate(expected, MIDDLE), atol=1e-5)
    alone = loaded.signatures["random"](pitch=MIDDLE[1:2], seed=tf.constant([2**31 - 1]))
    np.testing.assert_array_equal(alone["z"][0], expected[1])


def test_interpolation_follows_the_great_circle_and_stays_between_its_ends(loaded, model, z):
    to = model.sample_z(3, seed=2)
    position = np.array([0.25, 0.5, 1.0], np.float32)
    interpolate = loaded.signatures["interpolate"]
    audio = interpolate(z_from=z, z_to=to, position=position, pitch=MIDDLE)["audio"]
    np.testing.assert_allclose(audio, model.generate(latents.slerp(z, to, position), MIDDLE), atol=1e-5)
    for position, end in ((-3.0, z), (0.0, z), (np.nan, z), (1.0, to), (8.0, to)):
        audio = interpolate(z_from=z, z_to=to, position=np.full(3, position, np.float32), pitch=MIDDLE)["audio"]
        np.testing.assert_allclose(audio, model.generate(end, MIDDLE), atol=1e-5)
    for other in (z, -z, tf.zeros_like(z)):  # No great circle, or many.
        audio = interpolate(z_from=z, z_to=other, position=np.full(3, 0.5, np.float32), pitch=MIDDLE)["audio"]
        assert np.isfinite(audio).all()


def test_wav_bytes_are_files_of_16_bits(loaded, model, z):
    files = loaded.signatures["wav"](z=z, pitch=MIDDLE)["wav_bytes"]
    assert files.shape == (3,) and files.dtype == tf.string
    for content, wave in zip(files.numpy(), model.generate(z, MIDDLE), strict=True):
        info = soundfile.info(io.BytesIO(content))
        assert (info.samplerate, info.channels, info.frames, info.subtype) == (16000, 1, 4000, "PCM_16")
        samples, _ = soundfile.read(io.BytesIO(content), dtype="float32")
        np.testing.assert_allclose(samples, wave, atol=2 / 32767)


@pytest.mark.slow
def test_a_note_beyond_full_scale_is_turned_down_as_a_whole(make_tiny_model, tmp_path):
    loud = make_tiny_model(activation="linear")
    loud.normalizer.assign([0.2, 0.8], [-0.5, 0.0])
    z, pitch = loud.sample_z(2, seed=3), np.array([40, 50], np.int32)
    waves = loud.generate(z, pitch)
    assert np.abs(waves).max() > 1.5
    saved = tf.saved_model.load(str(export.export_model(loud, tmp_path / "loud")))
    served = saved({"z": tf.constant(z), "pitch": tf.constant(pitch)})
    expected = loud.waves_from_labels(tf.constant(z), tf.constant(loud.pitch_classes.to_index(pitch)))
    np.testing.assert_allclose(served, expected, rtol=1e-4, atol=1e-4)
    for content, wave in zip(saved.signatures["wav"](z=z, pitch=pitch)["wav_bytes"].numpy(), waves, strict=True):
        samples, _ = soundfile.read(io.BytesIO(content), dtype="float32")
        np.testing.assert_allclose(samples, wave / max(1.0, np.abs(wave).max()), atol=1e-3)


def test_pitches_out_of_range_are_played_by_the_nearest(loaded, z):
    serve = loaded.signatures["serving_default"]
    for asked, known in ((0, 60), (59, 60), (63, 62), (127, 62), (-(2**31), 60), (2**31 - 1, 62)):
        audio, expected = (serve(z=z, pitch=tf.fill([3], pitch))["audio"] for pitch in (asked, known))
        np.testing.assert_array_equal(audio, expected)


def test_a_gap_in_the_range_takes_the_lower_neighbour_when_both_are_as_near(make_tiny_model, tmp_path):
    gaps = make_tiny_model()  # Knows 40, 43 and 50.
    saved = tf.saved_model.load(str(export.export_model(gaps, tmp_path / "gaps")))
    z = gaps.sample_z(6, seed=3)
    audio = saved({"z": tf.constant(z), "pitch": tf.constant([41, 42, 44, 46, 47, 49])})
    expected = gaps.waves_from_labels(tf.constant(z), tf.constant([0, 1, 1, 1, 2, 2]))
    np.testing.assert_allclose(audio, expected, rtol=1e-4, atol=1e-5)


def test_no_number_makes_nan(loaded, model):
    nan, inf, huge, tiny = np.nan, np.inf, 3e38, 1e-45
    rows = [[nan] * 5, [inf, -inf, nan, 1, 2], [huge] * 5, [-huge, huge, huge, 0, 0], [tiny] * 5, [0.0] * 5]
    z = np.array(rows, np.float32)
    pitch = tf.fill([len(rows)], 61)
    for signature, inputs in {
        "serving_default": {"z": z}, "specgram": {"z": z},
        "interpolate": {"z_from": z, "z_to": z[::-1], "position": np.full(len(rows), 0.5, np.float32)},
    }.items():  # fmt: skip
        for output in loaded.signatures[signature](pitch=pitch, **inputs).values():
            assert np.isfinite(output).all(), signature
    clean = np.nan_to_num(z[:2], nan=0.0, posinf=0.0, neginf=0.0)
    audio = loaded.signatures["serving_default"](z=z[:2], pitch=pitch[:2])["audio"]
    np.testing.assert_allclose(audio, model.generate(clean, [61, 61]), atol=1e-5)


@pytest.mark.slow
def test_saved_model_cli_shows_names(exported):
    command = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", "show", "--all"]
    shown = subprocess.run([*command, "--dir", exported / "1"], capture_output=True, text=True, check=True).stdout
    for name in ("serving_default", "random", "interpolate", "wav", "specgram"):
        assert f"signature_def['{name}']" in shown
    for name in ("z", "pitch", "seed", "z_from", "z_to", "position"):
        assert f"inputs['{name}'] tensor_info" in shown
    for name in ("audio", "z", "wav_bytes", "specgram"):
        assert f"outputs['{name}'] tensor_info" in shown
    assert shown.count("shape: (-1") == sum(line.strip().startswith("shape: (") for line in shown.splitlines())
    assert "Function Name: '__call__'" in shown and "name='pitch'" in shown


# ---------------------------------------------------------------------------------------------------- the object


@pytest.fixture(scope="module")
def hub():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It imports pkg_resources, which says that it will go.
        return pytest.importorskip("tensorflow_hub", reason="pip install tensorflow-hub 'setuptools<81'")


def test_it_is_callable_with_variables_and_parts(hub, exported, model, z):
    loaded = hub.load(str(exported / "1"))
    waves, specgrams = model.generate(z, MIDDLE), model.generate_specgrams(z, MIDDLE)
    for pitch in (MIDDLE, np.array([60, 61, 62])):  # int32 and int64.
        for arguments in ({}, {"training": False}, {"training": True}):
            np.testing.assert_allclose(loaded({"z": z, "pitch": pitch}, **arguments), waves, atol=1e-5)
            np.testing.assert_allclose(loaded.generator({"z": z, "pitch": pitch}, **arguments), specgrams, atol=1e-4)
    np.testing.assert_allclose(loaded.decode(specgrams), waves, atol=1e-5)
    encoded, expected = loaded.encode(waves), model.representation.encode(waves)
    np.testing.assert_allclose(encoded[..., 0], expected[..., 0], atol=1e-3)
    # The last block alone writes specgrams in a finished model: the first's output has no part in it.
    active = model.smoothed_generator.active_variables(model.num_blocks, fading=False)
    assert len(loaded.trainable_variables) == len(active) == len(model.smoothed_generator.weights) - 2
    assert len(loaded.variables) == len(active) + 2 and len(loaded.generator.variables) == len(loaded.variables)
    for variable, own in zip(loaded.trainable_variables, active, strict=True):
        np.testing.assert_array_equal(variable, own)
    for part in (loaded, loaded.generator, loaded.encode, loaded.decode):
        assert part.regularization_losses == []
    assert loaded.decode.variables == [] and loaded.encode.trainable_variables == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("trainable", [False, True])
def test_keras_layers_are_frozen_or_trained(trainable, hub, exported, model, z):
    import tf_keras

    layer = hub.KerasLayer(str(exported / "1"), trainable=trainable)
    inputs = {"z": tf_keras.Input([5]), "pitch": tf_keras.Input([], dtype=tf.int32)}
    network = tf_keras.Model(inputs, layer(inputs))
    notes = {"z": z, "pitch": MIDDLE}
    np.testing.assert_allclose(network(notes), model.generate(z, MIDDLE), atol=1e-5)
    assert network.output_shape == (None, 4000)
    before = [weight.numpy() for weight in network.weights]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(network(notes, training=True)))
    if not trainable:
        assert network.trainable_weights == [] and len(before) == len(layer.resolved_object.variables)
        return
    gradients = tape.gradient(loss, network.trainable_weights)
    assert len(gradients) == len(layer.resolved_object.trainable_variables)
    assert all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in gradients)
    network.compile(tf_keras.optimizers.SGD(0.01), "mse")
    network.fit(notes, tf.zeros([3, 4000]), verbose=0)
    changed = [np.abs(weight.numpy() - old).max() > 0 for weight, old in zip(network.weights, before, strict=True)]
    assert sum(changed) == len(gradients) and tf.reduce_mean(tf.square(network(notes))) < loss


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_keras_layers_of_a_signature(hub, exported, model, z):
    layer = hub.KerasLayer(str(exported / "1"), signature="specgram", output_key="specgram")
    np.testing.assert_allclose(layer({"z": z, "pitch": MIDDLE}), model.generate_specgrams(z, MIDDLE), atol=1e-4)


# ---------------------------------------------------------------------------------------------------- cold start


@pytest.mark.long
def test_the_best_preset_sounds_within_ten_seconds_of_a_process_start():
    script = pathlib.Path(__file__).resolve().parents[1] / "benchmarks" / "cold_start.py"
    finished = subprocess.run([sys.executable, script, "mel_prog_hires"], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    header, _, *rows = [line.strip("| ").split(" | ") for line in finished.stdout.splitlines()]
    assert [row[0] for row in rows] == ["TensorFlow"] * 3 + ["LiteRT"] * 3
    for row in (rows[0], rows[3]):
        seconds = dict(zip(header[1:], map(float, row[1:]), strict=True))
        # The processor's time is what two idle cores would need at most, whatever else runs here.
        assert min(seconds["total"], seconds["processor"]) < 10, finished.stdout
