"""Precision and recall of a model: Kynkäänniemi et al. 2019, equations 1 to 3.

A set's manifold is the union of balls around its notes, each reaching to the note's k-th nearest neighbour in the same
set. Precision: the share of generated notes inside the real manifold (are they realistic?). Recall: the share of real
notes inside the generated one (does the model make everything?).
"""

from typing import NamedTuple

import numpy as np

NEIGHBOURS = 3
_CHUNK = 1024  # Notes compared at once with a whole set.


class PrecisionRecall(NamedTuple):
    """Both shares, and which notes they count: bool [generated] and bool [real]."""

    precision: float
    recall: float
    realistic: np.ndarray
    covered: np.ndarray


def precision_recall(real: np.ndarray, generated: np.ndarray, neighbours: int = NEIGHBOURS) -> PrecisionRecall:
    """Compares two sets of features.

    Args:
        real, generated: [notes, size], more than `neighbours` on each side.
        neighbours: Which nearest neighbour a ball reaches to. The paper: 3.

    Returns:
        Precision and recall, from 0 to 1, and the notes counted.

    Raises:
        ValueError: If there are too few notes.
    """
    real, generated = np.asarray(real, np.float64), np.asarray(generated, np.float64)
    if min(len(real), len(generated)) <= neighbours:
        received = f"{len(real)} and {len(generated)}"
        raise ValueError(f"Expected more than {neighbours} notes on each side. Received: {received}")
    realistic = _inside(generated, real, neighbours)
    covered = _inside(real, generated, neighbours)
    return PrecisionRecall(float(realistic.mean()), float(covered.mean()), realistic, covered)


def _inside(notes: np.ndarray, manifold: np.ndarray, neighbours: int) -> np.ndarray:
    """Whether each note lies in a ball of the manifold, bool [notes]."""
    from sklearn.metrics import pairwise
    from sklearn.neighbors import NearestNeighbors

    # Without an argument `kneighbors` does not take a note for its own neighbour.
    distances, _ = NearestNeighbors(n_neighbors=neighbours).fit(manifold).kneighbors()
    reach = distances[:, -1]
    chunks = [notes[start : start + _CHUNK] for start in range(0, len(notes), _CHUNK)]
    return np.concatenate([np.any(pairwise.euclidean_distances(c, manifold) <= reach, axis=1) for c in chunks])
