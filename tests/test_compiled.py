"""librosa is loaded by one process at a time, and by nothing but the function that sees to it."""

import ast
import fcntl
import pathlib
import subprocess
import sys

import gansynth_tf
from gansynth_tf import compiled

PACKAGE = pathlib.Path(gansynth_tf.__file__).parent


def test_a_process_waits_while_another_loads(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    script = "from gansynth_tf import compiled; print(compiled.lock_path(), flush=True); compiled.load_librosa()"
    path = tmp_path / compiled.lock_path().name
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
            assert pathlib.Path(process.stdout.readline().strip()) == path
            try:
                process.wait(timeout=6)
            except subprocess.TimeoutExpired:
                waited = True
            else:
                waited = False
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert process.wait(timeout=120) == 0
    assert waited


def test_it_is_the_whole_of_librosa():
    librosa = compiled.load_librosa()
    assert librosa is compiled.load_librosa()
    for module in ("core.pitch", "core.audio", "util.utils", "sequence", "feature.spectral"):
        assert f"librosa.{module}" in sys.modules


def test_no_other_module_imports_librosa():
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [path.name for name in names if name.partition(".")[0] == "librosa"]
    assert found == ["compiled.py"]
