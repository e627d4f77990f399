"""The latent of a recorded note, found by optimisation through the generator.

Random latents are compared with the note; the best are refined by Adam (Kingma and Ba 2015) on the distance between the
generated note and the recorded one. The distance is a multi-resolution spectral distance of the waves, whose parts are
those of Engel et al. 2020 (DDSP, equation 4), and the distance of the model's own specgrams.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gansynth_tf import latents
from gansynth_tf.exploration.specgrams import Encode, find_log_scale, relative_levels
from gansynth_tf.model import GANSynth

_FFT_SIZES = (2048, 1024, 512, 256, 128, 64)  # DDSP's.
_LOG_FLOOR = 1e-4  # Under waves of unit RMS: what is softer counts as equally silent.
_SILENCE = 1e-4  # RMS, -80 dB.
_TYPICAL_NORM_WEIGHT = 0.1  # Keeps the latent where the generator was trained.
_BATCH = 16  # Notes made at once.
_ONSET, _BEFORE_ONSET_SECONDS = 0.01, 0.01


class NoteMaker(NamedTuple):
    """The differentiable parts of a model, at one pitch.

    `waves`: z [batch, latent] -> waves [batch, samples]. `encode`: waves -> specgrams [batch, time, freq, 2].
    """

    waves: Callable[[tf.Tensor], tf.Tensor]
    encode: Encode


def make_note_maker(model: GANSynth, pitch: int) -> NoteMaker:
    """Takes a model's parts.

    Args:
        model: A GANSynth, or an exported one: both have `pitch_classes`, `waves_from_labels` and `encode`.
        pitch: A MIDI pitch that it knows.

    Raises:
        ValueError: For a pitch that it does not know.
    """
    label = model.pitch_classes.to_index(pitch).astype(np.int32)
    return NoteMaker(lambda z: model.waves_from_labels(z, tf.fill(tf.shape(z)[:1], label)), model.encode)


class Encoding(NamedTuple):
    """A note's latent.

    `z`: float32 [latent]. `distance`: of its note to the recorded one. `wave`: its note, float32 [samples]. `starts`:
    distances of all refined latents, ascending. `random`: the median distance of random latents, for comparison.
    """

    z: np.ndarray
    distance: float
    wave: np.ndarray
    starts: np.ndarray
    random: float


# ---------------------------------------------------------------------------------------------------- distance


def spectral_distance(waves: tf.Tensor, wave: tf.Tensor) -> tf.Tensor:
    """Multi-resolution spectral distance, of the sound alone: phases and levels do not count.

    Every wave is brought to unit RMS. For each FFT size, with three quarters of overlap, the mean difference of the
    magnitudes over their mean, and the mean difference of their natural logarithms; over sizes the mean of that sum.

    Args:
        waves: [batch, samples].
        wave: What they are compared with, [samples].

    Returns:
        [batch], 0 for equal spectra.
    """
    pair = [_unit_rms(each) for each in (waves, wave[tf.newaxis])]
    parts = []
    for fft_size in _FFT_SIZES:
        ours, theirs = (_magnitudes(each, fft_size) for each in pair)
        parts.append(tf.reduce_mean(tf.abs(ours - theirs), axis=(1, 2)) / tf.reduce_mean(theirs))
        ours, theirs = (tf.math.log(each + _LOG_FLOOR * fft_size**0.5) for each in (ours, theirs))
        parts.append(tf.reduce_mean(tf.abs(ours - theirs), axis=(1, 2)))
    return tf.add_n(parts) / len(_FFT_SIZES)


def specgram_distance(specgrams: tf.Tensor, specgram: tf.Tensor, log_scale: float) -> tf.Tensor:
    """Distance of specgrams: levels, and instantaneous frequency (or phase) where there is something to hear.

    Args:
        specgrams: [batch, time, freq, 2].
        specgram: What they are compared with, [time, freq, 2].
        log_scale: See specgrams.find_log_scale.

    Returns:
        [batch]: the mean difference of the levels under each one's loudest point, in nepers; plus the mean difference
        of the second channel around its circle, in units of pi, weighted by the magnitude.
    """
    ours, theirs = (relative_levels(each, log_scale) for each in (specgrams, specgram[tf.newaxis]))
    weight = tf.exp(theirs)
    turn = specgrams[..., 1] - specgram[tf.newaxis, ..., 1]
    circular = tf.abs(turn - 2 * tf.stop_gradient(tf.round(turn / 2)))
    second = tf.reduce_sum(weight * circular, axis=(1, 2)) / tf.reduce_sum(weight)
    return tf.reduce_mean(tf.abs(ours - theirs), axis=(1, 2)) + second


def _magnitudes(waves: tf.Tensor, fft_size: int) -> tf.Tensor:
    transform = tf.signal.stft(waves, fft_size, fft_size // 4, pad_end=True)
    # The gradient of a complex number's absolute value is not finite at 0.
    return tf.sqrt(tf.square(tf.math.real(transform)) + tf.square(tf.math.imag(transform)) + 1e-12)


def _unit_rms(waves: tf.Tensor) -> tf.Tensor:
    return waves * tf.math.rsqrt(tf.reduce_mean(tf.square(waves), axis=-1, keepdims=True) + _SILENCE**2)


# ---------------------------------------------------------------------------------------------------- optimisation


def cut_to_onset(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Cuts the silence before a note, as training notes have none: 10 ms stay before it passes -40 dB of its peak."""
    wave = np.asarray(wave)
    loud = np.flatnonzero(np.abs(wave) > _ONSET * np.max(np.abs(wave), initial=0.0))
    return wave[max(0, loud[0] - round(_BEFORE_ONSET_SECONDS * sample_rate)) :] if loud.size else wave


