"""Trains variants of a preset, several seeds each, scores them side by side and prints what each gives.

    python benchmarks/trials.py savings --out=runs/savings

Two trainings run at a time, each on a processor core of its own: networks as small as these do not gain from a second
core. All learn from the same notes and are scored by one judge (`gansynth_evaluate`). Every step is a command of this
project that goes on where it was stopped, and so does this one; `--only` chooses variants. OUT gets a run folder
VARIANT_SEED for each training, `evaluation.md`, and `trials.json` with the figures of the table.
"""

import argparse
import concurrent.futures
import dataclasses
import fnmatch
import json
import os
import pathlib
import queue
import subprocess
import sys

import numpy as np

from gansynth_tf import files
from gansynth_tf.evaluation import table as evaluated


@dataclasses.dataclass(frozen=True)
class Trial:
    """What is compared: a preset, the settings of all variants, and those of each."""

    preset: str
    shared: dict
    variants: dict[str, dict]


def _growing(examples: int) -> dict:
    """Progressive growing with so many examples in every early stage, and as many in every fade."""
    return {
        "train_progressive": True, "stable_stage_num_images": examples, "transition_stage_num_images": examples,
    }  # fmt: skip


_WGAN_GP = {
    "adversarial_loss": "wgan_gp", "gradient_penalty_weight": 10.0, "pitch_projection": False,
    "generator_ac_loss_weight": 10.0, "discriminator_ac_loss_weight": 10.0, "pitch_group_size": 1,
}  # fmt: skip
# As the paper trains: its rates, the pitch as loud as the latent, the penalty at every update, growing.
_PUBLISHED = _WGAN_GP | {
    "generator_learning_rate": 0.0008, "discriminator_learning_rate": 0.0008, "pitch_scale": 1.0,
    "gradient_penalty_interval": 1, "batch_size_schedule": [8], "train_progressive": True,
}  # fmt: skip
_PROJECTION = {"pitch_projection": True, "generator_ac_loss_weight": 0.0, "discriminator_ac_loss_weight": 0.0}
_LOGISTIC = _PROJECTION | {"adversarial_loss": "logistic_r1", "gradient_penalty_weight": 1.0}
_PAIRED = _LOGISTIC | {"adversarial_loss": "relativistic_r1_r2"}
_QUICKSTART = _PAIRED | {"pitch_group_size": 2}
TRIALS = {
    # What the opt-in savings of docs/performance.md do to the metrics: the same number of updates for all.
    "savings": Trial(
        "quickstart",
        _WGAN_GP | {"total_num_images": 24_000, "train_time_limit": None, "snapshot_metric_notes": 0},
        {
            "penalty_1": {"gradient_penalty_interval": 1},
            "penalty_2": {"gradient_penalty_interval": 2},
            "penalty_4": {"gradient_penalty_interval": 4},
            "penalty_16": {"gradient_penalty_interval": 16},
            "bfloat16": {"precision": "mixed_bfloat16"},
            "xla": {"jit_compile": True},
        },
    ),
    # What learns fastest from little.
    "recipes": Trial(
        "quickstart",
        _WGAN_GP | {"total_num_images": 24_000, "train_time_limit": None, "snapshot_metric_notes": 0},
        {
            "wgan_gp": {},
            "published": _PUBLISHED | _growing(1_500),
            "penalty_100": {"gradient_penalty_weight": 100.0},
            "pitch_2": {"generator_ac_loss_weight": 2.0},
            "logistic_projection": _LOGISTIC,
            "projection": _PROJECTION,
            "logistic_grouped": _LOGISTIC | {"pitch_group_size": 2},
            "paired": _PAIRED,
            # The quickstart's own; what follows changes one thing about it.
            "paired_grouped": _QUICKSTART,
            "paired_batch_8": _QUICKSTART | {"batch_size_schedule": [8]},
            "paired_fast_average": _QUICKSTART | {"ema_decay": 0.995},
            "paired_fewer_frames": _QUICKSTART | {"num_resolutions": 4, "start_width": 32, "mel_downscale": 8},
            # Early stages are cheap, so it gets more examples.
            "paired_growing": _QUICKSTART | _growing(1_500) | {"total_num_images": 33_000},
            "paired_penalty_0.3": _QUICKSTART | {"gradient_penalty_weight": 0.3},
            "paired_penalty_3": _QUICKSTART | {"gradient_penalty_weight": 3.0},
            "paired_pitch_head": _QUICKSTART | {"generator_ac_loss_weight": 1.0, "discriminator_ac_loss_weight": 1.0},
            "paired_pitch_scale_1": _QUICKSTART | {"pitch_scale": 1.0},
            "paired_slower": _QUICKSTART | {"generator_learning_rate": 0.002, "discriminator_learning_rate": 0.002},
        },
    ),
    # The recipe for a few hundred notes beside the paper's loss, the same networks and notes, for the same time.
    "small": Trial(
        "small_data",
        {"train_time_limit": 2400.0, "snapshot_metric_notes": 0, "keep_every_examples": 8_000},
        {
            "small_data": {},
            "wgan_gp": _WGAN_GP,
            "wgan_gp_batch_8": _WGAN_GP | {"batch_size_schedule": [8]},
            # By time the last stage gets four tenths of it, as it does by the counts of examples in the paper.
            "published": _PUBLISHED | {"train_time_stage_multiplier": 1.65},
            # What small_data was before, and with batches of twice the size.
            "logistic_grouped_4_batch_8": {
                "adversarial_loss": "logistic_r1", "pitch_group_size": 4, "batch_size_schedule": [8],
            },
            "batch_8": {"batch_size_schedule": [8]},
        },
    ),
    # What the model in the box is worth to two hundred notes of another SoundFont, that which pretty_midi installs.
    "tuning": Trial(
        "mini",
        {
            "soundfont_path": "", "soundfont_programs": [0, 6, 11, 24, 40, 48, 56, 68, 71, 73], "min_pitch": 48,
            "max_pitch": 72, "total_num_images": 8_000, "train_time_limit": None, "snapshot_metric_notes": 0,
            "keep_every_examples": 2_000,
        },
        {"scratch": {}, "box": {"init_from": "box"}},
    ),
}
COLUMNS = {  # Of the table: the name in evaluation.jsonl, how it is written.
    "in tune": ("in_tune", ".2f"), "pitch accuracy": ("pitch_accuracy", ".2f"), "FID": ("fid", ".1f"),
    "diversity": ("diversity", ".2f"), "generated to real": ("generated_to_real", ".2f"),
    "copying z": ("copying_z", "+.1f"), "over full scale": ("clipped", ".2f"),
}  # fmt: skip


