"""Files and folders appear whole or not at all."""

import json
import os
import stat

import pytest

from gansynth_tf import files


def entries(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_replacing_makes_the_file_at_the_end(tmp_path):
    path = tmp_path / "new" / "notes.txt"
    with files.replacing(path) as beside:
        assert beside.parent == path.parent and beside.suffix == ".txt" and beside != path
        beside.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole" and entries(path.parent) == {"notes.txt"}


def test_replacing_keeps_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("old")
    for error in (OSError("disk full"), KeyboardInterrupt()):
        with pytest.raises(type(error)), files.replacing(path) as beside:
            beside.write_text("half")
            raise error
        assert path.read_text() == "old" and entries(tmp_path) == {"notes.txt"}


@pytest.mark.parametrize("mask", [0o022, 0o027])
def test_replaced_files_have_the_usual_permissions(tmp_path, mask):
    before = os.umask(mask)
    try:
        with files.replacing(tmp_path / "notes.txt") as beside:
            beside.write_text("whole")
        (tmp_path / "plain.txt").write_text("plain")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("notes.txt", "plain.txt")]
    assert modes[0] == modes[1] == 0o666 & ~mask


def test_replacing_folder_swaps_whole_folders(tmp_path):
    path = tmp_path / "deep" / "samples"
    for content in ("first", "second"):
        with files.replacing_folder(path) as beside:
            assert beside.is_dir() and not any(beside.iterdir())
            (beside / content).write_text(content)
        assert entries(path) == {content}
        assert entries(path.parent) == {"samples"}


def test_replacing_folder_keeps_the_old_one_when_the_block_fails(tmp_path):
    path = tmp_path / "samples"
    path.mkdir()
    (path / "old").write_text("old")
    with pytest.raises(RuntimeError), files.replacing_folder(path) as beside:
        (beside / "half").write_text("half")
        raise RuntimeError
    assert entries(path) == {"old"} and entries(tmp_path) == {"samples"}


def test_write_json(tmp_path):
    files.write_json(tmp_path / "facts.json", {"b": [1, 2], "a": None})
    text = (tmp_path / "facts.json").read_text()
    assert json.loads(text) == {"b": [1, 2], "a": None}
    assert text.startswith('{\n  "b": [\n') and text.endswith("}\n")
    with pytest.raises(TypeError):
        files.write_json(tmp_path / "facts.json", {"a": object()})
    assert (tmp_path / "facts.json").read_text() == text and entries(tmp_path) == {"facts.json"}


def test_numbered_folders_take_the_next_number(tmp_path):
    for _ in range(2):
        with files.numbered_folder(tmp_path / "new") as beside:
            (beside / "content").write_text("")
            assert not beside.name.isdecimal()
    assert files.numbers(tmp_path / "new") == [1, 2] and (tmp_path / "new" / "2" / "content").is_file()
    (tmp_path / "new" / "07").mkdir()
    (tmp_path / "new" / "3.old").mkdir()
    assert files.numbers(tmp_path / "new") == [1, 2] and files.numbers(tmp_path / "none") == []


def test_a_number_that_is_taken_meanwhile_is_left_to_its_taker(tmp_path):
    with files.numbered_folder(tmp_path) as beside:
        (beside / "mine").write_text("")
        with files.numbered_folder(tmp_path) as other:
            (other / "theirs").write_text("")
    assert (tmp_path / "1" / "theirs").is_file() and (tmp_path / "2" / "mine").is_file()


@pytest.mark.parametrize("exists", [False, True])
def test_a_numbered_folder_that_fails_leaves_nothing(exists, tmp_path):
    folder = tmp_path / "versions"
    if exists:
        folder.mkdir()
    with pytest.raises(KeyboardInterrupt), files.numbered_folder(folder) as beside:
        (beside / "content").write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.rglob("*")) == ([folder] if exists else [])


def test_a_folder_is_held_by_one(tmp_path):
    folder = tmp_path / "deep" / "run"
    with files.locked(folder, "training in"):
        with pytest.raises(ValueError, match=f"Another process is training in {folder}"):
            with files.locked(folder, "training in"):
                pass
        (folder / "something").write_text("kept")
    with files.locked(folder, "training in"):
        (folder / "something").unlink()
    assert not folder.exists()  # Nothing was put into it.


def test_size_of_a_folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "a").write_bytes(b"123")
    (tmp_path / "deep" / "b").write_bytes(b"4567")
    assert files.folder_bytes(tmp_path) == 7 and files.folder_bytes(tmp_path / "missing") == 0
