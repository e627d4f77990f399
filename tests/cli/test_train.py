"""gansynth_train: what it writes, what it says, how it goes on."""

import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import gansynth_tf
from gansynth_tf import settings
from gansynth_tf.audio import load_audio
from gansynth_tf.data import soundfont
from gansynth_tf.hparams import parse_overrides

STATUS = re.compile(
    r"^(?P<examples>\d+) examples  (?P<percent>\d+\.\d) %  stage (?P<stage>\d) of 3, (?P<name>(fade to )?\d+x\d+)  "
    r"D [+-]\S+  G [+-]\S+  W \S+  pitch \S+ real \S+ fake  (\?|\d+\.\d) notes/s  "
    r"waiting for data (\?|\d+\.\d) %  disk \d+ MB  ETA (\?|\d+\w+)$"
)

# One stage of one block: what is quick to compile.
SIMPLE = {
    "train_progressive": False, "num_resolutions": 1, "start_height": 16, "start_width": 32, "batch_size_schedule": [4],
}  # fmt: skip


def read_rows(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def read_events(run):
    """Tag -> steps, of everything written for TensorBoard."""
    steps = {}
    for path in sorted(run.glob("events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                steps.setdefault((value.metadata.plugin_data.plugin_name, value.tag), []).append(event.step)
    return steps


def digest(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# ---------------------------------------------------------------------------------------------------- a whole run


def test_a_run_folder_explains_itself(tiny_run):
    run = tiny_run.folder
    experiment = json.loads((run / "experiment.json").read_text())
    assert experiment.items() >= parse_overrides(tiny_run.hparams.removeprefix("--hparams=")).items()
    pitches = json.loads((run / "pitches.json").read_text())
    assert pitches["pitches"] == [60, 61, 62] and min(pitches["counts"]) >= 1
    assert (run / "checkpoints" / "ckpt-75.index").is_file()
    rows = read_rows(run)
    assert rows[-1]["examples"] == 75 and {row["stage"] for row in rows} == {1, 2, 3}
    assert [row["examples"] for row in rows] == sorted({row["examples"] for row in rows})
    losses = [value for row in rows for name, value in row.items() if name.endswith(("_loss", "_norm", "_distance"))]
    assert len(losses) >= 7 * len(rows) and np.all(np.isfinite(losses))
    assert not [path.name for path in run.rglob(".*")]  # Nothing unfinished is left.


def test_tensorboard_gets_the_same_numbers_and_the_samples(tiny_run):
    events, rows = read_events(tiny_run.folder), read_rows(tiny_run.folder)
    assert events["scalars", "losses/generator_loss"] == [row["examples"] for row in rows]
    assert events["scalars", "losses/discriminator_loss"] == [row["examples"] for row in rows]
    # The fixed notes, at both snapshots.
    assert sorted(set(events["audio", "fake_waves"])) == sorted(set(events["images", "rainbowgrams"])) == [42, 75]


def test_every_snapshot_has_the_same_latents_as_wav_and_picture(tiny_run):
    *folders, picture = sorted((tiny_run.folder / "samples").iterdir(), key=lambda path: (path.suffix, path.name))
    assert [folder.name for folder in folders] == ["examples_000000042", "examples_000000075"]
    assert picture.name == "development.png" and picture.read_bytes().startswith(b"\x89PNG")
    names = [f"note_{index:03d}_pitch_{pitch:03d}.wav" for index, pitch in enumerate([60, 61, 62] * 2)]
    for folder in folders:
        assert sorted(path.name for path in folder.glob("*.wav")) == names
        assert (folder / "rainbowgrams.png").read_bytes().startswith(b"\x89PNG")
    model = gansynth_tf.load(tiny_run.folder)
    waves = model.generate(np.repeat(model.sample_z(2, seed=0), 3, axis=0), [60, 61, 62] * 2)
    saved = [load_audio(folders[-1] / name, 16000) for name in names]
    np.testing.assert_allclose(saved, waves, atol=1e-5)
    assert np.abs(waves).max() > 1e-4


def test_status_lines(tiny_run):
    first, *status, last = tiny_run.finished.out.splitlines()
    assert first == f"Starting in {tiny_run.folder}."
    matches = [STATUS.match(line) for line in status]
    assert all(matches), tiny_run.finished.out
    assert matches[-1]["examples"] == "75" and matches[-1]["percent"] == "100.0" and matches[-1]["stage"] == "3"
    assert last == f"Finished at 75 examples. Model and samples: {tiny_run.folder}"
    assert tiny_run.finished.err == ""


def test_a_finished_run_is_left_alone(tiny_run, run_command):
    before = digest(tiny_run.folder)
    finished = run_command("train", tiny_run.hparams)
    assert finished.code == 0 and "Finished at 75 examples" in finished.out and finished.err == ""
    assert digest(tiny_run.folder) == before


# ---------------------------------------------------------------------------------------------------- going on


@pytest.mark.slow
def test_signals_save_and_print_the_command_that_goes_on(tiny_hparams, tmp_path):
    run = tmp_path / "run"
    command = ["gansynth_train", tiny_hparams(run, **SIMPLE, total_num_images=1000000)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    counts = []
    for number in (signal.SIGTERM, signal.SIGINT):
        script = pathlib.Path(sys.executable).parent / command[0]
        process = subprocess.Popen(
            [script, *command[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        first = process.stdout.readline()
        assert process.stdout.readline().count(" examples  ") == 1  # A status line: training has begun.
        process.send_signal(number)
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0 and err == "", err
        examples, again = re.search(r"Stopped at (\d+) examples; everything is saved.*\n  (.*)\n$", out).groups()
        assert shlex.split(again) == command
        assert counts == [] or f"Going on in {run} from {counts[-1]} examples." in first
        counts.append(int(examples))
    assert 0 < counts[0] < counts[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_training_leaves_nothing(number, tiny_hparams, run_command, monkeypatch, tmp_path):
    def write_half(*arguments):
        yield from ()
        os.kill(os.getpid(), number)

    monkeypatch.setattr(soundfont, "_render_all", write_half)
    finished = run_command("train", tiny_hparams(tmp_path / "run", records_dir=""))
    assert finished.code == 0 and finished.err == ""
    assert finished.out.startswith("Stopped before the training. The same command starts it:\n  gansynth_train ")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_contradicting_override_is_refused_and_listed(tiny_run, tiny_hparams, run_command):
    before = digest(tiny_run.folder)
    finished = run_command("train", tiny_hparams(tiny_run.folder, latent_vector_size=7, fmap_max=16), "--seed=3")
    assert finished.code == 2 and finished.out == "" and finished.err.count("\n") == 1
    for text in ("latent_vector_size is 5, not 7", "fmap_max is 8, not 16", "seed is 0, not 3", str(tiny_run.folder)):
        assert text in finished.err
    assert digest(tiny_run.folder) == before


def test_a_longer_run_is_no_contradiction(tiny_run, tiny_hparams):
    longer = tiny_hparams(tiny_run.folder, total_num_images=90, steps_per_call=5).removeprefix("--hparams=")
    assert settings.resolve_hparams("", parse_overrides(longer)).total_num_images == 90


def test_the_soundfont_may_move_but_not_change(tiny_run, tiny_hparams, tmp_path):
    moved, other = tmp_path / "moved.sf2", tmp_path / "other.sf2"
    shutil.copy(soundfont.default_soundfont(), moved)
    other.write_bytes(moved.read_bytes()[:-2] + b"??")
    overrides = parse_overrides(tiny_run.hparams.removeprefix("--hparams="))
    assert settings.resolve_hparams("", overrides | {"soundfont_path": str(moved)}).soundfont_path == str(moved)
    with pytest.raises(ValueError, match="soundfont_path is '', not .*other.sf2"):
        settings.resolve_hparams("", overrides | {"soundfont_path": str(other)})


# ---------------------------------------------------------------------------------------------------- flags


def test_dry_run_prints_the_settings_and_the_arithmetic(tiny_hparams, run_command, tmp_path):
    font = tmp_path / "font.sf2"
    finished = run_command("train", tiny_hparams(tmp_path / "run"), "--dry_run", "--seed=7", f"--soundfont={font}")
    assert finished.code == 0 and finished.err == ""
    for text in (
        "seed = 7",
        f'soundfont_path = "{font}"',
        'data_type = "mel"',
        "4000 samples at 16000 Hz = 0.25 s -> specgram [16, 32, 2] (mel)",
        "Stage 1 of 3: train at 8 x 16, 4 filters, examples 0 to 24 in batches of 4 = 6 updates; ",
        "Stage 2 of 3: fade to 16 x 32, 3 filters, examples 24 to 48 in batches of 3 = 8 updates; ",
        "Stage 3 of 3: train at 16 x 32, 3 filters, examples 48 to 75 in batches of 3 = 9 updates; ",
        "a snapshot of 0.096 MB in sound every 40 examples, 2 in all",
    ):
        assert text in finished.out, finished.out
    assert re.search(r"generator [\d,]+, discriminator [\d,]+", finished.out)
    shares = re.findall(r"([\d.e-]+) G multiply-adds an example, ([\d.]+) % of the run's", finished.out)
    assert len(shares) == 3 and sum(float(share) for _, share in shares) == pytest.approx(100, abs=0.5)
    assert not list(tmp_path.iterdir())


def test_a_run_too_short_for_its_last_stage_says_so(run_command, tiny_hparams, tmp_path):
    defaults = run_command("train", "--dry_run")
    assert "ends in stage 10 of 13, before its last resolution: total_num_images is 320. The" in defaults.out
    assert "before its last resolution" not in run_command("train", tiny_hparams(tmp_path), "--dry_run").out


@pytest.mark.slow
def test_a_preset_file_and_a_run_that_is_given_time(tiny_hparams, run_command, tmp_path):
    run, preset = tmp_path / "run", tmp_path / "mine.py"
    values = json.loads(tiny_hparams(run, **SIMPLE, train_time_limit=4.0).removeprefix("--hparams="))
    preset.write_text(f"hparams = {values!r}\n")
    finished = run_command("train", f"--config={preset}", '--hparams={"total_num_images": 1000000}')
    assert finished.code == 0 and re.search(r"Finished at [1-9]", finished.out)
    before = digest(run)
    assert run_command("train", f"--config={preset}", '--hparams={"total_num_images": 1000000}').code == 0
    assert digest(run) == before


@pytest.mark.slow
def test_two_replicas_share_a_batch(tiny_hparams, run_command, tmp_path):
    run = tmp_path / "run"
    uneven = run_command("train", tiny_hparams(run), "--strategy=mirrored")
    assert uneven.code == 2 and "multiples of 2: replicas" in uneven.err and not list(tmp_path.iterdir())
    finished = run_command("train", tiny_hparams(run, **SIMPLE | {"total_num_images": 8}), "--strategy=mirrored")
    assert finished.code == 0, finished.err
    model = gansynth_tf.load(run)
    assert np.all(np.isfinite(model.generate(model.sample_z(2, seed=1), [60, 62])))


@pytest.mark.slow
def test_diverged_losses_end_the_run(tiny_hparams, run_command, tmp_path):
    run = tmp_path / "run"
    settings_flag = tiny_hparams(run, **SIMPLE, discriminator_learning_rate=1e30)
    finished = run_command("train", settings_flag)
    assert finished.code == 1
    assert re.search(r"^gansynth_train: .*became NaN or infinite between 0 and 12 examples", finished.err)
    assert not list(run.glob("checkpoints/*"))


def test_help_lists_the_flags(run_command):
    finished = run_command("train", "--help")
    assert finished.code == 0
    for flag in ("config", "hparams", "soundfont", "seed", "dry_run", "deterministic", "strategy"):
        assert f"  --{flag}\n" in finished.out
