"""Where settings become objects: HParams -> schedules, representation, model; a folder -> a model.

TensorFlow takes seconds to import, so everything that needs it is imported inside the functions: `--help` and a mistake
in the settings answer at once.
"""

from __future__ import annotations

import os
import pathlib
import typing
import warnings

from gansynth_tf import build_baselines
from gansynth_tf.hparams import NOT_INHERITED, HParams
from gansynth_tf.pitches import PitchClasses
from gansynth_tf.schedules import ResolutionSchedule, StageSchedule, num_filters
from gansynth_tf.settings import find_model, read_experiment, read_pitches

if typing.TYPE_CHECKING:
    from gansynth_tf.baselines.note_model import NoteModel
    from gansynth_tf.export import ExportedGANSynth
    from gansynth_tf.magenta_import import MagentaModel
    from gansynth_tf.model import GANSynth
    from gansynth_tf.normalizers import SpecgramNormalizer

# ---------------------------------------------------------------------------------------------------- schedule


def make_schedules(hparams: HParams) -> tuple[ResolutionSchedule, StageSchedule]:
    """Resolution of every block, and what happens in every stage."""
    resolutions = ResolutionSchedule(
        (hparams.start_height, hparams.start_width), hparams.num_resolutions, hparams.scale_mode, hparams.scale_base
    )
    total = hparams.total_num_images
    if hparams.model_type != "gansynth":
        return resolutions, StageSchedule(1, 1, 1, total, (build_baselines.update_size(hparams),), progressive=False)
    if hparams.train_time_limit is not None:
        # Given time, a run goes through every stage, however few examples it is told; so does Magenta's.
        fades = hparams.num_resolutions - 1
        total = max(total, (fades + 1) * hparams.stable_stage_num_images + fades * hparams.transition_stage_num_images)
    stages = StageSchedule(
        hparams.num_resolutions,
        hparams.stable_stage_num_images,
        hparams.transition_stage_num_images,
        total,
        hparams.batch_size_schedule,
        hparams.train_progressive,
    )
    return resolutions, stages


def make_filters(hparams: HParams) -> tuple[int, ...]:
    """Channels of block 0 .. num_resolutions."""
    blocks = range(hparams.num_resolutions + 1)
    bounds = (hparams.fmap_base, hparams.fmap_decay, hparams.fmap_max, hparams.fmap_min)
    return tuple(num_filters(block, *bounds) for block in blocks)


# ---------------------------------------------------------------------------------------------------- model


def make_representation(hparams: HParams):
    """The Keras layer that `data_type` names.

    Raises:
        ValueError: The note does not fit the specgram; the message has the arithmetic.
    """
    resolutions, _ = make_schedules(hparams)
    try:
        return _representation_of(hparams, resolutions.final)
    except ValueError as error:
        start, step = resolutions.start, f"{hparams.scale_base}**{hparams.num_resolutions - 1}"
        raise ValueError(
            f"{error}. audio_length {hparams.audio_length} is {hparams.audio_length / hparams.sample_rate:g} s at "
            f"sample_rate {hparams.sample_rate}; the specgram is (start_height, start_width) * "
            f"scale_base**(num_resolutions - 1) = {start} * {step} = {resolutions.final} (scale_mode "
            f"{hparams.scale_mode})"
        ) from None


def _representation_of(hparams: HParams, specgram_shape: tuple[int, int]):
    from gansynth_tf import representations

    sizes = (specgram_shape, hparams.audio_length, hparams.sample_rate)
    match hparams.data_type:
        case "linear":
            return representations.LinearIF(*sizes)
        case "phase":
            return representations.LinearPhase(*sizes)
        case "wave":
            return representations.Waveform(*sizes)
    return representations.MelIF(*sizes, mel_downscale=hparams.mel_downscale, mel_if=hparams.mel_if)


