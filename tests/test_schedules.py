"""The schedules at counts worked out by hand, and against Magenta's formulas over a whole run."""

import math

import numpy as np
import pytest

from gansynth_tf.schedules import ResolutionSchedule, StageSchedule, num_filters

# Three blocks, so stages 0 to 4, which begin at 0, 10, 14, 24 and 28 examples.
SCHEDULE = StageSchedule(
    num_resolutions=3, stable_examples=10, transition_examples=4, total_examples=50, batch_sizes=(6,)
)


@pytest.mark.parametrize(
    ("examples", "stage", "fade", "progress"),
    [
        (0, 0, 1.0, 0.0),
        (9, 0, 1.0, 0.0),
        (10, 1, 0.0, 0.0),
        (11, 1, 0.25, 0.25),
        (13, 1, 0.75, 0.75),
        (14, 2, 1.0, 1.0),
        (23, 2, 1.0, 1.0),
        (24, 3, 0.0, 1.0),
        (26, 3, 0.5, 1.5),
        (27, 3, 0.75, 1.75),
        (28, 4, 1.0, 2.0),
        (49, 4, 1.0, 2.0),
        (50, 4, 1.0, 2.0),
    ],
)
def test_stage_fade_and_progress_by_hand(examples, stage, fade, progress):
    assert SCHEDULE.stage_at(examples) == stage
    assert SCHEDULE.fade_at(stage, examples) == fade
    assert SCHEDULE.num_blocks(stage) - 2 + fade == progress


def test_stages_by_hand():
    assert SCHEDULE.num_stages == 5 and SCHEDULE.stages == (0, 1, 2, 3, 4)
    assert [SCHEDULE.num_blocks(s) for s in range(5)] == [1, 2, 2, 3, 3]
    assert [SCHEDULE.is_transition(s) for s in range(5)] == [False, True, False, True, False]
    assert [SCHEDULE.stage_start(s) for s in range(5)] == [0, 10, 14, 24, 28]
    assert [SCHEDULE.stage_end(s) for s in range(5)] == [10, 14, 24, 28, 50]
    assert [SCHEDULE.fade_slope(s) for s in range(5)] == [0.0, 0.25, 0.0, 0.25, 0.0]


@pytest.mark.parametrize(("stable", "transition", "blocks"), [(10, 4, 3), (32, 32, 7), (5, 9, 4)])
def test_progress_is_magentas(stable, transition, blocks):
    total = 3 * blocks * (stable + transition)
    schedule = StageSchedule(blocks, stable, transition, total, (4,))
    for examples in range(total + 3):
        stage = schedule.stage_at(examples)
        num_blocks = schedule.num_blocks(stage)
        # Magenta, compute_progress: held at the last count before the stage's blocks are through.
        held = min(examples, num_blocks * stable + (num_blocks - 1) * transition - 1)
        cycle = stable + transition
        expected = held // cycle + max(0.0, (held % cycle - stable) / transition)
        assert num_blocks - 2 + schedule.fade_at(stage, examples) == pytest.approx(expected, abs=1e-12)


