"""Where settings become a trained pitch classifier: data, network and training together, and what it achieves."""

from __future__ import annotations

import dataclasses
import pathlib
import typing
from collections.abc import Callable

from gansynth_tf import build_evaluation, files
from gansynth_tf.hparams import HParams

if typing.TYPE_CHECKING:
    from gansynth_tf.training.classifier_training import ClassifierTraining

REPORT_FILE, CONFUSION_FILE, SETTINGS_FILE = "report.json", "confusion.png", "experiment.json"


@dataclasses.dataclass(frozen=True)
class ClassifierSettings:
    """What a classifier's training is asked for, besides its data.

    Args:
        size: A name in `pitch_classifier.TRUNKS`.
        heads: Names in `pitch_classifier.HEADS`.
        learning_rate: Of Adam. The authors' early code: 1e-4, for the large one.
        batch_size, round_notes, patience, max_rounds: See `ClassifierSchedule`.
    """

    size: str = "small"
    heads: tuple[str, ...] = ("pitch",)
    learning_rate: float = 1e-3
    batch_size: int = 16
    round_notes: int = 2048
    patience: int = 12
    max_rounds: int = 200


def make_training(hparams: HParams, wanted: ClassifierSettings, folder: pathlib.Path) -> ClassifierTraining:
    """A classifier's training, restored from its folder when there is one.

    Raises:
        ValueError: When the folder holds a classifier of other settings.
    """
    import keras

    from gansynth_tf import settings
    from gansynth_tf.pitch_classifier import PitchClassifier
    from gansynth_tf.training import classifier_training

    described = {"classifier": dataclasses.asdict(wanted), "data": hparams.to_dict()}
    described["classifier"]["heads"] = list(wanted.heads)
    if (folder / SETTINGS_FILE).is_file():
        saved = settings.read_json(folder / SETTINGS_FILE).get("classifier")
        if saved != described["classifier"]:
            differences = [k for k, v in described["classifier"].items() if not saved or saved.get(k) != v]
            other = ", ".join(differences)
            raise ValueError(f"{folder} holds a classifier with another {other}; choose another folder.")
    keras.utils.set_random_seed(hparams.seed)
    schedule = classifier_training.ClassifierSchedule(
        wanted.batch_size, wanted.round_notes, wanted.patience, wanted.max_rounds
    )
    folder.mkdir(parents=True, exist_ok=True)
    training = classifier_training.ClassifierTraining(
        folder,
        lambda: PitchClassifier(hparams.sample_rate, hparams.audio_length, wanted.size, wanted.heads),
        schedule,
        wanted.learning_rate,
    )
    files.write_json(folder / SETTINGS_FILE, described)
    training.restore()
    return training


def run_training(
    hparams: HParams,
    training: ClassifierTraining,
    say: Callable[[str], None] = print,
    stop_requested: Callable[[], bool] = lambda: False,
) -> bool:
    """Trains on the train split, stops early on the valid split; False when it was asked to stop.

    Raises:
        ValueError: When the data have no valid split.
    """
    train, valid = (build_evaluation.Split(hparams, name) for name in ("train", "valid"))
    if not valid.num_notes:
        raise ValueError("Expected notes in the valid split, which decides when to stop. Received none; add data.")
    return training.run(train.stream, lambda: valid.once(64, 4096), say, stop_requested)


def report_and_export(hparams: HParams, training: ClassifierTraining, folder: pathlib.Path) -> dict:
    """Exports the best weights and measures them on notes that neither trained nor stopped them.

    Returns:
        The report, as written to report.json: notes, accuracy and accuracy within a semitone with 95 % intervals, mean
        entropy; of other heads their accuracy. A picture, confusion.png, stands beside it.
    """
    from gansynth_tf.evaluation import classifier, table

    split = "test" if build_evaluation.Split(hparams, "test").num_notes else "valid"
    facts = {"data": hparams.to_dict(), "best_round": training.best_round, "rounds": training.rounds}
    target = folder / build_evaluation.EXPORT_FOLDER
    description = classifier.export_classifier(training.best, target, facts)
    report, counts = measure(hparams, training, split)
    report = {"hash": description["hash"], "split": split} | report
    files.write_json(folder / REPORT_FILE, report)
    title = f"{report['num_notes']} notes of the {split} split, accuracy {report['accuracy']:.3f}"
    table.plot_confusion(counts, folder / CONFUSION_FILE, title)
    return report


def measure(hparams: HParams, training: ClassifierTraining, split: str) -> tuple[dict, typing.Any]:
    """The best classifier's accuracies on a split, and the counts of its confusions [pitches, pitches]."""
    import numpy as np
    import tensorflow as tf

    from gansynth_tf.evaluation import pitch_accuracy, pitch_metrics

    probabilities, pitches, others = [], [], {name: [] for name in training.best.heads if name != "pitch"}
    for batch in build_evaluation.Split(hparams, split).once(64):
        outputs = training.best(batch["audio"], training=False)
        probabilities.append(tf.nn.softmax(outputs["pitch"]).numpy())
        pitches.append(batch["pitch"])
        for name, hits in others.items():
            heard = outputs[name].numpy()
            hits.append(((heard > 0) == batch[name]) if name == "qualities" else heard.argmax(axis=1) == batch[name])
    probabilities, pitches = np.concatenate(probabilities), np.concatenate(pitches)
    errors = np.abs(pitch_accuracy.pitch_errors(probabilities, pitches))
    report: dict = {"num_notes": len(pitches)}
    for name, hits in (("accuracy", errors == 0), ("within_semitone", errors <= 1)):
        # An error of 0 cents is in tune, one of 100 is not: the same share and interval.
        share = pitch_metrics.in_tune_fraction(np.where(hits, 0.0, 100.0))
        report |= {name: share.fraction, f"{name}_low": share.low, f"{name}_high": share.high}
    report["entropy"] = float(pitch_accuracy.pitch_entropies(probabilities).mean())
    report |= {f"{name}_accuracy": float(np.mean(np.concatenate(hits))) for name, hits in others.items()}
    return report, pitch_accuracy.confusion_counts(probabilities, pitches)
