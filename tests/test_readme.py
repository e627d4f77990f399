"""README.md holds: its commands parse, its files exist, its tables name what there is."""

import ast
import importlib.util
import os
import pathlib
import re
import shlex
import subprocess

import pytest

from gansynth_tf import settings
from gansynth_tf.hparams import parse_overrides

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
SAMPLE = """# A page

Text with `gansynth_train --not_a_command`.

```
# A comment.
$ gansynth_train --config=quickstart \\
    --hparams='{"train_root_dir": "runs/mine"}'
bin/quickstart
TF_CONFIG=… gansynth_train --strategy=multi_worker
gansynth_generate --ckpt_dir=runs/mine  # One note.
```

```python
import gansynth_tf
```

```bash
python -m gansynth_tf.cli.train --help
tensorboard --logdir runs
```
"""


def blocks(text: str) -> list[tuple[str, str]]:
    """(language, content) of every fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """The words of every command of this project, or of Python, in the blocks that are no program."""
    found = []
    for language, content in blocks(text):
        if language == "python":
            continue
        for line in content.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words and re.match(r"gansynth_|bin/|\./bin/|python3?$", words[0]):
                found.append(words)
    return found


def check(words: list[str], run_command, folder: pathlib.Path) -> None:
    """Fails unless a command exists and takes these arguments."""
    command, *arguments = words
    if command.startswith("python"):
        assert arguments[:1] == ["-m"], f"{shlex.join(words)}: expected python -m MODULE"
        assert importlib.util.find_spec(arguments[1]), f"{arguments[1]} does not exist"
        if not arguments[1].startswith("gansynth_tf.cli."):
            return
        command, arguments = "gansynth_" + arguments[1].rpartition(".")[2], arguments[2:]
    if "bin/" in command:
        assert (ROOT / command).is_file() and os.access(ROOT / command, os.X_OK), f"{command} cannot be executed"
        if not command.endswith("quickstart"):
            return
        command = "gansynth_quickstart"
    # With --help a command parses every flag, and does nothing.
    finished = run_command(command.removeprefix("gansynth_"), *arguments, "--help")
    assert finished.code == 0, f"{shlex.join(words)}: {finished.err}"
    given = dict(argument.removeprefix("--").split("=", 1) for argument in arguments if "=" in argument)
    overrides = parse_overrides(given.get("hparams", "{}")) | {"train_root_dir": str(folder)}
    settings.resolve_hparams(given.get("config", ""), overrides)


@pytest.fixture(scope="module")
def readme() -> str:
    assert README.is_file(), "README.md is missing"
    return README.read_text()


# ---------------------------------------------------------------------------------------------------- README.md


def test_commands_parse(readme, run_command, tmp_path):
    found = commands(readme)
    names = {words[0] for words in found}
    assert {"bin/quickstart", "bin/test", "gansynth_train", "gansynth_generate", "gansynth_export"} <= names
    for words in found:
        check(words, run_command, tmp_path)


def test_the_page_about_playing_holds(run_command, tmp_path):
    for words in commands((ROOT / "docs" / "playing.md").read_text()):
        check(words, run_command, tmp_path)


def test_programs_are_python_and_fit_the_quickstart(readme):
    programs = [content for language, content in blocks(readme) if language == "python"]
    assert programs
    latent_size = settings.resolve_hparams("quickstart", {}).latent_vector_size
    for program in programs:
        ast.parse(program)
        for size in re.findall(r"normal\(\[\d+, (\d+)\]\)", program):
            assert int(size) == latent_size, f"the quickstart's z has {latent_size} numbers, the README's {size}"


def test_reading_order_names_files_that_exist(readme):
    section = re.search(r"^## Reading order\n(.*?)^## ", readme, flags=re.MULTILINE | re.DOTALL)
    assert section, "README.md has no section 'Reading order'"
    files = re.findall(r"`([\w/]+\.py)`", section[1])
    assert len(files) >= 10 and files[0].endswith("audio.py")
    assert not [file for file in files if not (ROOT / file).is_file()]


def test_named_files_exist(readme):
    named = set(re.findall(r"`((?:gansynth_tf|configs|bin|tests|docs|benchmarks)/[\w./]*)`", readme))
    named |= {link for link in re.findall(r"\]\(([^)#:]+)\)", readme)}
    assert not sorted(name for name in named if not (ROOT / name).exists())


def test_the_table_of_presets_is_whole(readme):
    table = re.search(r"^\| preset \|.*?\n\n", readme, flags=re.MULTILINE | re.DOTALL)
    assert table, "README.md has no table of presets"
    first_cells = re.findall(r"^\| (`.*?`) \|", table[0], flags=re.MULTILINE)
    names = [name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(names) == sorted(settings.list_presets())


def test_nothing_is_left_to_fill_in(readme):
    assert not re.findall(r"\b(?:TODO|TBD|FIXME|XXX|\w*PLACEHOLDER)\b", readme)


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "bin").iterdir()))
def test_scripts_are_whole(script):
    path = ROOT / "bin" / script
    assert subprocess.run(["bash", "-n", path], capture_output=True).returncode == 0
    assert os.access(path, os.X_OK) == path.read_text().startswith("#!")


# ---------------------------------------------------------------------------------------------------- these rules


def test_commands_are_found():
    assert commands(SAMPLE) == [
        ["gansynth_train", "--config=quickstart", '--hparams={"train_root_dir": "runs/mine"}'],
        ["bin/quickstart"],
        ["gansynth_train", "--strategy=multi_worker"],
        ["gansynth_generate", "--ckpt_dir=runs/mine"],
        ["python", "-m", "gansynth_tf.cli.train", "--help"],
    ]
    assert [language for language, _ in blocks(SAMPLE)] == ["", "python", "bash"]


@pytest.mark.parametrize(
    "line",
    [
        "gansynth_train --confg=quickstart",
        "gansynth_train --config=quickstrat",
        "gansynth_train quickstart",
        """gansynth_train --hparams='{"seed": }'""",
        """gansynth_train --hparams='{"fmap_maximum": 8}'""",
        "gansynth_train --strategy=both",
        "gansynth_generate --batch_size=0",
        "bin/nothing",
        "bin/environment",
        "python -m gansynth_tf.nothing",
        "bin/quickstart --configs=laptop",
    ],
)
def test_wrong_commands_are_found(line, run_command, tmp_path):
    (words,) = commands(f"```\n{line}\n```\n")
    with pytest.raises((AssertionError, ValueError)):
        check(words, run_command, tmp_path)


def test_right_commands_pass(run_command, tmp_path):
    for words in commands(SAMPLE):
        check(words, run_command, tmp_path)
