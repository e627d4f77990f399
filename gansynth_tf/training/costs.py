"""What one update costs in each stage, in multiply-adds counted from the layers' sizes, and the time that follows.

Convolutions and matrix products only: at GANSynth's sizes they are nearly all of the arithmetic (see
docs/performance.md, where the count is held against a machine's measured rate).
"""

import dataclasses
import math

from gansynth_tf.schedules import ResolutionSchedule, StageSchedule

_SPECGRAM_CHANNELS = 2


@dataclasses.dataclass(frozen=True)
class UpdateCosts:
    """Arithmetic of an update, for one example.

    Args:
        resolutions: Resolution of each block.
        schedule: Stages.
        filters: Channels of block 0 .. num_resolutions.
        latent_size: Length of the generator's input.
        num_pitches: Classes of the pitch head.
        kernel_size: (time, freq) of the inner convolutions.
        penalty_interval: The penalty is taken in every k-th update.
        penalised: At how many batches the penalty takes the critic's gradient.
        paired: Whether the generator's update judges reals, too.
    """

    resolutions: ResolutionSchedule
    schedule: StageSchedule
    filters: tuple[int, ...]
    latent_size: int
    num_pitches: int
    kernel_size: tuple[int, int] = (3, 3)
    penalty_interval: int = 1
    penalised: int = 1
    paired: bool = False

    def _points(self, block: int) -> int:
        return math.prod(self.resolutions.resolution(block))

    def generator(self, num_blocks: int) -> int:
        """Multiply-adds of the generator's forward pass for one note, `num_blocks` of its blocks running alone.

        A fused upscale and convolution of k x k has (k + 1)**2 taps and a stride of 2: (k + 1)**2 / 4 for each output.
        """
        taps = math.prod(self.kernel_size)
        step = math.prod(self.resolutions.step)
        fused = max(self.resolutions.step) == 2 and all(size % 2 == 1 for size in self.kernel_size)
        sizes = (size + (times == 2) for size, times in zip(self.kernel_size, self.resolutions.step, strict=True))
        upscaled = math.prod(sizes) / step if fused else taps
        total = 0.0
        for block in range(1, num_blocks + 1):
            points, width = self._points(block), self.filters[block]
            first = self.latent_size + self.num_pitches if block == 1 else upscaled * self.filters[block - 1]
            total += points * width * (first + taps * width)
        return round(total + self._points(num_blocks) * self.filters[num_blocks] * _SPECGRAM_CHANNELS)

    def discriminator(self, num_blocks: int) -> int:
        """Multiply-adds of the discriminator's forward pass for one note."""
        taps = math.prod(self.kernel_size)
        total = self._points(num_blocks) * self.filters[num_blocks] * _SPECGRAM_CHANNELS
        for block in range(num_blocks, 0, -1):
            points, width, out = self._points(block), self.filters[block], self.filters[block - 1]
            total += points * taps * width * (width + (block == 1))
            total += points * width * out * (taps if block > 1 else 1)  # The last 'VALID' one covers the plane once.
        return total + self.filters[0] * (1 + self.num_pitches)

    def penalty(self, num_blocks: int) -> int:
        """Multiply-adds of the gradient penalty for one note: six passes through the critic at each place it is taken.

        Scores; their gradient at the input; then, backwards through that gradient, one pass for what flows through it
        and one for its weights; and the same two through the scores' own pass, reached by the minibatch deviation.
        """
        return 6 * self.penalised * self.discriminator(num_blocks)

    def update(self, stage: int) -> float:
        """Multiply-adds of one update for one note, on average.

        The generator: its pass and two for its gradient, the critic's pass and the gradient at its input, and its pass
        on reals in a paired game. The critic: fakes, then a pass and two for the gradient on reals and on fakes, and
        the penalty.
        """
        blocks = self.schedule.num_blocks(stage)
        generator, discriminator = self.generator(blocks), self.discriminator(blocks)
        passes = 9 if self.paired else 8
        return 4 * generator + passes * discriminator + self.penalty(blocks) / self.penalty_interval

    # ------------------------------------------------------------------------------------------ what follows

    def stage_name(self, stage: int) -> str:
        """'16x128', or 'fade to 16x128'."""
        time, freq = self.resolutions.resolution(self.schedule.num_blocks(stage))
        fading = self.schedule.progressive and self.schedule.is_transition(stage)
        return f"{'fade to ' if fading else ''}{time}x{freq}"

    def examples_left(self, clock: int) -> float:
        """What is left of a run, in examples of the stage it is in: those of later stages cost more."""
        here = self.schedule.stage_at(clock)
        left = 0.0
        for stage in self.schedule.stages:
            start, end = max(clock, self.schedule.stage_start(stage)), self.schedule.stage_end(stage)
            left += max(0, end - start) * self.update(stage) / self.update(here)
        return left
