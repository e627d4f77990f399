"""Pictures of notes and of training, as PNG or SVG files by the ending of their names.

Axes are in seconds and Hz. Rainbowgrams are explained in rainbow.py, folded waveforms in folding.py.
"""

import json
import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gansynth_tf import folding, rainbow
from gansynth_tf.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FOLDED_TIME = "time within a period, ms"

# ---------------------------------------------------------------------------------------------------- notes


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
    waves = _as_grid(waves)
    figure, grid = _grid(*waves.shape[:2], row_titles, column_titles)
    for axes, wave in zip(grid.flat, waves.reshape(-1, waves.shape[-1]), strict=True):
        _draw_rainbow(axes, wave, sample_rate)
    return figure


def _as_grid(waves: np.ndarray) -> np.ndarray:
    """[rows, columns, samples] from at most three axes."""
    waves = np.asarray(waves)
    if not 0 < waves.ndim <= 3 or not waves.size:
        raise ValueError(f"Expected waves [rows, columns, samples], at least one note. Received shape: {waves.shape}")
    return waves.reshape((1,) * (3 - waves.ndim) + waves.shape)


def _draw_rainbow(axes: "Axes", wave: np.ndarray, sample_rate: int) -> None:
    image = rainbow.rainbow_image(wave, sample_rate)
    octaves = image.shape[0] // rainbow.BINS_PER_OCTAVE
    extent = (0, len(wave) / sample_rate, 0, octaves)
    axes.imshow(image, origin="lower", aspect="auto", interpolation="nearest", extent=extent)
    axes.set_yticks(range(octaves), [f"{rainbow.LOWEST_HZ * 2**octave:.0f}" for octave in range(octaves)])


def plot_note_grid(
    waves: np.ndarray,
    sample_rate: int,
    path: str | os.PathLike,
    row_titles: Sequence[str] = (),
    column_titles: Sequence[str] = (),
) -> None:
    """Writes a contact sheet of rainbowgrams, usually a row for each latent and a column for each pitch.

    Args:
        waves: [rows, columns, samples]; leading axes may be left out.
        sample_rate: Samples per second.
        path: The file, PNG or SVG.
        row_titles: One for each row, or none.
        column_titles: One for each column, or none.

    Raises:
        ValueError: If there is no note, or the titles do not fit.
    """
    _save(rainbowgram(waves, sample_rate, row_titles, column_titles), path)


def plot_folded(
    waves: np.ndarray,
    hz: np.ndarray | float,
    sample_rate: int,
    path: str | os.PathLike,
    row_titles: Sequence[str] = (),
    column_titles: Sequence[str] = (),
) -> None:
    """Writes the middle of each note, folded modulo its period: the paper's figure on phase coherence.

    Cycles are drawn over each other, the first in violet, the last in yellow. Coherent notes are one line; the share of
    the energy that repeats stands in the corner.

    Args:
        waves: [rows, columns, samples]; leading axes may be left out.
        hz: About the fundamentals, [rows, columns], or anything that broadcasts to it.
        sample_rate: Samples per second.
        path: The file, PNG or SVG.
        row_titles: One for each row, or none.
        column_titles: One for each column, or none.

    Raises:
        ValueError: If there is no note, or the titles do not fit.
    """
    waves = _as_grid(waves)
    hz = np.broadcast_to(np.asarray(hz, np.float64), waves.shape[:2])
    labels = (_FOLDED_TIME, "amplitude")
    figure, grid = _grid(*waves.shape[:2], row_titles, column_titles, labels, share=False)
    for axes, wave, each in zip(grid.flat, waves.reshape(-1, waves.shape[-1]), hz.flat, strict=True):
        _draw_folded(axes, folding.fold(wave, sample_rate, each))
    _save(figure, path)