def test_stage_ends_are_magentas_for_the_papers_run():
    schedule = StageSchedule(7, 800_000, 800_000, 11_000_000, (8,))
    for stage in range(13):
        # Magenta, get_stage_info.
        end = (stage // 2 + 1) * 800_000 + (stage + 1) // 2 * 800_000
        assert schedule.stage_end(stage) == (11_000_000 if stage == 12 else end)
    assert schedule.stage_start(12) == 9_600_000


@pytest.mark.parametrize(
    ("total", "stages", "ends"),
    [(5, (0,), [5]), (10, (0,), [10]), (12, (0, 1), [10, 12]), (29, (0, 1, 2, 3, 4), [10, 14, 24, 28, 29])],
)
def test_a_short_run_stops_early(total, stages, ends):
    schedule = StageSchedule(3, 10, 4, total, (6,))
    assert schedule.stages == stages
    assert [schedule.stage_end(s) for s in stages] == ends
    assert schedule.stage_at(total) == schedule.stage_at(total + 100) == stages[-1]


def test_a_run_that_does_not_grow_has_one_stage():
    schedule = StageSchedule(3, 10, 4, 50, (6, 8), progressive=False)
    assert schedule.stages == (4,)
    assert (schedule.stage_start(4), schedule.stage_end(4)) == (0, 50)
    for examples in (0, 11, 26, 50):
        assert schedule.stage_at(examples) == 4 and schedule.fade_at(4, examples) == 1.0
    assert schedule.num_blocks(4) == 3 and schedule.batch_size(4) == 8 and schedule.fade_slope(4) == 0.0


def test_short_batch_size_list_is_padded_in_front():
    schedule = StageSchedule(7, 32, 32, 1000, (16, 8))
    assert [schedule.batch_size(s) for s in range(13)] == [16] * 11 + [8] * 2
    schedule = StageSchedule(3, 32, 32, 1000, (12, 6, 4))
    assert [schedule.batch_size(s) for s in range(5)] == [12, 6, 6, 4, 4]


# ---------------------------------------------------------------------------------------------------- time


@pytest.mark.parametrize(
    ("seconds", "examples"),
    [
        (0, 0),
        (15, 5),
        (30, 10),
        (45, 12),
        (60, 14),
        (75, 19),
        (90, 24),
        (105, 26),
        (120, 28),
        (135, 39),
        (150, 50),
        (1000, 50),
    ],
)
def test_clock_spreads_stages_evenly_over_time(seconds, examples):
    assert SCHEDULE.clock_at(seconds, limit=150.0) == examples


@pytest.mark.parametrize(
    ("seconds", "examples"),
    [(0.5, 5), (1, 10), (2, 12), (3, 14), (5, 19), (7, 24), (11, 26), (15, 28), (23, 39), (31, 50)],
)
def test_clock_with_stages_that_double(seconds, examples):
    assert SCHEDULE.clock_at(seconds, limit=31.0, multiplier=2.0) == examples


@pytest.mark.parametrize("multiplier", [0.7, 1.0, 1.5])
def test_progress_over_time_is_magentas(multiplier):
    schedule = StageSchedule(4, 10**6, 10**6, 10**7, (4,))
    times = np.cumprod([1.0] + [multiplier] * 6)
    times = np.cumsum(times * 90.0 / times.sum())
    before = 0
    for seconds in np.linspace(0.0, 91.0, 173):
        # Magenta, compute_progress_from_time: a ramp in every odd stage.
        expected = sum(
            np.clip((seconds - times[i - 1]) / (times[i] - times[i - 1]), 0.0, 1.0) for i in range(1, len(times), 2)
        )
        examples = schedule.clock_at(seconds, 90.0, multiplier)
        stage = schedule.stage_at(examples)
        progress = schedule.num_blocks(stage) - 2 + schedule.fade_at(stage, examples)
        assert progress == pytest.approx(expected, abs=2e-6)
        assert examples >= before
        before = examples


def test_clock_of_a_run_that_does_not_grow_is_even():
    schedule = StageSchedule(3, 10, 4, 50, (6,), progressive=False)
    assert [schedule.clock_at(s, 100.0) for s in (0, 10, 50, 99, 100)] == [0, 5, 25, 49, 50]


# ---------------------------------------------------------------------------------------------------- resolutions


def test_resolutions_of_the_papers_model():
    schedule = ResolutionSchedule((2, 16), 7)
    assert schedule.step == (2, 2) and schedule.final == (128, 1024)
    assert [schedule.resolution(b) for b in (1, 2, 7)] == [(2, 16), (4, 32), (128, 1024)]
    assert [schedule.scale_to_final(b) for b in (1, 2, 7)] == [(64, 64), (32, 32), (1, 1)]


def test_scale_mode_h_refines_time_only():
    schedule = ResolutionSchedule((4, 8), 5, "H")
    assert schedule.step == (2, 1) and schedule.final == (64, 8)
    assert [schedule.resolution(b) for b in range(1, 6)] == [(4, 8), (8, 8), (16, 8), (32, 8), (64, 8)]
    assert schedule.scale_to_final(3) == (4, 1)
    assert ResolutionSchedule((4, 6), 3, "ALL", scale_base=3).final == (36, 54)
    assert ResolutionSchedule((4, 6), 3, "H", scale_base=3).final == (36, 6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((2, 16), 7, "W"), "'ALL' or 'H'.*'W'"),
        (((0, 16), 7), "start=\\(0, 16\\)"),
        (((2, 16), 0), "num_resolutions=0"),
        (((2, 16), 7, "ALL", 1), "scale_base=1"),
    ],
)
def test_resolution_errors_name_what_was_received(arguments, message):
    with pytest.raises(ValueError, match=message):
        ResolutionSchedule(*arguments)


def test_filters_are_magentas():
    # Its defaults, and mel_prog_hires.
    assert [num_filters(b, 512, 1.0, 128) for b in range(8)] == [128, 128, 128, 64, 32, 16, 8, 4]
    assert [num_filters(b, 4096, 1.0, 256) for b in range(8)] == [256, 256, 256, 256, 256, 128, 64, 32]
    for block in range(8):
        assert num_filters(block, 700, 0.6, 333) == int(min(700 / math.pow(2.0, block * 0.6), 333))


def test_filters_have_a_minimum():
    assert [num_filters(b, 64, 1.0, 32, minimum=7) for b in range(6)] == [32, 32, 16, 8, 7, 7]
    assert num_filters(9, 64, 1.0, 32) == 1
