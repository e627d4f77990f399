"""gansynth_evaluate: the paper's metrics for a model, beside real notes and whatever has audio and pitches."""

import json
import pathlib
import time

from absl import flags

from gansynth_tf import build_data, build_evaluation, settings
from gansynth_tf.cli import entry
from gansynth_tf.hparams import HParams, parse_overrides

FLAGS = flags.FLAGS
flags.DEFINE_string("ckpt_dir", "/tmp/gansynth/train", "A run folder (train_root_dir); its data are what is real.")
flags.DEFINE_list(
    "compare",
    [],
    "What to score, comma separated: run folders, exported models, .npz files (audio [notes, samples], pitch [notes]), "
    "folders of audio files (MIDI pitch in the name). NAME=PATH gives a name. Empty: the run of --ckpt_dir.",
)
flags.DEFINE_list(
    "ceiling", [], "Also score real notes through these representations and back, any of: wave, phase, linear, mel."
)
flags.DEFINE_string("config", "", "In place of --ckpt_dir: the preset whose data are what is real.")
flags.DEFINE_string("hparams", "{}", "With --config: JSON object of settings that override the preset.")
flags.DEFINE_string(
    "classifier", "", "A folder of gansynth_train_classifier; empty: 'classifier' in the run folder, if it is there."
)
flags.DEFINE_integer("num_notes", 1000, "Notes of each set. The paper: 12800.", lower_bound=4)
flags.DEFINE_integer("num_reference", 12800, "Training notes they are compared with, at most.", lower_bound=8)
flags.DEFINE_integer("num_bins", 50, "Clusters of NDB.", lower_bound=2)
flags.DEFINE_integer("num_f0_notes", 64, "Notes of each set that pyin measures, which is slow.", lower_bound=0)
flags.DEFINE_integer("seed", 0, "Of latents, pitches, clusters and resampling.", lower_bound=0)
flags.DEFINE_string("output_dir", "", "Where tables and evaluation.jsonl go; empty: the run folder.")
flags.DEFINE_list(
    "minutes", [], "Measure the run's snapshots nearest to these minutes of training instead, such as 10,30."
)
flags.DEFINE_string("picture", "", "With --minutes: a PNG of the same notes' rainbowgrams at those minutes.")


def main() -> None:
    """Prints Markdown tables; writes them as files, and appends every row to evaluation.jsonl."""
    minutes = _parse_minutes()
    hparams = _data_settings()
    folder = pathlib.Path(FLAGS.output_dir or hparams.train_root_dir).expanduser()
    entry.load_tensorflow()
    if minutes:
        _measure_minutes(hparams, folder, minutes)
        return

    from gansynth_tf.evaluation import evaluate, table

    rows = _score_all(hparams)
    _append(folder, rows)
    print(f"{evaluate.format_table([(row['notes'], row) for row in rows if row.get('num_f0_notes')])}\n")
    print(table.format_markdown(rows))
    heading = f"Real notes: {rows[0]['protocol']['data']}; classifier {rows[0]['protocol']['classifier'] or 'none'}."
    print(f"\nSaved to {', '.join(table.write_tables(rows, folder, heading))} and {folder / 'evaluation.jsonl'}")
    if rows[0]["protocol"]["classifier"] is None:
        print(
            "Pitch accuracy, IS, FID, KID, precision and recall need a classifier: "
            f"gansynth_train_classifier --hparams='{{\"train_root_dir\": \"{hparams.train_root_dir}\"}}' trains one."
        )


def _data_settings() -> HParams:
    """Settings of the data that is real: of --config, of --ckpt_dir, or of the first run that is compared."""
    if FLAGS.config:
        return settings.resolve_hparams(FLAGS.config, parse_overrides(FLAGS.hparams))
    runs = [FLAGS.ckpt_dir] if FLAGS["ckpt_dir"].present or not FLAGS.compare else []
    runs += [_split_name(item)[1] for item in FLAGS.compare]
    found = [path for path in (pathlib.Path(run).expanduser() for run in runs) if (path / "experiment.json").is_file()]
    if not found:
        raise ValueError(
            f"Expected a run folder with experiment.json, whose data are what is real. Received: {', '.join(runs)}; "
            "pass one as --ckpt_dir, or a preset as --config."
        )
    return settings.read_experiment(found[0] / "experiment.json").override({"train_root_dir": str(found[0])})


