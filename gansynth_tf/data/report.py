"""What a set of notes is, before anything is trained on it: as a table, as report.json and as a picture."""

import io
import json
import os

from gansynth_tf import files
from gansynth_tf.data import records

REPORT_JSON, REPORT_PICTURE = records.REPORT_NAMES
_BAR = 40  # Characters of the longest bar.
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def note_name(pitch: int) -> str:
    """Name of a MIDI pitch, as "C4" for 60."""
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


def summarise(directory: str | os.PathLike) -> dict:
    """The facts of a set, from its manifest alone.

    Args:
        directory: A folder of records, or of a manifest that points to others.

    Returns:
        JSON types: "folder", "source", "sample_rate", "note_seconds", "splits" (notes, minutes, pitches of each),
        "pitches", "families", "sources" (value -> training notes), "instruments" (how many), "files" (what was found in
        a folder of audio), "skip_counts" and "skipped" (what was left out, and why), "parts" (of a mix).
    """
    manifest = records.read_manifest(directory)
    train = manifest["splits"]["train"]
    rate, samples = manifest.get("sample_rate"), manifest.get("num_samples")
    seconds = samples / rate if rate and samples else None
    splits = {}
    for split, facts in manifest["splits"].items():
        minutes = None if seconds is None else round(facts["num_notes"] * seconds / 60, 2)
        splits[split] = {"notes": facts["num_notes"], "minutes": minutes, "pitches": len(facts["pitches"])}
    skipped = manifest.get("skipped", [])
    counts = manifest.get("skip_counts")
    if counts is None:
        counts = {}
        for skip in skipped:
            kind = skip["reason"].partition(":")[0]
            counts[kind] = counts.get(kind, 0) + 1
    return {
        "folder": os.fspath(directory),
        "source": manifest.get("source", "records"),
        "sample_rate": rate,
        "note_seconds": seconds,
        "splits": splits,
        **{name: train.get(name, {}) for name in ("pitches", "velocities", "families", "sources")},
        "instruments": len(manifest["instruments"]),
        "files": manifest.get("files", {}),
        "skip_counts": counts,
        "skipped": skipped,
        "parts": [{"weight": part["weight"], **summarise(part["folder"])} for part in manifest.get("mix", [])],
    }


def write_report(directory: str | os.PathLike) -> bool:
    """Writes report.json and report.png beside a set's manifest, where they are not there yet.

    Args:
        directory: As for `summarise`. A folder that cannot be written to, such as somebody else's, gets no files.

    Returns:
        Whether they are new.
    """
    from tensorflow import errors
    from tensorflow import io as tf_io

    if tf_io.gfile.exists(os.path.join(directory, REPORT_PICTURE)):
        return False
    summary = summarise(directory)
    try:
        _write(os.path.join(directory, REPORT_JSON), (json.dumps(summary, indent=2) + "\n").encode())
        _write(os.path.join(directory, REPORT_PICTURE), draw_report(summary))
    except (PermissionError, errors.PermissionDeniedError):
        return False
    return True


def _write(path: str, content: bytes) -> None:
    if not files.is_remote(path):
        with files.replacing(path) as beside:
            beside.write_bytes(content)
        return
    from tensorflow import io as tf_io

    with tf_io.gfile.GFile(path, "wb") as file:
        file.write(content)


# ---------------------------------------------------------------------------------------------------- text


def format_report(summary: dict) -> str:
    """A report as text: tables in Markdown, a histogram of the pitches by octaves."""
    lines = [f"Notes in {summary['folder']} (source: {summary['source']})"]
    if summary["note_seconds"]:
        lines[0] += f": {summary['note_seconds']:g} s at {summary['sample_rate']} Hz each"
    rows = [[split, facts["notes"], facts["minutes"], facts["pitches"]] for split, facts in summary["splits"].items()]
    lines += ["", *_table(["split", "notes", "minutes", "pitches"], [row for row in rows if row[1]])]
    lines += ["", *_pitch_lines(summary["pitches"], summary["splits"]["train"]["notes"])]
    for name in ("sources", "families"):
        if summary[name]:
            lines.append(f"{name.capitalize()}: {_listing(summary[name])}")
    lines.append(f"Instruments: {summary['instruments']}")
    lines += _file_lines(summary["files"])
    if summary["skip_counts"]:
        lines += ["", f"Left out: {sum(summary['skip_counts'].values())}"]
        lines += _table(["reason", "notes", "for example"], _skip_rows(summary))
    for part in summary["parts"]:
        lines += ["", f"Weight {part['weight']:g}: {format_report(part)}"]
    return "\n".join(lines)


