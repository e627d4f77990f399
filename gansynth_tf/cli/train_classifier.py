"""gansynth_train_classifier: trains the pitch classifier that gansynth_evaluate judges notes by."""

import pathlib
import shlex
import sys

from absl import flags

from gansynth_tf import build_classifier, build_evaluation, settings
from gansynth_tf.cli import entry
from gansynth_tf.hparams import parse_overrides

FLAGS = flags.FLAGS
_DEFAULT = build_classifier.ClassifierSettings()
flags.DEFINE_string("config", "", "Preset whose data it learns: a name such as 'laptop', or the path of a .py file.")
flags.DEFINE_string("hparams", "{}", "JSON object of settings that override the preset.")
flags.DEFINE_string(
    "output_dir", "", "Where it goes; empty: the folder 'classifier' in the run folder, where gansynth_evaluate looks."
)
flags.DEFINE_enum("size", _DEFAULT.size, ["small", "nsynth"], "Network: the paper's, or an eighth of its channels.")
flags.DEFINE_list("heads", list(_DEFAULT.heads), "What it tells: pitch, and any of family, source, qualities.")
flags.DEFINE_float("learning_rate", _DEFAULT.learning_rate, "Of Adam.", lower_bound=0.0)
flags.DEFINE_integer("batch_size", _DEFAULT.batch_size, "Notes in an update.", lower_bound=2)
flags.DEFINE_integer("round_notes", _DEFAULT.round_notes, "Notes between two validations.", lower_bound=2)
flags.DEFINE_integer("patience", _DEFAULT.patience, "Rounds without improvement before it stops.", lower_bound=1)
flags.DEFINE_integer("max_rounds", _DEFAULT.max_rounds, "Rounds at most.", lower_bound=1)


def main() -> int:
    """Trains, exports, and reports on held-out notes."""
    hparams = settings.resolve_hparams(FLAGS.config, parse_overrides(FLAGS.hparams))
    names = [field for field in build_classifier.ClassifierSettings.__dataclass_fields__]
    wanted = build_classifier.ClassifierSettings(**{name: FLAGS[name].value for name in names if name != "heads"},
                                                 heads=tuple(FLAGS.heads))  # fmt: skip
    run = pathlib.Path(hparams.train_root_dir)
    folder = pathlib.Path(FLAGS.output_dir or run / build_evaluation.CLASSIFIER_FOLDER).expanduser()
    entry.load_tensorflow()
    stop = entry.StopSignal()
    training = build_classifier.make_training(hparams, wanted, folder)
    print(f"Going on in {folder} from round {training.rounds}." if training.rounds else f"Starting in {folder}.")
    stop.wait_for_the_loop()
    if not build_classifier.run_training(hparams, training, lambda line: print(line, flush=True), stop):
        command = shlex.join(["gansynth_train_classifier", *sys.argv[1:]])
        print(f"Stopped after round {training.rounds}, which is saved. The same command goes on:\n  {command}")
        return 0
    report = build_classifier.report_and_export(hparams, training, folder)
    for name in ("accuracy", "within_semitone"):
        interval = f"95 % interval {report[f'{name}_low']:.3f} to {report[f'{name}_high']:.3f}"
        of = f"of {report['num_notes']} {report['split']} notes"
        print(f"{name.replace('_', ' ')}: {report[name]:.3f} {of} ({interval})")
    for name in FLAGS.heads:
        if name != "pitch":
            print(f"{name} accuracy: {report[f'{name}_accuracy']:.3f}")
    print(f"Saved to {folder}: confusion.png, report.json, and a SavedModel in {build_evaluation.EXPORT_FOLDER}/")
    return 0


def console_entry_point() -> None:
    """Entry point of the console script."""
    entry.run(main)


if __name__ == "__main__":
    console_entry_point()
