"""Where settings become a training loop: data, model, optimizers and reports together, restored where a run stopped."""

from __future__ import annotations

import pathlib
import typing
from collections.abc import Callable

from gansynth_tf import build, build_baselines, build_data, files, settings
from gansynth_tf.hparams import HParams
from gansynth_tf.pitches import PitchClasses

if typing.TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from gansynth_tf.baselines.note_model import NoteModel
    from gansynth_tf.model import GANSynth
    from gansynth_tf.training.baseline_steps import BaselineUpdates, OneStageCosts
    from gansynth_tf.training.checkpoints import TrainingState
    from gansynth_tf.training.cluster import Cluster
    from gansynth_tf.training.costs import UpdateCosts
    from gansynth_tf.training.loop import Pace, TrainingLoop
    from gansynth_tf.training.objectives import LossWeights
    from gansynth_tf.training.reporting import Reporter
    from gansynth_tf.training.steps import Updates


def make_training(
    hparams: HParams,
    strategy: tf.distribute.Strategy,
    on_snapshot: Callable[[GANSynth, int, float], dict[str, float] | None],
    stop_requested: Callable[[], bool] = lambda: False,
) -> TrainingLoop:
    """A training loop, restored from the run folder's newest checkpoint when there is one.

    Args:
        hparams: Settings, `train_root_dir` among them.
        strategy: Of tf.distribute.
        on_snapshot: Called with (model, examples seen, seconds trained); may return the snapshot's metrics, by name.
        stop_requested: Asked after every call of the graph.

    Raises:
        ValueError: When the settings do not fit each other or the strategy, or the run's files are damaged.
    """
    from gansynth_tf.data import records
    from gansynth_tf.training import checkpoints, loop, reporting
    from gansynth_tf.training.cluster import Cluster
    from gansynth_tf.training.keeping import Keeper

    _check_batch_sizes(hparams, strategy.num_replicas_in_sync)
    _check_sizes(hparams)
    run, cluster = pathlib.Path(hparams.train_root_dir), Cluster(strategy)
    if cluster.is_chief:
        build_data.prepare_data(hparams)
    cluster.wait()
    folder = build_data.prepare_data(hparams, progress=False)
    pitch_classes = _pitch_classes(hparams, folder)
    make_dataset = _make_datasets(hparams, records.open_split(folder, "train"), pitch_classes)
    updates, state = make_updates(hparams, strategy, pitch_classes)
    keeper = Keeper(run, hparams.keep_every_examples, hparams.keep_best)
    reporter = reporting.Reporter(run, checkpoints.METRICS_FILE, checkpoints.SNAPSHOT_METRICS_FILE)
    restored = _restore(state, cluster)
    examples = int(state.examples_seen.numpy())
    remarks = []
    if not restored:
        remarks = prepare_model(hparams, updates.model, make_dataset(hparams.batch_size_schedule[-1], 0))
    if cluster.is_chief:
        _open_run(hparams, pitch_classes, reporter, examples if restored else -1, state.skipped)
        for remark in remarks:
            reporter.say(remark)

    def snapshot(examples: int, seconds: float) -> dict[str, float] | None:
        return on_snapshot(updates.model, examples, seconds)

    hooks = loop.Hooks(make_dataset, snapshot, stop_requested)
    costs = make_costs(hparams, pitch_classes.num_classes)
    return loop.TrainingLoop(run, updates, state, costs, reporter, keeper, _make_pace(hparams), hooks)


def _make_datasets(hparams: HParams, sets: list, pitch_classes: PitchClasses) -> Callable[[int, int], tf.data.Dataset]:
    from gansynth_tf.data import pipeline

    def make_dataset(batch_size: int, start_example: int) -> tf.data.Dataset:
        return pipeline.make_dataset(
            sets,
            pitch_classes,
            hparams.audio_length,
            batch_size,
            hparams.seed,
            start_example=start_example,
            group_size=hparams.pitch_group_size,
        )

    return make_dataset


def _restore(state: TrainingState, cluster: Cluster) -> bool:
    """Goes back to the newest checkpoint, on all workers to the same."""
    if cluster.is_chief:
        state.remove_unfinished()
    cluster.wait()
    restored = state.restore()
    cluster.check_alike("the count of examples trained", float(state.examples_seen.numpy()))
    return restored


