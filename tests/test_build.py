"""Settings turned into schedules."""

import pytest

from gansynth_tf import build
from gansynth_tf.hparams import HParams


def test_schedules_of_the_defaults():
    resolutions, stages = build.make_schedules(HParams())
    assert resolutions.final == (256, 512) and resolutions.step == (2, 2)
    # Magenta's defaults are a smoke test: 320 examples of the 416 that thirteen stages of 32 take.
    assert stages.num_stages == 13 and stages.stages == tuple(range(10))
    assert build.make_filters(HParams()) == (128, 128, 128, 64, 32, 16, 8, 4)


@pytest.mark.parametrize("total", [320, 5000])
def test_a_run_that_is_given_time_goes_through_every_stage(total):
    _, stages = build.make_schedules(HParams(train_time_limit=130.0, total_num_images=total))
    assert stages.stages == tuple(range(13))
    # Ten seconds a stage.
    reached = [stages.stage_at(stages.clock_at(second, 130.0)) for second in range(5, 130, 10)]
    assert reached == list(range(13))
    assert stages.clock_at(129.9, 130.0) < stages.total_examples == stages.clock_at(130.0, 130.0)


def test_a_run_that_does_not_grow_and_is_given_time():
    _, stages = build.make_schedules(HParams(train_time_limit=130.0, train_progressive=False))
    assert stages.stages == (12,) and stages.clock_at(65.0, 130.0) == stages.total_examples // 2
