"""Makes the model in the box of a training run: packs it, measures it, and with `--ship` puts it into the package.

    python benchmarks/box.py --ckpt_dir=runs/mini --records_dir=runs/mini/data --out=runs/box
    python benchmarks/box.py --ckpt_dir=runs/mini --records_dir=runs/mini/data --out=runs/box --ship

The judge is trained once, in OUT/classifier. What is measured is the packed model, half precision included: pitch by
pyin and by the judge, FID, NDB, diversity and memorisation beside held-out notes, the real-time factor, rainbowgrams.
Its model.json gets the figures and the hash of the weights, which a test compares.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import subprocess
import time

import trials

from gansynth_tf import files, settings
from gansynth_tf.evaluation import table as evaluated

FILES = ("weights.npz", "experiment.json", "pitches.json", "model.json", "sliders.json")
REPORTED = (
    "in_tune", "pitch_accuracy", "pitch_entropy", "fid", "ndb", "diversity", "generated_to_real", "real_to_generated",
    "copying_z", "precision", "recall", "clipped",
)  # fmt: skip


def run(name: str, *arguments: str) -> None:
    """One of the commands."""
    subprocess.run(trials.command(name, *arguments), check=True, stdout=subprocess.DEVNULL)


def measure(out: pathlib.Path, records: str, num_notes: int, num_f0_notes: int) -> list[dict]:
    """A row for real held-out notes and one for the packed model."""
    data = {"train_root_dir": str(out / "data_of"), "records_dir": records}
    sizes = (f"--num_notes={num_notes}", f"--num_f0_notes={num_f0_notes}")
    where = ["--config=mini", f"--hparams={json.dumps(data)}"]
    return trials.judge(where, out / "classifier", {"box": out / "packed"}, out, *sizes)


def real_time_factor(folder: pathlib.Path, batch: int) -> float:
    """Seconds of sound made in a second, after the first call; the best of five."""
    from gansynth_tf import load

    model = load(folder)
    z, pitches, seconds = model.sample_z(batch, seed=0), [60] * batch, []
    for _ in range(6):
        began = time.perf_counter()
        model.generate(z, pitches)
        seconds.append(time.perf_counter() - began)
    return batch * model.audio_length / model.sample_rate / min(seconds[1:])


def report(out: pathlib.Path, rows: list[dict]) -> dict:
    """What model.json shall say; written there."""
    folder, row = out / "packed", rows[-1]
    found = {name: row.get(evaluated.find_metric(row, name)) for name in REPORTED}
    figures = {name: round(float(value), 4) for name, value in found.items() if value is not None}
    speeds = {f"real_time_factor_{batch}": round(real_time_factor(folder, batch), 1) for batch in (1, 8)}
    digest = hashlib.sha256((folder / "weights.npz").read_bytes()).hexdigest()
    facts = json.loads((folder / "model.json").read_text())
    facts["reported"] = {"sha256": digest, "notes": row["num_notes"], **figures, **speeds}
    files.write_json(folder / "model.json", facts)
    return facts["reported"]


def main() -> None:
    """Packs, measures, ships."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt_dir", default="runs/mini", help="The run.")
    parser.add_argument("--records_dir", default="runs/mini/data", help="Its notes.")
    parser.add_argument("--out", default="runs/box", help="Where everything goes.")
    parser.add_argument("--num_notes", type=int, default=1000, help="That are scored.")
    parser.add_argument("--num_f0_notes", type=int, default=256, help="That pyin measures.")
    parser.add_argument("--ship", action="store_true", help="Put it into the package.")
    given = parser.parse_args()
    out = pathlib.Path(given.out)
    shutil.rmtree(out / "packed", ignore_errors=True)  # Has sliders, which gansynth_pack would not replace.
    run("pack", f"--ckpt_dir={given.ckpt_dir}", f"--output_dir={out / 'packed'}")
    run("explore", f"--ckpt_dir={out / 'packed'}", f"--output_dir={out / 'explore'}")
    run("plot", str(out / "packed"), f"--output_dir={out / 'plots'}")
    rows = measure(out, given.records_dir, given.num_notes, given.num_f0_notes)
    print(json.dumps(report(out, rows), indent=2))
    if given.ship:
        for name in FILES:
            shutil.copy(out / "packed" / name, settings.BOX / name)
        print(f"Saved to {settings.BOX}")


if __name__ == "__main__":
    main()
