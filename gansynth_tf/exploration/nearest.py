"""Which training instrument does a latent sound like? Nearest neighbours in any features of notes."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gansynth_tf.exploration.specgrams import Encode, find_log_scale, relative_levels

Embedding = Callable[[np.ndarray], np.ndarray]  # Waves [batch, samples] -> features [batch, ...].
_BATCH = 64  # Notes embedded at once.


class Neighbour(NamedTuple):
    """A training instrument: its place in the data's list, its distance, and how many pitches were compared.

    The distance is relative: 1 is as far away as the training notes of the same pitches are on average, 0 a copy.
    """

    instrument: int
    distance: float
    num_pitches: int


def specgram_embedding(encode: Encode, num_samples: int) -> Embedding:
    """Makes features of specgrams: levels under the note's loudest point, in nepers; a note's loudness does not count.

    Args:
        encode: Of the model.
        num_samples: Length of its notes.

    Returns:
        Waves [batch, samples] -> features [batch, time, freq].

    Raises:
        ValueError: If the model's specgrams hold no logarithms of magnitude.
    """
    log_scale = find_log_scale(encode, num_samples)
    if log_scale is None:
        raise ValueError("Expected a model of spectrograms. Received one whose notes are encoded otherwise")
    return lambda waves: relative_levels(encode(tf.constant(waves)), log_scale).numpy()


def nearest_instruments(
    waves: np.ndarray, pitches: np.ndarray, notes: Mapping[str, np.ndarray], embed: Embedding
) -> list[Neighbour]:
    """Orders training instruments by how much one instrument's notes resemble theirs, pitch by pitch.

    At each pitch every training note's distance is divided by their mean; an instrument's distance is the mean over the
    pitches that it has, of its nearest note (another velocity may fit better).

    Args:
        waves: The instrument's notes, one for each pitch, [pitches, samples].
        pitches: Their MIDI pitches, all different.
        notes: Training notes: "audio" [notes, samples], "pitch" [notes], "instrument" [notes], -1 where unknown: those
            do not count.
        embed: Any features; their Euclidean distance is what counts.

    Returns:
        The nearest first.

    Raises:
        ValueError: If a pitch is there twice, or no pitch has notes of two instruments.
    """
    pitches = np.asarray(pitches)
    if len(waves) != len(pitches) or len(set(pitches.tolist())) < len(pitches):
        raise ValueError(
            f"Expected notes of different pitches. Received: {len(waves)} notes, pitches {pitches.tolist()}"
        )
    distances: dict[int, list[float]] = {}
    for wave, pitch in zip(waves, pitches, strict=True):
        places = np.flatnonzero((notes["pitch"] == pitch) & (notes["instrument"] >= 0))
        instruments = notes["instrument"][places]
        if len(set(instruments.tolist())) < 2:
            continue
        found = _distances(wave, notes["audio"], places, embed)
        for instrument in set(instruments.tolist()):
            distances.setdefault(instrument, []).append(float(found[instruments == instrument].min()))
    if not distances:
        raise ValueError("Expected a pitch at which two training instruments have notes. Received: none; choose others")
    neighbours = [Neighbour(name, float(np.mean(each)), len(each)) for name, each in distances.items()]
    return sorted(neighbours, key=lambda neighbour: neighbour.distance)


def _distances(wave: np.ndarray, audio: np.ndarray, places: np.ndarray, embed: Embedding) -> np.ndarray:
    """Of one note to others of its pitch, relative to their mean."""
    starts = range(0, len(places), _BATCH)
    others = np.concatenate([embed(audio[places[start : start + _BATCH]]) for start in starts])
    gaps = (others - embed(wave[np.newaxis])).reshape(len(others), -1)
    found = np.linalg.norm(gaps, axis=1)
    return found / max(float(found.mean()), np.finfo(np.float32).tiny)
