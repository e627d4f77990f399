"""Latent vectors: drawing them by seed, and walking between them.

Latents are standard normal, so paths between them follow great circles (slerp; Shoemake 1985) to keep the norm typical.
"""

import warnings

import numpy as np

_PARALLEL_SINE = 1e-9  # Below this sine of the angle, rounding decides the direction of the path.


def sample_latents(num, latent_size: int, seed):
    """Draws standard normal latents as a pure function of the seed.

    Args:
        num: How many, an int or an integer scalar tensor.
        latent_size: Length of one latent.
        seed: An int from 0 to 2**64 - 1, or an int32 tensor of shape [2] (for use inside `tf.function`).

    Returns:
        A float32 tensor [num, latent]; the same seed gives the same bytes.

    Raises:
        ValueError: If an int seed is out of range.
    """
    import tensorflow as tf

    if isinstance(seed, int | np.integer):
        seed = _seed_words(int(seed))
    distribution = _tfp_distributions().Normal(tf.zeros([latent_size]), tf.ones([latent_size]))
    # A seed of two words selects the stateless sampler; a plain int would depend on what was drawn before.
    return distribution.sample(num, seed=tf.convert_to_tensor(seed, tf.int32))


def sample_instruments(num: int, latent_size: int, seed: int | None = None) -> np.ndarray:
    """Draws latents for a user.

    Args:
        num: How many.
        latent_size: Length of one latent.
        seed: The same seed gives the same latents; None draws new ones.

    Returns:
        float32 [num, latent].

    Raises:
        ValueError: If the seed is out of range.
    """
    import tensorflow as tf

    seed = int(np.random.default_rng().integers(2**63)) if seed is None else seed
    # `sample_latents` draws the same bits; but a player should not wait for TensorFlow Probability to be imported.
    return tf.random.stateless_normal([num, latent_size], _seed_words(seed)).numpy()


def sample_uniform(num: int, latent_size: int, seed: int | None = None) -> np.ndarray:
    """Draws latents evenly from [-1, 1), as WaveGAN's are, float32 [num, latent]; the same seed gives the same ones."""
    return np.random.default_rng(seed).uniform(-1, 1, [num, latent_size]).astype(np.float32)


