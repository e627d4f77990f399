"""Measures this project beside Magenta's GANSynth, in one sitting, taking turns; prints a table and writes JSON.

    python benchmarks/against_peer.py --peer_python=PEER/bin/python --peer_script=PATH_OF_magenta_peer.py

Every cell of the table is measured in processes of its own, so that peak memory is one cell's. Rounds take turns: each
measures every cell on both sides, every other round in the other order. What is measured is in the JSON file at once:
the same command goes on after an interruption, and only prints when nothing is left. `--cells=` chooses rows. Leave the
machine alone meanwhile: about an hour and a half on two cores.
"""

import argparse
import fnmatch
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
STAGES = (0, 4, 8, 10, 12)
STABLE, TOTAL = 800_000, 11_000_000  # Examples in each stage but the last, and in all: Magenta's mel_prog_hires.
SAVINGS = {
    "penalty every 4th update": {"gradient_penalty_interval": 4},
    "penalty every 16th update": {"gradient_penalty_interval": 16},
    "jit_compile": {"jit_compile": True},
    "jit_compile, penalty every 4th update": {"jit_compile": True, "gradient_penalty_interval": 4},
    "mixed_bfloat16": {"precision": "mixed_bfloat16"},
    "mixed_bfloat16, penalty every 2nd update": {"precision": "mixed_bfloat16", "gradient_penalty_interval": 2},
}
TARGETS = {  # Magenta's figure over ours, at least.
    "generate 8": 1.8, "update, stage 0": 5.0, "update, stage 4": 5.0, "update, stage 12": 1.3, "cold start": 3.0,
    "memory of update, stage 12": 1 / 0.7,
}  # fmt: skip


class Sides:
    """How each side measures a cell: a command that prints a JSON object with `seconds` and `peak_gib`."""

    def __init__(self, peer_python: str, peer_script: str, folder: pathlib.Path):
        self.peer = [peer_python, peer_script] if peer_python else []
        self.folder = folder

    def cells(self) -> list[tuple[str, str]]:
        """(cell, side) in the order of measuring."""
        names = ["cold start", "generate 1", "generate 8", *(f"update, stage {stage}" for stage in STAGES)]
        both = [(name, side) for name in names for side in ("ours", "peer") if side == "ours" or self.peer]
        return both + [(f"update, stage 12, {name}", "ours") for name in SAVINGS]

    def measure(self, cell: str, side: str, runs: int) -> dict:
        """One process, or for a cold start some."""
        if cell == "cold start":
            return self._cold_start(side)
        kind, _, rest = cell.partition(" ")
        if kind == "generate":
            arguments = ["generate", f"--batch={rest}"]
        else:
            number, _, saving = rest.removeprefix("stage ").partition(", ")
            arguments = ["train", f"--stages={number}"] if side == "peer" else ["update", f"--stage={number}"]
            arguments += [f"--hparams={json.dumps(SAVINGS[saving])}"] if saving else []
        if side == "peer":
            return _last_json([*self.peer, *arguments, f"--steps={runs}"])
        return _last_json([sys.executable, str(HERE / "measure_ours.py"), *arguments, f"--runs={runs}"])

    def _cold_start(self, side: str) -> dict:
        """Seconds from starting a process to its end, by when one note is on disk."""
        notes = self.folder / "notes"
        if side == "peer":
            notes.mkdir(exist_ok=True)
            command = [self.peer[0], str(HERE / "peer_cold_start.py"), self.peer[1], str(notes / "generated_0.wav")]
        else:
            run = self.folder / "untrained"
            if not run.is_dir():
                _last_json([sys.executable, str(HERE / "measure_ours.py"), "folder", f"--out={run}"])
            command = [sys.executable, "-m", "gansynth_tf.cli.generate", f"--ckpt_dir={run}", f"--output_dir={notes}"]
            command += ["--batch_size=1", "--seed=0"]
        seconds = []
        for _ in range(2):
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - began)
            if not (notes / "generated_0.wav").is_file():
                raise RuntimeError(f"Expected a note of {command}. There is none.")
            shutil.rmtree(notes)
            notes.mkdir()
        return {"seconds": seconds, "peak_gib": None}


def _last_json(command: list[str]) -> dict:
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode:
        raise RuntimeError(f"{command} failed:\n{finished.stderr[-2000:]}")
    return json.loads(finished.stdout.splitlines()[-1])


# ---------------------------------------------------------------------------------------------------- the record


