"""Where the time of an update goes: a table of TensorFlow's operations, by kind.

    python benchmarks/profile_update.py --stage=12

Profiles one update at the sizes of `mel_prog_hires` with TensorFlow's own profiler, and adds up the time of each kind
of operation over the threads that ran them.
"""

import argparse
import collections
import json
import os
import pathlib
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from measure_ours import PITCHES, SIZES, time_updates

from gansynth_tf.hparams import HParams


def profile(hparams: HParams, stage: int, folder: str) -> float:
    """Seconds of one update, with its trace in a folder."""
    tf.profiler.experimental.start(folder)
    (seconds,) = time_updates(hparams, stage, runs=1)
    tf.profiler.experimental.stop()
    return seconds


def times_by_kind(folder: str, after: float) -> dict[str, float]:
    """Kind of operation -> seconds, of what began in the last `after` seconds of a trace."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    (path,) = pathlib.Path(folder).rglob("*.xplane.pb")
    space = xplane_pb2.XSpace.FromString(path.read_bytes())
    events = []
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                start = line.timestamp_ns * 1e-9 + event.offset_ps * 1e-12
                if ":" in name and not name.startswith(("Executor", "$", "Threadpool")):
                    events.append((start, name.rpartition(":")[2], event.duration_ps * 1e-12))
    end = max(start + seconds for start, _, seconds in events)
    total = collections.Counter()
    for start, kind, seconds in events:
        if start >= end - after:
            total[kind] += seconds
    return total


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", type=int, default=12)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--hparams", default="{}", help="JSON object of settings that override the sizes.")
    arguments = parser.parse_args()
    hparams = HParams().override(SIZES | json.loads(arguments.hparams))
    with tempfile.TemporaryDirectory() as folder:
        seconds = profile(hparams, arguments.stage, folder)
        kinds = times_by_kind(folder, seconds)
    print(f"One update at stage {arguments.stage} of {PITCHES.num_classes} pitches: {seconds:.2f} s.\n")
    print("| operation | seconds | share |\n|---|---|---|")
    whole = sum(kinds.values())
    for kind, spent in kinds.most_common(arguments.rows):
        print(f"| {kind} | {spent:.3f} | {100 * spent / whole:.1f} % |")


if __name__ == "__main__":
    main()
