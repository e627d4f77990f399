"""Drawing notes from a WaveNet, sample after sample.

The cached sampler keeps what every layer has seen in a ring buffer, so a sample costs one pass over the weights, which
serves the whole batch (Paine et al. 2016). It is one graph: a loop over frames, in it a loop over samples. The naive
sampler runs the network over its whole receptive field for every sample; it is the oracle, and what the cache is
compared with.
"""

import typing

import numpy as np
import tensorflow as tf

from gansynth_tf.baselines.distributions import SampleDistribution
from gansynth_tf.baselines.wavenet import UnitWeights, WaveNet


def latent_noise(z: tf.Tensor, num_samples: int) -> tf.Tensor:
    """The random numbers of each note, from the bits of its latent: equal latents draw equal notes in any batch.

    Args:
        z: [batch, latent].
        num_samples: Samples of a note.

    Returns:
        Uniform in [0, 1), [num_samples, batch, 2].
    """
    words = tf.bitcast(z, tf.int32)
    odd = tf.constant(2 * np.arange(z.shape[1]) + 1, tf.int32)
    seeds = tf.stack([tf.reduce_sum(words * odd, axis=1), tf.reduce_sum(words * odd * odd, axis=1)], axis=1)
    shape = [num_samples, 2]
    signature = tf.TensorSpec(shape, tf.float32)
    noise = tf.map_fn(lambda seed: tf.random.stateless_uniform(shape, seed), seeds, fn_output_signature=signature)
    return tf.transpose(noise, [1, 0, 2])


class _Rings:
    """Where every layer's past stands in one buffer [slots, batch, width], so that one gather reads all of it.

    A layer of dilation d with k taps needs what it saw d, 2 d, ..., (k - 1) d samples ago, so its ring has (k - 1) d
    slots; the oldest is read before the newest takes its place.
    """

    def __init__(self, network: WaveNet):
        layers = network.gated_layers
        dilations = np.array([layer.dilation for layer in layers], np.int32)
        self._lengths = (network.kernel_size - 1) * dilations
        self._starts = np.cumsum(self._lengths) - self._lengths
        taps = np.arange(network.kernel_size - 1, 0, -1, dtype=np.int32)
        self._delays = taps[:, None] * dilations  # [taps, layers], the oldest first.
        self.num_slots = int(self._lengths.sum())

    def read(self, buffer: tf.Tensor, time: tf.Tensor) -> list[tf.Tensor]:
        """Each layer's earlier taps at a time, [batch, (kernel - 1) * width], the oldest first."""
        places = self._starts + (time - self._delays) % self._lengths
        taps = tf.gather(buffer, tf.transpose(places))  # [layers, taps, batch, width]
        num_layers, num_taps, _, width = taps.shape
        taps = tf.reshape(tf.transpose(taps, [0, 2, 1, 3]), [num_layers, -1, num_taps * width])
        return tf.unstack(taps)

    def write(self, buffer: tf.Tensor, time: tf.Tensor, seen: list[tf.Tensor]) -> tf.Tensor:
        """The buffer with what each layer sees now, [batch, width]."""
        places = self._starts + time % self._lengths
        return tf.tensor_scatter_nd_update(buffer, places[:, None], tf.stack(seen))


class _Projected(typing.NamedTuple):
    """A frame's condition as the layers add it, [layers, batch, 2 * width], and for the output, [batch, skip]."""

    layers: tf.Tensor
    output: tf.Tensor


class _SplitWeights(typing.NamedTuple):
    """A layer's weights, those of the earlier taps [(kernel - 1) * width, 2 * width] apart from those of the newest."""

    earlier: tf.Tensor
    now: UnitWeights

    def turned(self) -> "_SplitWeights":
        """With transposed kernels."""
        kernel, output_kernel, output_bias = self.now
        now = UnitWeights(tf.transpose(kernel), tf.transpose(output_kernel), output_bias)
        return _SplitWeights(tf.transpose(self.earlier), now)


def _split(weights: UnitWeights, width: int) -> _SplitWeights:
    return _SplitWeights(weights.kernel[:-width], weights._replace(kernel=weights.kernel[-width:]))


class _State(typing.NamedTuple):
    """What the loop over samples carries: past [slots, batch, width], the last inputs [batch, kernel]."""

    past: tf.Tensor
    last: tf.Tensor


