"""gansynth_explore: finds a model's sliders, sets them, and says which training instruments a sound resembles."""

import pathlib

from absl import flags

from gansynth_tf import audio, build, build_data, build_evaluation, settings
from gansynth_tf.cli import entry

FLAGS = flags.FLAGS
flags.DEFINE_string("ckpt_dir", "/tmp/gansynth/train", "A run folder, 'box', or an exported model that has sliders.")
flags.DEFINE_string("output_dir", "", "Where sounds and pictures go; empty: the folder `explore` of the model.")
flags.DEFINE_integer("num_sliders", 6, "How many of each kind (pca_1, …, sefa_1, …) to find.", lower_bound=1)
flags.DEFINE_integer("num_latents", 10000, "How many random latents to find them from.", lower_bound=16)
flags.DEFINE_bool("refit", False, "Find the sliders again, though the model has some.")
flags.DEFINE_list("rename", [], "New names of sliders, such as pca_1=bright,sefa_2=pluck; they are kept.")
flags.DEFINE_list("sliders", [], "Set these sliders, such as bright=2,pluck=-1.5, in standard deviations of z.")
flags.DEFINE_string("z_file", "", "Start from the instruments in this file; empty: from a random one.")
flags.DEFINE_list("instrument", [], "Which of them: NAME or 0.7*NAME+0.3*NAME; several with commas. Empty: all.")
flags.DEFINE_integer("seed", 0, "Of the random latents.", lower_bound=0)
flags.DEFINE_integer("pitch", None, "MIDI pitch to listen at; none: the middle of the model's pitches.")
flags.DEFINE_integer("nearest", 0, "Name this many training instruments that the sound resembles.", lower_bound=0)
flags.DEFINE_string(
    "classifier",
    "",
    "Compare by this pitch classifier's features; empty: the run's own, else specgrams.",
)
_POSITIONS = (-3.0, -1.5, 0.0, 1.5, 3.0)
_TRIED = 16  # Notes that a slider's effect is measured on.
_COMPARED_PITCHES = 12
_MOST_SAMPLES = 2**28  # Of training notes, one gibibyte.


