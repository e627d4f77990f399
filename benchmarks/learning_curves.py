"""What the trainings of benchmarks/trials.py reach minute by minute: scores every kept checkpoint and draws curves.

    python benchmarks/trials.py small --out=runs/small --only=small_data,wgan_gp
    python benchmarks/learning_curves.py small --out=runs/small

A run that is told to (`keep_every_examples`) keeps a checkpoint every so often. OUT/curves gets the judge's tables of
every run, `curves.json` with a list of points for each, and `curves.png`: a panel for each figure, a line for each run,
all seeds of a variant in one colour, real held-out notes dashed. Started again it scores only what it has not scored.
"""

import argparse
import json
import pathlib

import numpy as np
import trials

from gansynth_tf import files

PANELS = ("in tune", "FID", "diversity", "copying z")


def find_points(out: pathlib.Path) -> dict[str, list[tuple[int, float, pathlib.Path]]]:
    """Of every run (examples, minutes, folder) of each kept checkpoint, the earliest first."""
    found = {}
    for metrics in sorted(out.glob("*/metrics.jsonl")):
        rows = [json.loads(line) for line in metrics.read_text().splitlines()]
        points = []
        for kept in sorted(metrics.parent.glob("kept/examples_*")):
            examples = int(kept.name.rpartition("_")[2])
            seconds = [row["train_seconds"] for row in rows if row["examples"] >= examples]
            points.append((examples, (seconds or [rows[-1]["train_seconds"]])[0] / 60, kept))
        if points:
            found[metrics.parent.name] = points
    return found


def measure(out: pathlib.Path, trial: trials.Trial, num_notes: int) -> dict[str, list[dict]]:
    """Of every run its points, each with its figures; "real" has one. What an earlier call scored is taken from it."""
    runs = find_points(out)
    if not runs:
        raise SystemExit(f"No run in {out} has kept checkpoints; train them first (see --help).")
    path = out / "curves" / "curves.json"
    curves = json.loads(path.read_text()) if path.is_file() else {}
    for run, points in runs.items():
        known = {point["examples"]: point for point in curves.get(run, ()) if point["num_notes"] == num_notes}
        places = {str(examples): kept for examples, _, kept in points if examples not in known}
        if places:
            real, *rows = trials.score(out, trial, places, num_notes, out / "curves" / run)
            curves["real"] = [trials.columns_of(real)]
            found = {int(row["notes"]): trials.columns_of(row) for row in rows}
            for examples, minutes, _ in points:
                if examples in found:
                    where = {"examples": examples, "minutes": round(minutes, 2), "num_notes": num_notes}
                    known[examples] = where | found[examples]
        curves[run] = [known[examples] for examples in sorted(known)]
        files.write_json(path, curves)
    return curves


def variants_of(curves: dict[str, list[dict]]) -> list[str]:
    """Names of the runs without their seeds."""
    return list(dict.fromkeys(run.rpartition("_")[0] for run in curves if run != "real"))


def table(curves: dict[str, list[dict]], minutes: list[float]) -> str:
    """Markdown: of every variant the figures after so many minutes, between two checkpoints by a straight line."""
    lines = [f"| variant | minutes | {' | '.join(PANELS)} |", "|---" * (len(PANELS) + 2) + "|"]
    for variant in variants_of(curves):
        runs = [points for run, points in curves.items() if run.rpartition("_")[0] == variant]
        for minute in minutes:
            reached = [run for run in runs if run[0]["minutes"] <= minute <= run[-1]["minutes"]]
            cells = []
            for name in PANELS:
                at = ([[point[key] for point in run] for key in ("minutes", name)] for run in reached)
                values = [np.interp(minute, *line) for line in at]
                cells.append(", ".join(format(value, trials.COLUMNS[name][1]) for value in values) or "-")
            lines.append(f"| {variant} | {minute:g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(curves: dict[str, list[dict]], path: pathlib.Path) -> None:
    """The picture."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FormatStrFormatter

    figure = Figure(figsize=(4 * len(PANELS), 3.8), layout="constrained")
    panels = figure.subplots(1, len(PANELS))
    variants = variants_of(curves)
    for panel, name in zip(panels, PANELS, strict=True):
        for run, points in curves.items():
            if run == "real":
                panel.axhline(points[0][name], color="black", linestyle="--", linewidth=1, label="real, held out")
                continue
            colour = f"C{variants.index(run.rpartition('_')[0])}"
            label = run.rpartition("_")[0] if run.endswith("_0") else None
            minutes, values = zip(*((p["minutes"], p[name]) for p in points if p[name] is not None), strict=True)
            panel.plot(minutes, values, color=colour, marker=".", label=label)
        panel.set(title=name, xlabel="minutes of training")
    panels[1].set_yscale("log")
    for axis in (panels[1].yaxis.set_major_formatter, panels[1].yaxis.set_minor_formatter):
        axis(FormatStrFormatter("%g"))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(variants) + 1)
    with files.replacing(path) as beside:
        figure.savefig(beside, format="png", dpi=100)


def main() -> None:
    """Scores, writes, draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trial", choices=sorted(trials.TRIALS))
    parser.add_argument("--out", default="runs/trials", help="Where benchmarks/trials.py wrote.")
    parser.add_argument("--num_notes", type=int, default=500, help="Of each checkpoint, scored.")
    parser.add_argument("--minutes", default="8,15,22,29,35", help="Of the table that is printed, with commas.")
    given = parser.parse_args()
    out = pathlib.Path(given.out)
    curves = measure(out, trials.TRIALS[given.trial], given.num_notes)
    draw(curves, out / "curves" / "curves.png")
    print(table(curves, [float(minute) for minute in given.minutes.split(",")]))
    print(f"Saved to {out / 'curves'}: curves.json, curves.png")


if __name__ == "__main__":
    main()
