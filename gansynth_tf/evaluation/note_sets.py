"""What can be scored: a name, a number of notes, and a way to go through them in batches of waves with their pitches.

A set holds no waves unless they came as an array: 12,800 notes of four seconds would be three gigabytes.
"""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Iterator

import numpy as np

from gansynth_tf import audio
from gansynth_tf.data import audio_folder
from gansynth_tf.pitches import PitchClasses

BATCH = 64
FEWEST_NOTES = 4  # Fewer have neither neighbours nor a spread to speak of.


@dataclasses.dataclass(frozen=True)
class NoteSet:
    """Notes to be scored.

    Args:
        name: In tables.
        num_notes: How many `batches` gives.
        batches: Starts over each time: (waves float32 [batch, samples], MIDI pitches int [batch]).
        facts: Where the notes come from; goes into the results.
    """

    name: str
    num_notes: int
    batches: Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]
    facts: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.num_notes < FEWEST_NOTES:
            raise ValueError(f"Expected at least {FEWEST_NOTES} notes in {self.name}. Received: {self.num_notes}")


def fit_notes(waves: np.ndarray, from_rate: int, to_rate: int, num_samples: int) -> np.ndarray:
    """Brings notes to a rate and a length.

    Args:
        waves: [batch, samples] at `from_rate`.
        from_rate, to_rate: Samples per second.
        num_samples: Wanted length at `to_rate`; ends are cut or followed by zeros.

    Returns:
        float32 [batch, num_samples].
    """
    waves = np.asarray(waves, np.float32)
    if from_rate != to_rate:
        waves = np.stack([audio.resample(wave, from_rate, to_rate) for wave in waves])
    waves = waves[:, :num_samples]
    return np.pad(waves, ((0, 0), (0, num_samples - waves.shape[1])))


# ---------------------------------------------------------------------------------------------------- sources


def notes_of_model(
    model, name: str, num_notes: int, pitch_classes: PitchClasses, rate: int, num_samples: int, seed: int
) -> NoteSet:
    """Notes a model makes, with a latent of its own for each and pitches as frequent as in the data.

    Args:
        model: Anything with `sample_z(n, seed)`, `generate(z, pitch)`, `pitches` and `sample_rate`.
        name: In tables.
        num_notes: How many.
        pitch_classes: The data's pitches; those that the model does not know are left out.
        rate, num_samples: See `fit_notes`.
        seed: Of latents and pitches.

    Raises:
        ValueError: If the model knows none of the pitches.
    """
    known = np.isin(pitch_classes.pitches, model.pitches)
    if not known.any():
        raise ValueError(f"Expected {name} to know pitches of the data. Received none of them; compare on its own data")
    shares = np.where(known, pitch_classes.probabilities, 0)
    rng = np.random.default_rng(seed)
    pitches = rng.choice(pitch_classes.pitches, num_notes, p=shares / shares.sum())

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        z = model.sample_z(num_notes, seed)
        size = min(BATCH, num_notes)
        for start in range(0, num_notes, size):
            # Whole batches, the last one filled up: another size would cost another graph.
            places = np.minimum(np.arange(start, start + size), num_notes - 1)
            waves = model.generate(z[places], pitches[places])[: num_notes - start]
            yield fit_notes(waves, model.sample_rate, rate, num_samples), pitches[start : start + size]

    facts = {"latent_seed": seed, "pitches_left_out": int(np.count_nonzero(~known))}
    return NoteSet(name, num_notes, batches, facts)


def notes_of_arrays(
    waves: np.ndarray, pitches: np.ndarray, name: str, from_rate: int, rate: int, num_samples: int
) -> NoteSet:
    """Notes in memory: waves [notes, samples] with their pitches [notes]; see `fit_notes`."""
    waves, pitches = np.asarray(waves), np.asarray(pitches)
    if waves.ndim != 2 or pitches.shape != waves.shape[:1] or not np.issubdtype(pitches.dtype, np.integer):
        found = f"{waves.shape} and {pitches.shape} of {pitches.dtype}"
        raise ValueError(f"Expected waves [notes, samples] and whole pitches [notes] in {name}. Received: {found}")

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(waves), BATCH):
            part = slice(start, start + BATCH)
            yield fit_notes(waves[part], from_rate, rate, num_samples), pitches[part]

    return NoteSet(name, len(waves), batches)


def notes_of_npz(path: pathlib.Path, name: str, num_notes: int, rate: int, num_samples: int) -> NoteSet:
    """Notes of an .npz file: "audio" float [notes, samples], "pitch" int [notes], "sample_rate" (else `rate`).

    Raises:
        ValueError: If the file is none, or holds other arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in ("audio", "pitch", "sample_rate") if key in file.files}
    except (OSError, ValueError) as error:
        raise ValueError(f"Expected an .npz file of arrays. Received: {path}, unreadable: {error}") from error
    if "audio" not in arrays or "pitch" not in arrays:
        raise ValueError(f"Expected arrays audio and pitch. Received: {path} with {', '.join(arrays) or 'neither'}")
    from_rate = int(arrays.get("sample_rate", rate))
    waves, pitches = arrays["audio"][:num_notes], arrays["pitch"][:num_notes]
    return notes_of_arrays(waves, pitches, name, from_rate, rate, num_samples)


def notes_of_folder(path: pathlib.Path, name: str, num_notes: int, rate: int, num_samples: int) -> NoteSet:
    """Notes of a folder of audio files, its sub-folders included, in the order of their names.

    A note's pitch stands in a JSON file beside it ("pitch"), as gansynth_generate writes it; else where data/labels.py
    looks: NSynth's examples.json, a CSV, the file's name (guitar_60.wav, flute C#4.wav).

    Raises:
        ValueError: If there are no audio files, or a pitch cannot be found.
    """
    found, _ = audio_folder.find_files(str(path))
    listed = found[:num_notes]
    pitches = np.array([_pitch_of(path / file.path, file.label.pitch) for file in listed])

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(listed), BATCH):
            waves = [audio.load_audio(path / file.path, rate) for file in listed[start : start + BATCH]]
            yield np.stack([audio.crop_or_pad(wave, num_samples) for wave in waves]), pitches[start : start + BATCH]

    return NoteSet(name, len(listed), batches)


def _pitch_of(file: pathlib.Path, labelled: int) -> int:
    """The pitch in the JSON file beside an audio file, else the labelled one."""
    beside = file.with_suffix(".json")
    values = json.loads(beside.read_text()) if beside.is_file() else {}
    pitch = values.get("pitch", labelled) if isinstance(values, dict) else labelled
    if pitch not in range(128):
        wanted = "its MIDI pitch in its name (guitar_60.wav), in a JSON file beside it or in a CSV"
        raise ValueError(f"Expected {wanted}. Received: {file}")
    return int(pitch)


def through(notes: NoteSet, name: str, change: Callable[[np.ndarray], np.ndarray], facts: dict) -> NoteSet:
    """The same notes after a change of their waves, such as encoding and decoding; the length stays."""

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for waves, pitches in notes.batches():
            yield np.asarray(change(waves)), pitches

    return NoteSet(name, notes.num_notes, batches, notes.facts | facts)
