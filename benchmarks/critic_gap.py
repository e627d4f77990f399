"""How well a trained critic tells training notes from held-out ones, and both from generated ones.

    python benchmarks/critic_gap.py runs/small_data runs/mini

For every run the chance that a training note scores higher than a held-out one: 0.5 means that the critic knows nothing
by heart, 1 that it knows its training notes. Beside it the chance that a training note, and that a held-out one, scores
higher than one of the network under training. Where held-out notes win as surely as training notes do, it is the
generator that lags behind, and neither more data nor augmentation would change that.
"""

import argparse
import pathlib

import numpy as np
import tensorflow as tf

from gansynth_tf import build, build_data, settings
from gansynth_tf.hparams import HParams
from gansynth_tf.model import GANSynth


def score(model: GANSynth, specgrams: tf.Tensor, labels: np.ndarray, hparams: HParams) -> np.ndarray:
    """The critic's scores of one batch, as the training's game takes them."""
    labels = tf.constant(labels) if hparams.pitch_projection else None
    return model.judge(specgrams, model.num_blocks, model.fade, labels)[0].numpy()


def score_reals(model: GANSynth, notes: dict[str, np.ndarray], hparams: HParams) -> np.ndarray:
    """Scores of recorded notes, those of a pitch side by side as in training."""
    labels = np.array([model.pitches.index(pitch) for pitch in notes["pitch"]], np.int32)
    order, batch = np.argsort(labels, kind="stable"), hparams.batch_size_schedule[-1]
    found = []
    for first in range(0, len(order) - batch + 1, batch):
        chosen = order[first : first + batch]
        specgrams = model.real_specgrams(tf.constant(notes["audio"][chosen]), model.num_blocks, model.fade)
        found.append(score(model, specgrams, labels[chosen], hparams))
    return np.concatenate(found)


def score_fakes(model: GANSynth, num_notes: int, hparams: HParams) -> np.ndarray:
    """Scores of generated notes, in groups of a pitch as in training."""
    batch, size, rng = hparams.batch_size_schedule[-1], hparams.pitch_group_size, np.random.default_rng(0)
    found = []
    for first in range(0, num_notes - batch + 1, batch):
        labels = np.repeat(rng.integers(0, len(model.pitches), batch // size), size).astype(np.int32)
        z = tf.constant(model.sample_z(batch, seed=first))
        specgrams = model.fake_specgrams(z, tf.constant(labels), model.num_blocks, model.fade)
        found.append(score(model, specgrams, labels, hparams))
    return np.concatenate(found)


def chance(higher: np.ndarray, lower: np.ndarray) -> float:
    """That one of the first lies above one of the second; ties count half."""
    above, equal = higher[:, None] > lower, higher[:, None] == lower
    return float(np.mean(above + 0.5 * equal))


def main() -> None:
    """Scores and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="Run folders.")
    given = parser.parse_args()
    print("| run | training above held out | training above generated | held out above generated |\n|---|---|---|---|")
    for folder in map(pathlib.Path, given.runs):
        hparams, model = settings.read_experiment(folder / "experiment.json"), build.load(folder)
        train, held = (score_reals(model, build_data.load_real_notes(hparams, s), hparams) for s in ("train", "test"))
        fakes = score_fakes(model, len(train), hparams)
        figures = (chance(train, held), chance(train, fakes), chance(held, fakes))
        print(f"| {folder.name} | {' | '.join(f'{figure:.2f}' for figure in figures)} |", flush=True)


if __name__ == "__main__":
    main()