def _open_run(
    hparams: HParams, pitch_classes: PitchClasses, reporter: Reporter, examples: int, skipped: list[str]
) -> None:
    """Writes the run folder's settings and says where the run goes on; `examples` is -1 when it starts."""
    from gansynth_tf.training import checkpoints

    run = pathlib.Path(hparams.train_root_dir)
    files.write_json(run / checkpoints.EXPERIMENT_FILE, hparams.to_dict())
    files.write_json(run / checkpoints.PITCHES_FILE, pitch_classes.to_json())
    reporter.resume(examples)
    reporter.settings = hparams.to_dict()
    for problem in skipped:
        reporter.say(f"Skipped: {problem}")
    if examples < 0:
        folder = build_data.prepare_data(hparams, progress=False)
        reporter.say(f"{build_data.report_data(folder, only_new=True)}\n\nStarting in {run}.".lstrip())
    else:
        reporter.say(f"Going on in {run} from {examples} examples.")


def make_costs(hparams: HParams, num_pitches: int) -> UpdateCosts | OneStageCosts:
    """The arithmetic of an update in each stage; of a baseline, what is left."""
    from gansynth_tf.training.baseline_steps import OneStageCosts
    from gansynth_tf.training.costs import UpdateCosts
    from gansynth_tf.training.objectives import OBJECTIVES

    resolutions, stages = build.make_schedules(hparams)
    if hparams.model_type != "gansynth":
        return OneStageCosts(stages.total_examples)
    objective = OBJECTIVES[hparams.adversarial_loss]
    return UpdateCosts(
        resolutions,
        stages,
        build.make_filters(hparams),
        hparams.latent_vector_size,
        num_pitches,
        hparams.kernel,
        hparams.gradient_penalty_interval,
        objective.num_penalised,
        objective.paired,
    )


def _pitch_classes(hparams: HParams, folder: str) -> PitchClasses:
    """The data's pitches; a run that was imported keeps its own, of which the data may have only some."""
    from gansynth_tf.training import checkpoints

    counted = build_data.count_pitches(folder, hparams.unconditional)
    own = pathlib.Path(hparams.train_root_dir) / checkpoints.PITCHES_FILE
    if not own.is_file():
        return counted
    classes = settings.read_pitches(own)
    classes.to_index(counted.pitches)
    return classes


def _make_pace(hparams: HParams) -> Pace:
    from gansynth_tf.training import loop

    return loop.Pace(
        hparams.steps_per_call,
        hparams.save_summaries_num_images,
        hparams.checkpoint_seconds,
        hparams.train_time_limit,
        hparams.train_time_stage_multiplier,
    )


def _check_sizes(hparams: HParams) -> None:
    """Checks what depends on the notes' length before notes are rendered or read."""
    if hparams.model_type == "gansynth":
        build.make_representation(hparams)
    else:
        build_baselines.check_length(hparams)


def _check_batch_sizes(hparams: HParams, num_replicas: int) -> None:
    size = hparams.pitch_group_size
    uneven = [batch for batch in hparams.batch_size_schedule if batch % (num_replicas * size)]
    if uneven:
        raise ValueError(
            f"batch_size_schedule must hold multiples of {num_replicas * size}: replicas that share a batch "
            f"({num_replicas}) times pitch_group_size ({size}). Received: {uneven[0]}"
        )


def make_updates(
    hparams: HParams, strategy: tf.distribute.Strategy, pitch_classes: PitchClasses
) -> tuple[Updates | BaselineUpdates, TrainingState]:
    """A fresh model with its optimizers, as one update and as what is saved."""
    import keras

    from gansynth_tf.training import checkpoints, steps

    run, (_, stages) = pathlib.Path(hparams.train_root_dir), build.make_schedules(hparams)
    weights = _make_weights(hparams)
    with strategy.scope():
        keras.utils.set_random_seed(hparams.seed)
        model = build.make_model(hparams, pitch_classes)
        if hparams.model_type != "gansynth":
            updates = build_baselines.make_baseline_updates(hparams, model, strategy, stages, weights)
            return updates, checkpoints.TrainingState(run, model, updates.optimizers, hparams.keep_checkpoints)
        optimizers = _make_optimizers(hparams, model)
        state = checkpoints.TrainingState(run, model, optimizers, hparams.keep_checkpoints)
    others = (hparams.ema_decay, hparams.seed, hparams.jit_compile)
    updates = steps.Updates(model, *optimizers.values(), strategy, stages, weights, *others)
    return updates, state