def make_normalizer(hparams: HParams) -> SpecgramNormalizer:
    """A normaliser of the right shape; fitted ones get their numbers from `fit_normalizer` or from a checkpoint."""
    from gansynth_tf import normalizers

    match hparams.data_normalizer:
        case "none":
            return normalizers.identity_normalizer()
        case "specgrams_prespecified_normalizer":
            constants = (hparams.mag_normalizer_a, hparams.mag_normalizer_b)
            return normalizers.prespecified_normalizer(*constants, hparams.p_normalizer_a, hparams.p_normalizer_b)
        case "specgrams_freq_normalizer":
            return normalizers.SpecgramNormalizer(num_bins=make_schedules(hparams)[0].final[1])
    return normalizers.SpecgramNormalizer()


def make_model(hparams: HParams, pitch_classes: PitchClasses) -> GANSynth | NoteModel:
    """A model with fresh weights, a GANSynth or the baseline that `model_type` names."""
    if hparams.model_type != "gansynth":
        return build_baselines.make_baseline(hparams, pitch_classes)
    from gansynth_tf.model import GANSynth
    from gansynth_tf.networks import Discriminator, Generator

    resolutions, _ = make_schedules(hparams)
    filters = make_filters(hparams)

    def generator(precision: str):
        return Generator(
            resolutions,
            filters,
            hparams.latent_vector_size,
            pitch_classes.num_classes,
            hparams.kernel,
            hparams.to_rgb_activation,
            hparams.pitch_scale,
            dtype=precision,
        )

    sizes = (pitch_classes.num_classes, hparams.kernel, hparams.pitch_group_size)
    discriminator = Discriminator(resolutions, filters, *sizes, dtype=hparams.precision)
    networks = (generator(hparams.precision), generator("float32"), discriminator)  # The second is the one that plays.
    return GANSynth(make_representation(hparams), make_normalizer(hparams), *networks, pitch_classes)


def load(path: str | os.PathLike = "") -> GANSynth | ExportedGANSynth:
    """A model to play with.

    Args:
        path: A run folder (train_root_dir); an exported folder, whose newest version counts, or one of its versions; a
            packed model; or a model of Magenta's: its folder, its zip, one of its stages, a checkpoint. Nothing, or
            "box": the model that comes with the package.

    Returns:
        The model, of a run folder standing where its newest checkpoint stands. All kinds have `generate(z, pitch)`,
        `generate_specgrams(z, pitch)`, `sample_z(n, seed)`, `pitches`, `sample_rate`, `audio_length`, `latent_size`;
        all but the exported one also `representation`, `generator`, `discriminator`.

    Raises:
        ValueError: When the folder is none, or holds no complete model; the message says what is missing.
    """
    from gansynth_tf import export, magenta_folders, packed

    run = find_model(path)
    exported = export.find_export(run)
    if exported is not None:
        return export.ExportedGANSynth(exported)
    if magenta_folders.is_magenta(run):
        model, source, _ = load_magenta(run)
        for remark in source.remarks:
            warnings.warn(remark, stacklevel=2)
        return model
    return _load_packed(run) if packed.is_packed(run) else _load_run(run)


def _load_packed(folder: pathlib.Path) -> GANSynth:
    from gansynth_tf import packed

    hparams = read_experiment(folder / packed.EXPERIMENT_FILE)
    model = make_model(hparams, read_pitches(folder / packed.PITCHES_FILE))
    packed.read_weights(model, folder)
    return model


def _load_run(run: pathlib.Path) -> GANSynth | NoteModel:
    from gansynth_tf.training import checkpoints

    experiment = run / checkpoints.EXPERIMENT_FILE
    if not experiment.is_file():
        found = "which has none" if run.is_dir() else "which does not exist"
        raise ValueError(
            f"Expected a run folder with {checkpoints.EXPERIMENT_FILE}. Received: {run}, {found}. "
            "Pass the train_root_dir of a training run, an exported folder, or a model of Magenta's."
        )
    if checkpoints.latest_checkpoint(run) is None or not (run / checkpoints.PITCHES_FILE).is_file():
        raise ValueError(f"{run} holds no finished checkpoint yet. Train longer, or pass another folder.")
    hparams = read_experiment(experiment)
    model = make_model(hparams, read_pitches(run / checkpoints.PITCHES_FILE))
    _set_stage(model, hparams, *checkpoints.read_newest_model(model, run))
    return model