def main() -> None:
    """Finds sliders and draws what each does; with --sliders or --nearest it does that instead."""
    values = {name: float(value) for name, value in _pairs("sliders", _is_number).items()}
    names = _pairs("rename", bool)
    entry.load_tensorflow()
    folder = settings.find_model(FLAGS.ckpt_dir)
    model = build.load(folder)
    started = _instruments(model)
    pitch = model.pitches[len(model.pitches) // 2] if FLAGS.pitch is None else FLAGS.pitch
    model.pitch_classes.to_index(pitch)
    output = pathlib.Path(FLAGS.output_dir).expanduser() if FLAGS.output_dir else settings.folder_for(folder, "explore")

    from gansynth_tf.exploration import sliders

    if values or not FLAGS.nearest:
        found = _sliders(model, folder, names)
        print(sliders.format_table(found))
        if not values:
            _survey(model, found, next(iter(started.values())), pitch, output)
        else:
            started = {name: sliders.move(z, found, values) for name, z in started.items()}
            _write(model, started, pitch, output, values)
    if FLAGS.nearest:
        _print_nearest(model, folder, started)


def _pairs(flag: str, is_right) -> dict[str, str]:
    """The flag's NAME=VALUE pairs."""
    pairs = [text.partition("=") for text in FLAGS[flag].value]
    for name, sign, value in pairs:
        if not (name and sign and is_right(value)):
            raise ValueError(f"--{flag}: {FLAGS[flag].help} Received: {name}{sign}{value}")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def _instruments(model) -> dict:
    """Latents by name, to start from."""
    if not FLAGS.z_file:
        return {"random": model.sample_z(1, FLAGS.seed)[0]}
    from gansynth_tf.generation import instruments

    pool = instruments.load_instruments(FLAGS.z_file, model.latent_size)
    names = FLAGS.instrument or list(pool)
    return dict(zip(map(instruments.plain_name, names), instruments.choose(pool, names), strict=True))


# ---------------------------------------------------------------------------------------------------- sliders


def _sliders(model, folder: pathlib.Path, names: dict[str, str]):
    """The model's sliders, found now where it has none or has been trained since."""
    from gansynth_tf import export
    from gansynth_tf.exploration import directions, sliders

    version = export.find_export(folder)
    if version is not None:
        if names or FLAGS.refit:
            raise ValueError(f"Expected a run folder for --rename and --refit. Received: {folder}, an exported model.")
        return sliders.load_sliders(version / export.DESCRIPTION_FILE, model.latent_size)[0]
    if folder.resolve() == settings.BOX and (names or FLAGS.refit):
        raise ValueError("Expected a run folder for --rename and --refit. Received: the model in the box; copy it.")
    path, fingerprint = folder / sliders.SLIDERS_FILE, directions.weights_fingerprint(model)
    found, found_in = {}, ""
    if path.is_file() and not FLAGS.refit:
        found, found_in = sliders.load_sliders(path, model.latent_size)
        if found_in != fingerprint:
            print("The model has been trained since its sliders were found; finding new ones")
    if found_in != fingerprint:
        found = _find(model)
    found = sliders.rename(found, names)
    if found_in != fingerprint or names:
        sliders.save_sliders(path, found, fingerprint)
        print(f"Saved to {path}")
    return found


def _find(model):
    """New sliders, with what each does to notes."""
    import numpy as np
    from tqdm import tqdm

    from gansynth_tf.exploration import directions, effects, sliders

    z = model.sample_z(_TRIED, FLAGS.seed + 1)
    pitches = np.resize(model.pitches[:: max(1, len(model.pitches) // 4)], _TRIED)
    found = directions.model_directions(model, FLAGS.num_sliders, FLAGS.num_latents, FLAGS.seed)
    measured = {}
    for name, (latent, share) in tqdm(found.items(), desc="listening", unit="slider"):
        alone = {name: sliders.Slider(latent, share, {})}

        def set_slider(z, value, alone=alone, name=name):
            return sliders.move(z, alone, {name: value})

        effect = effects.measure_effect(model.generate, set_slider, z, pitches, model.sample_rate)
        measured[name] = sliders.Slider(latent, share, effect)
    return measured


# ---------------------------------------------------------------------------------------------------- listening


def _survey(model, found: dict, z, pitch: int, output: pathlib.Path) -> None:
    """Each slider at five positions: a row of a picture, and a WAV file of the five notes."""
    import numpy as np

    from gansynth_tf import plots
    from gansynth_tf.exploration import sliders

    moved = np.stack([sliders.move(z, found, {name: value}) for name in found for value in _POSITIONS])
    waves = model.generate(moved, np.full(len(moved), pitch)).reshape(len(found), len(_POSITIONS), -1)
    for name, row in zip(found, waves, strict=True):
        audio.save_wav(output / f"slider_{name}.wav", row.reshape(-1), model.sample_rate)
    titles = [f"{value:+g}" for value in _POSITIONS]
    plots.plot_note_grid(waves, model.sample_rate, output / "sliders.png", list(found), titles)
    print(f"Saved to {output / 'sliders.png'}, and each slider's notes to {output}/slider_NAME.wav")


def _write(model, moved: dict, pitch: int, output: pathlib.Path, values: dict[str, float]) -> None:
    """The moved instruments, a note of each, and how they came about."""
    import numpy as np

    from gansynth_tf.generation import instruments, sound_files

    path = output / "explored.json"
    instruments.save_instruments(path, moved)
    waves = model.generate(np.stack(list(moved.values())), np.full(len(moved), pitch))
    for name, wave in zip(moved, waves, strict=True):
        facts = {"pitch": pitch, "sliders": values, "instruments_file": path.name, "instrument": name}
        facts |= {} if FLAGS.z_file else {"seed": FLAGS.seed}
        sound = sound_files.save_note(output, f"explored_{name}", wave, model.sample_rate, facts)
        print(f"Saved to {sound}")
    print(f"Saved to {path}")


def _print_nearest(model, folder: pathlib.Path, started: dict) -> None:
    """A table of the training instruments that each instrument resembles."""
    import numpy as np

    from gansynth_tf.data import records
    from gansynth_tf.exploration import nearest

    if not (folder / "experiment.json").is_file():
        raise ValueError(f"Expected a run folder for --nearest, with the training notes. Received: {folder}")
    hparams = settings.read_experiment(folder / "experiment.json").override({"train_root_dir": str(folder)})
    notes = build_data.load_real_notes(hparams, limit=_MOST_SAMPLES // model.audio_length)
    listed = records.read_manifest(build_data.prepare_data(hparams, progress=False)).get("instruments", [])
    embed, by = _embedding(model, folder)
    places = np.unique(np.linspace(0, len(model.pitches) - 1, _COMPARED_PITCHES).round().astype(int))
    pitches = np.array(model.pitches)[places]
    print(f"By {by}, among {len(notes['pitch'])} training notes:\n")
    print("| instrument | resembles | distance | pitches compared |\n|---|---|---|---|")
    for name, z in started.items():
        waves = model.generate(np.tile(z, (len(pitches), 1)), pitches)
        for neighbour in nearest.nearest_instruments(waves, pitches, notes, embed)[: FLAGS.nearest]:
            number = neighbour.instrument
            like = listed[number]["name"] if number < len(listed) else f"instrument {number}"
            print(f"| {name} | {like} | {neighbour.distance:.2f} | {neighbour.num_pitches} |")


def _embedding(model, folder: pathlib.Path):
    """What notes are compared by, and what it is called."""
    from gansynth_tf.exploration import nearest

    classifier = build_evaluation.find_classifier(FLAGS.classifier, folder)
    if classifier is None:
        return nearest.specgram_embedding(model.encode, model.audio_length), "specgrams"
    if classifier.sample_rate != model.sample_rate:
        found = f"one of {classifier.sample_rate} Hz"
        raise ValueError(f"Expected a classifier of the model's sample rate, {model.sample_rate} Hz. Received {found}.")
    return lambda waves: classifier.judge(waves).features, "features of the pitch classifier"


def console_entry_point() -> None:
    """Entry point of the console script."""
    entry.run(main)


if __name__ == "__main__":
    console_entry_point()
