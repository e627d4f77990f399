"""One protocol for every set of notes: go through it once, keep a few numbers of each note, turn them into metrics.

Real training notes are the reference of all distances. Memory does not grow with the length of a note: of each note
remain its features, its probabilities, its bin and its nearest training note.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from gansynth_tf.evaluation import (
    bootstrap,
    fid,
    inception_score,
    kid,
    levels,
    memorisation,
    ndb,
    phase_coherence,
    pitch_accuracy,
    precision_recall,
)
from gansynth_tf.evaluation.classifier import ExportedClassifier
from gansynth_tf.evaluation.evaluate import measure_notes
from gansynth_tf.evaluation.features import note_vectors
from gansynth_tf.evaluation.note_sets import NoteSet, fit_notes

_REFERENCE_WAVES = 1024  # Real notes kept whole, for the diversity of evaluation/diversity.py.


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What all sets have in common.

    Args:
        sample_rate: Every note is brought to it.
        num_bins: Of NDB; fewer where there are fewer than four training notes for each.
        num_f0_notes: Notes of a set given to pyin, which is slow, and to the diversity measure; 0 leaves both out.
        neighbours: Of precision and recall.
        kid_subset: Notes in a subset of KID.
        num_resamples: For the intervals of distances; 0 leaves them out.
        seed: Of k-means, subsets and resampling.
        pitched: Whether notes have pitches; without, nothing is said of pitch, period and fundamental.
    """

    sample_rate: int
    num_bins: int = 50
    num_f0_notes: int = 64
    neighbours: int = precision_recall.NEIGHBOURS
    kid_subset: int = 1000
    num_resamples: int = 50
    seed: int = 0
    pitched: bool = True


