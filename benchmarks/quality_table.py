"""Trains GANSynth, Magenta's own and the baselines for the same time on the same notes, scores and draws them.

    python benchmarks/quality_table.py --out=runs/comparison
    python benchmarks/quality_table.py --out=runs/comparison --peer_python=PEER/bin/python --peer_script=magenta_peer.py

Each small preset is given `--minutes`; then a pitch classifier is trained, everything that is trained is scored beside
held-out notes and their round trips, and one note of the same pitch of each is drawn as a rainbowgram and folded modulo
its period. This project is trained a second time with settings that Magenta's code has, too (`SHARED`; the laptop
preset has some that it lacks); with a Magenta to run, so is that, with the very same. Every step is one of the
commands, printed as it is run, and all but Magenta's go on where they were stopped; `--only` chooses systems. With
`--side_by_side` each has a core of its own, as many as there are at a time. With 40 minutes it takes about six hours.
In OUT stand a run folder for each system, `scores/` with what each was measured at, `evaluation.md`, and `notes/` with
the notes and their picture. What is in `scores` and `notes` is not made again.
"""

import argparse
import fnmatch
import json
import pathlib
import shlex
import subprocess
import sys

import numpy as np
import trials

from gansynth_tf import audio, build_data, settings
from gansynth_tf.evaluation import evaluate, table
from gansynth_tf.hparams import HParams

HERE = pathlib.Path(__file__).resolve().parent
ROWS = "evaluation.jsonl"
DATA = "laptop"  # The preset whose notes all of them learn.
SYSTEMS = {  # Name: run folder.
    "GANSynth": "laptop", "Magenta": "magenta", "GANSynth with Magenta's settings": "same_settings",
    "progressive waveform GAN": "wave_prog_laptop", "WaveGAN": "wavegan_laptop", "WaveNet": "wavenet_laptop",
    "WaveNet autoencoder": "wavenet_autoencoder_laptop", "spectral autoencoder": "spectral_autoencoder_laptop",
}  # fmt: skip
SHARED = {  # Settings that both this project and Magenta's code have.
    "audio_length": 16000, "data_type": "mel", "data_normalizer": "specgrams_prespecified_normalizer",
    "start_height": 2, "start_width": 16, "num_resolutions": 6, "fmap_base": 256, "fmap_max": 32, "fmap_min": 8,
    "latent_vector_size": 32, "generator_learning_rate": 0.004, "discriminator_learning_rate": 0.004,
    "generator_ac_loss_weight": 10.0, "discriminator_ac_loss_weight": 10.0, "train_progressive": False,
    "batch_size_schedule": [8], "total_num_images": 10_000_000, "fake_batch_size": 64,
}  # fmt: skip
# What Magenta does not have, at the values that are its own.
PLAIN = {"mel_downscale": 1, "mel_if": "matrix", "pitch_scale": 1.0, "gradient_penalty_interval": 1}


def run(name: str, *arguments: str) -> None:
    """One of the commands, in a process of its own."""
    print(shlex.join([f"gansynth_{name}", *arguments]), flush=True)
    subprocess.run(trials.command(name, *arguments), check=True)


def training(out: pathlib.Path, folder: str, minutes: float) -> list[str]:
    """The command that trains one system."""
    values = SHARED | PLAIN if folder == "same_settings" else {}
    values |= {
        "train_root_dir": str(out / folder), "records_dir": str(out / "data"), "train_time_limit": 60 * minutes,
        "snapshot_metric_notes": 0,  # All is scored at the end.
    }  # fmt: skip
    preset = DATA if folder == "same_settings" else folder
    return trials.command("train", f"--config={preset}", f"--hparams={json.dumps(values)}")


def train_all(out: pathlib.Path, folders: list[str], minutes: float, side_by_side: bool) -> None:
    """This project's systems, one after the other or each on a core of its own."""
    where = {"train_root_dir": str(out / DATA), "records_dir": str(out / "data")}
    run("prepare", f"--config={DATA}", f"--hparams={json.dumps(where)}")
    jobs = {folder: training(out, folder, minutes) for folder in folders}
    if side_by_side:
        trials.on_own_cores(jobs, out)
        return
    for job in jobs.values():
        print(shlex.join(job[2:]), flush=True)
        subprocess.run(job, check=True)


def train_magenta(out: pathlib.Path, minutes: float, peer: list[str]) -> None:
    """Magenta's code, on the notes of this project; writes samples.npz at its end."""
    notes = out / "notes.npz"
    if not notes.is_file():
        data = ["--config", DATA, "--hparams", json.dumps({"records_dir": str(out / "data")})]
        subprocess.run([sys.executable, str(HERE / "peer_notes.py"), *data, "--output", str(notes)], check=True)
    samples = HParams().override(settings.read_preset(DATA)).audio_length
    command = [peer[0], str(HERE / "peer_short_notes.py"), peer[1], str(samples), "run", "--data", str(notes)]
    command += ["--out", str(out / "magenta"), f"--seconds={60 * minutes:g}", "--samples=1000"]
    command += ["--hparams", json.dumps(SHARED | {"save_summaries_num_images": 8000})]
    print(shlex.join(command), flush=True)
    subprocess.run(command, check=True)


def is_trained(out: pathlib.Path, folder: str) -> bool:
    """Whether there is something to score."""
    run_folder = out / folder
    return (run_folder / "samples.npz").is_file() or any((run_folder / "checkpoints").glob("*.index"))


