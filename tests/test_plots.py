"""Pictures: the right colours in the right places, and files that open."""

import json

import numpy as np
import pytest

from gansynth_tf import plots, rainbow


def _png_size(path):
    from matplotlib import image

    return image.imread(path).shape[:2]


def _sine(hz, num_samples, sample_rate=16000):
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(num_samples) / sample_rate)).astype(np.float32)


@pytest.mark.parametrize(("num_samples", "sample_rate"), [(8000, 16000), (64000, 16000), (22050, 44100), (700, 16000)])
def test_a_sine_is_one_bright_line_of_one_colour(num_samples, sample_rate):
    hz = 523.25  # C5: four octaves above the lowest bin.
    image = rainbow.rainbow_image(_sine(hz, num_samples, sample_rate), sample_rate)
    assert image.shape[1] == 1 + num_samples // (256 if sample_rate == 16000 else 704)
    assert image.dtype == np.float32 and image.min() >= 0 and image.max() <= 1
    brightness = image.max(axis=2)
    np.testing.assert_allclose(np.argmax(brightness.mean(axis=1)), 160, atol=3 if num_samples > 700 else 40)
    if num_samples > 5000:
        middle = image[160, 8:-8]
        np.testing.assert_allclose(middle, np.broadcast_to(middle[0], middle.shape), atol=0.15)


def test_a_detuned_sine_has_another_colour_and_noise_has_many():
    hop_hz = 16000 / 256
    one, other = (rainbow.rainbow_image(_sine(hz, 16000), 16000)[160, 20:40] for hz in (523.25, 523.25 + hop_hz / 8))
    assert np.abs(one.mean(axis=0) - other.mean(axis=0)).max() > 0.3
    noise = rainbow.rainbow_image(np.random.default_rng(0).normal(size=16000), 16000)[160, 20:40]
    assert noise.std(axis=0).max() > 3 * one.std(axis=0).max()


def test_real_notes_have_steady_lines(golden_dir):
    note = np.load(golden_dir / "nsynth_examples.npy")[1, :16000]  # E3 = 164.8 Hz, held.
    image = rainbow.rainbow_image(note, 16000)[:, 10:50]
    fundamental = round(40 * np.log2(164.8 / 32.7))
    line = image[fundamental - 2 : fundamental + 3].mean(axis=0)
    assert line.std(axis=0).max() < 0.1


def test_silence_is_black_without_warnings():
    assert rainbow.rainbow_image(np.zeros(4000), 16000).max() == 0


@pytest.mark.parametrize("wave", [np.zeros(0), np.zeros((2, 30)), np.array([0.0, np.nan])])
def test_no_picture_of_broken_waves(wave):
    with pytest.raises(ValueError, match="one note of finite samples"):
        rainbow.rainbow_image(wave, 16000)


def test_note_grid_file(tmp_path):
    waves = np.stack([[_sine(100 * (3 * row + column + 1), 3000) for column in range(3)] for row in range(2)])
    plots.plot_note_grid(waves, 16000, tmp_path / "new" / "notes.png", ["z 0", "z 1"], ["C", "D", "E"])
    height, width = _png_size(tmp_path / "new" / "notes.png")
    assert (height, width) == (500, 860)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["notes.png"]


def test_rainbowgram_axes_are_hz_and_seconds():
    figure = plots.rainbowgram(_sine(440, 8000), 16000)
    (axes,) = figure.axes
    assert axes.get_xlabel() == "time, s" and "Hz" in axes.get_ylabel()
    assert axes.get_xlim() == (0, 0.5)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["33", "65", "131", "262", "523", "1047", "2093"]


def test_wrong_grids():
    with pytest.raises(ValueError, match="each of 2 rows, or none. Received: 3"):
        plots.rainbowgram(np.zeros((2, 3, 800)), 16000, row_titles=["a", "b", "c"])
    with pytest.raises(ValueError, match="at least one note"):
        plots.rainbowgram(np.zeros((0, 800)), 16000)


