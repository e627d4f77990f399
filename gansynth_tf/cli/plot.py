"""gansynth_plot: pictures of a run: training curves, generated notes and real notes as rainbowgrams."""

import pathlib

from absl import flags

from gansynth_tf import build, build_data, settings
from gansynth_tf.cli import entry

FLAGS = flags.FLAGS
flags.DEFINE_string("ckpt_dir", "/tmp/gansynth/train", "A run folder (train_root_dir).")
flags.DEFINE_string("output_dir", "", "Where the PNG files go; empty: the folder `plots` of the run.")
flags.DEFINE_integer("seed", 0, "Of the latents.", lower_bound=0)
_ROWS, _COLUMNS = 4, 5


def main() -> None:
    """Writes training.png, generated.png and real.png."""
    run = pathlib.Path(FLAGS.ckpt_dir).expanduser()
    entry.load_tensorflow()
    model = build.load(run)
    output = pathlib.Path(FLAGS.output_dir or run / "plots")
    hparams = settings.read_experiment(run / "experiment.json").override({"train_root_dir": str(run)})
    real = build_data.load_real_notes(hparams)

    import numpy as np

    from gansynth_tf import plots

    metrics = run / "metrics.jsonl"
    if metrics.is_file():
        plots.plot_training_curves(metrics, output / "training.png")
        print(f"Saved to {output / 'training.png'}")
    places = np.linspace(0, len(model.pitches) - 1, _COLUMNS).round().astype(int)
    pitches = np.array(model.pitches)[places]
    titles = [f"pitch {pitch}" for pitch in pitches]
    z = np.repeat(model.sample_z(_ROWS, FLAGS.seed), _COLUMNS, axis=0)
    waves = model.generate(z, np.tile(pitches, _ROWS)).reshape(_ROWS, _COLUMNS, -1)
    plots.plot_note_grid(waves, model.sample_rate, output / "generated.png", column_titles=titles)
    print(f"Saved to {output / 'generated.png'}")
    chosen = [np.resize(np.flatnonzero(real["pitch"] == pitch), _ROWS) for pitch in pitches]
    plots.plot_note_grid(
        np.swapaxes(real["audio"][np.array(chosen)], 0, 1), model.sample_rate, output / "real.png", column_titles=titles
    )
    print(f"Saved to {output / 'real.png'}")


def console_entry_point() -> None:
    """Entry point of the console script."""
    entry.run(main)


if __name__ == "__main__":
    console_entry_point()
