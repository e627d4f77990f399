"""What a user can get wrong: one clear line on stderr, exit code 2, no traceback, nothing half-written."""

import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import warnings

import numpy as np
import pytest

from gansynth_tf import files
from gansynth_tf.data import soundfont


@pytest.fixture
def fails(run_command):
    """Runs a command that must fail as a user's mistake does; the line it says."""

    def run(command, *arguments):
        finished = run_command(command, *arguments)
        assert finished.code == 2, finished
        lines = [line for line in finished.err.splitlines() if not line.startswith("rendering:")]
        assert len(lines) == 1 and "Traceback" not in finished.err, finished.err
        assert lines[0].startswith(f"gansynth_{command}: ") and len(lines[0]) < 600
        return lines[0]

    return run


@pytest.fixture
def run_copy(tiny_run, tmp_path):
    return shutil.copytree(tiny_run.folder, tmp_path / "copy")


def tree(folder):
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("hparams", "words"),
    [
        ('{"fmap_maximum": 8}', ["'fmap_maximum'", "Did you mean 'fmap_max'?"]),
        ('{"latent_vector_sise": 8}', ["'latent_vector_sise'", "Did you mean 'latent_vector_size'?"]),
        ('{"latent_vector_size": 0}', ["latent_vector_size must be at least 1", "Received: 0"]),
        ('{"latent_vector_size": "many"}', ["latent_vector_size must be an integer", "'many'"]),
        ('{"batch_size_schedule": 8}', ["batch_size_schedule must be a list of integers", "8"]),
        ('{"train_progressive": 1}', ["train_progressive must be true or false", "1"]),
        ('{"adam_beta1": 1.5}', ["adam_beta1 must be", "below 1", "1.5"]),
        ('{"data_type": "cepstrum"}', ["data_type must be one of linear, phase, mel, wave", "'cepstrum'"]),
        ('{"seed": 1', ["--hparams must be a JSON object", "line 1 column"]),
        ("{'seed': 1}", ["--hparams must be a JSON object", "double quotes"]),
        ("[1, 2]", ["--hparams must be a JSON object", "[1, 2]"]),
        ('{"min_pitch": 60, "max_pitch": 130}', ["<= 127", "130"]),
        ('{"min_pitch": 62, "max_pitch": 60}', ["min_pitch <= max_pitch", "62 and 60"]),
        ('{"seed": -1}', ["seed must be in 0..2147483647", "-1"]),
        ('{"simple_arch": true}', ["simple_arch=true is not built", "simple_arch=false"]),
    ],
)
def test_settings(hparams, words, fails):
    line = fails("train", f"--hparams={hparams}", "--dry_run")
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config=mel_prog_highres"], ["--config must be one of", "quickstart", "'mel_prog_highres'"]),
        (["--config=no/such/file.py"], ["'no/such/file.py'"]),
        (["--hparam={}"], ["Unknown command line flag 'hparam'", "Did you mean: hparams", "--help"]),
        (["quickstart"], ["Expected flags only", "quickstart"]),
        (["--seed=one"], ["--seed=one", "'one'"]),
        (["--strategy=horovod"], ["--strategy=horovod", "mirrored"]),
        (["--strategy=tpu", '--hparams={"train_root_dir": "/proc/run"}'], ["--strategy=tpu expects a TPU"]),
    ],
)
def test_flags(arguments, words, fails):
    line = fails("train", *arguments)
    assert all(word in line for word in words), line


@pytest.mark.parametrize("text", ["hparams = {", "raise KeyError('x')", "import no_such_module", "settings = {}"])
def test_presets(text, fails, tmp_path):
    (tmp_path / "mine.py").write_text(text)
    assert "mine.py" in fails("train", f"--config={tmp_path / 'mine.py'}")


def test_sizes_that_do_not_fit_leave_nothing_behind(fails, tiny_hparams, tmp_path):
    line = fails("train", tiny_hparams(tmp_path / "run", audio_length=9000, records_dir=""))
    assert "audio_length must be at most" in line and "9000" in line and not list(tmp_path.iterdir())


# ---------------------------------------------------------------------------------------------------- SoundFonts


