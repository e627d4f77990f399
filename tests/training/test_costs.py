"""Counted multiply-adds are those of the graphs that run; times follow from them."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf import build
from gansynth_tf.hparams import HParams
from gansynth_tf.pitches import PitchClasses
from gansynth_tf.schedules import ResolutionSchedule, StageSchedule
from gansynth_tf.training.costs import UpdateCosts
from gansynth_tf.training.objectives import OBJECTIVES, LossWeights
from gansynth_tf.training.steps import Updates

# The paper's best network at a quarter of its resolution: wide enough for convolutions to be all of the arithmetic.
RESOLUTIONS = ResolutionSchedule((2, 16), 5)
STAGES = StageSchedule(5, 100, 50, 1000, (3,))
FILTERS = (256, 256, 256, 128, 64, 32)
BATCH = 3
OTHERS = sorted(set(OBJECTIVES) - {"wgan_gp"})


def count_multiply_adds(run) -> float:
    """Of the convolutions and matrix products that a function's results need, for one note."""
    graph = tf.function(run).get_concrete_function().graph
    needed, waiting = set(), [tensor.op for tensor in graph.outputs]
    while waiting:
        op = waiting.pop()
        if op not in needed:
            needed.add(op)
            waiting += [*(tensor.op for tensor in op.inputs), *op.control_inputs]
    total = 0.0
    for op in needed:
        shapes = [tuple(tensor.shape) for tensor in (*op.inputs, *op.outputs)]
        match op.type:
            case "Conv2D":
                total += math.prod(shapes[2][:-1]) * math.prod(shapes[1])
            case "Conv2DBackpropInput":  # (sizes, kernel, upstream)
                total += math.prod(shapes[2][:-1]) * math.prod(shapes[1])
            case "Conv2DBackpropFilter":  # (input, sizes, upstream) -> kernel
                total += math.prod(shapes[2][:-1]) * math.prod(shapes[3])
            case "MatMul" if "upscale_conv" not in op.name:  # There, kernels are made ready, once for all notes.
                total += math.prod(shapes[2]) * shapes[0][0 if op.get_attr("transpose_a") else 1]
    return total / BATCH


def make_updates(**weights) -> Updates:
    hparams = HParams(
        start_height=2, start_width=16, num_resolutions=5, fmap_base=1024, fmap_max=256, batch_size_schedule=(BATCH,),
        audio_length=8000, mel_downscale=4, data_type="mel",
    )  # fmt: skip
    model = build.make_model(hparams, PitchClasses(tuple(range(40, 53)), (1,) * 13))
    assert build.make_filters(hparams) == FILTERS
    optimizers = keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1)
    return Updates(model, *optimizers, tf.distribute.OneDeviceStrategy("CPU:0"), STAGES, LossWeights(**weights))


@pytest.fixture(scope="module")
def updates() -> Updates:
    return make_updates()


@pytest.fixture(scope="module")
def costs() -> UpdateCosts:
    return UpdateCosts(RESOLUTIONS, STAGES, FILTERS, latent_size=256, num_pitches=13)


@pytest.mark.parametrize("num_blocks", [1, 3, 5])
def test_passes_are_counted(updates, costs, num_blocks):
    z, labels = tf.zeros([BATCH, 256]), tf.zeros([BATCH], tf.int32)
    specgrams = tf.zeros([BATCH, *RESOLUTIONS.resolution(num_blocks), 2])
    passes = {
        costs.generator(num_blocks): lambda: updates.model.generator(z, labels, num_blocks=num_blocks),
        costs.discriminator(num_blocks): lambda: updates.model.judge(specgrams, num_blocks, None),
    }
    for expected, run in passes.items():
        np.testing.assert_allclose(count_multiply_adds(run), expected, rtol=1e-6)


@pytest.mark.parametrize(("game", "stage"), [("wgan_gp", 4), ("wgan_gp", 8), *((name, 8) for name in OTHERS)])
def test_a_whole_update_is_counted(game, stage):
    updates = make_updates(adversarial=game)
    objective = OBJECTIVES[game]
    costs = UpdateCosts(
        RESOLUTIONS, STAGES, FILTERS, 256, 13, penalised=objective.num_penalised, paired=objective.paired
    )
    z, labels = tf.zeros([BATCH, 256]), tf.zeros([BATCH], tf.int32)
    blocks = STAGES.num_blocks(stage)
    reals, mixing = tf.zeros([BATCH, *RESOLUTIONS.resolution(blocks), 2]), tf.zeros([BATCH])
    critic, against = (z, labels, reals, labels, mixing), reals if objective.paired else None
    counted = {}
    for name, run in {
        "generator": lambda: updates._generator_gradients(stage, None, z, labels, against)[0],
        "critic": lambda: updates._critic_gradients(True, stage, None, *critic)[0],
        "unpunished": lambda: updates._critic_gradients(False, stage, None, *critic)[0],
    }.items():
        counted[name] = count_multiply_adds(run)
    # Gradients that nobody needs, at the networks' inputs, make the count a little smaller than whole passes.
    np.testing.assert_allclose(counted["generator"] + counted["critic"], costs.update(stage), rtol=0.05)
    penalty = counted["critic"] - counted["unpunished"]
    np.testing.assert_allclose(penalty, costs.penalty(blocks), rtol=0.08)


def test_the_paper_s_network():
    """Magenta's forward pass of mel_prog_hires takes 14.5 G multiply-adds in each network; fused, it takes less."""
    stages = StageSchedule(7, 800000, 800000, 11000000, (8,))
    filters = (256, 256, 256, 256, 256, 128, 64, 32)
    costs = UpdateCosts(ResolutionSchedule((2, 16), 7), stages, filters, 256, 61)
    np.testing.assert_allclose(costs.discriminator(7), 14.5e9, rtol=0.05)
    assert 0.6 < costs.generator(7) / costs.discriminator(7) < 0.7
    # Halving the width twice makes four times the points cost about the same.
    assert 1.2 < costs.update(12) / costs.update(10) < 1.5 and costs.update(10) > 100 * costs.update(0)


def test_what_is_left_counts_as_much_as_it_costs(costs):
    assert costs.stage_name(0) == "2x16" and costs.stage_name(1) == "fade to 4x32" and costs.stage_name(8) == "32x256"
    assert costs.examples_left(1000) == 0.0
    assert costs.examples_left(900) == 100.0  # The last stage, to the end.
    first = 50 + sum(
        (STAGES.stage_end(stage) - STAGES.stage_start(stage)) * costs.update(stage) / costs.update(0)
        for stage in range(1, 9)
    )
    np.testing.assert_allclose(costs.examples_left(50), first)
    assert first > 10 * 950
    skipping = UpdateCosts(RESOLUTIONS, STAGES, FILTERS, 256, 13, penalty_interval=4)
    assert costs.update(4) - skipping.update(4) == pytest.approx(0.75 * costs.penalty(3))