def command(name: str, *arguments: str) -> list[str]:
    """One of the commands, as a process of its own."""
    return [sys.executable, "-m", f"gansynth_tf.cli.{name}", *arguments]


def on_own_cores(jobs: dict[str, list[str]], out: pathlib.Path) -> None:
    """Runs commands, each on the next core that is free, its output in OUT/NAME.log.

    The first failure is raised when the others are done.

    Args:
        jobs: Commands by name.
        out: Where the logs go.
    """
    cores = queue.Queue()
    for core in sorted(os.sched_getaffinity(0)):
        cores.put(core)

    def run(name: str, job: list[str]) -> None:
        core = cores.get()
        print(f"{name} on core {core}", flush=True)
        try:
            with (out / f"{name}.log").open("a") as log:
                job = ["taskset", "-c", str(core), *job]
                subprocess.run(job, check=True, stdout=log, stderr=subprocess.STDOUT)
        finally:
            cores.put(core)
        print(f"{name} is done", flush=True)

    with concurrent.futures.ThreadPoolExecutor(cores.qsize()) as pool:
        for finished in [pool.submit(run, *job) for job in jobs.items()]:
            finished.result()


def trainings(out: pathlib.Path, trial: Trial, chosen: dict[str, dict], seeds: list[int]) -> dict[str, list[str]]:
    """The command of every training, by the name of its run folder."""
    jobs = {}
    for seed in seeds:
        for name, values in chosen.items():
            run = f"{name}_{seed}"
            values = trial.shared | values
            values |= {"train_root_dir": str(out / run), "records_dir": str(out / "data"), "seed": seed}
            jobs[run] = command("train", f"--config={trial.preset}", f"--hparams={json.dumps(values)}")
    return jobs


def judge(where: list[str], classifier: pathlib.Path, runs: dict, folder: pathlib.Path, *sizes: str) -> list[dict]:
    """Trains the judge unless that is done, and evaluates.

    Args:
        where: Flags that say which notes.
        classifier: The judge's folder.
        runs: Folders of models by name.
        folder: Where the tables go, over those of before.
        sizes: Further flags, of how many notes.

    Returns:
        A row for real notes and one for each model.
    """
    subprocess.run(command("train_classifier", *where, f"--output_dir={classifier}"), check=True)
    compared = ",".join(f"{name}={run}" for name, run in runs.items())
    rows = folder / "evaluation.jsonl"
    rows.unlink(missing_ok=True)
    flags = [f"--compare={compared}", f"--classifier={classifier}", f"--output_dir={folder}"]
    subprocess.run(command("evaluate", *where, *flags, *sizes), check=True, stdout=subprocess.DEVNULL)
    return [json.loads(line) for line in rows.read_text().splitlines()]