def score(out: pathlib.Path, num_notes: int) -> list[dict]:
    """The judge, then a row for each of the real notes' sets and for each system that is trained."""
    data = f"--hparams={json.dumps({'train_root_dir': str(out / DATA), 'records_dir': str(out / 'data')})}"
    if not (out / "classifier" / "export").is_dir():
        run("train_classifier", f"--config={DATA}", data, f"--output_dir={out / 'classifier'}")
    judged = [f"--config={DATA}", data, f"--classifier={out / 'classifier'}", f"--num_notes={num_notes}"]
    rows = _scored(out / "scores" / "real", [*judged, "--ceiling=wave,phase,linear,mel"])
    for name, folder in SYSTEMS.items():
        scores = out / "scores" / folder
        if is_trained(out, folder) or (scores / ROWS).is_file():
            path = out / folder / "samples.npz" if folder == "magenta" else out / folder
            scored = _scored(scores, [*judged, f"--compare={name}={path}"])
            rows += [row for row in scored if row["notes"] != "real"]  # An autoencoder's are "(reconstructions)".
    return rows


def _scored(folder: pathlib.Path, arguments: list[str]) -> list[dict]:
    """The rows of one evaluation, which is made once."""
    if not (folder / ROWS).is_file():
        run("evaluate", *arguments, f"--output_dir={folder}")
    return [json.loads(line) for line in (folder / ROWS).read_text().splitlines()]


def write_tables(out: pathlib.Path, rows: list[dict]) -> None:
    """Prints and writes what all were measured at.

    Raises:
        ValueError: When they were not measured alike.
    """
    shared = [{name: row["protocol"][name] for name in ("data_fingerprint", "classifier", "num_bins")} for row in rows]
    unlike = [row["notes"] for row, one in zip(rows, shared, strict=True) if one != shared[0]]
    if unlike:
        raise ValueError(f"Expected all rows to be of one data set and one judge. Delete the scores of: {unlike}")
    print(f"{evaluate.format_table([(row['notes'], row) for row in rows])}\n\n{table.format_markdown(rows)}")
    table.write_tables(rows, out, f"Notes: {rows[0]['protocol']['data']}; judge {shared[0]['classifier']}.")


def draw(out: pathlib.Path, pitch: int) -> None:
    """A note of each system at one pitch, beside a held-out one, which the autoencoders are given to encode."""
    notes = out / "notes"
    hparams = HParams().override(settings.read_preset(DATA))
    hparams = hparams.override({"train_root_dir": str(out / DATA), "records_dir": str(out / "data")})
    split = next(name for name in ("valid", "test", "train") if _holds(hparams, name, pitch))
    notes.mkdir(parents=True, exist_ok=True)
    audio.save_wav(notes / "0_real.wav", _first(build_data.load_real_notes(hparams, split), pitch), hparams.sample_rate)
    for place, (name, folder) in enumerate(SYSTEMS.items(), start=1):
        note = notes / f"{place}_{name.replace(' ', '_')}.wav"
        if is_trained(out, folder) and not note.is_file():
            audio.save_wav(note, _note(out, folder, pitch, hparams.sample_rate), hparams.sample_rate)
    run("plot", str(notes), f"--pitch={pitch}")


def _note(out: pathlib.Path, folder: str, pitch: int, sample_rate: int) -> np.ndarray:
    """One note of a system."""
    if folder == "magenta":
        return _first(np.load(out / folder / "samples.npz"), pitch)
    made, ckpt_dir = out / folder / "one_note", f"--ckpt_dir={out / folder}"
    if "autoencoder" in folder:
        real = out / "notes" / "0_real.wav"
        run("autoencode", ckpt_dir, f"--notes={real}", f"--pitches={pitch}", f"--output_dir={made}")
        return audio.load_audio(made / "0_real.wav", sample_rate)
    run("generate", ckpt_dir, f"--pitch={pitch}", "--num_notes=1", "--seed=0", f"--output_dir={made}")
    return audio.load_audio(made / "generated_0.wav", sample_rate)


def _first(notes: dict[str, np.ndarray], pitch: int) -> np.ndarray:
    return notes["audio"][int(np.flatnonzero(notes["pitch"] == pitch)[0])]


def _holds(hparams: HParams, split: str, pitch: int) -> bool:
    try:
        return pitch in build_data.load_real_notes(hparams, split)["pitch"]
    except ValueError:
        return False  # An empty split.


def main() -> None:
    """Trains, scores, draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="runs/comparison", help="Where everything goes.")
    parser.add_argument("--only", default="*", help="Run folders to train, or patterns, with commas; none: score only.")
    parser.add_argument("--side_by_side", action="store_true", help="Train on a core each, not one by one on all.")
    parser.add_argument("--minutes", type=float, default=40.0, help="Of training for each system.")
    parser.add_argument("--num_notes", type=int, default=1000, help="Of each system in the table.")
    parser.add_argument("--pitch", type=int, default=60, help="Of the notes that are drawn.")
    parser.add_argument("--peer_python", default="", help="Python of Magenta's environment; empty: without Magenta.")
    parser.add_argument("--peer_script", default="", help="magenta_peer.py")
    given = parser.parse_args()
    out = pathlib.Path(given.out)
    out.mkdir(parents=True, exist_ok=True)
    patterns = given.only.split(",")
    wanted = [one for one in SYSTEMS.values() if any(fnmatch.fnmatch(one, pattern) for pattern in patterns)]
    train_all(out, [folder for folder in wanted if folder != "magenta"], given.minutes, given.side_by_side)
    if "magenta" in wanted and given.peer_python and not is_trained(out, "magenta"):
        train_magenta(out, given.minutes, [given.peer_python, given.peer_script])
    write_tables(out, score(out, given.num_notes))
    draw(out, given.pitch)


if __name__ == "__main__":
    main()
