"""Does a classifier hear the pitch that was asked for, and is it sure? (Engel et al. 2019, section 4.2.)

Pitch accuracy: the share of notes whose most probable pitch is the asked one; the authors' early code also counted its
two neighbours. Pitch entropy: the mean entropy of the probabilities, in nats.
"""

import numpy as np


def pitch_errors(probabilities: np.ndarray, pitches: np.ndarray) -> np.ndarray:
    """Semitones from the asked pitch to the most probable one.

    Args:
        probabilities: [notes, pitches], of MIDI pitches from 0.
        pitches: Asked MIDI pitches, [notes].

    Returns:
        int [notes]; positive is sharp. Accuracy is the share of zeros, within a semitone that of |error| <= 1.
    """
    probabilities, pitches = np.asarray(probabilities), np.asarray(pitches)
    if probabilities.ndim != 2 or pitches.shape != probabilities.shape[:1]:
        shapes = f"{probabilities.shape} and {pitches.shape}"
        raise ValueError(f"Expected probabilities [notes, pitches] and pitches [notes]. Received shapes: {shapes}")
    return probabilities.argmax(axis=1) - pitches.astype(int)


def pitch_entropies(probabilities: np.ndarray) -> np.ndarray:
    """Entropy of each note's probabilities in nats, [notes]: 0 when sure, log(pitches) when clueless."""
    p = np.asarray(probabilities, np.float64)
    return np.maximum(-np.sum(p * np.log(np.where(p > 0, p, 1)), axis=1), 0.0)


def confusion_counts(probabilities: np.ndarray, pitches: np.ndarray) -> np.ndarray:
    """How often each pitch was heard as each other.

    Args:
        probabilities, pitches: See `pitch_errors`.

    Returns:
        int [pitches, pitches]: asked (rows) by heard (columns).
    """
    heard = pitch_errors(probabilities, pitches) + pitches
    counts = np.zeros([probabilities.shape[1]] * 2, int)
    np.add.at(counts, (np.asarray(pitches, int), heard), 1)
    return counts
