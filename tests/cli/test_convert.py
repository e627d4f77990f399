"""gansynth_convert: Magenta's model becomes a run folder that generates the same notes and goes on training."""

import json

import numpy as np
import pytest

import gansynth_tf
from gansynth_tf import settings


@pytest.fixture(scope="module")
def converted(make_magenta, run_command, tiny_notes, tmp_path_factory):
    """A small model of Magenta's and the run folder it became, whose training will go on with SoundFont notes."""
    folder = tmp_path_factory.mktemp("convert")
    made = make_magenta(folder / "magenta", stage=3, examples=88)
    data = {
        "dataset_name": "soundfont", "records_dir": str(tiny_notes), "soundfont_programs": [11, 24],
        "soundfont_velocities": [100], "min_pitch": 60, "max_pitch": 62, "fake_batch_size": 2,
        "save_summaries_num_images": 1000,
    }  # fmt: skip
    flags = [f"--ckpt_dir={made.folder}", f"--output_dir={folder / 'run'}", f"--hparams={json.dumps(data)}"]
    return made, folder / "run", run_command("convert", *flags)


def test_a_converted_run_generates_what_its_source_does(converted):
    made, run, finished = converted
    assert finished.code == 0, finished
    theirs, ours = gansynth_tf.load(made.folder), gansynth_tf.load(run)
    assert (ours.num_blocks, ours.fade, ours.pitches) == (3, pytest.approx(16 / 24), [60, 61, 62])
    assert ours.fade == theirs.fade
    z = ours.sample_z(3, seed=0)
    np.testing.assert_array_equal(ours.generate(z, ours.pitches), theirs.generate(z, ours.pitches))
    networks = zip((ours.generator, ours.discriminator), (theirs.generator, theirs.discriminator), strict=True)
    for mine, source in networks:
        np.testing.assert_equal(mine.get_weights(), source.get_weights())


def test_it_says_what_was_read_and_what_was_left(converted):
    _, run, finished = converted
    read, left, saved, command = finished.out.strip().splitlines()[-4:]
    assert read == "Read model.ckpt-88: stage 3 of 0 to 4, 3 of 3 blocks, 88 examples seen, 3 pitches."
    assert (
        left.startswith("Left in it: ") and "80 Adam slots" in left and "4 beta powers" in left and "counters" in left
    )
    assert saved.startswith(f"Saved to {run}.") and command.strip() == f"gansynth_train --config={run}/experiment.json"


@pytest.mark.slow
def test_training_goes_on_from_a_converted_run(converted, run_command):
    made, run, _ = converted
    before = gansynth_tf.load(run)
    finished = run_command("train", f"--config={run}/experiment.json", '--hparams={"total_num_images": 92}')
    assert finished.code == 0 and "from 88 examples" in finished.out and "Finished at 92 examples" in finished.out
    after = gansynth_tf.load(run)
    assert after.num_blocks == 3 and after.fade == pytest.approx(20 / 24)
    pairs = zip(after.generator.get_weights(), before.generator.get_weights(), strict=True)
    moved = [float(np.abs(now - then).max()) for now, then in pairs]
    assert 0 < max(moved) < 0.01  # One update of at most some times the learning rate.
    assert settings.read_pitches(run / "pitches.json").counts == (3, 3, 3), "the imported model's own are kept"


def test_a_run_cannot_go_on_with_pitches_it_does_not_know(make_magenta, run_command, tiny_notes, tmp_path):
    made = make_magenta(tmp_path / "magenta", pitches=[61, 62, 70])
    data = {"dataset_name": "soundfont", "records_dir": str(tiny_notes), "soundfont_programs": [11, 24],
            "soundfont_velocities": [100], "min_pitch": 60, "max_pitch": 62}  # fmt: skip
    flags = [f"--ckpt_dir={made.folder}", f"--output_dir={tmp_path / 'run'}", f"--hparams={json.dumps(data)}"]
    assert run_command("convert", *flags).code == 0
    finished = run_command("train", f"--config={tmp_path}/run/experiment.json")
    assert finished.code == 2 and "3 pitches from 61 to 70. Received: 60; the nearest is 61" in finished.err


def test_untidy_folders_are_mentioned_and_full_ones_are_left_alone(make_magenta, run_command, tmp_path):
    made = make_magenta(tmp_path / "magenta")
    (made.folder / "stage_backup").mkdir()
    flags = [f"--ckpt_dir={made.folder}", f"--output_dir={tmp_path / 'run'}"]
    finished = run_command("convert", *flags)
    assert finished.code == 0 and "stage_backup" in finished.out
    again = run_command("convert", *flags)
    assert again.code == 2 and "must be a new or an empty folder" in again.err and "Traceback" not in again.err
    elsewhere = run_command("convert", f"--ckpt_dir={tmp_path / 'run'}", f"--output_dir={tmp_path / 'new'}")
    assert elsewhere.code == 2 and "must be a model of Magenta's" in elsewhere.err
    wider = run_command("convert", flags[0], f"--output_dir={tmp_path / 'new'}", '--hparams={"fmap_max": 9}')
    assert wider.code == 2 and "belong to another model" in wider.err and not (tmp_path / "new").exists()


@pytest.mark.filterwarnings("always::UserWarning")
def test_generate_plays_a_magenta_folder_and_says_what_was_untidy(make_magenta, run_command, tmp_path):
    made = make_magenta(tmp_path / "magenta")
    (made.folder / "stage_00006").mkdir()
    flags = ["--batch_size=3", "--seed=4", f"--output_dir={tmp_path / 'notes'}", "--tfds_data_dir=gs://anything"]
    finished = run_command("generate", f"--ckpt_dir={made.folder}", *flags)
    assert finished.code == 0 and len(list((tmp_path / "notes").glob("*.wav"))) == 3
    lines = finished.err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("gansynth_generate: ") and "stage_00006 holds no" in lines[0]
