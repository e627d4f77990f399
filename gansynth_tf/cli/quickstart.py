"""bin/quickstart: the other commands in their natural order on a small preset, with times and memory."""

import contextlib
import pathlib
import resource
import shlex
import subprocess
import sys
import time

from absl import flags

from gansynth_tf import settings
from gansynth_tf.cli import entry
from gansynth_tf.hparams import parse_overrides

FLAGS = flags.FLAGS
flags.DEFINE_string("config", "quickstart", "Preset.")
flags.DEFINE_string("hparams", "{}", "JSON object of settings that override the preset.")
flags.DEFINE_bool("dry_run", False, "Print the steps' commands without running them.")

_TUNE = ("--tracks=own", "--long_notes=loop", "--normalize=loudness")


def main() -> int:
    """Runs every step; the exit code of the first that fails, else 0."""
    hparams = settings.resolve_hparams(FLAGS.config, parse_overrides(FLAGS.hparams))
    run = pathlib.Path(hparams.train_root_dir)
    times = {}
    for title, (command, *arguments) in _steps(run).items():
        print(f"\n{title}\n$ {shlex.join([f'gansynth_{command}', *arguments])}", flush=True)
        if FLAGS.dry_run:
            continue
        began = time.monotonic()
        code = _call([sys.executable, "-m", f"gansynth_tf.cli.{command}", *arguments])
        times[title] = time.monotonic() - began
        if code:
            print("This step failed; bin/quickstart goes on from it when run again.", file=sys.stderr)
            return code
    if not FLAGS.dry_run:
        _summarise(run, times)
    return 0


def _call(command: list[str]) -> int:
    """Runs a command; its exit code. When this process is stopped the command is too, and gets the time to save."""
    process = subprocess.Popen(command)
    try:
        return process.wait()
    except KeyboardInterrupt:
        # Ctrl-C in a terminal reaches both; another signal only this one.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1.0)
        process.terminate()
        process.wait()
        raise


def _steps(run: pathlib.Path) -> dict[str, list[str]]:
    """Title -> command, without its prefix, and arguments."""
    chosen = [f"--config={FLAGS.config}"] + ([f"--hparams={FLAGS.hparams}"] if FLAGS.hparams != "{}" else [])
    model = f"--ckpt_dir={run}"
    first = [f"--output_dir={run / 'box'}", "--seed=0", "--tune", *_TUNE]
    return {
        "Playing a tune by the model that comes with the package": ["generate", *first],
        "Rendering notes from the SoundFont": ["prepare", *chosen],
        "Training": ["train", *chosen],
        "Generating notes": ["generate", model, f"--output_dir={run / 'generated'}", "--seed=0"],
        "Playing a tune": ["generate", model, f"--output_dir={run / 'tune'}", "--seed=0", "--tune", *_TUNE],
        "Drawing pictures": ["plot", model],
        "Exporting a SavedModel": ["export", model, f"--export_dir={run / 'export'}"],
        "Measuring": ["evaluate", model],
    }


def _summarise(run: pathlib.Path, times: dict[str, float]) -> None:
    from tqdm import tqdm

    peak_gib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    parts = ", ".join(f"{title.lower()} {tqdm.format_interval(seconds)}" for title, seconds in times.items())
    print(f"\nTimes: {parts}; in all {tqdm.format_interval(sum(times.values()))}. Peak memory {peak_gib:.1f} GiB.")
    written = {
        "A tune by the model in the box": run / "box" / "generated_clip.wav",
        "Generated notes": run / "generated",
        "A tune by the new model": run / "tune" / "generated_clip.wav",
        "Pictures": run / "plots",
        "The same notes during training": run / "samples",
        "SavedModel": run / "export",
        "Run folder (resume, generate, tensorboard --logdir)": run,
    }
    for what, where in written.items():
        print(f"{what}: {where}")


def console_entry_point() -> None:
    """Entry point of `python -m gansynth_tf.cli.quickstart`."""
    entry.run(main)


if __name__ == "__main__":
    console_entry_point()
