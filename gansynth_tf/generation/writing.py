"""Notes and clips as files: the sounds, what each was made from, and the latents."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterator

import numpy as np

from gansynth_tf.generation.instruments import save_latents
from gansynth_tf.generation.midi import MidiNotes
from gansynth_tf.generation.notes import NoteModel, render_notes
from gansynth_tf.generation.sound_files import SoundFormat, save_clip, save_note
from gansynth_tf.generation.synthesis import ClipRenderer, morph_positions


@dataclasses.dataclass(frozen=True, eq=False)
class Ensemble:
    """The instruments that play.

    Args:
        names: What a person calls them.
        z: Latents, float32 [instruments, latent].
        facts: What else to remember of them beside every sound, such as the seed.
    """

    names: list[str]
    z: np.ndarray
    facts: dict[str, object]


def write_notes(
    model: NoteModel,
    output: pathlib.Path,
    ensemble: Ensemble,
    instruments: np.ndarray,
    pitches: np.ndarray,
    sound_format: SoundFormat,
    batch_size: int,
    prefix: str = "generated",
) -> Iterator[tuple[int, pathlib.Path, np.ndarray]]:
    """Writes generated_0.wav, generated_1.wav, ... and generated_z.npy with a row for each instrument.

    Args:
        model: Any object with a model's methods.
        output: The folder; made when missing.
        ensemble: Who plays.
        instruments: The instrument of each note, rows of the ensemble, int [notes].
        pitches: MIDI pitches that the model knows, int [notes].
        sound_format: What the files are like.
        batch_size: Notes in memory at once.
        prefix: What the files' names begin with.

    Yields:
        A note's number, its file, and the model's wave, float32 [samples]; equal notes one after another.

    Raises:
        OSError: If they cannot be written.
        ValueError: If the model gives NaN or does not know a pitch.
    """
    z_file = output / f"{prefix}_z.npy"
    for count, (index, wave) in enumerate(render_notes(model, ensemble.z[instruments], pitches, batch_size)):
        if count == 0:  # Not before the model has shown that it works.
            save_latents(z_file, ensemble.z)
        row = int(instruments[index])
        facts = ensemble.facts | {"instrument": ensemble.names[row], "pitch": int(pitches[index]), "velocity": 127,
                                  "z_file": z_file.name, "z_row": row}  # fmt: skip
        yield index, save_note(output, f"{prefix}_{index}", wave, model.sample_rate, facts, sound_format), wave


@dataclasses.dataclass(frozen=True)
class Performance:
    """How music is played.

    Args:
        own_tracks: Whether each part has an instrument of its own (the first part the first instrument, and so on, from
            the first again where there are more parts); otherwise all pass through the instruments together.
        secs_per_instrument: Seconds from one instrument to the next, when they pass.
        loop: Whether notes longer than the model's go on; otherwise they fall silent.
    """

    own_tracks: bool = False
    secs_per_instrument: float = 6.0
    loop: bool = False

    def num_instruments(self, music: MidiNotes) -> int:
        """How many instruments the music has use for."""
        if self.own_tracks:
            return len(music.part_names)
        return int(morph_positions(music, self.secs_per_instrument).max()) + 2

    def positions(self, music: MidiNotes, num_instruments: int) -> np.ndarray:
        """Each note's place on the path through so many instruments, float64 [notes]."""
        if self.own_tracks:
            return (music.parts % num_instruments).astype(np.float64)
        return morph_positions(music, self.secs_per_instrument)


def write_clip(
    model: NoteModel,
    output: pathlib.Path,
    ensemble: Ensemble,
    music: MidiNotes,
    performance: Performance,
    sound_format: SoundFormat,
    batch_size: int,
    progress: Callable[[Iterator[np.ndarray], int], Iterator[np.ndarray]] = lambda blocks, seconds: blocks,
) -> tuple[pathlib.Path, dict[str, object]]:
    """Writes generated_clip.wav, block by block, and generated_clip_z.npy with the instruments.

    Args:
        model: Any object with a model's methods.
        output: The folder; made when missing.
        ensemble: Who plays.
        music: What is played.
        performance: How it is played.
        sound_format: What the file is like.
        batch_size: Notes that the model computes at once.
        progress: Wraps the iterator of blocks, given their number too.

    Returns:
        The sound file, and what is written beside it: how many notes had to be changed, among others.

    Raises:
        OSError: If it cannot be written.
        ValueError: If the music is too long or the model gives NaN.
    """
    positions = performance.positions(music, len(ensemble.z))
    renderer = ClipRenderer(model, music, ensemble.z, positions, performance.loop, batch_size)
    facts = ensemble.facts | {
        "instruments": ensemble.names, "z_file": "generated_clip_z.npy", **dataclasses.asdict(performance),
        "num_notes": len(music), "num_folded": renderer.num_folded, "num_long": renderer.num_long,
        "num_drums_skipped": music.num_drums, "num_unreleased": music.num_unreleased, "num_bends": music.num_bends,
    }  # fmt: skip
    if performance.own_tracks:
        names = ensemble.names
        facts["parts"] = {part: names[row % len(names)] for row, part in enumerate(music.part_names)}
    blocks = progress(renderer.blocks(), renderer.num_blocks)
    path = save_clip(output, "generated_clip", blocks, renderer.num_samples, model.sample_rate, facts, sound_format)
    save_latents(output / "generated_clip_z.npy", ensemble.z)
    return path, facts