def encode_note(
    maker: NoteMaker,
    wave: np.ndarray,
    latent_size: int,
    num_starts: int = 8,
    num_candidates: int = 64,
    num_steps: int = 200,
    learning_rate: float = 0.1,
    seed: int = 0,
    progress: Callable[[float], None] = lambda distance: None,
) -> Encoding:
    """Finds the latent whose note sounds most like a recorded one.

    Args:
        maker: The model, at the note's pitch.
        wave: The note, [samples], of the model's rate and length.
        latent_size: Length of z.
        num_starts: How many latents are refined.
        num_candidates: Random latents they are chosen from, at least `num_starts`.
        num_steps: Steps of Adam; 0 takes the best random latents as they are.
        learning_rate: Of the first step; it falls to 0 along half a cosine.
        seed: Of the random latents.
        progress: Called after each step with the smallest distance so far.

    Returns:
        The best latent, its note and the distances.

    Raises:
        ValueError: If the note is not one finite note that can be heard, or a number is out of range.
    """
    wave = np.asarray(wave, np.float32)
    if wave.ndim != 1 or not np.all(np.isfinite(wave)) or not np.sqrt(np.mean(np.square(wave))) > _SILENCE:
        raise ValueError(f"Expected one finite note that can be heard, [samples]. Received shape: {wave.shape}")
    if not 1 <= num_starts <= num_candidates or num_steps < 0:
        found = f"{num_starts} starts, {num_candidates} candidates, {num_steps} steps"
        raise ValueError(f"Expected 1 <= starts <= candidates and steps of at least 0. Received: {found}")
    distances = _make_distances(maker, wave, latent_size)
    candidates = latents.sample_instruments(num_candidates, latent_size, seed)
    far = np.concatenate([distances(candidates[i : i + _BATCH]).numpy() for i in range(0, num_candidates, _BATCH)])
    chosen = candidates[np.argsort(far, kind="stable")[:num_starts]]
    z, found = _refine(distances, chosen, num_steps, learning_rate, progress)
    order = np.argsort(found, kind="stable")
    best = z[order[0]]
    note = maker.waves(tf.constant(best[np.newaxis]))[0].numpy()
    return Encoding(best, float(found[order[0]]), note, found[order], float(np.median(far)))


def _make_distances(maker: NoteMaker, wave: np.ndarray, latent_size: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """z [batch, latent] -> distances [batch] to a note."""
    target = tf.constant(wave)
    specgram = maker.encode(target[tf.newaxis])[0]
    log_scale = find_log_scale(maker.encode, len(wave))

    def distances(z: tf.Tensor) -> tf.Tensor:
        waves = maker.waves(z)
        distance = spectral_distance(waves, target)
        if log_scale is not None:
            # Of what is heard: a generated specgram is no wave's, so its own distance to one never becomes 0.
            distance += specgram_distance(maker.encode(waves), specgram, log_scale)
        return distance

    any_batch = tf.TensorSpec([None, latent_size], tf.float32)
    return tf.function(distances, autograph=False, input_signature=[any_batch])


def _refine(distances, start: np.ndarray, num_steps: int, learning_rate: float, progress) -> tuple:
    """The best latent that each start came by, [starts, latent], and its distance, [starts]."""
    import keras

    z = keras.Variable(start)
    best, best_found = start.copy(), np.full(len(start), np.inf, np.float32)
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, max(num_steps, 1))
    adam = keras.optimizers.Adam(schedule, beta_1=0.9, beta_2=0.99)

    @tf.function(autograph=False)
    def find_gradient() -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            found = distances(z.value)
            excess = tf.reduce_mean(tf.square(z.value), axis=1) - 1
            loss = tf.reduce_sum(found + _TYPICAL_NORM_WEIGHT * tf.square(excess))
        gradient = tape.gradient(loss, z.value)
        # A phase has no gradient where the magnitude is 0; one such point must not spoil the latent.
        return found, tf.where(tf.math.is_finite(gradient), gradient, 0.0)

    def keep(found: np.ndarray) -> None:
        better = found < best_found
        best[better], best_found[better] = z.numpy()[better], found[better]

    for _ in range(num_steps):
        found, gradient = find_gradient()
        keep(found.numpy())
        adam.apply([gradient], [z])
        progress(float(best_found.min()))
    keep(distances(z.value).numpy())
    return best, best_found