def score(
    out: pathlib.Path, trial: Trial, runs: dict[str, pathlib.Path], num_notes: int, folder: pathlib.Path
) -> list[dict]:
    """One judge for all; a row for real notes and for each run, given by name. Tables go to the folder."""
    data = {"train_root_dir": str(out), "records_dir": str(out / "data")}
    where = [f"--config={trial.preset}", f"--hparams={json.dumps(trial.shared | data)}"]
    # With the 64 notes that pyin gets by default, two or three of a pitch, diversity would vary by 0.05 by chance.
    sizes = (f"--num_notes={num_notes}", f"--num_f0_notes={min(num_notes, 250)}")
    return judge(where, out / "classifier", runs, folder, *sizes)


def columns_of(row: dict) -> dict[str, float]:
    """What the table shows of a row of the evaluation."""
    return {name: row.get(evaluated.find_metric(row, key)) for name, (key, _) in COLUMNS.items()}


def figures(out: pathlib.Path, rows: list[dict]) -> dict[str, dict]:
    """The columns of every row, and how long the run took."""
    found = {}
    for row in rows:
        found[row["notes"]] = columns_of(row)
        metrics = out / row["notes"] / "metrics.jsonl"
        if metrics.is_file():
            last = json.loads(metrics.read_text().splitlines()[-1])
            norms = [json.loads(line)["gradient_norm"] for line in metrics.read_text().splitlines()[-10:]]
            found[row["notes"]] |= {"minutes": last["train_seconds"] / 60, "examples": last["examples"]}
            found[row["notes"]] |= {"gradient norm": float(np.mean(norms))}
    return found


def table(found: dict[str, dict], variants: list[str], seeds: list[int]) -> str:
    """Markdown: means over the seeds, and every seed's figure in brackets."""
    columns = {"minutes": ".1f", "examples": ",.0f", **{name: form for name, (_, form) in COLUMNS.items()}}
    columns |= {"gradient norm": ".2f"}
    lines = [f"| variant | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    real = next(iter(found))
    runs_of = {real: [real]} | {variant: [f"{variant}_{seed}" for seed in seeds] for variant in variants}
    for name, runs in runs_of.items():
        cells = []
        for column, form in columns.items():
            values = [found[run].get(column) for run in runs if run in found]
            values = [value for value in values if value is not None]
            each = f" ({', '.join(format(value, form) for value in values)})" if len(set(values)) > 1 else ""
            cells.append(format(float(np.mean(values)), form) + each if values else "-")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Trains, scores, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trial", choices=sorted(TRIALS))
    parser.add_argument("--out", default="runs/trials", help="Where everything goes.")
    parser.add_argument("--only", default="*", help="Variants, or patterns, with commas.")
    parser.add_argument("--seeds", default="0,1", help="With commas.")
    parser.add_argument("--num_notes", type=int, default=500, help="Of each run, scored.")
    parser.add_argument("--minutes", type=float, default=None, help="Of training for each; none: what the trial says.")
    given = parser.parse_args()
    trial, out, seeds = TRIALS[given.trial], pathlib.Path(given.out), [int(seed) for seed in given.seeds.split(",")]
    if given.minutes:
        trial = dataclasses.replace(trial, shared=trial.shared | {"train_time_limit": 60 * given.minutes})
    patterns = given.only.split(",")
    chosen = {
        name: values
        for name, values in trial.variants.items()
        if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
    }
    out.mkdir(parents=True, exist_ok=True)
    prepared = trial.shared | {"train_root_dir": str(out), "records_dir": str(out / "data")}
    subprocess.run(command("prepare", f"--config={trial.preset}", f"--hparams={json.dumps(prepared)}"), check=True)
    jobs = trainings(out, trial, chosen, seeds)
    on_own_cores(jobs, out)
    rows = score(out, trial, {run: out / run for run in jobs}, given.num_notes, out)
    found = figures(out, rows)
    files.write_json(out / "trials.json", found)
    print(table(found, list(chosen), seeds))


if __name__ == "__main__":
    main()
