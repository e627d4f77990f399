"""Tables of hand-made results."""

import csv

import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf.evaluation import table

ROWS = [
    {"notes": "real", "num_notes": 72, "fid72": 8.94, "fid72_low": 6.3, "fid72_high": 11.4, "ndb50": 2, "kid36": 0.004,
     "kid36_error": 0.06, "pitch_accuracy": 0.98, "copying_z": None, "protocol": {"seed": 0}},
    {"notes": "mine", "num_notes": 500, "fid500": 24.4, "ndb50": 26, "kid250": 0.48, "kid250_error": 0.059,
     "pitch_accuracy": None, "copying_z": None, "protocol": {"seed": 0}},
]  # fmt: skip


def test_markdown():
    assert table.format_markdown(ROWS).splitlines() == [
        "| notes | pitch accuracy | FID | KID | NDB 50 |",
        "|---|---|---|---|---|",
        "| real (72) | 0.980 | 8.9 (6.3–11.4) [72] | 0.004 ± 0.060 [36] | 2 |",
        "| mine (500) | - | 24.4 [500] | 0.480 ± 0.059 [250] | 26 |",
    ]


def test_files(tmp_path):
    paths = table.write_tables(ROWS, tmp_path, "Of hand-made notes.")
    markdown, values, picture = (tmp_path / f"evaluation.{suffix}" for suffix in ("md", "csv", "png"))
    assert paths == [str(markdown), str(values), str(picture)]
    assert markdown.read_text() == f"Of hand-made notes.\n\n{table.format_markdown(ROWS)}\n"
    rows = list(csv.DictReader(values.read_text().splitlines()))
    assert [row["notes"] for row in rows] == ["real", "mine"]
    assert rows[0]["fid72"] == "8.94" and rows[0]["fid500"] == "" and rows[1]["fid500"] == "24.4"
    assert "protocol" not in rows[0]
    image = tf.io.decode_png(picture.read_bytes()).numpy()
    assert image.shape[1] > 800 and len(np.unique(image.reshape(-1, image.shape[2]), axis=0)) > 20


def test_a_name_is_found_whatever_numbers_it_carries():
    row = {"fid1000": 3.0, "fid1000_low": 1.0, "ndb50": 4, "ndb50_share": 0.08}
    assert table.find_metric(row, "fid") == "fid1000" and table.find_metric(row, "ndb") == "ndb50"
    assert table.find_metric(row, "kid") is None


def test_confusion_shows_shares_of_the_pitches_that_occur(tmp_path):
    counts = np.zeros([128, 128], int)
    counts[60, 60], counts[60, 72], counts[64, 64] = 3, 1, 5
    table.plot_confusion(counts, tmp_path / "a.png", "some notes")
    table.plot_confusion(np.zeros([128, 128], int), tmp_path / "b.png", "no notes")
    images = [tf.io.decode_png((tmp_path / name).read_bytes()).numpy() for name in ("a.png", "b.png")]
    assert len(np.unique(images[0].reshape(-1, 4), axis=0)) > len(np.unique(images[1].reshape(-1, 4), axis=0))


@pytest.mark.parametrize("rows", [ROWS[:1], ROWS * 4])
def test_pictures_of_few_and_of_many_rows(rows, tmp_path):
    table.plot_results(rows, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
