"""Measures this project once, in a process of its own: a batch of notes, an update, or makes a folder to play.

    python benchmarks/measure_ours.py generate --batch=8 --runs=5
    python benchmarks/measure_ours.py update --stage=12 --runs=2 --hparams='{"gradient_penalty_interval": 4}'
    python benchmarks/measure_ours.py folder --out=runs/untrained

Prints one JSON object: the seconds of each run, their median, and the peak resident memory in GiB. The sizes are those
of the paper's best network, `mel_prog_hires` in Magenta, at batches of 8; weights are random, notes are noise.
"""

import argparse
import json
import os
import pathlib
import resource
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from gansynth_tf import build, build_training, files
from gansynth_tf.hparams import HParams
from gansynth_tf.pitches import PitchClasses

SIZES = {
    "start_height": 2, "start_width": 16, "fmap_base": 4096, "fmap_max": 256, "batch_size_schedule": [8],
    "generator_ac_loss_weight": 10.0, "discriminator_ac_loss_weight": 10.0, "generator_learning_rate": 0.0008,
    "discriminator_learning_rate": 0.0008, "stable_stage_num_images": 800000, "transition_stage_num_images": 800000,
    "total_num_images": 11000000,
}  # fmt: skip
PITCHES = PitchClasses(tuple(range(24, 85)), (1,) * 61)


def time_generation(hparams: HParams, batch: int, runs: int) -> list[float]:
    """Seconds of each call that makes `batch` notes, after two that are not counted."""
    model = build.make_model(hparams, PITCHES)
    z, seconds = model.sample_z(batch, seed=0), []
    for _ in range(runs + 2):
        began = time.perf_counter()
        model.generate(z, np.full(batch, 60))
        seconds.append(time.perf_counter() - began)
    return seconds[2:]


def time_updates(hparams: HParams, stage: int, runs: int) -> list[float]:
    """Seconds of an update of both networks, after a call that compiles.

    A call makes as many updates as lie between two gradient penalties.
    """
    strategy = tf.distribute.OneDeviceStrategy("GPU:0" if tf.config.list_logical_devices("GPU") else "CPU:0")
    updates, _ = build_training.make_updates(hparams, strategy, PITCHES)
    batch = updates.schedule.batch_size(stage)
    audio = 0.1 * np.random.default_rng(0).normal(size=(batch, hparams.audio_length)).astype(np.float32)
    notes = {"audio": audio, "label": np.arange(batch, dtype=np.int32)}
    iterator = iter(strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensors(notes).repeat()))
    function, seconds = updates.make_function(stage), []
    in_call, fade = hparams.gradient_penalty_interval, tf.constant(0.5)
    for run in range(runs + 1):
        first = tf.constant(run * in_call * batch, tf.int64)
        began = time.perf_counter()
        metrics, _ = function(iterator, tf.constant(in_call), first, fade, tf.constant(0.0))
        float(metrics["discriminator_loss"])
        seconds.append((time.perf_counter() - began) / in_call)
    return seconds[1:]


def make_folder(hparams: HParams) -> None:
    """A run folder with random weights."""
    from gansynth_tf.training import checkpoints

    _, state = build_training.make_updates(hparams, tf.distribute.OneDeviceStrategy("CPU:0"), PITCHES)
    state.stage.assign(12)
    state.save()
    run = pathlib.Path(hparams.train_root_dir)
    files.write_json(run / checkpoints.EXPERIMENT_FILE, hparams.to_dict())
    files.write_json(run / checkpoints.PITCHES_FILE, PITCHES.to_json())


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["generate", "update", "folder"])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--stage", type=int, default=12)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", default="runs/untrained")
    parser.add_argument("--hparams", default="{}", help="JSON object of settings that override the sizes.")
    arguments = parser.parse_args()
    hparams = HParams().override(SIZES | {"train_root_dir": arguments.out} | json.loads(arguments.hparams))
    match arguments.what:
        case "generate":
            seconds = time_generation(hparams, arguments.batch, arguments.runs)
        case "update":
            seconds = time_updates(hparams, arguments.stage, arguments.runs)
        case "folder":
            make_folder(hparams)
            seconds = [0.0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "median": float(np.median(seconds)), "peak_gib": peak}))


if __name__ == "__main__":
    main()