def _split_name(item: str) -> tuple[str, str]:
    """(name, path) of an item of --compare."""
    name, equals, path = item.partition("=")
    return (name, path) if equals else (pathlib.Path(item).name, item)


def _subjects(hparams: HParams) -> list[tuple[str, str]]:
    """(name, path) of all that is scored besides real notes."""
    own = [("generated", hparams.train_root_dir)] if FLAGS["ckpt_dir"].present or not FLAGS.compare else []
    return ([] if FLAGS.config else own) + [_split_name(item) for item in FLAGS.compare]


def _score_all(hparams: HParams) -> list[dict]:
    """A row for held-out real notes, for each ceiling, for each thing compared."""
    from gansynth_tf.evaluation import scoring

    subjects = _subjects(hparams)
    opened = [build_evaluation.open_notes(path, name, hparams, FLAGS.num_notes, FLAGS.seed) for name, path in subjects]
    classifier = build_evaluation.find_classifier(FLAGS.classifier, hparams.train_root_dir)
    chosen = {"num_bins": FLAGS.num_bins, "num_f0_notes": FLAGS.num_f0_notes, "seed": FLAGS.seed}
    pitched = build_evaluation.Split(hparams, "train").pitch_classes.pitched
    protocol = scoring.Protocol(hparams.sample_rate, **chosen, pitched=pitched)
    training = build_evaluation.real_notes(hparams, ["train"], "training notes", FLAGS.num_reference)
    real, is_held_out = build_evaluation.held_out_notes(hparams, FLAGS.num_notes)
    ceilings = [build_evaluation.ceiling(hparams, real, name) for name in FLAGS.ceiling]
    reference = scoring.Reference(training, protocol, classifier, progress=True)
    shared = build_evaluation.describe_protocol(hparams, reference)
    rows = []
    for notes in [real, *ceilings, *opened]:
        measured = reference.measure(notes, progress=True)
        if notes is real and is_held_out:
            reference.calibrate(measured)
        about = {"notes": notes.name, "seed": FLAGS.seed, "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        rows.append(about | reference.score(measured) | {"protocol": shared | notes.facts})
    return rows


def _append(folder: pathlib.Path, rows: list[dict]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "evaluation.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


# ---------------------------------------------------------------------------------------------------- snapshots


def _measure_minutes(hparams: HParams, folder: pathlib.Path, minutes: list[float]) -> None:
    """Prints what the snapshots nearest to some minutes measure, and the losses around them."""
    import numpy as np

    from gansynth_tf.evaluation import evaluate

    run = pathlib.Path(hparams.train_root_dir)
    real = build_data.load_real_notes(hparams)
    real_set = real["audio"], real["pitch"]
    chosen = np.random.default_rng(FLAGS.seed).permutation(len(real["pitch"]))[: FLAGS.num_f0_notes]
    measured = evaluate.measure_notes(real["audio"][chosen], real["pitch"][chosen], hparams.sample_rate, real_set)
    rows = [("real", measured), *_measure_snapshots(run, minutes, real_set)]
    _append(folder, [{"notes": name, "seed": FLAGS.seed} | row for name, row in rows])
    print(evaluate.format_table(rows))
    print(f"\n{_losses_table(run, minutes)}")


def _parse_minutes() -> list[float]:
    try:
        return [float(minute) for minute in FLAGS.minutes]
    except ValueError:
        raise ValueError(f"--minutes must be numbers such as 10,30,60. Received: {','.join(FLAGS.minutes)}") from None


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
