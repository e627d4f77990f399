"""How loud a sound is, and what to multiply it with: absolute peak, and loudness by ITU-R BS.1770-4."""

import numpy as np

LOUDEST = 0.99  # Full scale, with room for the rounding of a 16-bit file.
_BLOCK_SECONDS, _BLOCK_HOPS = 0.4, 4  # Gating blocks overlap by three quarters.
_OFFSET, _ABSOLUTE_GATE, _RELATIVE_GATE = -0.691, -70.0, -10.0  # LUFS, LUFS, LU.


def limiting_gain(peak: float) -> float:
    """What a sound of that absolute peak is multiplied with to stay within 0.99: 1 where it already does."""
    return LOUDEST / peak if peak > LOUDEST else 1.0


class LevelMeter:
    """Measures a sound that comes in blocks.

    Loudness is BS.1770-4's integrated loudness of one channel: K-weighting, mean squares of 400 ms blocks, an absolute
    gate at -70 LUFS and a relative one 10 LU below the mean of what passes it. A sound shorter than one block counts as
    one block with silence behind it. Only one number in 100 ms is kept.

    Args:
        sample_rate: Samples per second.
        weigh: Whether loudness is wanted, too.
    """

    def __init__(self, sample_rate: int, weigh: bool = True):
        self.peak = 0.0
        self._sections = k_weighting(sample_rate) if weigh else None
        self._state = np.zeros((2, 2))
        self._hop = round(_BLOCK_SECONDS / _BLOCK_HOPS * sample_rate)
        self._energies: list[np.ndarray] = []  # Sums of squares of whole hops.
        self._rest = np.zeros(0)

    def add(self, block: np.ndarray) -> None:
        """Takes the next samples, [samples]."""
        self.peak = max(self.peak, float(np.abs(block).max(initial=0)))
        if self._sections is None or not len(block):
            return
        from scipy import signal

        weighted, self._state = signal.sosfilt(self._sections, np.asarray(block, np.float64), zi=self._state)
        squares = np.concatenate([self._rest, np.square(weighted)])
        whole = len(squares) // self._hop * self._hop
        self._energies.append(squares[:whole].reshape(-1, self._hop).sum(axis=1))
        self._rest = squares[whole:]

    @property
    def loudness(self) -> float:
        """Integrated loudness in LUFS of all that was added; -inf for silence."""
        hops = np.concatenate([np.zeros(0), *self._energies])
        if len(hops) < _BLOCK_HOPS:
            hops = np.append(hops, [self._rest.sum(), *np.zeros(_BLOCK_HOPS - 1 - len(hops))])
        powers = np.convolve(hops, np.ones(_BLOCK_HOPS), "valid") / (_BLOCK_HOPS * self._hop)
        powers = powers[_to_lufs(powers) > _ABSOLUTE_GATE]
        if len(powers):
            powers = powers[_to_lufs(powers) > _to_lufs(powers.mean()) + _RELATIVE_GATE]
        return float(_to_lufs(powers.mean())) if len(powers) else -np.inf

    def gain(self, normalize: str, target: float) -> float:
        """What to multiply the sound with; its peak never exceeds 0.99 thereafter.

        Args:
            normalize: "none" leaves a sound as it is, "peak" brings its absolute peak to 0.99, "loudness" its loudness
                to the target; silence stays as it is.
            target: LUFS.

        Returns:
            A positive factor. For "loudness" it is smaller than wanted where the peak would exceed 0.99.
        """
        gain = 1.0
        if normalize == "peak" and self.peak > 0:
            gain = LOUDEST / self.peak
        elif normalize == "loudness" and np.isfinite(self.loudness):
            gain = 10 ** ((target - self.loudness) / 20)
        gain = float(gain * limiting_gain(self.peak * gain))
        return gain if np.isfinite(gain) else 1.0


def _to_lufs(power: np.ndarray) -> np.ndarray:
    return _OFFSET + 10 * np.log10(np.maximum(power, 1e-30))


def k_weighting(sample_rate: int) -> np.ndarray:
    """The two filters of BS.1770-4 as second-order sections, float64 [2, 6].

    The standard gives coefficients for 48 kHz only. These are its analogue prototypes, a shelf of 4 dB above 1.7 kHz
    and a high-pass at 38 Hz, by the bilinear transform for any rate (the constants are libebur128's and reproduce the
    tables at 48 kHz). A rate too low for the shelf has it just below half the rate.
    """
    k, q = np.tan(np.pi * min(1681.974450955533 / sample_rate, 0.45)), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    first = 1 + k / q + k * k
    shelf = [high + middle * k / q + k * k, 2 * (k * k - high), high - middle * k / q + k * k]
    shelf_poles = [first, 2 * (k * k - 1), 1 - k / q + k * k]
    k, q = np.tan(np.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    second = 1 + k / q + k * k
    high_pass_poles = [second, 2 * (k * k - 1), 1 - k / q + k * k]
    return np.array([
        np.array([*shelf, *shelf_poles]) / first,
        [1, -2, 1, *(np.array(high_pass_poles) / second)],
    ])  # fmt: skip
