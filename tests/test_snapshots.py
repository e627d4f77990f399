"""Snapshots: the same notes every time, whole folders, what TensorBoard gets."""

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from gansynth_tf import snapshots
from gansynth_tf.pitches import PitchClasses


class Singer:
    """Stands for a model: a tone at the pitch, as loud as the latent says."""

    sample_rate, audio_length, latent_size = 4000, 1500, 5

    def __init__(self, pitches: range):
        self.pitches = list(pitches)
        self.pitch_classes = PitchClasses(tuple(pitches), (1,) * len(pitches))
        self.gain = 1.0

    def sample_z(self, n, seed=None):
        return np.random.default_rng(seed).normal(size=(n, self.latent_size)).astype(np.float32)

    def generate(self, z, pitch):
        hz = 440.0 * 2.0 ** ((np.asarray(pitch) - 69) / 12)
        time = np.arange(self.audio_length) / self.sample_rate
        loudness = self.gain * 0.1 * (1.0 + np.abs(np.tanh(z[:, :1])))
        return (loudness * np.sin(2 * np.pi * hz[:, None] * time)).astype(np.float32)


@pytest.fixture
def singer():
    return Singer(range(50, 61))


def make_writer(tmp_path, num_notes: int, seed: int = 3) -> snapshots.SnapshotWriter:
    return snapshots.SnapshotWriter(tmp_path / "samples", num_notes, seed, tmp_path / "logs")


@pytest.mark.parametrize(
    ("num_notes", "rows", "pitches"),
    [
        (6, 2, [50, 55, 60]),
        (12, 3, [50, 53, 57, 60]),
        (2, 1, [50, 60]),
        (300, 17, list(range(50, 61))),  # Only as many columns as there are pitches.
    ],
)
def test_grid_of_instruments_by_pitches(tmp_path, singer, num_notes, rows, pitches):
    writer = make_writer(tmp_path, num_notes)
    z, pitch = writer.grid(singer)
    assert z.shape == (rows * len(pitches), 5) and pitch.tolist() == pitches * rows
    for row in range(rows):
        assert len(np.unique(z[row * len(pitches) : (row + 1) * len(pitches)], axis=0)) == 1
    assert len(np.unique(z, axis=0)) == rows
    # The same every time, another with another seed.
    np.testing.assert_array_equal(writer.grid(singer)[0], z)
    assert not np.array_equal(make_writer(tmp_path, num_notes, seed=4).grid(singer)[0], z)


def test_written_and_read_back(tmp_path, singer):
    writer = make_writer(tmp_path, 6)
    folder = writer.write(singer, examples=1234, seconds=56.78)
    assert folder == tmp_path / "samples" / "examples_000001234"
    waves = [f"note_{i:03d}_pitch_{p:03d}.wav" for i, p in enumerate([50, 55, 60] * 2)]
    assert {path.name for path in folder.iterdir()} == {*waves, "rainbowgrams.png", "snapshot.json"}
    facts, notes = snapshots.read_snapshot(folder)
    assert facts == {
        "examples": 1234,
        "train_seconds": 56.8,
        "seed": 3,
        "sample_rate": 4000,
        "pitches": [50, 55, 60] * 2,
    }
    np.testing.assert_array_equal(notes, singer.generate(*writer.grid(singer)))
    assert soundfile.info(folder / waves[0]).samplerate == 4000
    assert tf.io.decode_png((folder / "rainbowgrams.png").read_bytes()).shape[2] in (3, 4)


def test_written_twice_keeps_the_later(tmp_path, singer):
    writer = make_writer(tmp_path, 2)
    writer.write(singer, 10, 1.0)
    singer.gain = 0.5
    folder = writer.write(singer, 10, 2.0)
    facts, notes = snapshots.read_snapshot(folder)
    assert facts["train_seconds"] == 2.0
    np.testing.assert_array_equal(notes, singer.generate(*writer.grid(singer)))
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_nothing_is_left_when_a_note_cannot_be_saved(tmp_path, singer):
    writer = make_writer(tmp_path, 2)
    singer.gain = np.nan
    with pytest.raises(ValueError, match="finite"):
        writer.write(singer, 10, 1.0)
    assert not list((tmp_path / "samples").iterdir())


def test_tensorboard_gets_audio_and_picture(tmp_path, singer):
    singer.gain = 30.0  # Over full scale: TensorBoard must get clipped audio.
    writer = make_writer(tmp_path, 12)
    writer.write(singer, 77, 1.0)
    (log,) = (tmp_path / "logs").iterdir()
    assert log.name.endswith(".samples")
    values = {}
    for record in tf.data.TFRecordDataset(str(log)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        values |= {value.tag: (event.step, value.tensor.string_val) for value in event.summary.value}
    step, clips = values["fake_waves"]
    assert step == 77 and values["rainbowgrams"][0] == 77
    sounds = [clip for clip in clips if clip]
    assert 1 <= len(sounds) <= 8
    decoded, rate = tf.audio.decode_wav(sounds[0])
    assert rate == 4000 and decoded.shape == (1500, 1)
    assert np.abs(decoded).max() <= 1.0