def make_font(kind, path):
    font = pathlib.Path(soundfont.default_soundfont()).read_bytes()
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes({"empty": b"", "text": b"not a font", "cut short": font[: len(font) // 2],
                          "hollow": font[:8] + b"sfbk" + bytes(len(font) - 12)}[kind])  # fmt: skip
    return path


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text", "cut short", "hollow"])
def test_soundfonts(kind, fails, tiny_hparams, tmp_path):
    font = make_font(kind, tmp_path / "font.sf2")
    run = tmp_path / "run"
    line = fails("train", tiny_hparams(run, records_dir=""), f"--soundfont={font}")
    assert "SoundFont" in line or str(font) in line, line
    assert not run.exists() or not list(run.iterdir())


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"soundfont_programs": [130]}, ["programs", "130"]),
        ({"soundfont_velocities": [0]}, ["velocit", "0"]),
        ({"min_pitch": 120, "max_pitch": 121}, ["120..121"]),
    ],
)
def test_notes_that_cannot_be_rendered(others, words, fails, tiny_hparams, tmp_path):
    line = fails("prepare", tiny_hparams(tmp_path / "run", **others), f"--output_dir={tmp_path / 'data'}")
    assert all(word in line for word in words), line
    assert not list(tmp_path.iterdir())


def test_notes_do_not_replace_other_files(fails, tiny_hparams, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert "thesis.txt" in fails("prepare", tiny_hparams(tmp_path / "run"), f"--output_dir={tmp_path}")
    assert tree(tmp_path) == {"thesis.txt": 13}


# ---------------------------------------------------------------------------------------------------- run folders


@pytest.mark.parametrize("command", ["generate", "export", "plot", "evaluate"])
@pytest.mark.parametrize("kind", ["missing", "empty", "file", "untrained"])
def test_ckpt_dir(command, kind, fails, tiny_run, tmp_path):
    folder = tmp_path / "run"
    if kind == "file":
        folder.write_text("")
    elif kind != "missing":
        folder.mkdir()
    if kind == "untrained":
        for name in ("experiment.json", "pitches.json"):
            shutil.copy(tiny_run.folder / name, folder / name)
    before = tree(tmp_path)
    outputs = {"generate": ["--output_dir"], "export": ["--export_dir"], "plot": ["--output_dir"], "evaluate": []}
    line = fails(command, f"--ckpt_dir={folder}", *(f"{flag}={tmp_path / 'out'}" for flag in outputs[command]))
    assert str(folder) in line
    # A file might be a sound that gansynth_plot draws.
    expected = "Expected audio" if (command, kind) == ("plot", "file") else "Expected a run folder"
    assert ("no finished checkpoint" if kind == "untrained" else expected) in line
    assert tree(tmp_path) == before


DAMAGES = {
    "cut short": lambda text: text[: len(text) // 2],
    "a list": lambda text: "[]",
    "not text": lambda text: b"\xff\xfe\x00\x80",
    "empty": lambda text: "",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["experiment.json", "pitches.json"])
def test_damaged_json(name, damage, fails, run_copy, tmp_path):
    text = DAMAGES[damage]((run_copy / name).read_text())
    (run_copy / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    line = fails("generate", f"--ckpt_dir={run_copy}", f"--output_dir={tmp_path / 'notes'}")
    assert str(run_copy / name) in line and "damaged" in line and not (tmp_path / "notes").exists()


def test_training_does_not_overwrite_damaged_settings(fails, tiny_hparams, run_copy):
    (run_copy / "experiment.json").write_text("{")
    before = tree(run_copy)
    assert "experiment.json is damaged" in fails("train", tiny_hparams(run_copy))
    assert tree(run_copy) == before


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("experiment.json", {"latent_vector_size": "x"}, ["experiment.json", "latent_vector_size must be an integer"]),
        ("experiment.json", {"latent_sise": 3}, ["experiment.json", "'latent_sise'"]),
        ("experiment.json", {"latent_vector_size": 6}, ["ckpt-75", "experiment.json describes"]),
        ("pitches.json", {"pitches": [60, 61]}, ["pitches.json", "2 pitches and 3 counts"]),
        ("pitches.json", {"pitches": None}, ["pitches.json"]),
        ("pitches.json", {"pitches": [60, 61], "counts": [2, 2]}, ["ckpt-75"]),
    ],
)
def test_wrong_json(name, change, words, fails, run_copy, tmp_path):
    values = json.loads((run_copy / name).read_text())
    (run_copy / name).write_text(json.dumps(values | change))
    line = fails("generate", f"--ckpt_dir={run_copy}", f"--output_dir={tmp_path / 'notes'}")
    assert all(word in line for word in words), line


@pytest.mark.parametrize("ending", ["data-00000-of-00001", "index"])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_truncated_newest_checkpoint_is_skipped(ending, share, run_command, tiny_hparams, run_copy, tmp_path):
    truncate(run_copy / "checkpoints" / f"ckpt-75.{ending}", share)
    flags = [f"--ckpt_dir={run_copy}", f"--output_dir={tmp_path / 'notes'}", "--batch_size=2"]
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        finished = run_command("generate", *flags)
    assert "Skipped: " in finished.err and "ckpt-75 is damaged" in finished.err
    assert finished.code == 0 and len(list((tmp_path / "notes").glob("*.wav"))) == 2
    if share:
        finished = run_command("train", tiny_hparams(run_copy))
        skipped, begun, *_ = finished.out.splitlines()
        assert "ckpt-75 is damaged" in skipped and begun == f"Going on in {run_copy} from 48 examples."
        assert finished.code == 0 and "Finished at 75 examples" in finished.out
        assert run_command("train", tiny_hparams(run_copy)).out.startswith(f"Going on in {run_copy} from 75 examples.")


def truncate(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def test_without_a_readable_checkpoint_nothing_is_touched(fails, tiny_hparams, run_copy, tmp_path):
    for path in run_copy.glob("checkpoints/ckpt-*.index"):
        truncate(path, 0.5)
    before = tree(run_copy)
    for line in (
        fails("generate", f"--ckpt_dir={run_copy}", f"--output_dir={tmp_path / 'notes'}"),
        fails("train", tiny_hparams(run_copy)),
    ):
        assert "ckpt-75 is damaged" in line
    assert tree(run_copy) == before and not (tmp_path / "notes").exists()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_list_of_checkpoints_is_done_without(damage, run_command, tiny_hparams, run_copy, tmp_path):
    listing = run_copy / "checkpoints" / "checkpoint"
    text = DAMAGES[damage](listing.read_text())
    listing.write_bytes(text if isinstance(text, bytes) else text.encode())
    flags = [f"--ckpt_dir={run_copy}", f"--output_dir={tmp_path / 'notes'}", "--batch_size=2"]
    assert run_command("generate", *flags).code == 0
    finished = run_command("train", tiny_hparams(run_copy))
    assert finished.code == 0 and "from 75 examples" in finished.out


def test_a_run_folder_is_for_one_process(fails, tiny_hparams, run_copy):
    before = tree(run_copy)
    with files.locked(run_copy, "training in"):
        assert f"Another process is training in {run_copy}" in fails("train", tiny_hparams(run_copy))
    assert tree(run_copy) == before


# ---------------------------------------------------------------------------------------------------- music


def test_midi_files(fails, tiny_run, tmp_path):
    (tmp_path / "text.mid").write_text("not music")
    (tmp_path / "head.mid").write_bytes(b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x00\x60")
    for name in ("text.mid", "head.mid", "missing.mid"):
        flags = [f"--ckpt_dir={tiny_run.folder}", f"--output_dir={tmp_path / 'notes'}"]
        assert name in fails("generate", *flags, f"--midi_file={tmp_path / name}")
    assert not (tmp_path / "notes").exists()


def test_numbers_of_notes_and_seconds(fails, tiny_run, tmp_path):
    import pretty_midi

    music = pretty_midi.PrettyMIDI()
    music.instruments.append(pretty_midi.Instrument(0))
    music.instruments[0].notes.append(pretty_midi.Note(velocity=90, pitch=60, start=0.0, end=0.5))
    music.write(str(tmp_path / "tune.mid"))
    flags = [f"--ckpt_dir={tiny_run.folder}", f"--output_dir={tmp_path / 'notes'}"]
    assert "batch_size" in fails("generate", *flags, "--batch_size=0")
    assert "seed" in fails("generate", *flags, "--seed=-1")
    line = fails("generate", *flags, f"--midi_file={tmp_path / 'tune.mid'}", "--secs_per_instrument=0")
    assert "secs_per_instrument of at least 0.1" in line
    assert not (tmp_path / "notes").exists()


# ---------------------------------------------------------------------------------------------------- places


@pytest.fixture(params=["under a file", "/proc"])
def nowhere(request, tmp_path):
    """A folder that cannot be made, not even by root."""
    if request.param == "/proc":
        return "/proc/gansynth/out"
    (tmp_path / "file").write_text("")
    return str(tmp_path / "file" / "out")


def test_unwritable_places(nowhere, fails, tiny_run, tiny_hparams):
    parent = nowhere.removesuffix("/out")
    commands = {
        "train": [tiny_hparams(nowhere)],
        "prepare": [tiny_hparams("/tmp/unused"), f"--output_dir={nowhere}"],
        "generate": [f"--ckpt_dir={tiny_run.folder}", f"--output_dir={nowhere}"],
        "export": [f"--ckpt_dir={tiny_run.folder}", f"--export_dir={nowhere}"],
        "plot": [f"--ckpt_dir={tiny_run.folder}", f"--output_dir={nowhere}"],
    }
    for command, arguments in commands.items():
        assert parent in fails(command, *arguments)


def test_places_that_are_not_of_this_machine(fails, tiny_run, tiny_hparams, tmp_path, monkeypatch):
    # Magenta makes a folder gs:/bucket of such a place.
    monkeypatch.chdir(tmp_path)
    commands = {
        "train": [tiny_hparams("gs://bucket/run")],
        "generate": [f"--ckpt_dir={tiny_run.folder}", "--output_dir=gs://bucket/run"],
        "export": [f"--ckpt_dir={tiny_run.folder}", "--export_dir=gs://bucket/run"],
        "convert": [f"--ckpt_dir={tmp_path}", "--output_dir=gs://bucket/run"],
    }
    for command, arguments in commands.items():
        line = fails(command, *arguments)
        assert "of this machine. Received: gs://bucket/run" in line
    assert not list(tmp_path.iterdir())


@contextlib.contextmanager
def small_disk(folder, size):
    """Mounts a disk of some bytes; skips where that is not allowed."""
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, f"size={size}".encode()):
        pytest.skip(f"a small disk cannot be mounted here: {os.strerror(ctypes.get_errno())}")
    try:
        yield folder
    finally:
        libc.umount2(os.fsencode(folder), 2)  # MNT_DETACH


def test_full_disk_while_generating_and_exporting(fails, tiny_run, tmp_path):
    with small_disk(tmp_path / "disk", 49152) as disk:
        line = fails("generate", f"--ckpt_dir={tiny_run.folder}", f"--output_dir={disk / 'notes'}", "--batch_size=16")
        assert "No space left" in line
        written = sorted(path.name for path in (disk / "notes").iterdir())
        # Whole notes, and nothing else.
        assert "generated_0.wav" in written and not [name for name in written if name.startswith(".")]
        assert {path.stat().st_size for path in (disk / "notes").glob("*.wav")} == {80 + 4 * 4000}
        line = fails("export", f"--ckpt_dir={tiny_run.folder}", f"--export_dir={disk / 'export'}")
        assert "No space left" in line
        assert sorted(path.name for path in disk.iterdir()) == ["notes"]


@pytest.mark.slow
@pytest.mark.parametrize("size", [4096, 131072])
def test_full_disk_while_training(size, fails, run_command, tiny_hparams, tmp_path):
    with small_disk(tmp_path / "disk", size) as disk:
        run = disk / "run"
        flag = tiny_hparams(run, train_progressive=False, num_resolutions=1, start_height=16, start_width=32,
                            batch_size_schedule=[4], steps_per_call=2, save_summaries_num_images=24)  # fmt: skip
        assert "No space left" in fails("train", flag)
        for path in run.glob("*.json"):
            json.loads(path.read_text())
        assert not [path for path in run.rglob("*") if path.name.startswith(".") or path.match("ckpt-*")]
        left = shutil.copytree(run, tmp_path / "left")
    if size > 4096:  # What is left goes on where there is space.
        finished = run_command("train", flag.replace(str(run), str(left)))
        assert finished.code == 0, finished
        rows = [json.loads(line) for line in (left / "metrics.jsonl").read_text().splitlines()]
        assert np.all(np.isfinite([row["generator_loss"] for row in rows])) and rows[-1]["examples"] == 76
