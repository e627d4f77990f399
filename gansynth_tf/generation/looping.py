"""Notes longer than the model's: a stretch of the wave repeats, joined where it is most alike."""

import dataclasses

import numpy as np

_FADE_SECONDS = 0.05
_LOWEST_HZ = 32.0  # C1: one of its periods is searched for the best join.
_LOOP_START = 0.4  # Of the held part: behind the onset.
_MOST_BOOST = 4.0
_SILENCE = 1e-9


@dataclasses.dataclass(frozen=True, eq=False)
class LoopedWave:
    """A wave whose held part has no end.

    Args:
        attack: [samples], played once.
        loop: [samples], repeated behind it, cross-faded into its own beginning.
    """

    attack: np.ndarray
    loop: np.ndarray

    def __call__(self, start: int, stop: int) -> np.ndarray:
        """Samples start to stop of the endless sound."""
        time = np.arange(start, stop)
        repeated = self.loop[(time - len(self.attack)) % len(self.loop)]
        if start >= len(self.attack):
            return repeated
        return np.where(time < len(self.attack), self.attack[np.minimum(time, len(self.attack) - 1)], repeated)


def loop_wave(wave: np.ndarray, held: int, sample_rate: int) -> LoopedWave:
    """Finds a loop in the held part of a note.

    The loop begins behind the onset and ends near the end of the held part, where the samples before its end are most
    like those before its beginning (largest normalised correlation within one period of C1), so that partials go on in
    phase; the two are cross-faded linearly over 50 ms. A note that decays is brought to the level of the loop's
    beginning, at most 4 times, so that it neither pulses nor dies away.

    Args:
        wave: The note, [samples].
        held: Samples until the model's own note is released; at least 1.
        sample_rate: Samples per second.

    Returns:
        A sound of any length.
    """
    wave = np.asarray(wave[:held], np.float64)
    start, fade = int(_LOOP_START * len(wave)), min(round(_FADE_SECONDS * sample_rate), len(wave) // 8)
    fade = min(fade, start)
    search = min(round(sample_rate / _LOWEST_HZ), len(wave) // 8)
    end = len(wave) - _most_alike(wave[start - fade : start], wave[len(wave) - fade - search :])
    loop = wave[start:end] * _level_ramp(wave, start, end)
    if fade:
        weight = np.linspace(0, 1, fade)
        loop[-fade:] = loop[-fade:] * (1 - weight) + wave[start - fade : start] * weight
    return LoopedWave(wave[:start], loop)


def _most_alike(pattern: np.ndarray, region: np.ndarray) -> int:
    """How many samples before the region's end the stretch ends that correlates best with the pattern."""
    if not pattern.any() or len(region) <= len(pattern):
        return 0
    windows = np.lib.stride_tricks.sliding_window_view(region, len(pattern))
    energy = np.sqrt(np.sum(np.square(windows), axis=1))
    likeness = windows @ pattern / np.maximum(energy, _SILENCE)
    return len(windows) - 1 - int(np.argmax(likeness))


def _level_ramp(wave: np.ndarray, start: int, end: int) -> np.ndarray:
    """Factors [end - start] that bring the loop's end to the level of its beginning."""
    part = max((end - start) // 4, 1)
    first, last = (np.sqrt(np.mean(np.square(piece))) for piece in (wave[start : start + part], wave[end - part : end]))
    # The middles of these pieces are less than the whole stretch apart.
    ratio = (max(first, _SILENCE) / max(last, _SILENCE)) ** ((end - start) / max(end - start - part, 1))
    return np.clip(ratio, 1 / _MOST_BOOST, _MOST_BOOST) ** np.linspace(0, 1, end - start)
