"""Are generated notes copies of training notes? The data-copying test of Meehan, Chaudhuri and Dasgupta 2020.

Distances from generated notes to their nearest training note are compared with those from held-out real notes. A model
that generates is as far from its training notes as unseen real notes are; one that copies is nearer.
"""

from typing import NamedTuple

import numpy as np

_NEAR = 0.05  # Held-out notes this near to a training note are the nearest twentieth.


class Copying(NamedTuple):
    """What the distances say.

    `z`: Mann-Whitney statistic in standard deviations: below about -3 generated notes are nearer to training notes than
    unseen real notes are (copying), above 3 farther (too little like them).
    `near`: share of generated notes nearer than the nearest twentieth of the held-out notes; 0.05 by chance.
    `ratio`: median distance of generated notes over that of held-out ones.
    """

    z: float
    near: float
    ratio: float


def nearest_distances(notes: np.ndarray, training: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds each note's nearest training note, in bounded memory.

    Args:
        notes: [notes, size].
        training: [training notes, size], at least one.

    Returns:
        Euclidean distances divided by sqrt(size), [notes], and the training notes' places, int [notes].
    """
    from sklearn.metrics import pairwise

    notes, training = np.asarray(notes), np.asarray(training)
    places, _ = pairwise.pairwise_distances_argmin_min(notes, training)
    # Anew from the differences: the product form above is too coarse for exact copies.
    distances = np.sqrt(np.mean(np.square(notes.astype(np.float64) - training[places]), axis=1))
    return distances, places


def copying(generated: np.ndarray, held_out: np.ndarray) -> Copying:
    """Compares distances to the nearest training note.

    Args:
        generated: Of generated notes, [notes].
        held_out: Of real notes that were not trained on, [held-out notes].

    Returns:
        The test's statistic, the share of near notes and the ratio of medians.

    Raises:
        ValueError: If a side is empty, or held-out notes are copies themselves.
    """
    from scipy import stats

    generated, held_out = np.asarray(generated, np.float64), np.asarray(held_out, np.float64)
    if not generated.size or not held_out.size:
        raise ValueError(f"Expected distances on both sides. Received: {generated.size} and {held_out.size}")
    if np.median(held_out) <= 0:
        raise ValueError("Expected held-out notes that are not in the training set. Received copies; split anew")
    num, num_held_out = generated.size, held_out.size
    larger = stats.mannwhitneyu(generated, held_out, method="asymptotic").statistic
    spread = np.sqrt(num * num_held_out * (num + num_held_out + 1) / 12)
    z = (larger - num * num_held_out / 2) / spread
    near = np.mean(generated < np.quantile(held_out, _NEAR))
    return Copying(float(z), float(near), float(np.median(generated) / np.median(held_out)))