class CachedSampler:
    """Draws from a WaveNet at the cost of one pass over its weights for each sample.

    Args:
        network: Built.
        distribution: Of a sample.
        compiled: Compile the loop by XLA: few, large kernels, whose products with a single vector read the weights
            fastest. Without it the loop's operations run one by one, whose products with several vectors are faster.
            None: compiled for batches of up to `COMPILED_BATCH`, where the batch is known when the graph is made.
    """

    COMPILED_BATCH = 2

    def __init__(self, network: WaveNet, distribution: SampleDistribution, compiled: bool | None = None):
        self.network, self.distribution, self.compiled = network, distribution, compiled
        self._rings = _Rings(network)
        self._compiled = tf.function(self._loop, jit_compile=True)

    def __call__(self, condition: tf.Tensor, noise: tf.Tensor, forced: tf.Tensor | None = None) -> tuple:
        """Draws a batch of notes.

        Args:
            condition: [batch, frames, condition].
            noise: Uniform numbers [frames * hop, batch, 2].
            forced: Inputs to feed instead of the drawn ones, [frames * hop, batch]; None: the drawn ones.

        Returns:
            Drawn inputs, and the parameters they were drawn from when `forced` is given (else of size 0):
            [frames * hop, batch] and [frames * hop, batch, num_parameters].
        """
        compiled = self.compiled
        if compiled is None:
            compiled = condition.shape[0] is not None and condition.shape[0] <= self.COMPILED_BATCH
        weights = [_split(layer.unit_weights, self.network.width) for layer in self.network.gated_layers]
        if not compiled:
            return self._loop(condition, noise, forced, weights)
        # XLA's product of one vector with a matrix is fastest where each output's weights lie side by side.
        return self._compiled(condition, noise, forced, [w.turned() for w in weights], True)

    def _loop(self, condition, noise, forced, weights, turned=False):
        """Frames, and in each its samples."""
        network = self.network
        hop, frames, batch = network.hop, condition.shape[1], tf.shape(condition)[0]
        state = _State(tf.zeros([self._rings.num_slots, batch, network.width]), tf.zeros([batch, network.kernel_size]))

        def one_frame(frame, state, drawn, parameters):
            now = condition[:, frame]
            projected = _Projected(
                tf.stack([layer.project(now) for layer in network.gated_layers]), network.project_to_output(now)
            )

            def one_sample(time, state, drawn, parameters):
                seen, found = self._step(time, state, projected, weights, turned)
                inputs = self.distribution.sample(found, noise[time])
                drawn = drawn.write(time, inputs)
                if forced is not None:
                    inputs, parameters = forced[time], parameters.write(time, found)
                past = self._rings.write(state.past, time, seen)
                last = tf.concat([state.last[:, 1:], inputs[:, None]], axis=1)
                return time + 1, _State(past, last), drawn, parameters

            end = (frame + 1) * hop
            loop = (frame * hop, state, drawn, parameters)
            _, state, drawn, parameters = tf.while_loop(lambda time, *_: time < end, one_sample, loop)
            return frame + 1, state, drawn, parameters

        drawn = tf.TensorArray(tf.float32, frames * hop, element_shape=[condition.shape[0]])
        shape = [condition.shape[0], network.num_parameters]
        parameters = tf.TensorArray(tf.float32, frames * hop if forced is not None else 0, element_shape=shape)
        loop = (tf.constant(0), state, drawn, parameters)
        _, _, drawn, parameters = tf.while_loop(lambda frame, *_: frame < frames, one_frame, loop)
        return drawn.stack(), parameters.stack()

    def _step(self, time, state: _State, projected: _Projected, weights, turned: bool):
        """What every layer sees at one moment, and the parameters of its sample."""
        network = self.network

        def multiply(x, kernel):
            return tf.matmul(x, kernel, transpose_b=turned)

        # What the earlier taps add depends on no layer's output of now, so it needs not wait for any.
        taps = self._rings.read(state.past, time)
        earlier = [multiply(*pair) for pair in zip(taps, (w.earlier for w in weights), strict=True)]
        # Sums of more than two are taken of stacks, not by additions in a row: of those TensorFlow makes one operation
        # that collects in a temporary variable, and inside a loop two of them may get the same name, which stops it.
        added = tf.unstack(tf.stack(earlier) + projected.layers)
        x, skip = network.start(state.last)
        seen, skips = [], [skip]
        for number, layer in enumerate(network.gated_layers):
            seen.append(x)
            residual, more = layer.unit(x, added[number], weights[number].now, multiply)
            x = x + residual
            skips.append(more)
        return seen, network.finish(tf.reduce_sum(tf.stack(skips), axis=0), projected.output)


def naive_window(network: WaveNet) -> int:
    """Frames that the naive sampler runs the network over for one sample."""
    return -(-network.receptive_field // network.hop) + 1


def naive_sample(
    network: WaveNet, distribution: SampleDistribution, condition: tf.Tensor, noise: tf.Tensor, num_samples: int
) -> tf.Tensor:
    """Draws the first samples of a batch of notes without a cache.

    Args:
        network, distribution: See CachedSampler.
        condition, noise: See CachedSampler.
        num_samples: How many to draw; those after them stay 0.

    Returns:
        Inputs [frames * hop, batch].
    """
    hop, frames = network.hop, condition.shape[1]
    window = min(frames, naive_window(network))

    def one_sample(time, inputs):
        first = tf.clip_by_value(time // hop - window + 1, 0, frames - window)
        seen = inputs[:, first * hop : (first + window) * hop]
        seen = tf.ensure_shape(seen, [condition.shape[0], window * hop])
        parameters = network(seen, tf.ensure_shape(condition[:, first : first + window], [None, window, None]))
        drawn = distribution.sample(parameters[:, time - first * hop], noise[time])
        return time + 1, tf.where(tf.range(frames * hop) == time, drawn[:, None], inputs)

    start = tf.zeros([tf.shape(condition)[0], frames * hop])
    start = tf.ensure_shape(start, [condition.shape[0], frames * hop])
    _, inputs = tf.while_loop(lambda time, _: time < num_samples, one_sample, (tf.constant(0), start))
    return tf.transpose(inputs)
