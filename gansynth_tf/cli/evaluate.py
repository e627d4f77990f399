"""gansynth_evaluate: how many of a model's notes are in tune, how diverse they are; beside real notes."""

import json
import pathlib

from absl import flags

from gansynth_tf import build, build_data, settings
from gansynth_tf.cli import entry

FLAGS = flags.FLAGS
flags.DEFINE_string("ckpt_dir", "/tmp/gansynth/train", "A run folder (train_root_dir).")
flags.DEFINE_integer("num_notes", 64, "How many notes to generate, and how many real ones to measure.", lower_bound=4)
flags.DEFINE_integer("seed", 0, "Of the latents and of the choice of pitches.", lower_bound=0)
flags.DEFINE_list(
    "minutes", [], "Measure the run's snapshots nearest to these minutes of training instead, such as 10,30."
)
flags.DEFINE_string("picture", "", "With --minutes: a PNG of the same notes' rainbowgrams at those minutes.")


def main() -> None:
    """Prints a Markdown table; appends its rows to evaluation.jsonl in the run folder."""
    run = pathlib.Path(FLAGS.ckpt_dir).expanduser()
    minutes = _parse_minutes()
    entry.load_tensorflow()
    model = build.load(run)
    real = _real_notes(run)

    from gansynth_tf.evaluation import evaluate

    chosen = _choose(len(real["pitch"]))
    real_set = real["audio"], real["pitch"]
    measured = evaluate.measure_notes(real["audio"][chosen], real["pitch"][chosen], model.sample_rate, real_set)
    rows = [("real", measured)]
    if minutes:
        rows += _measure_snapshots(run, minutes, real_set)
    else:
        z, pitches = _grid(model)
        waves = model.generate(z, pitches)
        rows.append(("generated", evaluate.measure_notes(waves, pitches, model.sample_rate, real_set)))
    with (run / "evaluation.jsonl").open("a") as file:
        for name, row in rows:
            file.write(json.dumps({"notes": name, "seed": FLAGS.seed} | row) + "\n")
    print(evaluate.format_table(rows))
    if minutes:
        print(f"\n{_losses_table(run, minutes)}")


def _parse_minutes() -> list[float]:
    try:
        return [float(minute) for minute in FLAGS.minutes]
    except ValueError:
        raise ValueError(f"--minutes must be numbers such as 10,30,60. Received: {','.join(FLAGS.minutes)}") from None


def _real_notes(run: pathlib.Path) -> dict:
    """Every training note of the run."""
    hparams = settings.read_experiment(run / "experiment.json").override({"train_root_dir": str(run)})
    return build_data.load_real_notes(hparams)


def _choose(total: int):
    import numpy as np

    return np.random.default_rng(FLAGS.seed).permutation(total)[: FLAGS.num_notes]


def _grid(model):
    """Latents and pitches of `num_notes` notes: pitches evenly over the model's range, several latents for each."""
    import numpy as np

    num_pitches = min(len(model.pitches), int(np.sqrt(FLAGS.num_notes)) * 2)
    places = np.linspace(0, len(model.pitches) - 1, num_pitches).round().astype(int)
    pitches = np.resize(np.array(model.pitches)[places], FLAGS.num_notes)
    return model.sample_z(FLAGS.num_notes, FLAGS.seed), pitches


def _measure_snapshots(run: pathlib.Path, minutes: list[float], real_set: tuple) -> list[tuple[str, dict]]:
    """A row for the snapshot nearest to each minute."""
    import numpy as np

    from gansynth_tf import plots, snapshots
    from gansynth_tf.evaluation import evaluate

    found = [snapshots.read_snapshot(folder) for folder in sorted((run / "samples").glob("examples_*"))]
    if not found:
        raise ValueError(f"Expected snapshots in {run / 'samples'}; there are none yet. Train longer.")
    times = np.array([facts["train_seconds"] / 60 for facts, _ in found])
    rows, pictures, titles = [], [], []
    for minute in minutes:
        facts, waves = found[int(np.argmin(np.abs(times - minute)))]
        title = f"{facts['train_seconds'] / 60:.0f} min, {facts['examples']} examples"
        pitches = np.array(facts["pitches"])
        rows.append((title, evaluate.measure_notes(waves, pitches, facts["sample_rate"], real_set)))
        columns = len(set(facts["pitches"]))
        diagonal = [(row * columns + row % columns) for row in range(min(6, len(waves) // columns))]
        pictures.append(waves[diagonal])
        titles.append(title)
    if FLAGS.picture:
        columns = [f"latent {row}, pitch {pitches[index]}" for row, index in enumerate(diagonal)]
        plots.plot_note_grid(np.stack(pictures), facts["sample_rate"], FLAGS.picture, titles, columns)
    return rows


def _losses_table(run: pathlib.Path, minutes: list[float]) -> str:
    """The losses around each minute: means over the rows of metrics.jsonl within half a minute, or the nearest row."""
    import numpy as np

    names = ("critic_distance", "gradient_norm", "discriminator_loss", "generator_loss")
    names += ("real_pitch_loss", "fake_pitch_loss")
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    times = np.array([row["train_seconds"] / 60 for row in rows])
    lines = [f"| minutes | {' | '.join(name.replace('_', ' ') for name in names)} |", "|---" * (len(names) + 1) + "|"]
    for minute in minutes:
        nearest = int(np.argmin(np.abs(times - minute)))
        window = [row for row, time in zip(rows, times, strict=True) if abs(time - times[nearest]) <= 0.5]
        means = [np.mean([row[name] for row in window]) for name in names]
        lines.append(f"| {times[nearest]:.0f} | {' | '.join(f'{mean:.2f}' for mean in means)} |")
    return "\n".join(lines)


def console_entry_point() -> None:
    """Entry point of the console script."""
    entry.run(main)


if __name__ == "__main__":
    console_entry_point()
