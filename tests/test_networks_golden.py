"""The networks with the weights of a Magenta checkpoint give Magenta's own outputs."""

import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf import build, layers, losses
from gansynth_tf.model import GANSynth
from gansynth_tf.schedules import StageSchedule

SCHEDULE = StageSchedule(7, 8, 8, 112, (4,))
STAGES = (3, 11, 12)


@pytest.fixture(scope="module", params=STAGES)
def restored(request, golden_dir):
    """(model, golden arrays of the stage, stage, number of blocks, fade)."""
    stage = request.param
    golden = {
        k.split("_", 1)[1]: v for k, v in np.load(golden_dir / "networks.npz").items() if f"stage{stage:02d}" in k
    }
    num_blocks = SCHEDULE.num_blocks(stage)
    model = build.load(golden_dir / "magenta_small_mel_hires" / f"stage_{stage:05d}")
    fade = SCHEDULE.fade_at(stage, int(golden["current_image_id"]))
    np.testing.assert_allclose(num_blocks - 2 + fade, golden["progress"])
    return model, golden, num_blocks, fade if SCHEDULE.is_transition(stage) else None


@pytest.fixture(scope="module")
def real_waves(golden_dir):
    indices = np.load(golden_dir / "networks.npz")["real_audio_indices"]
    return np.load(golden_dir / "nsynth_examples.npy")[indices]


def generate_in_float64(model: GANSynth, generator, z, labels, num_blocks: int, fade: float | None) -> np.ndarray:
    """A generator written out plainly, in float64: upscale by repetition, then convolve."""

    def convolve(layer, x, padding="SAME"):
        kernel = tf.cast(tf.convert_to_tensor(layer.kernel), tf.float64) * layer.scale
        return tf.nn.conv2d(x, kernel, 1, padding) + tf.cast(tf.convert_to_tensor(layer.bias), tf.float64)

    def normalise(x):
        x = tf.nn.leaky_relu(x, 0.2)
        return x / tf.sqrt(tf.reduce_mean(x**2, axis=-1, keepdims=True) + 1e-8)

    x = tf.concat([tf.cast(z, tf.float64), tf.one_hot(labels, 61, dtype=tf.float64)], axis=-1)
    x /= tf.sqrt(tf.reduce_mean(x**2, axis=-1, keepdims=True) + 1e-8)
    x = tf.pad(x[:, None, None, :], [[0, 0], [1, 1], [15, 15], [0, 0]])
    outputs = []
    for index, block in enumerate(generator.blocks[:num_blocks]):
        x = layers.upscale(x, (2, 2)) if index else x
        x = normalise(convolve(block.first, x, "SAME" if index else "VALID"))
        x = normalise(convolve(block.second, x))
        scale = model.generator.resolutions.scale_to_final(index + 1)
        outputs.append(layers.upscale(tf.tanh(convolve(block.to_specgram, x)), scale))
    whole = outputs[-1] if fade is None else fade * outputs[-1] + (1 - fade) * outputs[-2]
    return (whole.numpy() - [0.113718730221, 0.0]) / [0.0661371661726, 0.8]


def assert_magentas(ours: np.ndarray, magentas: np.ndarray, exact: np.ndarray) -> None:
    """Within 1e-3 of Magenta's and of the exact numbers, but for one point in 100,000 (stage 12 has four of 524,288).

    Where pixel norm divides by nearly nothing it amplifies rounding: any float32 evaluation, Magenta's as well as this
    one, is up to 2.3e-3 from the float64 numbers at single points.
    """
    for reference in (magentas, exact):
        apart = np.abs(ours - reference)
        assert np.mean(apart < 1e-3) > 0.99999
        np.testing.assert_array_less(apart, 3e-3)
        assert np.sqrt(np.mean(apart**2)) < 5e-5


def test_generated_specgrams_and_waves_are_magentas(restored):
    model, golden, num_blocks, fade = restored
    model.set_stage(num_blocks, fade)
    pitches = golden["labels"] + 24
    z, labels = tf.constant(golden["z"][:2]), tf.constant(golden["labels"][:2])
    exact = generate_in_float64(model, model.smoothed_generator, z, labels, num_blocks, fade)
    assert_magentas(model.generate_specgrams(z, pitches[:2]), golden["specgrams_ema"], exact)
    exact = generate_in_float64(model, model.generator, z, labels, num_blocks, fade)
    raw = model.fake_specgrams(z, labels, num_blocks, fade)
    raw = layers.upscale(raw, model.generator.resolutions.scale_to_final(num_blocks))
    assert_magentas(raw.numpy(), golden["specgrams_raw"], exact)
    # This checkpoint is barely trained and its waves reach 37 times full scale, so they are compared at their own
    # scale; most of the difference is Magenta's running sum of phases in float32, which is not used here.
    waves = golden["waves_ema"][..., 0]
    peaks = np.max(np.abs(waves), axis=1, keepdims=True)
    np.testing.assert_allclose(model.generate(golden["z"], pitches) / peaks, waves / peaks, atol=5e-4)


def test_blended_reals_and_their_logits_are_magentas(restored, real_waves):
    model, golden, num_blocks, fade = restored
    reals = model.real_specgrams(real_waves, num_blocks, fade)
    points = np.prod(model.generator.resolutions.scale_to_final(num_blocks))
    sums = np.sum(reals.numpy(), axis=(1, 2), dtype=np.float64) * points
    # The golden sums ran through 131,072 values in float32, where one unit in the last place of the sum is a hundredth
    # of a value; the specgrams themselves are compared point by point in test_representations.py.
    np.testing.assert_allclose(sums[:, 0], golden["real_blend_sum"][:, 0], rtol=2e-3)
    np.testing.assert_allclose(sums[:, 1] / (128 * 1024), golden["real_blend_sum"][:, 1] / (128 * 1024), atol=1e-3)
    scores, pitch_logits = model.judge(reals, num_blocks, fade)
    np.testing.assert_allclose(scores, golden["real_logits"][:, 0], atol=1e-3)
    np.testing.assert_allclose(pitch_logits, golden["real_pitch_logits"], atol=1e-3)


def test_fake_logits_and_gradient_norms_are_magentas(restored, real_waves):
    model, golden, num_blocks, fade = restored
    fakes = model.fake_specgrams(tf.constant(golden["z"]), tf.constant(golden["labels"]), num_blocks, fade)
    scores, pitch_logits = model.judge(fakes, num_blocks, fade)
    np.testing.assert_allclose(scores, golden["fake_logits"][:, 0], atol=1e-3)
    np.testing.assert_allclose(pitch_logits, golden["fake_pitch_logits"], atol=1e-3)
    middle = layers.blend(model.real_specgrams(real_waves, num_blocks, fade), fakes, 0.5)
    scores, gradients = model.score_gradients(middle, num_blocks, fade)
    np.testing.assert_allclose(scores, golden["mid_logits"][:, 0], atol=1e-3)
    np.testing.assert_allclose(losses.gradient_norms(gradients), golden["mid_gradient_norm"], rtol=0.01)