class Reference:
    """Real training notes, measured once.

    Args:
        notes: The training notes.
        protocol: What all sets have in common.
        classifier: None leaves out what needs one.
        progress: Whether a bar with the time left is drawn.
    """

    def __init__(
        self, notes: NoteSet, protocol: Protocol, classifier: ExportedClassifier | None = None, progress: bool = False
    ):
        self.protocol, self.classifier, self.num_notes = protocol, classifier, notes.num_notes
        described = _collect(notes, protocol, classifier, lambda note: note, _REFERENCE_WAVES, progress)
        self.vectors = described["vectors"]
        self.features = described.get("features")
        self.real_waves = described["waves"], described["pitches"][: len(described["waves"])]
        num_bins = max(2, min(protocol.num_bins, notes.num_notes // 4))
        self.bins = ndb.Bins(self.vectors, num_bins, protocol.seed)
        self.held_out_nearest: np.ndarray | None = None

    def measure(self, notes: NoteSet, progress: bool = False) -> dict[str, np.ndarray]:
        """Goes through a set once.

        Returns:
            Arrays over the notes: "pitches", "rms_db", "peak_db", "coherence", "bins", "nearest" (distance to the
            nearest training note), "nearest_place", with a classifier "probabilities" and "features"; and "waves", the
            first few notes whole.
        """

        def compare(note: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            vectors = note.pop("vectors")
            nearest, place = memorisation.nearest_distances(vectors, self.vectors)
            return note | {"bins": self.bins.assign(vectors), "nearest": nearest, "nearest_place": place}

        return _collect(notes, self.protocol, self.classifier, compare, self.protocol.num_f0_notes, progress)

    def calibrate(self, measured: dict[str, np.ndarray]) -> None:
        """Takes held-out real notes, as `measure` gave them, for what the memorisation test compares with."""
        self.held_out_nearest = measured["nearest"]

    def score(self, measured: dict[str, np.ndarray]) -> dict[str, float | int | None]:
        """Turns what `measure` gave into metrics.

        Returns:
            One flat row: metrics by names that carry their numbers (`fid1000`, `ndb50`), `NAME_low` and `NAME_high`
            where there is a 95 % interval, and None for what cannot be computed.
        """
        row = {"num_notes": len(measured["pitches"])}
        row |= _level_scores(measured) | self._bin_scores(measured) | self._copying_scores(measured)
        if self.features is not None:
            row |= self._feature_scores(measured)
        if not self.protocol.pitched:
            return row
        row |= _mean_scores({"phase_coherence": measured["coherence"]})
        if self.features is not None:
            row |= _pitch_scores(measured, self.protocol)
        if self.protocol.num_f0_notes:
            waves = measured["waves"]
            pitches = measured["pitches"][: len(waves)]
            f0 = measure_notes(waves, pitches, self.protocol.sample_rate, self.real_waves)
            row |= {"num_f0_notes": f0.pop("num_notes")} | f0
        return row

    def _bin_scores(self, measured: dict[str, np.ndarray]) -> dict[str, float]:
        def compare(places: np.ndarray) -> ndb.BinDifference:
            counts = np.bincount(measured["bins"][places], minlength=self.bins.num_bins)
            return ndb.compare_bins(self.bins.counts, counts)

        found = compare(np.arange(len(measured["bins"])))
        name = f"ndb{found.num_bins}"
        row = {name: found.num_different, f"{name}_share": found.num_different / found.num_bins}
        row |= {f"jsd{found.num_bins}": found.divergence}
        row |= self._interval(name, lambda places: compare(places).num_different, row[name], len(measured["bins"]))
        return row

    def _copying_scores(self, measured: dict[str, np.ndarray]) -> dict[str, float | None]:
        if self.held_out_nearest is None:
            return {"copying_z": None, "copying_near": None, "nearest_ratio": None}
        found = memorisation.copying(measured["nearest"], self.held_out_nearest)
        return {"copying_z": found.z, "copying_near": found.near, "nearest_ratio": found.ratio}

    def _feature_scores(self, measured: dict[str, np.ndarray]) -> dict[str, float]:
        """FID, KID, precision and recall."""
        ours, real, protocol = measured["features"], self.features, self.protocol
        statistics = fid.GaussianStatistics(real.shape[1]).add(real)

        def distance(places: np.ndarray) -> float:
            return fid.frechet_distance(statistics, fid.GaussianStatistics(real.shape[1]).add(ours[places]))

        name = f"fid{len(ours)}"
        row = {name: distance(np.arange(len(ours)))}
        row |= self._interval(name, distance, row[name], len(ours))
        kernel = kid.kernel_distance(real, ours, subset_size=protocol.kid_subset, seed=protocol.seed)
        row |= {f"kid{kernel.subset_size}": kernel.mean, f"kid{kernel.subset_size}_error": kernel.error}
        shares = precision_recall.precision_recall(real, ours, protocol.neighbours)
        both = {f"precision_k{protocol.neighbours}": shares.realistic, f"recall_k{protocol.neighbours}": shares.covered}
        return row | _mean_scores(both)

    def _interval(
        self, name: str, statistic: Callable[[np.ndarray], float], estimate: float, num_notes: int
    ) -> dict[str, float]:
        num, seed = self.protocol.num_resamples, self.protocol.seed
        if num < 2:
            return {}
        interval = bootstrap.normal_interval(statistic, num_notes, estimate, num_resamples=num, seed=seed)
        return {f"{name}_low": max(0.0, interval.low), f"{name}_high": interval.high}


def _collect(
    notes: NoteSet,
    protocol: Protocol,
    classifier: ExportedClassifier | None,
    reduce: Callable[[dict], dict],
    keep_waves: int,
    progress: bool,
) -> dict[str, np.ndarray]:
    """Describes every batch, reduces the descriptions, and joins them."""
    import tqdm

    parts, kept = [], []
    with tqdm.tqdm(total=notes.num_notes, desc=notes.name, unit="note", disable=not progress) as bar:
        for waves, pitches in notes.batches():
            parts.append(reduce(_describe(waves, pitches, protocol, classifier)))
            if (missing := keep_waves - sum(map(len, kept))) > 0:
                kept.append(waves[:missing])
            bar.update(len(waves))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return joined | {"waves": np.concatenate(kept) if kept else np.zeros([0, 1], np.float32)}


def _describe(
    waves: np.ndarray, pitches: np.ndarray, protocol: Protocol, classifier: ExportedClassifier | None
) -> dict[str, np.ndarray]:
    """Numbers of each note of a batch."""
    loudness = levels.note_levels(waves)
    note = {
        "pitches": np.asarray(pitches, np.int64),
        "vectors": note_vectors(waves, protocol.sample_rate),
        "coherence": phase_coherence.phase_coherences(waves, protocol.sample_rate, pitches),
        "rms_db": loudness.rms_db,
        "peak_db": loudness.peak_db,
    }
    if classifier is not None:
        fitted = fit_notes(waves, protocol.sample_rate, classifier.sample_rate, classifier.audio_length)
        judgement = classifier.judge(fitted)
        note |= {"probabilities": judgement.probabilities, "features": judgement.features}
    return note


def _level_scores(measured: dict[str, np.ndarray]) -> dict[str, float | None]:
    summary = levels.summarise_levels(levels.Levels(measured["rms_db"], measured["peak_db"]))
    return {name: None if np.isnan(value) else value for name, value in summary._asdict().items()}


def _mean_scores(values: dict[str, np.ndarray]) -> dict[str, float | None]:
    """Means over the notes that have a value, with intervals."""
    row: dict[str, float | None] = {}
    for name, each in values.items():
        each = np.asarray(each, np.float64)
        each = each[np.isfinite(each)]
        if not each.size:
            row[name] = None
            continue
        interval = bootstrap.percentile_interval(each)
        row |= {name: float(each.mean()), f"{name}_low": interval.low, f"{name}_high": interval.high}
    return row


def _pitch_scores(measured: dict[str, np.ndarray], protocol: Protocol) -> dict[str, float | None]:
    """Accuracy, entropy and Inception score."""
    probabilities = measured["probabilities"]
    errors = np.abs(pitch_accuracy.pitch_errors(probabilities, measured["pitches"]))
    row = _mean_scores(
        {
            "pitch_accuracy": errors == 0,
            "pitch_accuracy_semitone": errors <= 1,
            "pitch_entropy": pitch_accuracy.pitch_entropies(probabilities),
        }
    )
    score = inception_score.inception_score
    row["inception_score"] = score(probabilities)
    if protocol.num_resamples >= 2:
        interval = bootstrap.normal_interval(
            lambda places: score(probabilities[places]), len(errors), row["inception_score"],
            num_resamples=protocol.num_resamples, seed=protocol.seed,
        )  # fmt: skip
        row |= {"inception_score_low": interval.low, "inception_score_high": interval.high}
    return row
