"""Inception score: exp of the mean KL divergence of notes' class probabilities from their mean (Salimans et al. 2016).

Engel et al. 2019 take the classes from a pitch classifier: 1 when every note looks alike or is undecided, the number of
pitches when each note is surely one pitch and all are equally frequent. It is high for any model that follows the pitch
it is given, however poor its sound.
"""

import numpy as np


def inception_score(probabilities: np.ndarray) -> float:
    """The score of one set, without splits.

    Args:
        probabilities: [notes, classes]; rows sum to 1.
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or not len(p):
        raise ValueError(f"Expected probabilities [notes, classes], at least one note. Received shape: {p.shape}")
    mean = p.mean(axis=0)
    # 0 log 0 is 0; where the mean is 0, so is every note.
    terms = p * (np.log(np.where(p > 0, p, 1)) - np.log(np.where(mean > 0, mean, 1)))
    return float(np.exp(terms.sum(axis=1).mean()))
