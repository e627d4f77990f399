"""Progressive growing as pure functions: examples seen -> stage, fade, batch size; block -> resolution.

Karras et al. 2018, section 2: the networks begin at a coarse resolution; each further resolution is first faded in
(a transition) and then trained alone (stable). GANSynth counts this clock in training examples, never in steps, so runs
with other batch sizes compare.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class ResolutionSchedule:
    """Specgram resolution of each network block.

    Args:
        start: (time, freq) of block 1.
        num_resolutions: How many blocks there are; each is `scale_base` times finer than the one before.
        scale_mode: 'ALL' refines time and frequency, 'H' only time (Magenta's setting for waveforms).
        scale_base: Refinement from one block to the next.
    """

    start: tuple[int, int]
    num_resolutions: int
    scale_mode: str = "ALL"
    scale_base: int = 2

    def __post_init__(self):
        if self.scale_mode not in ("ALL", "H"):
            raise ValueError(f"scale_mode must be 'ALL' or 'H'. Received: {self.scale_mode!r}")
        if min(self.start) < 1 or self.num_resolutions < 1 or self.scale_base < 2:
            raise ValueError(
                "Expected a start resolution and num_resolutions of at least 1 and a scale_base of at least 2. "
                f"Received: start={self.start}, num_resolutions={self.num_resolutions}, scale_base={self.scale_base}"
            )

    @property
    def step(self) -> tuple[int, int]:
        """(time, freq) refinement from one block to the next."""
        return (self.scale_base, self.scale_base if self.scale_mode == "ALL" else 1)

    @property
    def final(self) -> tuple[int, int]:
        """(time, freq) of the last block: the whole specgram."""
        return self.resolution(self.num_resolutions)

    def resolution(self, block: int) -> tuple[int, int]:
        """(time, freq) of block 1 .. num_resolutions."""
        return (self.start[0] * self.step[0] ** (block - 1), self.start[1] * self.step[1] ** (block - 1))

    def scale_to_final(self, block: int) -> tuple[int, int]:
        """(time, freq) points of the whole specgram that one point of `block` covers."""
        steps = self.num_resolutions - block
        return (self.step[0] ** steps, self.step[1] ** steps)


@dataclasses.dataclass(frozen=True)
class StageSchedule:
    """Which stage a count of examples falls in, and how far its fade has come.

    Stages 0, 2, 4, … are stable, stages 1, 3, 5, … fade the next block in, so there are 2 * num_resolutions - 1 of
    them. A run that is not progressive has one stage: the last.

    Args:
        num_resolutions: Number of network blocks.
        stable_examples: Examples in each stable stage but the last (Magenta: `stable_stage_num_images`).
        transition_examples: Examples in each fade (Magenta: `transition_stage_num_images`).
        total_examples: Where the run ends; the last stage takes what is left (Magenta: `total_num_images`).
        batch_sizes: One for each resolution; a shorter list is padded in front with its first, as Magenta does.
        progressive: Whether to grow at all.
    """

    num_resolutions: int
    stable_examples: int
    transition_examples: int
    total_examples: int
    batch_sizes: tuple[int, ...]
    progressive: bool = True

    @property
    def num_stages(self) -> int:
        """Number of stages, those the run is too short to reach included."""
        return 2 * self.num_resolutions - 1

    @property
    def stages(self) -> tuple[int, ...]:
        """The stages this run goes through."""
        last = self.num_stages - 1
        if not self.progressive:
            return (last,)
        return tuple(s for s in range(last + 1) if s == 0 or self.stage_start(s) < self.total_examples)

    def num_blocks(self, stage: int) -> int:
        """Blocks that run in a stage; the last one is fading in when the stage is odd."""
        return (stage + 1) // 2 + 1

    def is_transition(self, stage: int) -> bool:
        """Whether a stage fades its last block in."""
        return stage % 2 == 1

    def stage_start(self, stage: int) -> int:
        """Examples seen when a stage begins."""
        if not self.progressive:
            return 0
        return (stage + 1) // 2 * self.stable_examples + stage // 2 * self.transition_examples

    def stage_end(self, stage: int) -> int:
        """Examples seen when a stage is over."""
        if not self.progressive or stage == self.num_stages - 1:
            return self.total_examples
        return min(self.stage_start(stage + 1), self.total_examples)

    def stage_at(self, examples: int) -> int:
        """The stage in which the example number `examples` (from 0) is seen."""
        for stage in self.stages:
            if examples < self.stage_end(stage):
                return stage
        return self.stages[-1]

    def fade_at(self, stage: int, examples: int) -> float:
        """Weight of the newest block in [0, 1]; 1 in stable stages.

        Magenta's `progress` is num_blocks(stage) - 2 + fade.
        """
        if not self.progressive or not self.is_transition(stage):
            return 1.0
        return min(1.0, max(0.0, (examples - self.stage_start(stage)) / self.transition_examples))

    def clock_at(self, seconds: float, limit: float, multiplier: float = 1.0) -> int:
        """The count of examples that stands for a time, when a run is given seconds instead of examples.

        The limit is divided over the stages, each `multiplier` times as long as the one before (Magenta:
        `train_time_limit` and `train_time_stage_multiplier`), and a stage's examples are spread evenly over its time.

        Args:
            seconds: Seconds trained so far.
            limit: Seconds in all.
            multiplier: Length of a stage over the length of the one before.
        """
        weights = [multiplier**index for index in range(len(self.stages))]
        left = seconds
        for stage, weight in zip(self.stages, weights, strict=True):
            duration = limit * weight / sum(weights)
            if left < duration:
                start, end = self.stage_start(stage), self.stage_end(stage)
                return start + int(left / duration * (end - start))
            left -= duration
        return self.total_examples

    def fade_slope(self, stage: int) -> float:
        """Growth of the fade by one example."""
        return 1.0 / self.transition_examples if self.progressive and self.is_transition(stage) else 0.0

    def batch_size(self, stage: int) -> int:
        """Examples in one update, over all replicas."""
        padding = (self.batch_sizes[0],) * (self.num_resolutions - len(self.batch_sizes))
        return (padding + tuple(self.batch_sizes))[self.num_blocks(stage) - 1]


def num_filters(block: int, base: int, decay: float, maximum: int, minimum: int = 1) -> int:
    """Channels of a block: base / 2**(block * decay), held in [minimum, maximum] (Magenta has no minimum)."""
    return max(minimum, int(min(base / 2.0 ** (block * decay), maximum)))
