"""Named directions in latent space: sliders, each of which changes a sound in one way.

Two ways find them without labels: principal components of the first block's activations, and the latents that go with
them (Härkönen et al. 2020, GANSpace, section 3.2); and the latents that move the first layer's output most, from its
weights alone (Shen and Zhou 2021, SeFa, section 3).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gansynth_tf.model import GANSynth

_BATCH = 512  # Latents whose activations are computed at once.
_FITTED = 4096  # Activations the components are found from; all of them say which latents go with those.
_PITCHES = 8  # As many of the model's are enough to find what they share.


class Direction(NamedTuple):
    """A way to go: `latent` float32 [latent], of unit length; `share` of the variance of what it was found in."""

    latent: np.ndarray
    share: float


def component_directions(
    activate: Callable[[np.ndarray, np.ndarray], np.ndarray], z: np.ndarray, groups: np.ndarray, num: int, seed: int = 0
) -> list[Direction]:
    """Finds the latents that go with the principal components of early activations (GANSpace).

    Every latent has coordinates x in the components; the directions are the columns of the matrix U that minimises the
    sum of |U x - z|^2. Activations are centred within each group, so that no component tells groups (pitches) apart.

    Args:
        activate: Latents [batch, latent] and their groups [batch] -> activations [batch, ...].
        z: Standard normal latents, [latents, latent]. The error of a direction is about sqrt(latent / latents).
        groups: int [latents]; all of them among the first latents.
        num: How many directions.
        seed: Of the randomised decomposition.

    Returns:
        `num` directions, the strongest component first, each with its largest number positive.

    Raises:
        ValueError: If latents, or activations, have fewer numbers than there shall be directions.
    """
    from sklearn.decomposition import PCA

    def flat(place: slice) -> np.ndarray:
        values = np.asarray(activate(z[place], groups[place]))
        return values.reshape(len(values), -1)

    parts = [slice(start, start + _BATCH) for start in range(0, len(z), _BATCH)]
    first = np.concatenate([flat(part) for part in parts[: _FITTED // _BATCH]])
    _check_number(num, min(z.shape[1], *first.shape))
    known = groups[: len(first)]
    means = {group: first[known == group].mean(axis=0) for group in np.unique(known)}
    for group, mean in means.items():
        first[known == group] -= mean
    components = PCA(num, svd_solver="randomized", random_state=seed).fit(first)
    coordinates = [components.transform(flat(part) - np.stack([means[g] for g in groups[part]])) for part in parts]
    latents, *_ = np.linalg.lstsq(np.concatenate(coordinates).astype(np.float64), z.astype(np.float64), rcond=None)
    return [_direction(*pair) for pair in zip(latents, components.explained_variance_ratio_, strict=True)]


def factorised_directions(weights: np.ndarray, num: int) -> list[Direction]:
    """Finds the latents that move a linear layer's output most: eigenvectors of A A^T (SeFa).

    GANSynth's first layer is given pixel_norm(z and the one-hot pitch). Only the rows of its kernel that belong to z
    count here, and the norm changes nothing: it scales all of z alike and takes away a step's part along z, which for
    standard normal z is on average the same share of every direction.

    Args:
        weights: A, the layer's weights for z, [latent, outputs].
        num: How many directions.

    Returns:
        `num` directions, orthogonal, the strongest first, each with its largest number positive.

    Raises:
        ValueError: If latents have fewer numbers than there shall be directions.
    """
    weights = np.asarray(weights, np.float64)
    _check_number(num, len(weights))
    values, vectors = np.linalg.eigh(weights @ weights.T)
    order = np.argsort(values)[::-1][:num]
    return [_direction(vectors[:, index], values[index] / values.sum()) for index in order]


def _check_number(num: int, most: int) -> None:
    if not 1 <= num <= most:
        raise ValueError(f"Expected 1 to {most} directions of this model. Received: {num}")


def _direction(latent: np.ndarray, share: float) -> Direction:
    latent = latent * np.sign(latent[np.argmax(np.abs(latent))])
    return Direction((latent / np.linalg.norm(latent)).astype(np.float32), float(share))


# ---------------------------------------------------------------------------------------------------- of a model


def model_directions(model: GANSynth, num: int, num_latents: int = 10000, seed: int = 0) -> dict[str, Direction]:
    """Finds a model's directions both ways.

    Args:
        model: Its smoothed generator is looked into.
        num: How many of each kind; 1 to the latent's length.
        num_latents: How many the components are found from.
        seed: Of the latents.

    Returns:
        "pca_1", … from the activations of the first block, then "sefa_1", … from the weights of its first layer.

    Raises:
        ValueError: If `num` does not fit the model.
    """
    import tensorflow as tf

    generator = model.smoothed_generator
    places = np.linspace(0, len(model.pitches) - 1, min(_PITCHES, len(model.pitches))).round().astype(int)
    labels = np.resize(places, num_latents).astype(np.int32)
    start = generator.blocks[0]

    @tf.function(autograph=False, reduce_retracing=True)
    def activate(z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return start(generator.embed(z, labels))

    z = model.sample_z(num_latents, seed)
    components = component_directions(activate, z, labels, num, seed)
    kernel = np.asarray(start.first.scaled_kernel)  # [time, freq, latent and pitches, filters]
    rows = np.moveaxis(kernel[:, :, : model.latent_size], 2, 0).reshape(model.latent_size, -1)
    found = {"pca": components, "sefa": factorised_directions(rows, num)}
    return {f"{kind}_{place}": each for kind, all_ in found.items() for place, each in enumerate(all_, start=1)}


def weights_fingerprint(model: GANSynth) -> str:
    """Sixteen hexadecimal digits that change whenever the first layer is trained further."""
    import hashlib

    return hashlib.sha256(np.asarray(model.smoothed_generator.blocks[0].first.kernel).tobytes()).hexdigest()[:16]
