"""Where settings and paths become sets of notes to be scored, and the classifier that scores them."""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
import typing
from collections.abc import Iterator, Sequence

from gansynth_tf import build, build_data
from gansynth_tf.hparams import HParams
from gansynth_tf.pitches import PitchClasses

if typing.TYPE_CHECKING:
    import numpy as np

    from gansynth_tf.baselines.autoencoder import Autoencoder
    from gansynth_tf.data.records import NoteSet as RecordSet
    from gansynth_tf.evaluation.classifier import ExportedClassifier
    from gansynth_tf.evaluation.note_sets import NoteSet
    from gansynth_tf.evaluation.scoring import Reference
    from gansynth_tf.model import GANSynth

CLASSIFIER_FOLDER = "classifier"  # In a run folder; what gansynth_train_classifier writes there.
EXPORT_FOLDER = "export"  # In a classifier's folder.
HELD_OUT = ("valid", "test")
CEILINGS = ("wave", "phase", "linear", "mel")
# During training: real notes compared with, and notes given to pyin.
_SNAPSHOT_REFERENCE, _SNAPSHOT_F0_NOTES = 2000, 32


class Split:
    """One split of a run's data, read in batches and never as a whole.

    Args:
        hparams: The run's settings.
        name: "train", "valid" or "test".
    """

    def __init__(self, hparams: HParams, name: str):
        from gansynth_tf.data import records

        folder = build_data.prepare_data(hparams)
        self.name, self._hparams = name, hparams
        self.pitch_classes = build_data.count_pitches(folder, hparams.unconditional)
        counted = [(note_set, self._count(note_set)) for note_set in records.open_split(folder, name)]
        self._sets = [note_set for note_set, count in counted if count]
        self.num_notes = sum(count for _, count in counted)

    def _count(self, note_set: RecordSet) -> int:
        """Notes of a pitch that training knows."""
        if not self.pitch_classes.pitched:
            return note_set.num_notes
        return sum(note_set.pitch_counts.get(pitch, 0) for pitch in self.pitch_classes.pitches)

    def stream(self, batch_size: int, start_example: int = 0):
        """Endless shuffled batches, each note once per epoch; see data/pipeline.py."""
        from gansynth_tf.data import pipeline

        hparams = self._hparams
        sizes = hparams.audio_length, batch_size
        return pipeline.make_dataset(self._sets, self.pitch_classes, *sizes, hparams.seed, start_example)

    def once(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, np.ndarray]]:
        """Each note once, or `limit` of them, in a fixed shuffled order; a mix gives them in its proportions.

        Notes of an unpitched class go by its pitch.
        """
        left = self.num_notes if limit is None else min(limit, self.num_notes)
        if not left:
            return
        for batch in self.stream(min(batch_size, left)).as_numpy_iterator():
            if not self.pitch_classes.pitched:
                batch["pitch"] = self.pitch_classes.to_pitch(batch["label"])
            yield {name: values[:left] for name, values in batch.items()}
            left -= min(left, len(batch["pitch"]))
            if not left:
                return


# ---------------------------------------------------------------------------------------------------- real notes


def real_notes(hparams: HParams, splits: Sequence[str], name: str, num_notes: int) -> NoteSet:
    """Real notes of some splits, in a fixed shuffled order.

    Args:
        hparams: Settings of the data.
        splits: Names of splits; empty ones are passed over.
        name: In tables.
        num_notes: At most so many.

    Raises:
        ValueError: If there are fewer than four notes.
    """
    from gansynth_tf.evaluation import note_sets

    opened = [split for split in (Split(hparams, split) for split in splits) if split.num_notes]
    total = min(num_notes, sum(split.num_notes for split in opened))

    def batches():
        left = total
        for split in opened:
            for batch in split.once(note_sets.BATCH, left):
                yield batch["audio"], batch["pitch"]
                left -= len(batch["pitch"])

    return note_sets.NoteSet(name, total, batches, {"splits": list(splits)})


def held_out_notes(hparams: HParams, num_notes: int) -> tuple[NoteSet, bool]:
    """Real notes to stand on top of a table, and whether they are held out: a tiny set has only training notes."""
    num_held_out = sum(Split(hparams, split).num_notes for split in HELD_OUT)
    if num_held_out < 4:
        return real_notes(hparams, ["train"], "real, trained on", num_notes), False
    return real_notes(hparams, HELD_OUT, "real", num_notes), True


