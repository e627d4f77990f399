"""docs/differences.md names tests that exist, for each of Magenta's known bugs, and the settings it speaks of."""

import ast
import dataclasses
import pathlib
import re

from gansynth_tf.hparams import IGNORED_MAGENTA_KEYS, HParams

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "differences.md").read_text()


def functions(path: pathlib.Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def test_every_test_it_names_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)
    assert len(named) > 60
    files = {file: functions(ROOT / file) for file, _ in named}
    assert not [f"{file}::{name}" for file, name in named if name and name not in files[file]]


def test_every_bug_has_a_test():
    rows = re.findall(r"^\| (\d+) \|(.*)$", PAGE, flags=re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 37))
    assert not [number for number, row in rows if "::test_" not in row]


def test_it_knows_every_ignored_setting():
    assert not [key for key in IGNORED_MAGENTA_KEYS if f"`{key}`" not in PAGE]
    # Settings it speaks of exist; a name followed by "=" or ":" and a value is one.
    names = {field.name for field in dataclasses.fields(HParams)}
    spoken_of = set(re.findall(r"`(\w+)(?:=|: )[\w\"]+`", PAGE))
    assert spoken_of and spoken_of <= names
