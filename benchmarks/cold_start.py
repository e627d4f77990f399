"""From the start of a process to the first note of an exported model, by TensorFlow alone and by LiteRT alone.

    python benchmarks/cold_start.py [PRESET]

Exports the preset (mel_prog_hires unless another is named) with random weights, then starts a fresh interpreter several
times that loads it and asks for one note. Prints a Markdown table in seconds: `total` is the whole process, the
interpreter's own start and end included, `processor` its time on all cores together; where other programs keep the
machine busy, that is what an idle one would need at most.
"""

import pathlib
import resource
import subprocess
import sys
import tempfile
import time

COLUMNS = ("import", "load", "first note", "second note", "total", "processor")
RUNS = 3
TENSORFLOW = """
import sys, time
times = [time.monotonic()]
import tensorflow as tf
times.append(time.monotonic())
model = tf.saved_model.load(sys.argv[1])
times.append(time.monotonic())
serve = model.signatures["serving_default"]
size = serve.structured_input_signature[1]["z"].shape[1]
for _ in range(2):
    audio = serve(z=tf.random.normal([1, size]), pitch=tf.constant([60]))["audio"].numpy()
    times.append(time.monotonic())
print(*(after - before for before, after in zip(times, times[1:])))
"""
LITERT = """
import sys, time
times = [time.monotonic()]
import numpy as np
from ai_edge_litert.interpreter import Interpreter
times.append(time.monotonic())
serve = Interpreter(sys.argv[1] + "/model.tflite", num_threads=2).get_signature_runner()
size = serve.get_input_details()["z"]["shape"][1]
times.append(time.monotonic())
for _ in range(2):
    audio = serve(z=np.random.normal(size=[1, size]).astype(np.float32), pitch=np.array([60], np.int32))["audio"]
    times.append(time.monotonic())
print(*(after - before for before, after in zip(times, times[1:])))
"""


def export_preset(name: str, folder: pathlib.Path) -> pathlib.Path:
    """Writes a preset's model as it is before training."""
    from gansynth_tf import PitchClasses, build, export, settings

    hparams = settings.resolve_hparams(name, {})
    pitches = range(hparams.min_pitch, hparams.max_pitch + 1)
    model = build.make_model(hparams, PitchClasses(tuple(pitches), (1,) * len(pitches)))
    return export.export_model(model, folder, formats=export.FORMATS)


def measure(program: str, version: pathlib.Path) -> list[float]:
    """Seconds of one start, as `COLUMNS` names them."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    command = [sys.executable, "-I", "-c", program, str(version)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    total = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [*map(float, printed.split()), total, processor]


def main() -> None:
    """Prints the table, the fastest start of each runtime first."""
    print(f"| runtime | {' | '.join(COLUMNS)} |\n|{'---|' * (1 + len(COLUMNS))}")
    with tempfile.TemporaryDirectory() as folder:
        version = export_preset(sys.argv[1] if len(sys.argv) > 1 else "mel_prog_hires", pathlib.Path(folder))
        for name, program in (("TensorFlow", TENSORFLOW), ("LiteRT", LITERT)):
            runs = (measure(program, version) for _ in range(RUNS))
            for run in sorted(runs, key=lambda run: run[COLUMNS.index("total")]):
                print(f"| {name} | {' | '.join(f'{seconds:.2f}' for seconds in run)} |")


if __name__ == "__main__":
    main()