def ceiling(hparams: HParams, notes: NoteSet, data_type: str) -> NoteSet:
    """The same notes through a representation and back: the best that a model with it could sound.

    Args:
        hparams: Shape of the specgram. Representations without mel bands get all the linear bins that the bands of this
            one are made of, so that frames are alike.
        notes: Real notes.
        data_type: One of `CEILINGS`.
    """
    from gansynth_tf import representations
    from gansynth_tf.evaluation import note_sets

    if data_type not in CEILINGS:
        raise ValueError(f"Expected representations among {', '.join(CEILINGS)}. Received: {data_type!r}")
    changed = hparams
    if hparams.data_type == "mel" and data_type in ("linear", "phase"):
        changed = dataclasses.replace(hparams, start_width=hparams.start_width * hparams.mel_downscale, mel_downscale=1)
    if data_type == "wave":
        layer = representations.Waveform(None, hparams.audio_length, hparams.sample_rate)
    else:
        layer = build.make_representation(dataclasses.replace(changed, data_type=data_type))
    shape = list(layer.specgram_shape)
    facts = {"representation": data_type, "specgram_shape": shape}
    title = {"wave": "waveform", "phase": "phase", "linear": "IF", "mel": "mel IF"}[data_type]
    name = f"real through {title}"
    return note_sets.through(notes, name, lambda waves: layer.decode(layer.encode(waves)).numpy(), facts)


# ---------------------------------------------------------------------------------------------------- what is compared


def open_notes(path: str | os.PathLike, name: str, hparams: HParams, num_notes: int, seed: int) -> NoteSet:
    """Anything that has audio and pitches.

    Args:
        path: A run folder, an exported model, an .npz file of notes, or a folder of audio files.
        name: In tables.
        hparams: Of the data it is compared with: rate, length, pitches.
        num_notes: How many a model makes; at most so many are read of others.
        seed: Of a model's latents and pitches.

    Raises:
        ValueError: If it is nothing of these.
    """
    from gansynth_tf import export
    from gansynth_tf.baselines.autoencoder import Autoencoder
    from gansynth_tf.baselines.wavegan import WaveGAN
    from gansynth_tf.evaluation import note_sets
    from gansynth_tf.training import checkpoints

    place = pathlib.Path(path).expanduser()
    sizes = (hparams.sample_rate, hparams.audio_length)
    if place.suffix == ".npz":
        return note_sets.notes_of_npz(place, name, num_notes, *sizes)
    if export.find_export(place) is not None or (place / checkpoints.EXPERIMENT_FILE).is_file():
        model = build.load(place)
        if isinstance(model, Autoencoder):
            return _reconstructions(model, name, hparams, num_notes)
        classes = Split(hparams, "train").pitch_classes
        notes = note_sets.notes_of_model(model, name, num_notes, classes, *sizes, seed)
        averaged = not isinstance(model, WaveGAN)
        weights = "smoothed generator (EMA)" if averaged else "generator"
        return dataclasses.replace(notes, facts=notes.facts | {"weights": weights})
    if not place.is_dir():
        expected = "a run folder, an exported model, an .npz file or a folder of audio files"
        raise ValueError(f"Expected {expected}. Received: {path}, which does not exist")
    return note_sets.notes_of_folder(place, name, num_notes, *sizes)


def _reconstructions(model: Autoencoder, name: str, hparams: HParams, num_notes: int) -> NoteSet:
    """Held-out notes through an autoencoder: it has no notes of its own.

    Raises:
        ValueError: When its notes have another rate or length than the data's.
    """
    from gansynth_tf.evaluation import note_sets

    own, wanted = (model.sample_rate, model.audio_length), (hparams.sample_rate, hparams.audio_length)
    if own != wanted:
        raise ValueError(f"Expected {name} to have the data's rate and samples, {wanted}. Received: {own}")
    notes, _ = held_out_notes(hparams, num_notes)

    def batches():
        for waves, pitches in notes.batches():
            asked = pitches if model.pitch_classes.pitched else [model.pitches[0]] * len(waves)
            yield model.generate(model.encode(waves), asked), pitches

    return note_sets.NoteSet(f"{name} (reconstructions)", notes.num_notes, batches, notes.facts)