def _table(header: list[str], rows: list[list]) -> list[str]:
    text = [header, *([("" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in text) for column in range(len(header))]
    lines = [f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in text]
    return [lines[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *lines[1:]]


def _pitch_lines(counts: dict[str, int], num_notes: int) -> list[str]:
    """A bar for every octave that has training notes."""
    if not counts:
        return [f"Pitch: none is known, so the model is unconditional: one class of {num_notes} notes."]
    octaves: dict[int, int] = {}
    for pitch, count in counts.items():
        octaves[int(pitch) // 12] = octaves.get(int(pitch) // 12, 0) + count
    low, high = int(min(counts, key=int)), int(max(counts, key=int))
    few = min(counts.values())
    lines = [
        f"Pitches: {len(counts)} from {low} ({note_name(low)}) to {high} ({note_name(high)}), "
        f"{few} to {max(counts.values())} notes of each"
    ]
    for octave in range(min(octaves), max(octaves) + 1):
        count = octaves.get(octave, 0)
        span = f"{12 * octave:3d}..{12 * octave + 11:3d}"
        lines.append(f"  {span} {count:7d} {'#' * -(-_BAR * count // max(octaves.values()))}".rstrip())
    return lines


def _listing(counts: dict[str, int]) -> str:
    return ", ".join(f"{value} {count}" for value, count in sorted(counts.items(), key=lambda pair: -pair[1]))


def _file_lines(found: dict) -> list[str]:
    """What a folder of audio held."""
    if not found:
        return []
    lines = [f"Files: {found['audio']} of audio, {found.get('seconds', 0.0) / 60:.1f} minutes of sound in those used"]
    if found["others"]:
        lines[0] += f"; others: {_listing(found['others'])}"
    origins = {origin or "nothing": count for origin, count in found["pitch_from"].items()}
    lines.append(f"Pitch from: {_listing(origins)}")
    for name, unit in (("rate", " Hz"), ("channels", "")):
        values = {f"{value}{unit}": count for value, count in found.get(name, {}).items()}
        lines.append(f"{name.capitalize()}: {_listing(values)}")
    changes = {"cut at the end": "cropped", "padded at the end": "padded", "turned down to full scale": "scaled"}
    lines.append("Changed: " + ", ".join(f"{found.get(name, 0)} {what}" for what, name in changes.items()))
    return lines


def _skip_rows(summary: dict) -> list[list]:
    rows = []
    for reason, count in sorted(summary["skip_counts"].items(), key=lambda pair: -pair[1]):
        first = next((skip for skip in summary["skipped"] if skip["reason"].partition(":")[0] == reason), {})
        detail = first.get("reason", "").partition(": ")[2]
        name = str(first.get("id", first.get("program", "")))
        rows.append([reason, count, f"{name} ({detail})" if detail else name])
    return rows


# ---------------------------------------------------------------------------------------------------- picture


def draw_report(summary: dict) -> bytes:
    """A report as a PNG: notes of every pitch, what kinds of notes and files there are, what was left out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    bars = {
        "Sources": summary["sources"],
        "Families": summary["families"],
        "Velocities": summary["velocities"],
        "Sample rates of the files, Hz": summary["files"].get("rate", {}),
        "Left out": summary["skip_counts"],
    }
    bars = {title: counts for title, counts in bars.items() if counts}
    heights = [3.0] + [0.7 + 0.25 * min(len(counts), 16) for counts in bars.values()]
    figure = Figure(figsize=(9, sum(heights) + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _draw_pitches(axes[0], summary)
    for axis, (title, counts) in zip(axes[1:], bars.items(), strict=True):
        _draw_bars(axis, title, counts)
    train = summary["splits"]["train"]
    figure.suptitle(f"{train['notes']} training notes, {summary['instruments']} instruments ({summary['source']})")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


def _draw_pitches(axis, summary: dict) -> None:
    from matplotlib.ticker import MaxNLocator

    counts = {int(pitch): count for pitch, count in summary["pitches"].items()}
    if not counts:
        axis.text(0.5, 0.5, "no pitch is known: unconditional", ha="center", va="center")
        axis.set_axis_off()
        return
    axis.bar(list(counts), list(counts.values()), width=0.8, color="tab:blue")
    step = 12 if max(counts) - min(counts) > 36 else 3
    shown = range(min(counts) // 12 * 12, max(counts) + 1, step)
    axis.set_xticks(list(shown), [f"{pitch}\n{note_name(pitch)}" for pitch in shown])
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlim(min(counts) - 1, max(counts) + 1)
    axis.set_xlabel("MIDI pitch")
    axis.set_ylabel("training notes")


def _draw_bars(axis, title: str, counts: dict[str, int]) -> None:
    from matplotlib.ticker import MaxNLocator

    largest = sorted(counts.items(), key=lambda pair: pair[1])[-16:]
    drawn = axis.barh([name for name, _ in largest], [count for _, count in largest], height=0.6, color="tab:gray")
    axis.bar_label(drawn, padding=3, fontsize=8)
    axis.margins(x=0.1, y=0.3 / len(largest))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_title(title, fontsize=10, loc="left")
    axis.tick_params(labelsize=8)
