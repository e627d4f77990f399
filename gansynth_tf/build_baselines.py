"""Where settings become baselines: HParams -> a model of the kind that `model_type` names, and its updates."""

from __future__ import annotations

import typing

from gansynth_tf.hparams import HParams
from gansynth_tf.pitches import PitchClasses

if typing.TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from gansynth_tf.baselines.note_model import NoteModel
    from gansynth_tf.baselines.wavegan import WaveGAN
    from gansynth_tf.baselines.wavenet_models import WaveNetAutoencoder, WaveNetNotes
    from gansynth_tf.schedules import StageSchedule
    from gansynth_tf.training.baseline_steps import BaselineUpdates
    from gansynth_tf.training.objectives import LossWeights

# The learning rate after each of `decay_at_updates`, as a share of the first (NSynth's released settings).
_RATE_SHARES = (1.0, 2.0 / 3.0, 0.3, 0.2, 0.1)

# ---------------------------------------------------------------------------------------------------- models


def make_baseline(hparams: HParams, pitch_classes: PitchClasses) -> NoteModel:
    """A baseline with fresh weights.

    Raises:
        ValueError: When its networks cannot make notes of this length.
    """
    match hparams.model_type:
        case "wavegan":
            return _make_wavegan(hparams, pitch_classes)
        case "wavenet":
            return _make_wavenet(hparams, pitch_classes)
        case "wavenet_autoencoder":
            return _make_wavenet_autoencoder(hparams, pitch_classes)
        case "spectral_autoencoder":
            return _make_spectral_autoencoder(hparams, pitch_classes)
    raise ValueError(f"model_type must name a baseline. Received: {hparams.model_type!r}")


def _make_wavegan(hparams: HParams, pitch_classes: PitchClasses) -> WaveGAN:
    from gansynth_tf.baselines import wavegan

    length, num_pitches = wavegan.wave_length(hparams.audio_length), _told_pitches(pitch_classes)

    def make_generator() -> wavegan.Generator:
        return wavegan.Generator(length, hparams.latent_vector_size, num_pitches, hparams.wavegan_dim)

    critic = wavegan.Discriminator(length, num_pitches, hparams.wavegan_dim, hparams.wavegan_shuffle)
    return wavegan.WaveGAN(make_generator, critic, pitch_classes, hparams.sample_rate, hparams.audio_length)


def _make_wavenet(hparams: HParams, pitch_classes: PitchClasses) -> WaveNetNotes:
    from gansynth_tf.baselines import wavenet, wavenet_models

    distribution = _make_distribution(hparams)
    frames = wavenet_models.num_frames(hparams.audio_length, hparams.wavenet_hop)
    held = wavenet.held_frames(frames, hparams.wavenet_hop, hparams.hold_seconds * hparams.sample_rate)

    def make_network() -> wavenet.PitchWaveNet:
        condition = wavenet.PitchCondition(pitch_classes.num_classes, held, hparams.wavenet_condition_width)
        return wavenet.PitchWaveNet(condition, _make_decoder(hparams, distribution, condition.width))

    return wavenet_models.WaveNetNotes(make_network, distribution, *_sizes(hparams, pitch_classes))


def _make_wavenet_autoencoder(hparams: HParams, pitch_classes: PitchClasses) -> WaveNetAutoencoder:
    from gansynth_tf.baselines import wavenet_autoencoder, wavenet_models

    distribution, num_pitches = _make_distribution(hparams), _told_pitches(pitch_classes)

    def make_network() -> wavenet_autoencoder.WaveNetAutoencoderNetwork:
        encoder = wavenet_autoencoder.TemporalEncoder(
            hparams.wavenet_code_size,
            hparams.wavenet_hop,
            hparams.wavenet_encoder_width,
            hparams.wavenet_layers,
            hparams.wavenet_stack_layers,
        )
        decoder = _make_decoder(hparams, distribution, hparams.wavenet_code_size + num_pitches)
        return wavenet_autoencoder.WaveNetAutoencoderNetwork(encoder, decoder, num_pitches)

    return wavenet_models.WaveNetAutoencoder(make_network, distribution, *_sizes(hparams, pitch_classes))


def _make_spectral_autoencoder(hparams: HParams, pitch_classes: PitchClasses):
    from gansynth_tf.baselines import spectral_autoencoder as spectral

    frames = spectral.padded_frames(hparams.audio_length)
    sizes = (hparams.spectral_code_size, hparams.spectral_width)
    network = spectral.SpectralNetwork(frames, pitch_classes.num_classes, *sizes)
    lengths = (hparams.sample_rate, hparams.audio_length)
    return spectral.SpectralAutoencoder(network, pitch_classes, *lengths, hparams.griffin_lim_iterations)


