"""Sliders: set by name and value, kept in a file; and what their effects are measured to be."""

import json

import numpy as np
import pytest

from gansynth_tf.exploration import effects, sliders

AXES = np.eye(7, dtype=np.float32)
SLIDERS = {
    "pca_1": sliders.Slider(AXES[2], 0.5, {"loudness_db": 1.25, "sustain_db": -0.5}),
    "sefa_1": sliders.Slider(AXES[5], 0.25, {"loudness_db": 0.0, "sustain_db": 3.0}),
}
Z = np.random.default_rng(2).normal(size=(3, 7)).astype(np.float32)


def test_values_are_steps_along_the_directions():
    moved = sliders.move(Z, SLIDERS, {"pca_1": 2.0, "sefa_1": -1.5}, keep_norm=False)
    np.testing.assert_allclose(moved - Z, np.tile(2.0 * AXES[2] - 1.5 * AXES[5], (3, 1)), atol=1e-6)
    assert moved.dtype == np.float32
    np.testing.assert_allclose(sliders.move(Z, SLIDERS, {"pca_1": 0.0}), Z, rtol=1e-6)
    np.testing.assert_array_equal(sliders.move(Z, SLIDERS, {}, keep_norm=False), Z)


def test_lengths_are_kept():
    moved = sliders.move(Z, SLIDERS, {"pca_1": 4.0})
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), np.linalg.norm(Z, axis=1), rtol=1e-6)
    assert np.all(moved[:, 2] > Z[:, 2])
    one = sliders.move(Z[1], SLIDERS, {"pca_1": 4.0})
    np.testing.assert_allclose(one, moved[1], rtol=1e-6)
    assert np.all(np.isfinite(sliders.move(np.zeros(7), SLIDERS, {"pca_1": 0.0})))


def test_wrong_values():
    with pytest.raises(ValueError, match="the sliders pca_1, sefa_1. Received: 'pca_2'"):
        sliders.move(Z, SLIDERS, {"pca_2": 1.0})
    with pytest.raises(ValueError, match=r"latents \[..., 7\]. Received: pca_1=nan"):
        sliders.move(Z, SLIDERS, {"pca_1": np.nan})
    with pytest.raises(ValueError, match=r"latents \[3, 6\]"):
        sliders.move(Z[:, :6], SLIDERS, {"pca_1": 1.0})


def test_names():
    renamed = sliders.rename(SLIDERS, {"sefa_1": "pluck"})
    assert list(renamed) == ["pca_1", "pluck"] and renamed["pluck"] is SLIDERS["sefa_1"]
    swapped = sliders.rename(SLIDERS, {"pca_1": "sefa_1", "sefa_1": "pca_1"})
    assert list(swapped) == ["sefa_1", "pca_1"]
    with pytest.raises(ValueError, match="in use already"):
        sliders.rename(SLIDERS, {"pca_1": "sefa_1"})
    with pytest.raises(ValueError, match="Received: 'pca_9'"):
        sliders.rename(SLIDERS, {"pca_9": "x"})
    with pytest.raises(ValueError, match="without commas and equals signs"):
        sliders.rename(SLIDERS, {"pca_1": "a=b"})


def test_files(tmp_path):
    path = tmp_path / "sliders.json"
    sliders.save_sliders(path, SLIDERS, "abc")
    loaded, weights = sliders.load_sliders(path, 7)
    assert weights == "abc" and list(loaded) == list(SLIDERS)
    for name, slider in SLIDERS.items():
        np.testing.assert_array_equal(loaded[name].direction, slider.direction)
        assert loaded[name][1:] == slider[1:] and loaded[name].direction.dtype == np.float32


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["sliders"][0].update(direction=[1.0] * 6),
        lambda content: content["sliders"][0].update(direction=[0.0] * 7),
        lambda content: content["sliders"][1].update(direction=[float("nan")] * 7),
        lambda content: content["sliders"][0].pop("share"),
        lambda content: content.update(sliders=3),
        lambda content: content.pop("fingerprint"),
    ],
)
def test_damaged_files(change, tmp_path):
    path = tmp_path / "sliders.json"
    sliders.save_sliders(path, SLIDERS)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="Expected sliders of this model.*remove it"):
        sliders.load_sliders(path, 7)
    path.write_text("{")
    with pytest.raises(ValueError, match="Expected sliders of this model"):
        sliders.load_sliders(path, 7)


def test_the_table():
    assert sliders.format_table(SLIDERS).splitlines() == [
        "| slider | share | loudness dB | sustain dB |",
        "|---|---|---|---|",
        "| pca_1 | 0.500 | +1.25 | -0.50 |",
        "| sefa_1 | 0.250 | +0.00 | +3.00 |",
    ]


# ---------------------------------------------------------------------------------------------------- effects


def _tone(hz, level=0.5, decay=0.0):
    time = np.arange(8000) / 16000
    return level * np.exp(-decay * time) * np.sin(2 * np.pi * hz * time)


def test_qualities_of_known_notes():
    waves = np.stack([_tone(250), _tone(1000, level=0.05), _tone(250, decay=10.0)])
    found = effects.measure_notes(waves, 16000)
    np.testing.assert_allclose(found["loudness_db"][:2], [-9.03, -29.03], atol=0.05)
    np.testing.assert_allclose(np.diff(found["brightness_octaves"])[0], 2, atol=0.05)
    # A quarter of a second lies between the two quarters: exp(-2.5) is -21.7 dB.
    np.testing.assert_allclose(found["sustain_db"], [0, 0, -21.7], atol=0.1)
    assert all(np.all(np.isfinite(each)) for each in effects.measure_notes(np.zeros((2, 400)), 16000).values())


def test_the_effect_is_the_change_for_a_step_of_one():
    def generate(z, pitches):
        pairs = zip(z, pitches, strict=True)
        return np.stack([_tone(pitch * 2**octaves, level=0.1 * 10 ** (db / 20)) for (db, octaves), pitch in pairs])

    def louder_and_darker(z, value):
        return z + value * np.array([3.0, -0.25])

    found = effects.measure_effect(generate, louder_and_darker, np.zeros((2, 2)), np.array([400, 500]), 16000)
    np.testing.assert_allclose(found["loudness_db"], 3.0, atol=0.02)
    np.testing.assert_allclose(found["brightness_octaves"], -0.25, atol=0.02)
    np.testing.assert_allclose(found["sustain_db"], 0.0, atol=0.02)
