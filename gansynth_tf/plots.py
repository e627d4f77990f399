"""Pictures of notes and of training, as PNG files.

Rainbowgrams follow Engel et al. 2017 (NSynth), section 4: a constant-Q transform whose brightness is log magnitude and
whose colour is instantaneous frequency, so that a steady partial is a line of one colour.
"""

import json
import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gansynth_tf.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# NSynth's picture: a hop of 16 ms, 40 bins an octave with filters of 0.8 times their natural length, 70 dB.
_HOP_SECONDS = 256 / 16000
_BINS_PER_OCTAVE, _FILTER_SCALE = 40, 0.8
_PEAK_DB = 70.0
_LOWEST_HZ, _OCTAVES = 440 * 2 ** (-45 / 12), 7  # From C1, below the lowest of the usual pitches; NSynth: C2, 6.
_SILENCE = 1e-6


def rainbow_image(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Computes the colours of a rainbowgram.

    Args:
        wave: One note, [samples].
        sample_rate: Samples per second.

    Returns:
        float32 [freq, time, 3] from 0 to 1: red, green, blue; lowest frequency first, 40 bins an octave from C1
        (32.7 Hz), as many octaves as the sample rate allows, at most 7.

    Raises:
        ValueError: If the wave is not one finite note.
    """
    import matplotlib

    magnitude_db, turn = _constant_q(wave, sample_rate)
    brightness = np.clip(magnitude_db / _PEAK_DB + 1, 0, 1)
    # The advance is a circle, so the hues must be one too: NSynth's 'rainbow' breaks a line that crosses half a turn.
    colours = matplotlib.colormaps["hsv"]((turn + 1) / 2)[..., :3]
    return (colours * brightness[..., np.newaxis]).astype(np.float32)


def _constant_q(wave: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Decibels under the loudest point, and phase advance per hop in units of pi, both [freq, time]."""
    import librosa

    wave = np.asarray(wave, np.float32)
    if wave.ndim != 1 or not wave.size or not np.all(np.isfinite(wave)):
        raise ValueError(f"Expected one note of finite samples, [samples]. Received shape: {wave.shape}")
    octaves = min(_OCTAVES, int(np.log2(sample_rate / 2 / 1.1 / _LOWEST_HZ)))
    # Each octave of the transform halves the rate, so the hop must halve as often.
    hop = 2 ** (octaves - 1) * max(1, round(_HOP_SECONDS * sample_rate / 2 ** (octaves - 1)))
    num_frames = 1 + wave.size // hop
    # The lowest filters are longer than a short note: zeros behind it make room.
    longest = _FILTER_SCALE / (2 ** (1 / _BINS_PER_OCTAVE) - 1) * sample_rate / _LOWEST_HZ
    room = max(2 ** math.ceil(math.log2(2 * longest)), wave.size + hop)
    transform = librosa.cqt(
        np.pad(wave, (0, room - wave.size)),
        sr=sample_rate,
        hop_length=hop,
        fmin=_LOWEST_HZ,
        n_bins=octaves * _BINS_PER_OCTAVE,
        bins_per_octave=_BINS_PER_OCTAVE,
        filter_scale=_FILTER_SCALE,
    )[:, : num_frames + 1]
    magnitude = np.abs(transform[:, :num_frames])
    loudest = max(float(magnitude.max()), _SILENCE)
    decibels = 20 * np.log10(np.maximum(magnitude, loudest * 10 ** (-_PEAK_DB / 20)) / loudest)
    advance = np.diff(np.angle(transform), axis=1) / np.pi
    return decibels, (advance + 1) % 2 - 1


def rainbowgram(
    waves: np.ndarray, sample_rate: int, row_titles: Sequence[str] = (), column_titles: Sequence[str] = ()
) -> "Figure":
    """Draws notes as rainbowgrams in a grid, time in seconds against frequency in Hz.

    Args:
        waves: [rows, columns, samples]; leading axes may be left out.
        sample_rate: Samples per second.
        row_titles: One for each row, or none.
        column_titles: One for each column, or none.

    Returns:
        A Matplotlib figure.

    Raises:
        ValueError: If there is no note, or the titles do not fit.
    """
    waves = np.asarray(waves)
    if waves.ndim > 3 or not waves.size:
        raise ValueError(f"Expected waves [rows, columns, samples], at least one note. Received shape: {waves.shape}")
    waves = waves.reshape((1,) * (3 - waves.ndim) + waves.shape)
    rows, columns, samples = waves.shape
    figure, grid = _grid(rows, columns, row_titles, column_titles)
    for axes, wave in zip(grid.flat, waves.reshape(-1, samples), strict=True):
        image = rainbow_image(wave, sample_rate)
        octaves = image.shape[0] // _BINS_PER_OCTAVE
        axes.imshow(
            image, origin="lower", aspect="auto", interpolation="nearest", extent=(0, samples / sample_rate, 0, octaves)
        )
        axes.set_yticks(range(octaves), [f"{_LOWEST_HZ * 2**octave:.0f}" for octave in range(octaves)])
    return figure


def plot_note_grid(
    waves: np.ndarray,
    sample_rate: int,
    path: str | os.PathLike,
    row_titles: Sequence[str] = (),
    column_titles: Sequence[str] = (),
) -> None:
    """Writes a contact sheet of rainbowgrams as a PNG, usually a row for each latent and a column for each pitch.

    Args:
        waves: [rows, columns, samples]; leading axes may be left out.
        sample_rate: Samples per second.
        path: The PNG file.
        row_titles: One for each row, or none.
        column_titles: One for each column, or none.

    Raises:
        ValueError: If there is no note, or the titles do not fit.
    """
    _save(rainbowgram(waves, sample_rate, row_titles, column_titles), path)


def plot_specgrams(
    specgrams: np.ndarray,
    path: str | os.PathLike,
    titles: Sequence[str] = (),
    seconds: float | None = None,
    bin_hz: np.ndarray | None = None,
) -> None:
    """Writes both channels of specgrams as a PNG: log magnitude above, instantaneous frequency below.

    Args:
        specgrams: [batch, time, freq, 2].
        path: The PNG file.
        titles: One for each specgram, or none.
        seconds: Time that a specgram spans, for the axis; frames are counted without it.
        bin_hz: Frequency of every bin, [freq], ascending, for the axis; bins are counted without it.

    Raises:
        ValueError: If the shapes do not fit.
    """
    specgrams = np.asarray(specgrams)
    if specgrams.ndim != 4 or specgrams.shape[-1] != 2 or not specgrams.size:
        raise ValueError(f"Expected specgrams [batch, time, freq, 2], at least one. Received shape: {specgrams.shape}")
    num, frames, bins, _ = specgrams.shape
    if bin_hz is not None and len(bin_hz) != bins:
        raise ValueError(f"Expected a frequency for each of {bins} bins. Received: {len(bin_hz)} in bin_hz")
    labels = ("time, s" if seconds else "frame", "frequency, Hz" if bin_hz is not None else "bin")
    figure, grid = _grid(2, num, ("log magnitude", "IF / π"), titles, labels)
    limits = ((specgrams[..., 0].min(), specgrams[..., 0].max()), (-1, 1))
    for column, specgram in enumerate(specgrams):
        for channel, (axes, colours) in enumerate(zip(grid[:, column], ("magma", "twilight"), strict=True)):
            image = axes.imshow(
                specgram[..., channel].T,
                origin="lower",
                aspect="auto",
                interpolation="nearest",
                cmap=colours,
                extent=(0, seconds or frames, -0.5, bins - 0.5),
                vmin=limits[channel][0],
                vmax=limits[channel][1],
            )
            if column == num - 1:
                figure.colorbar(image, ax=list(grid[channel]))
            if bin_hz is not None:
                shown = np.linspace(0, bins - 1, 6).round().astype(int)
                axes.set_yticks(shown, [f"{bin_hz[index]:.0f}" for index in shown])
    _save(figure, path)


def plot_training_curves(metrics: str | os.PathLike | Iterable[Mapping[str, object]], path: str | os.PathLike) -> None:
    """Writes every number of a training run against the examples seen, one panel each, as a PNG.

    Args:
        metrics: A metrics.jsonl file, or its rows: mappings with "examples" and any numbers. Rows need not hold the
            same names. A last line cut short by a running or killed training is skipped.
        path: The PNG file.

    Raises:
        ValueError: If a line is not JSON, or there is no number to draw.
    """
    rows = _read_rows(metrics) if isinstance(metrics, str | os.PathLike) else list(metrics)
    curves: dict[str, list[tuple[float, float]]] = {}
    for index, row in enumerate(rows):
        examples = row.get("examples", index)
        for name, value in row.items():
            if name != "examples" and isinstance(value, int | float) and not isinstance(value, bool):
                curves.setdefault(name, []).append((examples, value))
    if not curves:
        raise ValueError(f"Expected metrics with numbers besides examples. Received: {len(rows)} rows without")
    columns = min(3, len(curves))
    panels = math.ceil(len(curves) / columns)
    figure, grid = _grid(panels, columns, labels=("examples seen", ""), size=(4.0, 2.2), share=False)
    for axes in grid.flat[len(curves) :]:
        axes.remove()
    for axes, (name, points) in zip(grid.flat, curves.items(), strict=False):
        axes.plot(*zip(*points, strict=True), marker="." if len(points) < 50 else "", linewidth=1)
        axes.set_title(name, fontsize="small")
        axes.grid(alpha=0.3)
    _save(figure, path)


def _read_rows(path: str | os.PathLike) -> list[dict]:
    lines = pathlib.Path(path).read_text().splitlines()
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number < len(lines):
                where = f"line {number} of {os.fspath(path)}"
                raise ValueError(f"Expected JSON in {where}. Received: {error}; remove the line") from error
    return rows


def _grid(
    rows: int,
    columns: int,
    row_titles: Sequence[str] = (),
    column_titles: Sequence[str] = (),
    labels: tuple[str, str] = ("time, s", "frequency, Hz"),
    size: tuple[float, float] = (2.6, 2.2),
    share: bool = True,
) -> tuple["Figure", np.ndarray]:
    """A figure and its [rows, columns] axes, titled outside, labelled at the left and at the bottom."""
    from matplotlib.figure import Figure

    for titles, count, what in ((row_titles, rows, "row"), (column_titles, columns, "column")):
        if len(titles) not in (0, count):
            raise ValueError(f"Expected a title for each of {count} {what}s, or none. Received: {len(titles)} titles")
    # A Figure of its own, not pyplot's: no state to close, no window system.
    figure = Figure(figsize=(size[0] * columns + 0.8, size[1] * rows + 0.6), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share)
    for axes, title in zip(grid[0], column_titles, strict=False):
        axes.set_title(title, fontsize="small")
    for index, axes in enumerate(grid[:, 0]):
        axes.set_ylabel(f"{row_titles[index]}\n{labels[1]}" if row_titles else labels[1], fontsize="small")
    for axes in grid[-1]:
        axes.set_xlabel(labels[0], fontsize="small")
    for axes in grid.flat:
        axes.tick_params(labelsize="x-small")
    return figure, grid


def _save(figure: "Figure", path: str | os.PathLike) -> None:
    with replacing(path) as beside:
        figure.savefig(beside, format="png", dpi=100)
