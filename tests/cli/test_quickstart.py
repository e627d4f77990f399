"""bin/quickstart: its steps, in order, from the settings of its preset."""

import os
import pathlib
import shlex
import signal
import subprocess
import sys

import pytest

from gansynth_tf.cli import entry

ROOT = pathlib.Path(__file__).resolve().parents[2]
STEPS = ["generate", "prepare", "train", "generate", "generate", "plot", "export", "evaluate"]


def printed_commands(out: str) -> list[list[str]]:
    return [shlex.split(line.removeprefix("$ ")) for line in out.splitlines() if line.startswith("$ ")]


class Process:
    """A step that ends as its last word says: an exit code, or a signal that comes while it runs."""

    called = []

    def __init__(self, command):
        self.module, self.stopped = command[2], False
        Process.called.append(self.module)

    def wait(self, timeout=None):
        if timeout and not self.stopped:
            raise subprocess.TimeoutExpired(self.module, timeout)
        outcome = Process.outcomes.get(self.module.rpartition(".")[2], 0)
        if isinstance(outcome, signal.Signals) and not self.stopped:
            os.kill(os.getpid(), outcome)
        return int(outcome)

    def terminate(self):
        self.stopped = True
        Process.called.append("terminated")


@pytest.fixture
def steps(monkeypatch):
    """Replaces the steps; sets how they end, and gives what was called."""
    monkeypatch.setattr(subprocess, "Popen", Process)
    monkeypatch.setattr(Process, "called", [])
    monkeypatch.setattr(Process, "outcomes", {}, raising=False)

    def end(**outcomes):
        Process.outcomes = outcomes
        return Process.called

    return end


def test_dry_run_prints_commands_that_parse(run_command, tmp_path):
    hparams = f'--hparams={{"train_root_dir": "{tmp_path / "my runs"}"}}'
    finished = run_command("quickstart", "--dry_run", hparams)
    assert finished.code == 0 and finished.err == "" and not list(tmp_path.iterdir())
    commands = printed_commands(finished.out)
    assert [command[0] for command in commands] == [f"gansynth_{step}" for step in STEPS]
    assert not any(word.startswith("--ckpt_dir") for word in commands[0]) and "--tune" in commands[0]
    assert commands[2] == ["gansynth_train", "--config=quickstart", hparams]
    assert commands[3][1] == f"--ckpt_dir={tmp_path / 'my runs'}"
    for name, *arguments in commands:
        assert run_command(name.removeprefix("gansynth_"), *arguments, "--help").code == 0


def test_a_wrong_setting_stops_it_before_the_first_step(run_command):
    finished = run_command("quickstart", '--hparams={"fmap_maximum": 8}')
    assert finished.code == 2 and finished.out == "" and "Did you mean 'fmap_max'?" in finished.err


def test_a_step_that_fails_ends_it(run_command, steps, tmp_path):
    called = steps(train=3)
    finished = run_command("quickstart", f'--hparams={{"train_root_dir": "{tmp_path}"}}')
    assert finished.code == 3 and called == [f"gansynth_tf.cli.{step}" for step in STEPS[:3]]
    assert "goes on from it when run again" in finished.err


def test_all_steps_end_with_times_and_places(run_command, steps, tmp_path):
    called = steps()
    finished = run_command("quickstart", f'--hparams={{"train_root_dir": "{tmp_path}"}}')
    assert called == [f"gansynth_tf.cli.{step}" for step in STEPS]
    assert finished.code == 0 and "Times: playing" in finished.out and "Peak memory" in finished.out
    for folder in ("box", "generated", "plots", "samples", "export"):
        assert str(tmp_path / folder) in finished.out


def test_the_script_runs_from_any_folder_and_passes_its_arguments_on(tmp_path):
    stamp = "cd $0 && echo $(cksum <setup.py | cut -d' ' -f1)-$(pwd | cksum | cut -d' ' -f1)"
    name = subprocess.check_output(["bash", "-c", stamp, ROOT], text=True).strip()
    if not (pathlib.Path(sys.prefix) / f".gansynth_tf-{name}").exists():
        pytest.skip("the script would install packages: run bin/quickstart or bin/test once")
    hparams = f'--hparams={{"train_root_dir": "{tmp_path / "my runs"}"}}'
    environment = os.environ | {"VIRTUAL_ENV": sys.prefix, "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"}
    script = [ROOT / "bin" / "quickstart", "--dry_run", hparams]
    finished = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert finished.returncode == 0 and finished.stderr == ""
    assert printed_commands(finished.stdout)[1] == ["gansynth_prepare", "--config=quickstart", hparams]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_step_and_waits_for_it(number, run_command, steps):
    called = steps(train=number)
    finished = run_command("quickstart")
    assert finished.code == 130 and finished.err == "bin/quickstart: interrupted\n"
    assert called == [*(f"gansynth_tf.cli.{step}" for step in STEPS[:3]), "terminated"]


def test_a_second_ctrl_c_does_not_wait_for_the_loop():
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        stop = entry.StopSignal()
        stop.wait_for_the_loop()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