def find_classifier(path: str | os.PathLike, run: str | os.PathLike) -> ExportedClassifier | None:
    """The classifier of a path, or the run's own when the path is empty; None when the run has none.

    Raises:
        ValueError: If the path holds none.
    """
    from gansynth_tf.evaluation import classifier

    place = pathlib.Path(path or pathlib.Path(run) / CLASSIFIER_FOLDER).expanduser()
    if (place / EXPORT_FOLDER / classifier.DESCRIPTION_FILE).is_file():
        place = place / EXPORT_FOLDER
    if not path and not (place / classifier.DESCRIPTION_FILE).is_file():
        return None
    return classifier.ExportedClassifier(place)


class SnapshotScorer:
    """Measures a model at every snapshot of its training, by the protocol of `gansynth_evaluate` with fewer notes.

    Args:
        hparams: The run's settings; `snapshot_metric_notes` says how many notes.
    """

    def __init__(self, hparams: HParams):
        self._hparams = hparams
        self._classes: PitchClasses | None = None
        self._reference: Reference | None = None  # Measured at the first snapshot.
        self._is_measurable: bool | None = None  # Whether the data has enough notes to compare with.

    def __call__(self, model: GANSynth) -> dict[str, float]:
        """Metrics by name, without intervals; nothing when the settings ask for no notes or the data has too few."""
        from gansynth_tf.evaluation import note_sets

        hparams = self._hparams
        if not hparams.snapshot_metric_notes:
            return {}
        if self._is_measurable is None:
            self._is_measurable = Split(hparams, "train").num_notes >= note_sets.FEWEST_NOTES
        if not self._is_measurable:
            return {}
        if self._reference is None:
            self._reference = self._measure_real()
        num_notes, seed = hparams.snapshot_metric_notes, hparams.seed
        sizes = hparams.sample_rate, hparams.audio_length
        notes = note_sets.notes_of_model(model, "snapshot", num_notes, self._classes, *sizes, seed)
        row = self._reference.score(self._reference.measure(notes))
        left_out = ("_low", "_high", "_error", "_share", "num_notes", "num_f0_notes")
        found = {name: float(value) for name, value in row.items() if value is not None and not name.endswith(left_out)}
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def _measure_real(self) -> Reference:
        from gansynth_tf.evaluation import scoring

        hparams = self._hparams
        classifier = find_classifier("", hparams.train_root_dir)
        self._classes = Split(hparams, "train").pitch_classes
        sizes = {"num_f0_notes": _SNAPSHOT_F0_NOTES, "num_resamples": 0, "seed": hparams.seed}
        sizes["pitched"] = self._classes.pitched
        training = real_notes(hparams, ["train"], "training notes", _SNAPSHOT_REFERENCE)
        reference = scoring.Reference(training, scoring.Protocol(hparams.sample_rate, **sizes), classifier)
        held_out, is_held_out = held_out_notes(hparams, hparams.snapshot_metric_notes)
        if is_held_out:
            reference.calibrate(reference.measure(held_out))
        return reference


def describe_protocol(hparams: HParams, reference: Reference) -> dict:
    """What every result of one evaluation has in common, and what another one must repeat to be compared with it."""
    from gansynth_tf import __version__
    from gansynth_tf.data import records

    manifest = records.read_manifest(build_data.prepare_data(hparams, progress=False))
    train = Split(hparams, "train")
    classes = train.pitch_classes
    pitches = f"{classes.num_classes} pitches from {classes.pitches[0]} to {classes.pitches[-1]}"
    return {
        **dataclasses.asdict(reference.protocol),
        "audio_length": hparams.audio_length,
        "num_reference": reference.num_notes,
        "data": f"{manifest.get('source', 'records')}, {train.num_notes} training notes, {pitches}",
        "data_fingerprint": manifest.get("fingerprint"),
        "pitches": list(classes.pitches),
        "pitch_counts": list(classes.counts),
        "classifier": reference.classifier.hash if reference.classifier else None,
        "version": __version__,
    }