def inherited_settings(source: pathlib.Path, run: str = "") -> dict:
    """What a run takes over from the settings of the model that it starts from: all but notes, files and length.

    Args:
        source: A run folder, or a model of Magenta's.
        run: The run's folder; when it is begun, its own settings are as good, and the source may be gone.

    Returns:
        Settings by name; of what is neither, none.
    """
    from gansynth_tf import magenta_folders

    begun, experiment = pathlib.Path(run).expanduser() / "experiment.json", source / "experiment.json"
    if run and begun.is_file():
        values = read_experiment(begun).to_dict()
    elif magenta_folders.is_magenta(source):
        from gansynth_tf import magenta_import

        with magenta_import.open_model(source) as opened:
            values = opened.hparams.to_dict()
    elif experiment.is_file():
        values = read_experiment(experiment).to_dict()
    else:
        return {}
    return {name: value for name, value in values.items() if name not in NOT_INHERITED}


def load_magenta(
    path: str | os.PathLike, overrides: dict | None = None
) -> tuple[GANSynth, MagentaModel, dict[str, list[str]]]:
    """A model of Magenta's, with all that its folder says of it.

    Args:
        path: See `load`.
        overrides: Settings that replace those of its experiment.json.

    Returns:
        The model, standing where its checkpoint stands; the settings, pitches and clock that came with it; names of
        the checkpoint's variables that a model does not need, by kind.

    Raises:
        ValueError: When it cannot be read; the message says what is wrong.
    """
    from gansynth_tf import magenta_import

    with magenta_import.open_model(path, overrides) as source:
        model = make_model(source.hparams, source.pitch_classes)
        leftovers = magenta_import.read_weights(model, source)
    _set_stage(model, source.hparams, source.examples_seen, source.found.stage, source.train_seconds)
    return model, source, leftovers


def _set_stage(model: GANSynth, hparams: HParams, clock: int, stage: int, seconds: float) -> None:
    """Puts a model where a run stood after so many examples and seconds."""
    _, stages = make_schedules(hparams)
    if hparams.train_time_limit is not None:
        clock = stages.clock_at(seconds, hparams.train_time_limit, hparams.train_time_stage_multiplier)
    fade = stages.fade_at(stage, clock) if stages.is_transition(stage) else None
    model.set_stage(stages.num_blocks(stage), fade)


def describe_run(run: pathlib.Path) -> dict:
    """What an exported or packed model says about its making: settings, examples seen, data.

    Args:
        run: A run folder that `load` accepts, a packed model, or a model of Magenta's.

    Returns:
        A dict of JSON's types: "hparams", "training" and "training_data".
    """
    import tensorflow as tf

    from gansynth_tf import magenta_folders, magenta_import, packed
    from gansynth_tf.data import records
    from gansynth_tf.training import checkpoints

    if packed.is_packed(run):
        made = {name: packed.read_facts(run)[name] for name in ("training", "training_data")}
        return {"hparams": read_experiment(run / packed.EXPERIMENT_FILE).to_dict()} | made
    if magenta_folders.is_magenta(run):
        with magenta_import.open_model(run) as source:
            return {
                "hparams": source.hparams.to_dict(),
                "training": {"examples_seen": source.examples_seen, "checkpoint": source.found.checkpoint.name},
                "training_data": {"notes": sum(source.pitch_classes.counts)},
            }
    hparams = read_experiment(run / checkpoints.EXPERIMENT_FILE)
    newest = checkpoints.latest_checkpoint(run)
    seen = tf.train.load_variable(newest, "examples_seen/.ATTRIBUTES/VARIABLE_VALUE")
    data = {"notes": sum(read_pitches(run / checkpoints.PITCHES_FILE).counts)}
    try:
        manifest = records.read_manifest(hparams.records_dir or run / "data")
        data |= {key: manifest[key] for key in ("source", "presets", "renderer", "instruments") if key in manifest}
    except (OSError, ValueError):
        pass  # The data need not be where they were; the run folder has the counts.
    return {
        "hparams": hparams.to_dict(),
        "training": {"examples_seen": int(seen), "checkpoint": pathlib.Path(newest).name},
        "training_data": data,
    }