def choose_latents(known: np.ndarray, num: int, seed: int | None = None) -> np.ndarray:
    """Draws rows of `known` [latents, latent], each once before one comes again; the same seed gives the same ones."""
    rng = np.random.default_rng(seed)
    rounds = [rng.permutation(len(known)) for _ in range(-(-num // len(known)))]
    return known[np.concatenate([np.zeros(0, int), *rounds])[:num]]


def _tfp_distributions():
    with warnings.catch_warnings():
        # On first use it compares versions by a deprecated class; of no concern to whoever draws a latent.
        warnings.filterwarnings("ignore", "distutils Version classes are deprecated", DeprecationWarning)
        import tensorflow_probability as tfp

        return tfp.distributions


def _seed_words(seed: int) -> np.ndarray:
    if not 0 <= seed < 2**64:
        raise ValueError(f"Expected a seed from 0 to 2**64 - 1. Received: {seed}")
    return np.array([seed >> 32, seed & 0xFFFFFFFF], np.uint32).view(np.int32)


def slerp(a, b, t) -> np.ndarray:
    """Interpolates directions along the great circle and norms linearly.

    With angle w between a and b: cos(t w) u + sin(t w) v, where u is a's direction and v the direction of b's part
    orthogonal to a. For vectors of equal norm this is the usual sin((1-t)w)/sin(w) a + sin(tw)/sin(w) b, but it stays
    finite everywhere: parallel vectors only change in norm, antiparallel ones pass through a fixed orthogonal
    direction, and a zero vector takes the other's direction.

    Args:
        a: Latents at t = 0, [..., latent].
        b: Latents at t = 1, [..., latent].
        t: Position, a scalar or [...].

    Returns:
        float32 [..., latent].
    """
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    return _slerp(np, a, b, np.asarray(t, np.float64)).astype(np.float32)


def slerp_tensors(a, b, t):
    """`slerp` as a graph.

    Args:
        a, b: float32 tensors [batch, latent].
        t: float32 tensor [batch].

    Returns:
        A float32 tensor [batch, latent].
    """
    import tensorflow as tf

    a, b, t = (tf.cast(values, tf.float64) for values in (a, b, t))
    return tf.cast(_slerp(tf.experimental.numpy, a, b, t), tf.float32)


def _slerp(xp, a, b, t):
    """The formula, for float64 [..., latent] twice and [...], in the functions of numpy or its like in TensorFlow."""
    t = t[..., np.newaxis]
    norm_a, norm_b = _norm(xp, a), _norm(xp, b)
    unit_a = _divide(xp, xp.where(norm_a > 0, a, b), xp.where(norm_a > 0, norm_a, norm_b))
    unit_b = xp.where(norm_b > 0, _divide(xp, b, norm_b), unit_a)
    # Half-angle form: the arc cosine of the dot product loses half the digits near 0 and pi.
    angle = 2 * xp.arctan2(_norm(xp, unit_a - unit_b), _norm(xp, unit_a + unit_b))
    direction = xp.cos(t * angle) * unit_a + xp.sin(t * angle) * _orthogonal_direction(xp, unit_a, unit_b)
    return ((1 - t) * norm_a + t * norm_b) * direction


def _orthogonal_direction(xp, unit_a, unit_b):
    """Direction of b's part orthogonal to a; any fixed one where the two are (anti)parallel."""
    part = unit_b - xp.sum(unit_a * unit_b, axis=-1, keepdims=True) * unit_a
    smallest = xp.argmin(xp.abs(unit_a), axis=-1)[..., np.newaxis] == xp.arange(unit_a.shape[-1])
    axis = xp.where(smallest, 1.0, xp.zeros_like(unit_a))
    spare = axis - xp.sum(unit_a * axis, axis=-1, keepdims=True) * unit_a
    part = xp.where(_norm(xp, part) > _PARALLEL_SINE, part, spare)
    return _divide(xp, part, _norm(xp, part))


def _norm(xp, x):
    return xp.sqrt(xp.sum(x * x, axis=-1, keepdims=True))


def _divide(xp, x, norm):
    return x / xp.where(norm > 0, norm, xp.ones_like(norm))


def latents_at(latents, positions) -> np.ndarray:
    """Reads a path of latents at fractional positions.

    Args:
        latents: The path's corners, [steps, latent].
        positions: Where to read, [batch], in corners: 0 is the first, 1.5 half-way from the second to the third.
            Positions before the first or after the last corner give that corner.

    Returns:
        float32 [batch, latent].

    Raises:
        ValueError: If there is no corner, or a position is not finite.
    """
    latents = np.asarray(latents, np.float32)
    positions = np.asarray(positions, np.float64)
    if latents.ndim != 2 or not len(latents):
        raise ValueError(f"Expected latents [steps, latent] with at least 1 step. Received shape: {latents.shape}")
    if not np.all(np.isfinite(positions)):
        raise ValueError("Expected finite positions on a path. Received NaN or infinity")
    positions = np.clip(positions, 0, len(latents) - 1)
    left = np.minimum(positions.astype(int), max(len(latents) - 2, 0))
    right = np.minimum(left + 1, len(latents) - 1)
    return slerp(latents[left], latents[right], positions - left)


def interpolation_path(latents, num_steps: int) -> np.ndarray:
    """Walks through all given latents in equal steps of position.

    Args:
        latents: The path's corners, [corners, latent].
        num_steps: How many latents to return, at least 1; the first is the first corner, the last the last corner.

    Returns:
        float32 [steps, latent].

    Raises:
        ValueError: If there is no corner or no step.
    """
    if num_steps < 1:
        raise ValueError(f"Expected num_steps of at least 1. Received: {num_steps}")
    return latents_at(latents, np.linspace(0, max(len(latents) - 1, 0), num_steps))


def truncate(z, psi: float):
    """Pulls latents towards their mean, zero: less variety, more typical notes.

    Args:
        z: Latents, [..., latent].
        psi: 1 leaves them as they are, 0 gives the mean latent. Finite.

    Returns:
        Latents of the same shape and kind.

    Raises:
        ValueError: If psi is not finite.
    """
    if not np.isfinite(psi):
        raise ValueError(f"Expected a finite psi (1 = no truncation). Received: {psi}")
    return z * psi


def mix(latents, weights) -> np.ndarray:
    """Blends latents: the direction of the weighted sum of their directions, at the weighted mean of their norms.

    A plain weighted sum would be shorter than any of them, and sound as truncated latents do. Equal shares of two give
    the middle of their slerp.

    Args:
        latents: [instruments, latent].
        weights: [instruments], 0 or more, not all 0; only their proportions count.

    Returns:
        float32 [latent].

    Raises:
        ValueError: If the shapes or weights do not fit, or the latents cancel each other out.
    """
    latents, weights = np.asarray(latents, np.float64), np.asarray(weights, np.float64)
    if latents.ndim != 2 or weights.shape != latents.shape[:1]:
        raise ValueError(f"Expected a weight for each latent. Received shapes: {weights.shape} and {latents.shape}")
    if not np.all((weights >= 0) & np.isfinite(weights)) or not weights.sum() > 0:
        raise ValueError(f"Expected weights of 0 or more, not all 0. Received: {weights.tolist()}")
    shares = weights / weights.sum()
    norms = np.linalg.norm(latents, axis=1)
    direction = shares @ _divide(np, latents, norms[:, np.newaxis])
    length = np.linalg.norm(direction)
    if length < _PARALLEL_SINE and norms.any():
        raise ValueError("Expected latents of different directions. Received opposites, which cancel each other out")
    return (shares @ norms * _divide(np, direction, length)).astype(np.float32)