def write(path: pathlib.Path, record: dict) -> None:
    """Beside its place first: an interruption leaves the record whole."""
    beside = path.with_name(f".{path.name}")
    beside.write_text(json.dumps(record, indent=1) + "\n")
    os.replace(beside, path)


def median(record: dict, cell: str, side: str) -> float | None:
    """Over all rounds."""
    found = [found["seconds"] for found in record["found"] if (found["cell"], found["side"]) == (cell, side)]
    seconds = [second for one in found for second in one]
    return float(np.median(seconds)) if seconds else None


def peak(record: dict, cell: str, side: str) -> float | None:
    """GiB, the largest of all rounds."""
    found = [f["peak_gib"] for f in record["found"] if (f["cell"], f["side"]) == (cell, side) and f["peak_gib"]]
    return max(found) if found else None


def schedule_hours(record: dict, side: str) -> float | None:
    """Hours of the whole schedule; between measured stages the logarithm of the time is taken for a straight line."""
    known = {stage: median(record, f"update, stage {stage}", side) for stage in STAGES}
    if None in known.values():
        return None
    logs = np.interp(range(13), STAGES, np.log([known[stage] for stage in STAGES]))
    examples = np.array([STABLE] * 12 + [TOTAL - 12 * STABLE])
    return float(np.sum(np.exp(logs) * examples / 8) / 3600)


def table(record: dict) -> str:
    """Markdown."""
    rows = []

    def row(name: str, ours: float | None, theirs: float | None, unit: str) -> None:
        ratio = theirs / ours if ours and theirs else None
        target = TARGETS.get(name)
        cells = [f"{value:.3g} {unit}" if value is not None else "" for value in (ours, theirs)]
        rows.append([name, *cells, f"{ratio:.2f}" if ratio else "", f"{target:.2f}" if target else ""])

    names = list(dict.fromkeys(found["cell"] for found in record["found"]))
    for name in names:
        row(name, median(record, name, "ours"), median(record, name, "peer"), "s")
        if name.startswith("update, stage 12, "):
            plain = median(record, "update, stage 12", "peer")
            rows[-1][3] = f"{plain / median(record, name, 'ours'):.2f}" if plain else ""
    for name in names:
        if peak(record, name, "ours"):
            row(f"memory of {name}", peak(record, name, "ours"), peak(record, name, "peer"), "GiB")
    row("whole schedule", schedule_hours(record, "ours"), schedule_hours(record, "peer"), "h")
    head = ["", "this project", "Magenta", "ratio", "target"]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * 5, *rows])


# ---------------------------------------------------------------------------------------------------- the command


def measure_all(sides: Sides, record: dict, path: pathlib.Path, rounds: int, runs: int, chosen: str) -> None:
    """Measures what the record lacks."""
    cells = [(cell, side) for cell, side in sides.cells() if any(fnmatch.fnmatch(cell, c) for c in chosen.split(";"))]
    for number in range(rounds):
        for cell, side in cells if number % 2 == 0 else reversed(cells):
            key = {"cell": cell, "side": side, "round": number}
            if any(key.items() <= found.items() for found in record["found"]):
                continue
            print(f"round {number + 1} of {rounds}: {cell}, {side}", file=sys.stderr, flush=True)
            load = os.getloadavg()[0]
            found = sides.measure(cell, side, 5 if cell.startswith("generate") else runs)
            entry = key | {"seconds": found["seconds"], "peak_gib": found["peak_gib"], "load_before": round(load, 2)}
            record["found"].append(entry)
            write(path, record)


def main() -> None:
    """Measures, writes JSON, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer_python", default="", help="Python of the peer's environment; without it, ours alone.")
    parser.add_argument("--peer_script", default="", help="magenta_peer.py")
    parser.add_argument("--json", default="benchmarks/against_peer.json", help="Where the record is, and grows.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=2, help="Timed updates in a process, beside one that is not.")
    parser.add_argument("--cells", default="*", help="Names of rows or patterns such as 'update*', with ; between.")
    arguments = parser.parse_args()
    path = pathlib.Path(arguments.json)
    record = json.loads(path.read_text()) if path.is_file() else {"machine": platform.platform(), "found": []}
    record["cores"] = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        sides = Sides(arguments.peer_python, arguments.peer_script, pathlib.Path(folder))
        measure_all(sides, record, path, arguments.rounds, arguments.runs, arguments.cells)
    print(table(record))


if __name__ == "__main__":
    main()