def _make_weights(hparams: HParams) -> LossWeights:
    from gansynth_tf.training import objectives

    return objectives.LossWeights(
        adversarial=hparams.adversarial_loss,
        gradient_penalty=hparams.gradient_penalty_weight,
        gradient_penalty_target=hparams.gradient_penalty_target,
        gradient_penalty_interval=hparams.gradient_penalty_interval,
        score_drift=hparams.real_score_penalty_weight,
        generator_pitch=hparams.generator_ac_loss_weight,
        discriminator_pitch=hparams.discriminator_ac_loss_weight,
        consistency=hparams.gen_gl_consistency_loss_weight,
        projection=hparams.pitch_projection,
        group_size=hparams.pitch_group_size,
    )


def _make_optimizers(hparams: HParams, model: GANSynth) -> dict[str, keras.optimizers.Optimizer]:
    """The generator's and the discriminator's, fresh, by their names in a checkpoint."""
    import keras

    def adam(rate: float, variables: list) -> keras.optimizers.Adam:
        optimizer = keras.optimizers.Adam(rate, hparams.adam_beta1, hparams.adam_beta2, epsilon=1e-8)
        if hparams.precision == "mixed_float16":
            # Its gradients would vanish below 6e-8; bfloat16 reaches as far as float32.
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(variables)
        return optimizer

    return {
        "generator_optimizer": adam(hparams.generator_learning_rate, model.generator.trainable_variables),
        "discriminator_optimizer": adam(hparams.discriminator_learning_rate, model.discriminator.trainable_variables),
    }


def write_run(run: pathlib.Path, hparams: HParams, model: GANSynth, examples: int, stage: int, seconds: float) -> None:
    """Writes a run folder from which training goes on, for a model that was trained elsewhere.

    Args:
        run: The folder, which may be beside `train_root_dir` until it is renamed.
        hparams: The run's settings.
        model: Trained so far; its optimizers start afresh, as they do at every stage.
        examples, stage, seconds: Where the training stands.
    """
    from gansynth_tf.training import checkpoints

    state = checkpoints.TrainingState(run, model, _make_optimizers(hparams, model), hparams.keep_checkpoints)
    state.examples_seen.assign(examples)
    state.stage.assign(stage)
    state.train_seconds.assign(seconds)
    state.save()
    files.write_json(run / checkpoints.EXPERIMENT_FILE, hparams.to_dict())
    files.write_json(run / checkpoints.PITCHES_FILE, model.pitch_classes.to_json())


def prepare_model(hparams: HParams, model: GANSynth | NoteModel, dataset: tf.data.Dataset) -> list[str]:
    """Gives a fresh model what it takes from notes, or from another model, before it is trained.

    Returns:
        What a user should know of it.
    """
    if hparams.init_from:
        return start_from(hparams, model)
    if hparams.model_type == "gansynth":
        fit_normalizer(hparams, model, dataset)
    else:
        build_baselines.keep_notes(model, dataset)
    return []


def start_from(hparams: HParams, model: GANSynth) -> list[str]:
    """Gives a fresh model the weights of the one that `init_from` names; says which pitches that one did not know.

    Raises:
        ValueError: When there is no such model, or not one that fits.
    """
    from gansynth_tf.model import GANSynth
    from gansynth_tf.training import transfer

    source = build.load(hparams.init_from)
    if not isinstance(source, GANSynth) or not isinstance(model, GANSynth):
        raise ValueError(
            "Expected --init_from to name a GANSynth with its critic: a run folder or a model of Magenta's, to start a "
            f"GANSynth from. Received: {hparams.init_from}, {type(source).__name__}, for a {hparams.model_type}"
        )
    new = transfer.copy_model(source, model)
    remarks = [f"Starting from the weights of {hparams.init_from}."]
    if new:
        listed = ", ".join(map(str, new))
        remarks.append(f"Pitches that it does not know begin as the nearest that it does: {listed}.")
    return remarks


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