def _draw_folded(axes: "Axes", folded: folding.Folded) -> None:
    import matplotlib

    cycles = range(folded.cycle[-1] + 1)
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.95, len(cycles)))
    for cycle, colour in zip(cycles, colours, strict=True):
        place = folded.cycle == cycle
        axes.plot(1000 * folded.position[place] / folded.hz, folded.values[place], color=colour, linewidth=0.8)
    axes.set_xlim(0, 1000 / folded.hz)
    largest = max(float(np.max(np.abs(folded.values))), 1e-4)
    axes.set_ylim(-1.35 * largest, 1.35 * largest)
    share = "silent here" if np.isnan(folded.coherence) else f"{max(folded.coherence, 0):.3f} repeats"
    corner = f"{folded.hz:.1f} Hz, {share}"
    axes.text(0.02, 0.98, corner, transform=axes.transAxes, fontsize="x-small", va="top")


def plot_notes(
    waves: Sequence[np.ndarray],
    hz: Sequence[float | None],
    sample_rate: int,
    path: str | os.PathLike,
    titles: Sequence[str] = (),
) -> None:
    """Writes a row for each note: its waveform, its rainbowgram and, where its pitch is known, the folded middle.

    Args:
        waves: Notes, each [samples], of any lengths.
        hz: About each fundamental, or None.
        sample_rate: Samples per second.
        path: The file, PNG or SVG.
        titles: One for each note, or none.

    Raises:
        ValueError: If there is no note, one is not finite, or the numbers do not fit.
    """
    if not len(waves) or len(hz) != len(waves):
        raise ValueError(f"Expected notes and a pitch or None for each. Received: {len(waves)} and {len(hz)}")
    labels = ("time, s", "amplitude")
    figure, grid = _grid(len(waves), 3, titles, labels=labels, size=(4.0, 2.2), share=False)
    for (shape, colours, last), wave, each in zip(grid, waves, hz, strict=True):
        wave = np.asarray(wave)
        _draw_rainbow(colours, wave, sample_rate)
        colours.set_ylabel("frequency, Hz", fontsize="small")
        shape.plot(np.arange(len(wave)) / sample_rate, wave, linewidth=0.4)
        shape.set_xlim(0, len(wave) / sample_rate)
        if each is None:
            last.set_axis_off()
        else:
            _draw_folded(last, folding.fold(wave, sample_rate, each))
    grid[-1, -1].set_xlabel(_FOLDED_TIME, fontsize="small")
    _save(figure, path)


def plot_specgrams(
    specgrams: np.ndarray,
    path: str | os.PathLike,
    titles: Sequence[str] = (),
    seconds: float | None = None,
    bin_hz: np.ndarray | None = None,
) -> None:
    """Writes both channels of specgrams: log magnitude above, instantaneous frequency below.

    Args:
        specgrams: [batch, time, freq, 2].
        path: The file, PNG or SVG.
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


# ---------------------------------------------------------------------------------------------------- training


def plot_training_curves(metrics: str | os.PathLike | Iterable[Mapping[str, object]], path: str | os.PathLike) -> None:
    """Writes every number of a training run that changes, against the examples seen, one panel each.

    Args:
        metrics: A metrics.jsonl file, or its rows: mappings with "examples" and any numbers. Rows need not hold the
            same names. A last line cut short by a running or killed training is skipped.
        path: The file, PNG or SVG.

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
    changing = {name: points for name, points in curves.items() if len({value for _, value in points}) > 1}
    curves = changing or curves  # After the first row nothing has changed yet.
    columns = min(3, len(curves))
    panels = math.ceil(len(curves) / columns)
    figure, grid = _grid(panels, columns, labels=("examples seen", ""), size=(4.0, 2.2), share=False)
    for axes, above in zip(grid.flat[len(curves) :], grid.flat[len(curves) - columns :], strict=False):
        above.set_xlabel(axes.get_xlabel(), fontsize="small")
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


# ---------------------------------------------------------------------------------------------------- figures


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
    import matplotlib

    ending = pathlib.PurePath(path).suffix.lower()
    if ending not in (".png", ".svg"):
        raise ValueError(f"Expected a picture's name that ends in .png or .svg. Received: {os.fspath(path)}")
    # An SVG otherwise holds the date and random names; the same picture shall be the same bytes.
    facts = {"metadata": {"Date": None}} if ending == ".svg" else {}
    with replacing(path) as beside, matplotlib.rc_context({"svg.hashsalt": "gansynth_tf"}):
        figure.savefig(beside, format=ending[1:], dpi=100, **facts)