def _told_pitches(pitch_classes: PitchClasses) -> int:
    """Length of the one-hot pitch; 0 for an unconditional model."""
    return pitch_classes.num_classes if pitch_classes.pitched else 0


def _make_distribution(hparams: HParams):
    from gansynth_tf.baselines import distributions

    match hparams.wavenet_output:
        case "logistics":
            return distributions.MixtureOfLogistics()
    return distributions.MuLawSoftmax()


def _make_decoder(hparams: HParams, distribution, condition_width: int):
    from gansynth_tf.baselines import wavenet

    return wavenet.WaveNet(
        distribution.num_parameters,
        condition_width,
        hparams.wavenet_hop,
        hparams.wavenet_width,
        hparams.wavenet_skip_width,
        hparams.wavenet_layers,
        hparams.wavenet_stack_layers,
    )


def _sizes(hparams: HParams, pitch_classes: PitchClasses) -> tuple:
    return pitch_classes, hparams.sample_rate, hparams.audio_length, hparams.wavenet_chunk_frames


def check_length(hparams: HParams) -> None:
    """Raises ValueError when the baseline cannot make notes of this length."""
    match hparams.model_type:
        case "wavegan":
            from gansynth_tf.baselines import wavegan

            wavegan.wave_length(hparams.audio_length)
        case "spectral_autoencoder":
            from gansynth_tf.baselines import spectral_autoencoder

            spectral_autoencoder.padded_frames(hparams.audio_length)


# ---------------------------------------------------------------------------------------------------- training


def update_size(hparams: HParams) -> int:
    """Examples in one update of a baseline: WaveGAN's critic takes several batches."""
    critic_updates = hparams.wavegan_critic_updates if hparams.model_type == "wavegan" else 1
    return hparams.batch_size_schedule[-1] * critic_updates


def make_baseline_updates(
    hparams: HParams,
    model: NoteModel,
    strategy: tf.distribute.Strategy,
    schedule: StageSchedule,
    weights: LossWeights,
) -> BaselineUpdates:
    """A baseline's updates with fresh optimizers; called in the strategy's scope.

    Args:
        hparams: Settings.
        model: Of `make_baseline`.
        strategy: Of tf.distribute.
        schedule: With one stage.
        weights: Of WaveGAN's losses.
    """
    from gansynth_tf.training import baseline_steps

    if hparams.model_type == "wavegan":
        optimizers = (
            _make_adam(hparams, hparams.generator_learning_rate, model.generator),
            _make_adam(hparams, hparams.discriminator_learning_rate, model.discriminator),
        )
        critic_updates = hparams.wavegan_critic_updates
        return baseline_steps.WaveGANUpdates(
            model, *optimizers, strategy, schedule, weights, critic_updates, hparams.seed
        )
    adam = _make_adam(hparams, hparams.generator_learning_rate, model.trained)
    return baseline_steps.LossUpdates(model, adam, strategy, schedule, hparams.seed, hparams.ema_decay)


def _make_adam(hparams: HParams, rate: float, network: keras.Model) -> keras.optimizers.Adam:
    import keras

    if hparams.decay_at_updates:
        rates = [share * rate for share in _RATE_SHARES[: len(hparams.decay_at_updates) + 1]]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(list(hparams.decay_at_updates), rates)
    adam = keras.optimizers.Adam(rate, hparams.adam_beta1, hparams.adam_beta2, epsilon=1e-8)
    adam.build(network.trainable_variables)
    return adam


def keep_notes(model: NoteModel, dataset: tf.data.Dataset) -> None:
    """Gives an autoencoder the training notes that it keeps; other models keep none."""
    from gansynth_tf.baselines.autoencoder import Autoencoder

    if isinstance(model, Autoencoder):
        num_kept = model.kept_notes.shape[0]
        notes = dataset.unbatch().batch(num_kept).take(1)
        model.keep(next(iter(notes))["audio"].numpy())


# ---------------------------------------------------------------------------------------------------- words


def describe_baseline(hparams: HParams, model: NoteModel) -> str:
    """A note, an update, the networks and their parameters."""
    networks = {
        "generator": getattr(model, "generator", None),
        "discriminator": getattr(model, "discriminator", None),
        "network": getattr(model, "trained", None),
    }
    sizes = [f"{name} {network.count_params():,}" for name, network in networks.items() if network is not None]
    seconds = hparams.audio_length / hparams.sample_rate
    return (
        f"A note: {hparams.audio_length} samples at {hparams.sample_rate} Hz = {seconds:g} s, from z of "
        f"{model.latent_size} numbers\n"
        f"An update takes {update_size(hparams)} examples; the run takes "
        + (f"{hparams.total_num_images}" if hparams.train_time_limit is None else f"{hparams.train_time_limit:g} s")
        + f"\nParameters with all {model.pitch_classes.num_classes} pitches: {', '.join(sizes)}"
    )
