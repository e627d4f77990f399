"""What a model sounds and looks like at one moment: the same notes every time, as WAV files, a picture, TensorBoard."""

import json
import pathlib
import shutil

import numpy as np
import tensorflow as tf

from gansynth_tf import audio, files, plots
from gansynth_tf.model import GANSynth

FACTS_FILE = "snapshot.json"
PICTURE_FILE = "rainbowgrams.png"
DEVELOPMENT_FILE = "development.png"  # The same notes from the first snapshot to the last.


class SnapshotWriter:
    """Writes a grid of notes, instruments by pitches, whose latents never change.

    Args:
        folder: Where each snapshot gets a folder of its own.
        num_notes: About how many notes; the grid is as square as they allow.
        seed: Of the latents.
        log_dir: Where TensorBoard's files go.
    """

    def __init__(self, folder: pathlib.Path, num_notes: int, seed: int, log_dir: pathlib.Path):
        self.folder, self.seed, self.log_dir = folder, seed, log_dir
        self.num_instruments = max(1, int(np.sqrt(num_notes)))
        self.num_columns = max(1, num_notes // self.num_instruments)
        self._writer: tf.summary.SummaryWriter | None = None  # Opened by the first snapshot.
        for unfinished in folder.glob(".examples_*"):  # A process that was killed left it.
            shutil.rmtree(unfinished, ignore_errors=True)

    def grid(self, model: GANSynth) -> tuple[np.ndarray, np.ndarray]:
        """Latents [batch, latent] and pitches [batch]: rows of one latent, pitches evenly over the model's range."""
        known = model.pitches
        places = np.linspace(0, len(known) - 1, min(self.num_columns, len(known))).round().astype(int)
        pitches = np.array(known)[places]
        z = model.sample_z(self.num_instruments, self.seed)
        return np.repeat(z, len(pitches), axis=0), np.tile(pitches, len(z))

    def write(self, model: GANSynth, examples: int, seconds: float) -> pathlib.Path:
        """Writes one snapshot; its folder appears complete or not at all.

        Args:
            model: Standing at the stage to be heard.
            examples: Examples seen, which name the folder.
            seconds: Seconds trained.

        Returns:
            The folder.
        """
        z, pitches = self.grid(model)
        waves = model.generate(z, pitches)
        folder = self.folder / f"examples_{examples:09d}"
        with files.replacing_folder(folder) as beside:
            for index, (wave, pitch) in enumerate(zip(waves, pitches, strict=True)):
                audio.save_wav(beside / f"note_{index:03d}_pitch_{pitch:03d}.wav", wave, model.sample_rate)
            columns = len(set(pitches.tolist()))
            rows = waves.reshape(len(waves) // columns, columns, -1)
            shown = np.linspace(0, columns - 1, min(columns, 8)).round().astype(int)
            titles = [f"pitch {pitch}" for pitch in pitches[:columns][shown]]
            plots.plot_note_grid(rows[:8, shown], model.sample_rate, beside / PICTURE_FILE, column_titles=titles)
            facts = {"examples": examples, "train_seconds": round(seconds, 1), "seed": self.seed}
            facts |= {"sample_rate": model.sample_rate, "pitches": pitches.tolist()}
            files.write_json(beside / FACTS_FILE, facts)
        self._summarise(waves, folder / PICTURE_FILE, model.sample_rate, examples)
        self._draw_development()
        return folder

    def _draw_development(self) -> None:
        """One contact sheet: a row for each of up to eight snapshots, the first and the last among them."""
        folders = sorted(path for path in self.folder.glob("examples_*") if (path / FACTS_FILE).is_file())
        if len(folders) < 2:
            return
        shown = np.linspace(0, len(folders) - 1, min(len(folders), 8)).round().astype(int)
        rows, titles = [], []
        for folder in (folders[index] for index in shown):
            facts, waves, pitches = _read_some(folder, 6)
            rows.append(waves)
            titles.append(f"{facts['examples']} examples")
        if len({(len(row), facts["sample_rate"]) for row in rows}) > 1:
            return  # Someone changed the number of notes in between.
        columns = [f"pitch {pitch}" for pitch in pitches]
        with files.replacing(self.folder / DEVELOPMENT_FILE) as beside:
            plots.plot_note_grid(np.stack(rows), facts["sample_rate"], beside, titles, columns)

    def _summarise(self, waves: np.ndarray, picture: pathlib.Path, sample_rate: int, examples: int) -> None:
        """Gives up to eight of the notes and the picture to TensorBoard."""
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self.log_dir), filename_suffix=".samples")
        with self._writer.as_default(step=examples):
            shown = np.clip(waves[:: max(1, len(waves) // 8)][:8], -1, 1)
            tf.summary.audio("fake_waves", shown[..., None], sample_rate, max_outputs=8)
            image = tf.io.decode_png(picture.read_bytes(), channels=3)
            tf.summary.image("rainbowgrams", image[None])
        self._writer.flush()


def read_snapshot(folder: pathlib.Path) -> tuple[dict, np.ndarray]:
    """A snapshot's facts and its waves [batch, samples], in the order of `facts['pitches']`."""
    facts, waves, _ = _read_some(folder, None)
    return facts, waves


def _read_some(folder: pathlib.Path, limit: int | None) -> tuple[dict, np.ndarray, list[int]]:
    """A snapshot's facts, at most `limit` of its waves, evenly chosen, and their pitches."""
    facts = json.loads((folder / FACTS_FILE).read_text())
    paths = sorted(folder.glob("note_*.wav"))
    chosen = np.linspace(0, len(paths) - 1, min(len(paths), limit or len(paths))).round().astype(int)
    waves = [audio.load_audio(paths[index], facts["sample_rate"]) for index in chosen]
    return facts, np.stack(waves), [facts["pitches"][index] for index in chosen]