def test_specgrams_file(tmp_path):
    specgrams = np.random.default_rng(0).normal(size=(3, 16, 32, 2))
    plots.plot_specgrams(specgrams, tmp_path / "plain.png")
    plots.plot_specgrams(specgrams, tmp_path / "full.png", ["a", "b", "c"], 0.5, np.linspace(100, 8000, 32))
    assert _png_size(tmp_path / "plain.png") == _png_size(tmp_path / "full.png")
    with pytest.raises(ValueError, match="each of 32 bins. Received: 31"):
        plots.plot_specgrams(specgrams, tmp_path / "wrong.png", bin_hz=np.arange(31))
    with pytest.raises(ValueError, match="at least one"):
        plots.plot_specgrams(specgrams[..., 0], tmp_path / "wrong.png")


def test_folded_and_whole_notes(tmp_path):
    waves = np.stack([[_sine(110 * (3 * row + column + 1), 3000) for column in range(3)] for row in range(2)])
    hz = 110 * np.arange(1, 7).reshape(2, 3)
    plots.plot_folded(waves, hz, 16000, tmp_path / "folded.png", ["a", "b"], ["x", "y", "z"])
    assert _png_size(tmp_path / "folded.png") == (500, 860)
    plots.plot_notes([waves[0, 0], waves[1, 1, :1200]], [110.0, None], 16000, tmp_path / "notes.png", ["a", "b"])
    assert _png_size(tmp_path / "notes.png") == (500, 1280)
    with pytest.raises(ValueError, match="a pitch or None for each. Received: 2 and 1"):
        plots.plot_notes(waves[0, :2], [110.0], 16000, tmp_path / "wrong.png")


def test_an_svg_is_the_same_each_time_and_other_endings_are_refused(tmp_path):
    for name in ("one.svg", "two.SVG"):
        plots.plot_folded(_sine(220, 2000), 220, 16000, tmp_path / name)
    one = (tmp_path / "one.svg").read_bytes()
    assert one.startswith(b"<?xml") and one == (tmp_path / "two.SVG").read_bytes()
    with pytest.raises(ValueError, match="ends in .png or .svg"):
        plots.plot_note_grid(_sine(220, 2000), 16000, tmp_path / "picture.jpg")
    assert len(list(tmp_path.iterdir())) == 2


def test_training_curves_show_what_changes(tmp_path):
    rows = [{"examples": 8 * i, "loss": 1 / (i + 1), "stage": 1, "rate": 3.0 + i, "off": 0} for i in range(9)]
    plots.plot_training_curves(rows, tmp_path / "curves.svg")
    text = (tmp_path / "curves.svg").read_text()
    assert "<!-- loss -->" in text and "<!-- rate -->" in text
    assert "<!-- stage -->" not in text and "<!-- off -->" not in text
    plots.plot_training_curves(rows[:1], tmp_path / "first.svg")
    assert "<!-- stage -->" in (tmp_path / "first.svg").read_text()


def test_training_curves_from_a_running_training(tmp_path):
    rows = [{"examples": 8 * i, "loss": 1 / (i + 1), "stage": 1, "rate": None, "name": "x"} for i in range(60)]
    rows[30] = {"examples": 240, "in_tune": 0.5, "loss": float("nan")}
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"examples": 480, "lo')
    plots.plot_training_curves(path, tmp_path / "file.png")
    plots.plot_training_curves(iter(rows), tmp_path / "rows.png")
    assert (tmp_path / "file.png").read_bytes() == (tmp_path / "rows.png").read_bytes()


def test_training_curves_without_numbers(tmp_path):
    with pytest.raises(ValueError, match="Received: 1 rows without"):
        plots.plot_training_curves([{"examples": 3}], tmp_path / "x.png")
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"examples": 1}\nnonsense\n{"examples": 2}\n')
    with pytest.raises(ValueError, match="JSON in line 2 of"):
        plots.plot_training_curves(path, tmp_path / "x.png")
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.jsonl"]
