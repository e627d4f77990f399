"""Packed models: a run's weights in half precision, as few files that play and can be trained on."""

import json
import re
import shutil

import numpy as np
import pytest

import gansynth_tf
from gansynth_tf import packed
from gansynth_tf.hparams import HParams


@pytest.fixture(scope="module")
def packed_run(tiny_run, run_command, tmp_path_factory):
    """The small run, packed by the command."""
    folder = tmp_path_factory.mktemp("packed") / "new" / "model"
    finished = run_command("pack", f"--ckpt_dir={tiny_run.folder}", f"--output_dir={folder}")
    assert finished.code == 0, finished.err
    assert re.search(rf"Saved to {folder}: 0\.\d MB", finished.out)
    return folder


def test_every_weight_is_the_nearest_half_precision_number(tiny_run, packed_run):
    whole, small = (packed.named_weights(gansynth_tf.load(folder)) for folder in (tiny_run.folder, packed_run))
    assert list(whole) == list(small)
    for name, weight in whole.items():
        nearest = np.asarray(weight, np.float32 if name.startswith("normalizer") else np.float16)
        np.testing.assert_array_equal(np.asarray(small[name]), nearest.astype(np.float32), err_msg=name)


def test_every_weight_has_a_name_of_its_own(make_tiny_model):
    model = make_tiny_model()
    named = packed.named_weights(model)
    owned = [weight for network in (*model.networks, model.normalizer) for weight in network.weights]
    assert len(named) == len(owned) and {id(weight) for weight in named.values()} == {id(weight) for weight in owned}
    assert named["generator/block_2/first/kernel"] is model.generator.blocks[1].first.kernel
    assert named["smoothed_generator/block_1/to_specgram/bias"] is model.smoothed_generator.blocks[0].to_specgram.bias
    assert named["discriminator/pitch/kernel"] is model.discriminator.pitch.kernel


def test_it_sounds_as_the_run_does(tiny_run, packed_run):
    whole, small = gansynth_tf.load(tiny_run.folder), gansynth_tf.load(packed_run)
    assert small.pitches == whole.pitches and small.num_blocks == whole.num_blocks
    z = whole.sample_z(7, seed=2)
    expected, made = (model.generate_specgrams(z, [61] * 7) for model in (whole, small))
    # Half precision keeps eleven bits; pixel norm makes more of it only where it divides by nearly nothing.
    assert 0 < np.abs(expected - made).mean() < 0.005 * np.std(expected)


def test_it_says_nothing_of_the_machine_that_made_it(tiny_run, packed_run):
    assert sorted(path.name for path in packed_run.iterdir()) == sorted(
        ("experiment.json", "model.json", "pitches.json", "weights.npz")
    )
    texts = [path.read_text() for path in packed_run.glob("*.json")]
    assert not any(str(tiny_run.folder.parent) in text for text in texts)
    facts = packed.read_facts(packed_run)
    assert facts["training"]["examples_seen"] == 75 and facts["training_data"]["notes"] > 0


def test_the_same_weights_give_the_same_bytes(tiny_run, packed_run, run_command, tmp_path):
    assert run_command("pack", f"--ckpt_dir={tiny_run.folder}", f"--output_dir={tmp_path / 'again'}").code == 0
    for path in packed_run.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_packing_a_packed_model_again_changes_nothing(packed_run, run_command, tmp_path):
    finished = run_command("pack", f"--ckpt_dir={packed_run}", f"--output_dir={tmp_path / 'again'}")
    assert finished.code == 0, finished.err
    for path in packed_run.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_a_run_starts_from_it(packed_run, run_command, tmp_path):
    notes = {"soundfont_programs": [24, 40], "soundfont_velocities": [100], "min_pitch": 61, "max_pitch": 64}
    given = notes | {"train_root_dir": str(tmp_path / "run"), "total_num_images": 8, "snapshot_metric_notes": 0}
    finished = run_command("train", f"--init_from={packed_run}", f"--hparams={json.dumps(given)}")
    assert finished.code == 0, finished.err
    assert f"Starting from the weights of {packed_run}" in finished.out
    assert gansynth_tf.load(tmp_path / "run").pitches == [61, 62, 63, 64]


def test_it_is_drawn_without_notes_and_without_leaving_any(packed_run, run_command, tmp_path):
    folder = shutil.copytree(packed_run, tmp_path / "copy")
    finished = run_command("plot", str(folder), f"--output_dir={tmp_path / 'plots'}")
    assert finished.code == 0, finished.err
    assert (tmp_path / "plots" / "generated.png").is_file() and not (tmp_path / "plots" / "real.png").exists()
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in packed_run.iterdir())


def test_what_else_stands_in_its_folder_is_not_replaced(packed_run, run_command, tmp_path):
    folder = shutil.copytree(packed_run, tmp_path / "copy")
    assert run_command("pack", f"--ckpt_dir={packed_run}", f"--output_dir={folder}").code == 0
    (folder / "my_song.wav").write_bytes(b"mine")
    finished = run_command("pack", f"--ckpt_dir={packed_run}", f"--output_dir={folder}")
    assert finished.code == 2 and "nothing else" in finished.err and (folder / "my_song.wav").is_file()


def test_it_is_exported(packed_run, run_command, tmp_path):
    finished = run_command("export", f"--ckpt_dir={packed_run}", f"--export_dir={tmp_path / 'export'}")
    assert finished.code == 0, finished.err
    z = np.zeros((2, 5), np.float32)
    made, expected = (gansynth_tf.load(folder).generate(z, [60, 62]) for folder in (tmp_path / "export", packed_run))
    np.testing.assert_allclose(made, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["weights.npz", "model.json", "pitches.json", "experiment.json"])
def test_damaged_files(packed_run, run_command, tmp_path, name):
    folder = shutil.copytree(packed_run, tmp_path / "copy")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    finished = run_command("generate", f"--ckpt_dir={folder}", f"--output_dir={tmp_path / 'notes'}")
    assert finished.code == 2 and "is damaged" in finished.err and "Traceback" not in finished.err


def test_weights_of_another_model(packed_run, make_tiny_model, tmp_path):
    model = make_tiny_model()
    packed.pack(model, tmp_path / "other", HParams().to_dict(), {})
    shutil.copy(packed_run / "weights.npz", tmp_path / "other")
    with pytest.raises(ValueError, match="does not hold the model"):
        packed.read_weights(model, tmp_path / "other")


def test_what_cannot_be_packed(exported, tiny_run, packed_run, make_tiny_model, run_command, tmp_path):
    finished = run_command("pack", f"--ckpt_dir={exported}", f"--output_dir={tmp_path / 'no'}")
    assert finished.code == 2 and "with its critic" in finished.err
    finished = run_command("pack", f"--ckpt_dir={packed_run}", f"--output_dir={tiny_run.folder}")
    assert finished.code == 2 and "Expected a new or empty folder" in finished.err
    model = make_tiny_model()
    model.generator.blocks[0].first.bias.assign(np.full(7, 1e6))
    with pytest.raises(ValueError, match="generator/block_1/first/bias"), np.errstate(over="ignore"):
        packed.pack(model, tmp_path / "no", {}, {})
    assert not (tmp_path / "no").exists()
