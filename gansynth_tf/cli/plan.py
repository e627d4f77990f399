"""What a run will do, in words and numbers, before it does it: `gansynth_train --dry_run`."""

from __future__ import annotations

import json
import typing

from gansynth_tf import build, build_baselines, build_training
from gansynth_tf.hparams import HParams
from gansynth_tf.pitches import PitchClasses

if typing.TYPE_CHECKING:
    from gansynth_tf.model import GANSynth


def describe(hparams: HParams) -> str:
    """The settings and the arithmetic of a run."""
    pitches = PitchClasses.from_pitches(range(hparams.min_pitch, hparams.max_pitch + 1))
    model = build.make_model(hparams, pitches)
    lines = [f"{name} = {json.dumps(value)}" for name, value in hparams.to_dict().items()]
    if hparams.model_type != "gansynth":
        return "\n".join([*lines, "", build_baselines.describe_baseline(hparams, model)])
    shape = model.representation.specgram_shape
    lines.append(
        f"\nA note: {hparams.audio_length} samples at {hparams.sample_rate} Hz = "
        f"{hparams.audio_length / hparams.sample_rate:g} s -> specgram {list(shape)} ({hparams.data_type})"
    )
    lines += _stages(hparams, pitches)
    lines += filter(None, [what_is_missing(hparams)])
    if hparams.train_time_limit is not None:
        lines.append(f"The run is given {hparams.train_time_limit:g} s, divided over these stages.")
    sizes = [model.generator.count_params(), model.discriminator.count_params()]
    lines.append(
        f"Parameters with all {pitches.num_classes} pitches: generator {sizes[0]:,}, discriminator {sizes[1]:,}"
    )
    return "\n".join([*lines, _disk(hparams, model)])


def what_is_missing(hparams: HParams) -> str:
    """A line about a run that ends before its last stage; empty for others."""
    _, stages = build.make_schedules(hparams)
    if stages.stages[-1] == stages.num_stages - 1:
        return ""
    return (
        f"This run ends in stage {len(stages.stages)} of {stages.num_stages}, before its last resolution: "
        f"total_num_images is {hparams.total_num_images}. The defaults are a smoke test; --config names whole runs."
    )


def _stages(hparams: HParams, pitches: PitchClasses) -> list[str]:
    """A line for each stage, with its updates and its share of the arithmetic."""
    resolutions, stages = build.make_schedules(hparams)
    filters, costs = build.make_filters(hparams), build_training.make_costs(hparams, pitches.num_classes)
    whole = {s: (stages.stage_end(s) - stages.stage_start(s)) * costs.update(s) for s in stages.stages}
    lines = []
    for stage in stages.stages:
        block = stages.num_blocks(stage)
        time, freq = resolutions.resolution(block)
        start, end, batch = stages.stage_start(stage), stages.stage_end(stage), stages.batch_size(stage)
        kind = "fade to" if hparams.train_progressive and stages.is_transition(stage) else "train at"
        lines.append(
            f"Stage {stages.stages.index(stage) + 1} of {len(stages.stages)}: {kind} {time} x {freq}, "
            f"{filters[block]} filters, examples {start} to {end} in batches of {batch} = "
            f"{-(-(end - start) // batch)} updates; {costs.update(stage) / 1e9:.3g} G multiply-adds an example, "
            f"{100 * whole[stage] / sum(whole.values()):.3g} % of the run's"
        )
    lines.append(f"Arithmetic of the whole run: {sum(whole.values()):.3g} multiply-adds.")
    return lines


def _disk(hparams: HParams, model: GANSynth) -> str:
    """What the run folder will come to."""
    generator, discriminator = model.generator.count_params(), model.discriminator.count_params()
    # Adam keeps two numbers for each weight; the smoothed generator has none.
    checkpoint = 4 * (generator + 3 * generator + 3 * discriminator)
    snapshot = 4 * hparams.fake_batch_size * hparams.audio_length
    count = -(-hparams.total_num_images // hparams.save_summaries_num_images)
    text = (
        f"Disk: {hparams.keep_checkpoints} checkpoints of {checkpoint / 1e6:.3g} MB; a snapshot of "
        f"{snapshot / 1e6:.3g} MB in sound every {hparams.save_summaries_num_images} examples"
    )
    if hparams.train_time_limit is None:
        text += f", {count} in all = {count * snapshot / 1e9:.3g} GB"
    if hparams.keep_every_examples:
        text += f"; a checkpoint that stays every {hparams.keep_every_examples} examples"
    return text + "."
