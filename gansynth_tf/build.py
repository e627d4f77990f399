"""The only file that turns settings into objects: HParams -> data, model, training loop; a folder -> a model.

TensorFlow takes seconds to import, so everything that needs it is imported inside the functions: `--help` and a mistake
in the settings answer at once.
"""

from __future__ import annotations

import os
import pathlib
import typing
from collections.abc import Callable

from gansynth_tf import files
from gansynth_tf.hparams import HParams
from gansynth_tf.pitches import PitchClasses
from gansynth_tf.schedules import ResolutionSchedule, StageSchedule, num_filters
from gansynth_tf.settings import read_experiment, read_json

if typing.TYPE_CHECKING:
    import tensorflow as tf

    from gansynth_tf.export import ExportedGANSynth
    from gansynth_tf.model import GANSynth
    from gansynth_tf.normalizers import SpecgramNormalizer
    from gansynth_tf.training.checkpoints import TrainingState
    from gansynth_tf.training.loop import Pace, TrainingLoop
    from gansynth_tf.training.steps import Updates

# ---------------------------------------------------------------------------------------------------- schedule


def make_schedules(hparams: HParams) -> tuple[ResolutionSchedule, StageSchedule]:
    """Resolution of every block, and what happens in every stage."""
    resolutions = ResolutionSchedule(
        (hparams.start_height, hparams.start_width), hparams.num_resolutions, hparams.scale_mode, hparams.scale_base
    )
    total = hparams.total_num_images
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


# ---------------------------------------------------------------------------------------------------- data


def prepare_data(hparams: HParams, progress: bool = True) -> pathlib.Path:
    """Makes sure that the run's notes are on disk.

    Returns:
        The folder of TFRecord shards and their manifest.
    """
    from gansynth_tf.data import soundfont

    folder = pathlib.Path(hparams.records_dir or pathlib.Path(hparams.train_root_dir) / "data")
    request = soundfont.SoundfontRequest(
        soundfont_path=hparams.soundfont_path,
        programs=hparams.soundfont_programs,
        min_pitch=hparams.min_pitch,
        max_pitch=hparams.max_pitch,
        velocities=hparams.soundfont_velocities,
        sample_rate=hparams.sample_rate,
        num_samples=hparams.audio_length,
        hold_seconds=hparams.hold_seconds,
    )
    soundfont.render_soundfont(request, folder, progress=progress)
    return folder


def load_real_notes(hparams: HParams, split: str = "train", limit: int | None = None) -> dict:
    """Notes of the run's data as arrays: audio [notes, samples], pitch [notes], …"""
    from gansynth_tf.data import pipeline, records

    shards = records.list_shards(prepare_data(hparams, progress=False), split)
    return pipeline.load_notes(shards, hparams.audio_length, limit=limit)


def count_pitches(records_folder: pathlib.Path) -> PitchClasses:
    """The pitch classes of a prepared folder's training notes."""
    from gansynth_tf.data import records

    counts = records.read_manifest(records_folder)["splits"]["train"]["pitches"]
    pairs = sorted((int(pitch), int(count)) for pitch, count in counts.items())
    return PitchClasses(tuple(p for p, _ in pairs), tuple(c for _, c in pairs))


# ---------------------------------------------------------------------------------------------------- model


def make_representation(hparams: HParams):
    """The Keras layer that `data_type` names."""
    from gansynth_tf import representations

    resolutions, _ = make_schedules(hparams)
    sizes = (resolutions.final, hparams.audio_length, hparams.sample_rate)
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


