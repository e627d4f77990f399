"""Which notes of a set are wanted: by pitch, velocity, instrument family and source, as NSynth words them."""

import dataclasses

from gansynth_tf.data import notes


@dataclasses.dataclass(frozen=True)
class NoteFilter:
    """What a note must be to be kept. A range or a list that leaves nothing out also keeps what is not known.

    Args:
        min_pitch, max_pitch: MIDI pitches. Notes of no known pitch are another matter: they always pass here.
        min_velocity, max_velocity: MIDI velocities.
        families: Of `notes.FAMILIES`; empty: all.
        sources: Of `notes.SOURCES`; empty: all.

    Raises:
        ValueError: A range is empty or outside 0..127, or a name is not NSynth's.
    """

    min_pitch: int = 0
    max_pitch: int = 127
    min_velocity: int = 0
    max_velocity: int = 127
    families: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def __post_init__(self):
        for what in ("pitch", "velocity"):
            low, high = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            if not 0 <= low <= high <= 127:
                raise ValueError(f"Expected 0 <= min_{what} <= max_{what} <= 127. Received: {low} and {high}.")
        for what, values, known in (
            ("families", self.families, notes.FAMILIES),
            ("sources", self.sources, notes.SOURCES),
        ):
            for value in values:
                if value not in known:
                    raise ValueError(f"Expected {what} among {', '.join(known)}. Received: {value!r}.")

    def why_left_out(self, pitch: int, velocity: int, family: str, source: str) -> str:
        """Why a note is not wanted, in a few words that do not depend on the note; empty: it is.

        Args:
            pitch, velocity: MIDI numbers, or `notes.UNKNOWN`.
            family, source: NSynth's words; empty: not known.
        """
        if pitch != notes.UNKNOWN and not self.min_pitch <= pitch <= self.max_pitch:
            return f"pitch outside {self.min_pitch}..{self.max_pitch}"
        if (self.min_velocity, self.max_velocity) != (0, 127) and not (
            self.min_velocity <= velocity <= self.max_velocity
        ):
            return f"velocity outside {self.min_velocity}..{self.max_velocity}"
        if self.families and family not in self.families:
            return f"family not {' or '.join(self.families)}"
        if self.sources and source not in self.sources:
            return f"source not {' or '.join(self.sources)}"
        return ""

    def both(self, other: "NoteFilter") -> "NoteFilter":
        """The filter that keeps what this one and another keep.

        Raises:
            ValueError: They have nothing in common.
        """
        bounds = {}
        for what in ("pitch", "velocity"):
            bounds[f"min_{what}"] = max(getattr(self, f"min_{what}"), getattr(other, f"min_{what}"))
            bounds[f"max_{what}"] = min(getattr(self, f"max_{what}"), getattr(other, f"max_{what}"))
        for what in ("families", "sources"):
            mine, theirs = getattr(self, what), getattr(other, what)
            bounds[what] = tuple(name for name in mine if name in theirs) if mine and theirs else mine or theirs
            if mine and theirs and not bounds[what]:
                raise ValueError(f"Expected {what} among {', '.join(theirs)}. Received: {', '.join(mine)}.")
        return NoteFilter(**bounds)

    def __str__(self) -> str:
        """What is asked for, in words."""
        asked = [] if (self.min_pitch, self.max_pitch) == (0, 127) else [f"pitch {self.min_pitch} to {self.max_pitch}"]
        if (self.min_velocity, self.max_velocity) != (0, 127):
            asked.append(f"velocity {self.min_velocity} to {self.max_velocity}")
        for what, values in (("family", self.families), ("source", self.sources)):
            asked += [f"{what} {' or '.join(values)}"] if values else []
        return ", ".join(asked) or "any kind"

    @property
    def keeps_all(self) -> bool:
        """Whether it leaves nothing out."""
        return self == NoteFilter()

    def matches(self, example: dict):
        """Whether a parsed note is wanted; usable inside `tf.data`.

        Args:
            example: Integer tensors of one shape, named as in records: "pitch", "velocity", "instrument/family",
                "instrument/source".

        Returns:
            bool tensor of that shape.
        """
        import tensorflow as tf

        pitch, velocity = example["pitch"], example["velocity"]
        kept = (pitch == notes.UNKNOWN) | ((pitch >= self.min_pitch) & (pitch <= self.max_pitch))
        if (self.min_velocity, self.max_velocity) != (0, 127):
            kept &= (velocity >= self.min_velocity) & (velocity <= self.max_velocity)
        for name, values, known in (
            ("instrument/family", self.families, notes.FAMILIES),
            ("instrument/source", self.sources, notes.SOURCES),
        ):
            if values:
                places = tf.constant([known.index(value) for value in values], example[name].dtype)
                kept &= tf.reduce_any(example[name][..., None] == places, axis=-1)
        return kept
