"""Results as a table: Markdown, CSV, and a picture with a panel for each metric."""

import csv
import io
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from gansynth_tf import files


class Column(NamedTuple):
    """A metric in a table: its name in a row without the numbers it carries, a title, a format, which end is good."""

    stem: str
    title: str
    form: str
    better: str  # "low", "high", or "" for neither.


COLUMNS = (
    Column("pitch_accuracy", "pitch accuracy", ".3f", "high"),
    Column("pitch_accuracy_semitone", "within a semitone", ".3f", "high"),
    Column("pitch_entropy", "pitch entropy", ".2f", "low"),
    Column("inception_score", "IS", ".1f", "high"),
    Column("fid", "FID", ".1f", "low"),
    Column("kid", "KID", ".3f", "low"),
    Column("ndb", "NDB", "d", "low"),
    Column("jsd", "JSD", ".3f", "low"),
    Column("precision_k", "precision, k =", ".2f", "high"),
    Column("recall_k", "recall, k =", ".2f", "high"),
    Column("phase_coherence", "phase coherence", ".3f", "high"),
    Column("copying_z", "copying z", "+.1f", ""),
    Column("nearest_ratio", "nearest ratio", ".2f", ""),
    Column("rms_db", "level, dB", ".1f", ""),
    Column("silent", "silent", ".2f", "low"),
    Column("clipped", "clipped", ".2f", "low"),
)


def find_metric(row: dict, stem: str) -> str | None:
    """The key of a row that is a stem with or without numbers: "fid" -> "fid1000"; None when it has none."""
    return next((key for key in row if re.fullmatch(rf"{re.escape(stem)}\d*", key) and row[key] is not None), None)


def present_columns(rows: Sequence[dict]) -> list[Column]:
    """Columns of which some row has a value."""
    return [column for column in COLUMNS if any(find_metric(row, column.stem) for row in rows)]


def format_markdown(rows: Sequence[dict]) -> str:
    """A Markdown table.

    Numbers that a metric's name carries stand in the title where all rows share them, else in brackets in the cell.
    In parentheses: 95 % intervals.

    Args:
        rows: As `Reference.score` gives them, each with its name under "notes".
    """
    columns = present_columns(rows)
    titles = [column.title + (f" {_shared(rows, column)}" if _shared(rows, column) else "") for column in columns]
    lines = [f"| notes | {' | '.join(titles)} |", "|---" * (len(columns) + 1) + "|"]
    for row in rows:
        cells = [_cell(row, column, _shared(rows, column)) for column in columns]
        lines.append(f"| {row['notes']} ({row['num_notes']}) | {' | '.join(cells)} |")
    return "\n".join(lines)


def _shared(rows: Sequence[dict], column: Column) -> str:
    """The numbers in a metric's name, if all rows have the same; else empty."""
    keys = {find_metric(row, column.stem) for row in rows} - {None}
    return keys.pop().removeprefix(column.stem) if len(keys) == 1 else ""


def _cell(row: dict, column: Column, shared: str) -> str:
    key = find_metric(row, column.stem)
    if key is None:
        return "-"
    text = format(row[key], column.form)
    if f"{key}_error" in row:
        text += f" ± {format(row[f'{key}_error'], column.form)}"
    elif f"{key}_low" in row:
        form = column.form.replace("d", ".0f")
        text += f" ({format(row[f'{key}_low'], form)}–{format(row[f'{key}_high'], form)})"
    numbers = key.removeprefix(column.stem)
    return text if numbers == shared else f"{text} [{numbers}]"


def format_csv(rows: Sequence[dict]) -> str:
    """Every flat value of the rows, a column for each name that occurs."""
    names = list(dict.fromkeys(key for row in rows for key, value in row.items() if not isinstance(value, dict)))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_tables(rows: Sequence[dict], folder: str | os.PathLike, heading: str) -> list[str]:
    """Writes evaluation.md, evaluation.csv and evaluation.png; returns their paths."""
    paths = [os.path.join(folder, f"evaluation.{suffix}") for suffix in ("md", "csv", "png")]
    for path, text in zip(paths, (f"{heading}\n\n{format_markdown(rows)}\n", format_csv(rows)), strict=False):
        with files.replacing(path) as beside:
            beside.write_text(text)
    plot_results(rows, paths[2])
    return paths


def plot_results(rows: Sequence[dict], path: str | os.PathLike) -> None:
    """Draws a panel for each metric: a point with its interval for each set, the first set's value as a line.

    Args:
        rows: See `format_markdown`; real notes first.
        path: The PNG file.
    """
    from matplotlib.figure import Figure

    columns = present_columns(rows)
    across = min(4, len(columns))
    down = -(-len(columns) // across)
    figure = Figure(figsize=(3.2 * across + 1.2, (0.28 * len(rows) + 0.9) * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    names = [str(row["notes"]) for row in rows]
    for axes, column in zip(grid.flat, columns, strict=False):
        _panel(axes, rows, column)
        axes.set_yticks(range(len(rows)), names, fontsize="x-small")
        axes.set_ylim(len(rows) - 0.5, -0.5)
    for axes in grid.flat[len(columns) :]:
        axes.remove()
    with files.replacing(path) as beside:
        figure.savefig(beside, format="png", dpi=120)


def _panel(axes, rows: Sequence[dict], column: Column) -> None:
    for place, row in enumerate(rows):
        key = find_metric(row, column.stem)
        if key is None:
            continue
        value, error = row[key], row.get(f"{key}_error", 0.0)
        low, high = row.get(f"{key}_low", value - error), row.get(f"{key}_high", value + error)
        colour = "black" if place == 0 else "tab:blue"
        axes.plot([low, high], [place, place], color=colour, linewidth=1.5)
        axes.plot([value], [place], "o", color=colour, markersize=4)
        if place == 0:
            axes.axvline(value, color="0.8", linewidth=1, zorder=0)
    arrow = {"low": " ←", "high": " →", "": ""}[column.better]
    axes.set_title(f"{column.title} {_shared(rows, column)}".rstrip() + arrow, fontsize="small")
    axes.tick_params(axis="x", labelsize="x-small")
    axes.grid(axis="x", alpha=0.3)


def plot_confusion(counts, path: str | os.PathLike, title: str) -> None:
    """Draws how often each pitch was heard as each other, as a PNG.

    Args:
        counts: int [pitches, pitches] from MIDI pitch 0, asked by heard; empty pitches at both ends are left out.
        path: The PNG file.
        title: Above the picture.
    """
    import numpy as np
    from matplotlib.figure import Figure

    used = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    first, last = (used[0], used[-1]) if used.size else (0, 127)
    shown = counts[first : last + 1, first : last + 1]
    shares = shown / np.maximum(shown.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(6.2, 5.4), layout="constrained")
    axes = figure.subplots()
    extent = (first - 0.5, last + 0.5, last + 0.5, first - 0.5)
    image = axes.imshow(shares, cmap="viridis", vmin=0, vmax=1, interpolation="nearest", extent=extent)
    axes.set(xlabel="heard MIDI pitch", ylabel="played MIDI pitch", title=title)
    figure.colorbar(image, ax=axes, label="share of the notes of a pitch")
    with files.replacing(path) as beside:
        figure.savefig(beside, format="png", dpi=100)