def fit_normalizer(hparams: HParams, model: GANSynth, dataset: tf.data.Dataset) -> None:
    """Sets the normaliser's numbers from the first `normalizer_num_examples` notes, where the settings ask for it."""
    from gansynth_tf import normalizers

    fits = {
        "specgrams_simple_normalizer": normalizers.fit_simple_normalizer,
        "specgrams_freq_normalizer": normalizers.fit_freq_normalizer,
    }
    if hparams.data_normalizer not in fits:
        return
    batch_size = hparams.batch_size_schedule[-1]
    batches = dataset.take(max(1, hparams.normalizer_num_examples // batch_size))
    specgrams = (model.representation.encode(batch["audio"]).numpy() for batch in batches)
    fitted = fits[hparams.data_normalizer](specgrams, hparams.normalizer_margin)
    model.normalizer.assign(fitted.a.numpy(), fitted.b.numpy())


def make_model(hparams: HParams, pitch_classes: PitchClasses) -> GANSynth:
    """A model with fresh weights."""
    from gansynth_tf.model import GANSynth
    from gansynth_tf.networks import Discriminator, Generator

    resolutions, _ = make_schedules(hparams)
    filters = make_filters(hparams)

    def generator():
        return Generator(
            resolutions,
            filters,
            hparams.latent_vector_size,
            pitch_classes.num_classes,
            hparams.kernel_size,
            hparams.to_rgb_activation,
            hparams.pitch_scale,
        )

    discriminator = Discriminator(resolutions, filters, pitch_classes.num_classes, hparams.kernel_size)
    representation, normalizer = make_representation(hparams), make_normalizer(hparams)
    return GANSynth(representation, normalizer, generator(), generator(), discriminator, pitch_classes)


def load(path: str | os.PathLike) -> GANSynth | ExportedGANSynth:
    """A model to play with.

    Args:
        path: A run folder (train_root_dir) or an exported folder.

    Returns:
        The model, of a run folder standing where its newest checkpoint stands. Both kinds have `generate(z, pitch)`,
        `generate_specgrams(z, pitch)`, `sample_z(n, seed)`, `pitches`, `sample_rate`, `audio_length`, `latent_size`; a
        run folder's also `representation`, `generator`, `discriminator`.

    Raises:
        ValueError: When the folder is none, or holds no complete model; the message says what is missing.
    """
    from gansynth_tf import export
    from gansynth_tf.training import checkpoints

    run = pathlib.Path(path).expanduser()
    if export.is_export(run):
        return export.ExportedGANSynth(run)
    experiment = run / checkpoints.EXPERIMENT_FILE
    if not experiment.is_file():
        found = "which has none" if run.is_dir() else "which does not exist"
        raise ValueError(
            f"Expected a run folder with {checkpoints.EXPERIMENT_FILE}. Received: {path}, {found}. "
            "Pass the train_root_dir of a training run, or an exported folder."
        )
    newest = checkpoints.latest_checkpoint(run)
    if newest is None or not (run / checkpoints.PITCHES_FILE).is_file():
        raise ValueError(f"{path} holds no finished checkpoint yet. Train longer, or pass another folder.")
    hparams = read_experiment(experiment)
    model = make_model(hparams, _read_pitches(run / checkpoints.PITCHES_FILE))
    clock, stage, seconds = checkpoints.read_model(model, newest)
    _, stages = make_schedules(hparams)
    if hparams.train_time_limit is not None:
        clock = stages.clock_at(seconds, hparams.train_time_limit, hparams.train_time_stage_multiplier)
    fade = stages.fade_at(stage, clock) if stages.is_transition(stage) else None
    model.set_stage(stages.num_blocks(stage), fade)
    return model


def _read_pitches(path: pathlib.Path) -> PitchClasses:
    values = read_json(path)
    try:
        return PitchClasses.from_json(values)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {type(error).__name__}: {error}") from None


# ---------------------------------------------------------------------------------------------------- training


def make_training(
    hparams: HParams,
    strategy: tf.distribute.Strategy,
    on_snapshot: Callable[[GANSynth, int, float], None],
    stop_requested: Callable[[], bool] = lambda: False,
) -> TrainingLoop:
    """A training loop, restored from the run folder's newest checkpoint when there is one.

    Args:
        hparams: Settings, `train_root_dir` among them.
        strategy: Of tf.distribute.
        on_snapshot: Called with (model, examples seen, seconds trained).
        stop_requested: Asked after every call of the graph.

    Raises:
        ValueError: When the settings do not fit each other or the strategy, or the run's files are damaged.
    """
    from gansynth_tf.data import pipeline, records
    from gansynth_tf.training import checkpoints, loop, reporting

    _check_batch_sizes(hparams, strategy.num_replicas_in_sync)
    make_representation(hparams)  # Its sizes are checked before notes are rendered for them.
    run = pathlib.Path(hparams.train_root_dir)
    folder = prepare_data(hparams)
    pitch_classes = count_pitches(folder)
    shards = records.list_shards(folder, "train")
    _, stages = make_schedules(hparams)

    def make_dataset(batch_size: int, start_example: int) -> tf.data.Dataset:
        return pipeline.make_dataset(
            shards, pitch_classes, hparams.audio_length, batch_size, hparams.seed, start_example=start_example
        )

    updates, state = _make_updates(hparams, strategy, pitch_classes)
    restored = state.restore()
    files.write_json(run / checkpoints.EXPERIMENT_FILE, hparams.to_dict())
    files.write_json(run / checkpoints.PITCHES_FILE, pitch_classes.to_json())
    reporter = reporting.Reporter(run, checkpoints.METRICS_FILE)
    examples = int(state.examples_seen.numpy())
    reporter.resume(examples if restored else -1)
    if restored:
        reporter.say(f"Going on in {run} from {examples} examples.")
    else:
        fit_normalizer(hparams, updates.model, make_dataset(hparams.batch_size_schedule[-1], 0))
        reporter.say(f"Starting in {run}.")

    def snapshot(examples: int, seconds: float) -> None:
        on_snapshot(updates.model, examples, seconds)

    pace = _make_pace(hparams)
    return loop.TrainingLoop(updates, state, stages, reporter, make_dataset, pace, snapshot, stop_requested)


def _make_pace(hparams: HParams) -> Pace:
    from gansynth_tf.training import loop

    return loop.Pace(
        hparams.steps_per_call,
        hparams.save_summaries_num_images,
        hparams.checkpoint_seconds,
        hparams.train_time_limit,
        hparams.train_time_stage_multiplier,
    )


def _check_batch_sizes(hparams: HParams, num_replicas: int) -> None:
    uneven = [size for size in hparams.batch_size_schedule if size % num_replicas]
    if uneven:
        raise ValueError(
            f"batch_size_schedule must hold multiples of the {num_replicas} replicas that share a batch. "
            f"Received: {uneven[0]}"
        )


def _make_updates(
    hparams: HParams, strategy: tf.distribute.Strategy, pitch_classes: PitchClasses
) -> tuple[Updates, TrainingState]:
    """A fresh model with its optimizers, as one update and as what is saved."""
    import keras

    from gansynth_tf.training import checkpoints, steps

    with strategy.scope():
        keras.utils.set_random_seed(hparams.seed)
        model = make_model(hparams, pitch_classes)

        def adam(rate: float, variables: list) -> keras.optimizers.Adam:
            optimizer = keras.optimizers.Adam(rate, hparams.adam_beta1, hparams.adam_beta2, epsilon=1e-8)
            optimizer.build(variables)
            return optimizer

        optimizers = (
            adam(hparams.generator_learning_rate, model.generator.trainable_variables),
            adam(hparams.discriminator_learning_rate, model.discriminator.trainable_variables),
        )
        run = pathlib.Path(hparams.train_root_dir)
        state = checkpoints.TrainingState(run, model, *optimizers, hparams.keep_checkpoints)
    weights = steps.LossWeights(
        gradient_penalty=hparams.gradient_penalty_weight,
        gradient_penalty_target=hparams.gradient_penalty_target,
        gradient_penalty_interval=hparams.gradient_penalty_interval,
        score_drift=hparams.real_score_penalty_weight,
        generator_pitch=hparams.generator_ac_loss_weight,
        discriminator_pitch=hparams.discriminator_ac_loss_weight,
        consistency=hparams.gen_gl_consistency_loss_weight,
    )
    _, stages = make_schedules(hparams)
    updates = steps.Updates(model, *optimizers, strategy, stages, weights, hparams.ema_decay, hparams.seed)
    return updates, state
