"""gansynth_autoencode: recorded notes to codes and back, and what lies between two of them."""

import numpy as np
import pytest

from gansynth_tf import audio, build_training, settings
from gansynth_tf.training import strategy

SETTINGS = {
    "dataset_name": "records", "audio_length": 2100, "batch_size_schedule": [2], "total_num_images": 2,
    "train_time_limit": None, "spectral_width": 2, "spectral_code_size": 6, "griffin_lim_iterations": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tiny_notes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("autoencoder") / "run"
    places = {"data_path": str(tiny_notes), "train_root_dir": str(folder)}
    hparams = settings.resolve_hparams("spectral_autoencoder_laptop", SETTINGS | places)
    loop = build_training.make_training(hparams, strategy.make_strategy("one_device"), lambda *_: None)
    assert loop.run()
    loop.reporter.close()
    return folder


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notes")
    for name, hz, samples in (("flute", 260, 1500), ("horn", 290, 3000)):
        audio.save_wav(folder / f"{name}.wav", 0.4 * np.sin(2 * np.pi * hz * np.arange(samples) / 16000), 16000)
    return folder


def test_two_notes_and_what_lies_between(run, notes, run_command, tmp_path):
    files = f"--notes={notes / 'flute.wav'},{notes / 'horn.wav'}"
    finished = run_command(
        "autoencode", f"--ckpt_dir={run}", files, "--pitches=60,62", "--steps=3", f"--output_dir={tmp_path}"
    )
    assert finished.code == 0, finished.err
    names = ["between_01", "between_02", "between_03", "flute", "horn"]
    assert sorted(path.stem for path in tmp_path.glob("*.wav")) == names
    with np.load(tmp_path / "codes.npz") as codes:
        assert codes["flute"].shape == codes["horn"].shape == (6,) and not np.allclose(codes["flute"], codes["horn"])
    # Codes decode to the same again.
    again = tmp_path / "again"
    codes = f"--codes={tmp_path / 'codes.npz'}"
    finished = run_command("autoencode", f"--ckpt_dir={run}", codes, "--pitches=60,62", f"--output_dir={again}")
    assert finished.code == 0, finished.err
    for name in ("flute", "horn"):
        first, second = (audio.load_audio(folder / f"{name}.wav", 16000) for folder in (tmp_path, again))
        assert first.shape == (2100,)
        np.testing.assert_allclose(first, second, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [([], "--notes"), (["--notes=a.wav", "--codes=b.npz"], "either"), (["--notes=a.wav", "--pitches=C4"], "C4")],
)
def test_wrong_flags_end_in_a_line(arguments, words, run, run_command, tmp_path):
    finished = run_command("autoencode", f"--ckpt_dir={run}", f"--output_dir={tmp_path}", *arguments)
    assert finished.code == 2 and words in finished.err and finished.err.count("\n") == 1


def test_other_models_and_steps_between_one_are_refused(run, notes, tiny_run, run_command, tmp_path):
    flags = [f"--notes={notes / 'flute.wav'}", f"--output_dir={tmp_path}"]
    finished = run_command("autoencode", f"--ckpt_dir={tiny_run.folder}", *flags)
    assert finished.code == 2 and "autoencoder" in finished.err
    finished = run_command("autoencode", f"--ckpt_dir={run}", "--steps=2", *flags)
    assert finished.code == 2 and "Received: 1" in finished.err
