"""A model's notes placed in time by MIDI: a clip, block by block, of any length in the memory of a minute.

As in Magenta, instruments follow each other in equal steps of time, and every note is played by the latent between two
of them; or every part has an instrument of its own.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from gansynth_tf.generation.levels import limiting_gain
from gansynth_tf.generation.looping import LoopedWave, loop_wave
from gansynth_tf.generation.midi import MidiNotes, fold_pitches
from gansynth_tf.generation.notes import NoteCache, NoteModel
from gansynth_tf.latents import latents_at

RELEASE_SECONDS = 0.3
_ATTACK_SECONDS = 0.01
_HELD_SHARE = 0.75  # Of the model's length: notes of NSynth are held for 3 of their 4 seconds.
_SHORTEST_STEP = 0.1
_BLOCK_SECONDS = 16.0
_MOST_SECONDS = 4 * 3600.0


@dataclasses.dataclass(frozen=True, eq=False)
class Clip:
    """A rendered piece of music.

    Args:
        wave: float32 [samples], from 0 to the end of the last note and its release; never above full scale.
        instruments: The latents it passes through, [instruments, latent].
        num_folded: Notes moved into the model's pitches.
        num_long: Notes longer than the model's own, which fall silent early or are looped.
        gain: What the sum of the notes was multiplied with to stay within full scale; 1 where it already did.
    """

    wave: np.ndarray
    instruments: np.ndarray
    num_folded: int
    num_long: int
    gain: float


def morph_positions(notes: MidiNotes, secs_per_instrument: float = 6.0) -> np.ndarray:
    """Places of notes on a path of instruments of which number k is heard at k * secs_per_instrument.

    Args:
        notes: The music.
        secs_per_instrument: Seconds from one instrument to the next, at least 0.1; `inf` keeps the first.

    Returns:
        float64 [notes]; between two instruments, a fraction.

    Raises:
        ValueError: If the seconds are too few.
    """
    if not secs_per_instrument >= _SHORTEST_STEP:
        raise ValueError(f"Expected secs_per_instrument of at least {_SHORTEST_STEP}. Received: {secs_per_instrument}")
    return notes.starts / secs_per_instrument


class ClipRenderer:
    """Music about to be rendered: what it will be is known, its samples come block by block.

    A clip lasts from 0 to the end of its last note and that note's release, to the sample. Notes rise linearly for 10
    ms and fall linearly for 0.3 s behind their end (or for what the model's note has left). The model's own loudness is
    kept, times velocity / 127 and volume; nothing is limited here. Notes out of the model's range are folded into it by
    octaves. The model's note is held for 3/4 of its length; longer ones fall silent, or are looped.

    Args:
        model: Any object with a model's methods.
        notes: The music; at least one note.
        instruments: Latents, [instruments, latent].
        positions: Each note's place on the path through them, float [notes]: 0 is the first, 1.5 half-way (slerp) from
            the second to the third; before the first and after the last it stays.
        loop: Whether notes longer than the model's go on.
        batch_size: Notes that the model computes at once; None: a usual number.
        max_seconds: Longer music is refused: a broken file can claim days.

    Raises:
        ValueError: If there is no note, the music is too long, or the shapes do not fit.
    """

    def __init__(
        self,
        model: NoteModel,
        notes: MidiNotes,
        instruments: np.ndarray,
        positions: np.ndarray,
        loop: bool = False,
        batch_size: int | None = None,
        max_seconds: float = _MOST_SECONDS,
    ):
        _check_music(notes, max_seconds)
        self.model, self.loop, self.sample_rate = model, loop, model.sample_rate
        self.instruments, self._positions = np.asarray(instruments, np.float32), np.asarray(positions, np.float64)
        if self._positions.shape != notes.pitches.shape:
            shapes = f"{self._positions.shape} and {notes.pitches.shape}"
            raise ValueError(f"Expected a position for each note. Received shapes: {shapes}")
        self._pitches, self._levels = fold_pitches(notes.pitches, model.pitches), notes.levels
        self.num_folded = int(np.count_nonzero(self._pitches != notes.pitches))
        self._longest = int(_HELD_SHARE * model.audio_length)
        self._release = min(round(RELEASE_SECONDS * self.sample_rate), model.audio_length - self._longest)
        # Both ends are rounded on the clip's own clock, so that the last release ends with the clip to the sample.
        self._starts, ends = (np.round(s * self.sample_rate).astype(np.int64) for s in (notes.starts, notes.ends))
        self.num_samples = int(ends.max()) + self._release
        self._block_size = round(_BLOCK_SECONDS * self.sample_rate)
        self.num_blocks = -(-self.num_samples // self._block_size)
        self.num_long = int(np.count_nonzero(ends - self._starts > self._longest))
        self._held = ends - self._starts if loop else np.minimum(ends - self._starts, self._longest)
        self._cache = NoteCache(model, *([] if batch_size is None else [batch_size]))

    def blocks(self) -> Iterator[np.ndarray]:
        """Yields the clip's samples, float32 [up to 16 s]; together `num_samples`.

        Raises:
            ValueError: If the model gives NaN.
        """
        size = self._block_size
        # Of the notes that began earlier, those that still sound: few, however long the music is.
        sounding, next_note = np.zeros(0, np.int64), 0
        order = np.argsort(self._starts, kind="stable")
        for begin in range(0, self.num_samples, size):
            end = min(begin + size, self.num_samples)
            upto = next_note + int(np.searchsorted(self._starts[order[next_note:]], end))
            rows = np.concatenate([sounding, order[next_note:upto]])
            yield self._mix(rows, begin, end)
            sounding, next_note = rows[(self._starts + self._held)[rows] + self._release > end], upto

    def _mix(self, rows: np.ndarray, begin: int, end: int) -> np.ndarray:
        block = np.zeros(end - begin)
        rows = rows[self._levels[rows] > 0]
        # A latent for each note of the whole piece would outgrow the music.
        for part in (rows[start : start + 1024] for start in range(0, len(rows), 1024)):
            z = latents_at(self.instruments, self._positions[part])
            for which, wave in self._cache.waves(z, self._pitches[part]):
                looped = None
                for row in part[which]:
                    first, last = self._starts[row], self._starts[row] + self._held[row] + self._release
                    first, last = max(first, begin), min(last, end)
                    if self._held[row] > self._longest and looped is None:
                        looped = loop_wave(wave, max(self._longest, 1), self.sample_rate)
                    block[first - begin : last - begin] += self._sound(row, looped or wave, first, last)
        return block.astype(np.float32)

    def _sound(self, row: int, wave: np.ndarray | LoopedWave, first: int, last: int) -> np.ndarray:
        """Samples of a note under its envelope, from `first` to `last` on the clip's clock."""
        start, stop = int(first - self._starts[row]), int(last - self._starts[row])
        sound = wave(start, stop) if isinstance(wave, LoopedWave) else wave[start:stop]
        return sound * _envelope(start, stop, int(self._held[row]), self._release, self.sample_rate) * self._levels[row]


def _check_music(notes: MidiNotes, max_seconds: float) -> None:
    if not len(notes):
        raise ValueError("Expected music with at least 1 note. Received none; there is nothing to play")
    seconds = float(notes.ends.max())
    if seconds > max_seconds:
        raise ValueError(f"Expected music of at most {max_seconds:.0f} s. Received: {seconds:.0f} s; cut it shorter")


def _envelope(start: int, stop: int, held: int, release: int, sample_rate: int) -> np.ndarray:
    """Samples start to stop of: linear rise for 10 ms, 1, linear fall from the note's end; a short note has both."""
    time = np.arange(start, stop)
    attack = min(round(_ATTACK_SECONDS * sample_rate), held + release)
    rise = time / max(attack - 1, 1)
    fall = 1 - (time - held) / max(release - 1, 1)
    return np.clip(rise, 0, 1) * np.clip(fall, 0, 1)


def render_midi(
    model: NoteModel,
    notes: MidiNotes,
    secs_per_instrument: float = 6.0,
    seed: int | None = None,
    instruments: np.ndarray | None = None,
    max_seconds: float = 3600.0,
) -> Clip:
    """Renders a piece of music, whole in memory, with instruments that change over time.

    Notes sound as `ClipRenderer` says; only a sum beyond full scale is turned down, as a whole.

    Args:
        model: Any object with a model's methods.
        notes: The music; at least one note.
        secs_per_instrument: See `morph_positions`.
        seed: For the random instruments; None draws new ones.
        instruments: Latents to use instead of random ones, [instruments, latent]; the last one stays.
        max_seconds: Longer music is refused.

    Returns:
        The clip and what had to be changed.

    Raises:
        ValueError: If there is no note, the music is too long, or a setting is out of range.
    """
    _check_music(notes, max_seconds)
    positions = morph_positions(notes, secs_per_instrument)
    if instruments is None:
        instruments = model.sample_z(int(positions.max()) + 2, seed)
    renderer = ClipRenderer(model, notes, instruments, positions, max_seconds=max_seconds)
    wave = np.concatenate([np.zeros(0, np.float32), *renderer.blocks()])
    gain = limiting_gain(float(np.abs(wave).max(initial=0)))
    wave *= np.float32(gain)
    return Clip(wave, renderer.instruments, renderer.num_folded, renderer.num_long, gain)
