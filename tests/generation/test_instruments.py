"""Named instruments: kept, read again, chosen, mixed."""

import json

import numpy as np
import pytest

from gansynth_tf.generation import instruments
from gansynth_tf.latents import slerp

Z = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
NAMED = {"warm flute": Z[0], "file": Z[1], "Ünïcode/name": Z[2]}


@pytest.mark.parametrize("ending", ["json", "npz"])
def test_kept_exactly_and_the_same_bytes_again(tmp_path, ending):
    path = tmp_path / "new" / f"mine.{ending}"
    instruments.save_instruments(path, NAMED)
    read = instruments.load_instruments(path, 5)
    assert list(read) == list(NAMED)
    for name, z in NAMED.items():
        assert read[name].dtype == np.float32
        np.testing.assert_array_equal(read[name], z)
    before = path.read_bytes()
    instruments.save_instruments(path, NAMED)
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1
    assert len(before) < 2000


def test_rows_of_plain_files_are_numbered(tmp_path):
    instruments.save_latents(tmp_path / "z.npy", Z)
    read = instruments.load_instruments(tmp_path / "z.npy", 5)
    assert list(read) == ["0", "1", "2", "3"]
    np.testing.assert_array_equal(read["3"], Z[3])
    np.save(tmp_path / "one.npy", Z[1])
    np.testing.assert_array_equal(instruments.load_instruments(tmp_path / "one.npy", 5)["0"], Z[1])
    np.savez(tmp_path / "z.npz", z=Z)
    assert list(instruments.load_instruments(tmp_path / "z.npz", 5)) == ["0", "1", "2", "3"]
    np.savez(tmp_path / "z.npz", a=Z[:2], b=Z[2])
    assert list(instruments.load_instruments(tmp_path / "z.npz", 5)) == ["a.0", "a.1", "b"]
    with pytest.raises(ValueError, match="ends in .npy"):
        instruments.save_latents(tmp_path / "z.txt", Z)


@pytest.mark.parametrize("name", ["", " flute", "a,b", "a+b", "2*a", "two\nlines"])
def test_names_that_could_not_be_chosen(tmp_path, name):
    with pytest.raises(ValueError, match="Expected a name"):
        instruments.save_instruments(tmp_path / "a.json", {name: Z[0]})
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_kept(tmp_path):
    with pytest.raises(ValueError, match="ends in .json or .npz. Received: .*mine.txt"):
        instruments.save_instruments(tmp_path / "mine.txt", NAMED)
    for z in (Z, np.array([1.0, np.nan])):
        with pytest.raises(ValueError, match="finite latents"):
            instruments.save_instruments(tmp_path / "a.json", {"a": z})


def test_files_that_hold_no_instruments(tmp_path):
    with pytest.raises(FileNotFoundError):
        instruments.load_instruments(tmp_path / "none.npy", 5)
    instruments.save_instruments(tmp_path / "mine.json", NAMED)
    with pytest.raises(ValueError, match=r"\[batch, 6\]. Received: .*mine.json with warm flute of shape \(5,\)"):
        instruments.load_instruments(tmp_path / "mine.json", 6)
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    np.savez(tmp_path / "words.npz", a=np.array(["b"]))
    broken = {
        "text.npy": "hello", "empty.npy": "", "cut.json": '{"instruments": {', "list.json": '{"instruments": [[1]]}',
        "other.json": '{"seed": 1}', "words.json": '{"instruments": {"a": "b"}}', "broken.npz": "PK\x03\x04",
    }  # fmt: skip
    for name, content in broken.items():
        (tmp_path / name).write_text(content)
    for name in ("objects.npy", "words.npz", *broken):
        with pytest.raises(ValueError, match=f"Expected latents .*{name}") as error:
            instruments.load_instruments(tmp_path / name, 5)
        assert "\n" not in str(error.value)
    (tmp_path / "none.json").write_text('{"instruments": {}}')
    with pytest.raises(ValueError, match="none.json, which holds none"):
        instruments.load_instruments(tmp_path / "none.json", 5)
    (tmp_path / "nan.json").write_text(json.dumps({"instruments": {"a": [float("nan")] * 5}}))
    with pytest.raises(ValueError, match="Expected finite latents"):
        instruments.load_instruments(tmp_path / "nan.json", 5)


def test_chosen_and_mixed():
    chosen = instruments.choose(NAMED, ["file", "warm flute", "file", "1 * file", " file "])
    np.testing.assert_array_equal(chosen, Z[[1, 0, 1, 1, 1]])
    unit = {"a": Z[0] / np.linalg.norm(Z[0]), "b": Z[1] / np.linalg.norm(Z[1]), "c": Z[2] / np.linalg.norm(Z[2])}
    half, third, same = instruments.choose(unit, ["a+b", "0.5*a + 1*b+ .25*c", "2*a+4*b+c"])
    np.testing.assert_allclose(half, slerp(unit["a"], unit["b"], 0.5), rtol=1e-5)
    expected = 2 * unit["a"] + 4 * unit["b"] + unit["c"]
    np.testing.assert_allclose(third, expected / np.linalg.norm(expected), rtol=1e-5)
    np.testing.assert_allclose(same, third, rtol=1e-5)


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("organ", "instruments a, b, c0, .* and 2 more. Received: 'organ'"),
        ("a+", "Received: 'a.'"),
        ("", "Received: ''"),
        ("a*b", "Received: 'a.b'"),
        ("0*a+0*b", "not all 0"),
        ("a+b", "cancel"),
    ],
)
def test_what_cannot_be_chosen(description, words):
    pool = {"a": np.ones(5, np.float32), "b": -np.ones(5, np.float32)} | {f"c{n}": Z[0] for n in range(12)}
    with pytest.raises(ValueError, match=words) as error:
        instruments.choose(pool, [description])
    assert "\n" not in str(error.value)


def test_names_for_mixtures():
    assert instruments.plain_name("0.7*warm flute + 0.3*organ") == "0.7_warm flute_0.3_organ"
    instruments.shares("0.7_warm flute_0.3_organ")
