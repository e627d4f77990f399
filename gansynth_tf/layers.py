"""The parts of a progressive GAN: pixel norm, equalised weights, box scaling, minibatch standard deviation.

Karras et al. 2018, sections 3 and 4. All tensors are channels-last, [batch, time, freq, channels].
"""

import contextlib
import contextvars
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

_one_pass_norms = contextvars.ContextVar("one_pass_norms", default=False)
_SLOPE = 0.2  # Of the leaky ReLU for negative values; Magenta: 0.2.

# ---------------------------------------------------------------------------------------------------- functions


@contextlib.contextmanager
def one_pass_norms() -> Iterator[None]:
    """Where a graph is made inside, `leaky_pixel_norm` reads each point once, not twice: faster, equal to rounding.

    For what runs here and now only: neither XLA nor TFLite has the operation (EuclideanNorm), so what is exported or
    compiled does without.
    """
    token = _one_pass_norms.set(True)
    try:
        yield
    finally:
        _one_pass_norms.reset(token)


def pixel_norm(x: tf.Tensor, epsilon: float = 1e-8) -> tf.Tensor:
    """Scales every point's channel vector to unit root mean square.

    y = x / sqrt(mean_channels(x**2) + epsilon). Karras et al. 2018, section 4.2.

    Args:
        x: [..., channels].
        epsilon: Added to the mean square. Magenta: 1e-8.

    Returns:
        The same shape as x.
    """
    x = tf.convert_to_tensor(x)
    return x * _inverse_root_mean_square(x, epsilon)


@tf.custom_gradient
def leaky_relu(x: tf.Tensor) -> tf.Tensor:
    """max(x, 0.2 * x), Magenta's slope.

    Its gradient is taken by the sign of the result, which is that of x, so that x need not be kept: half the memory of
    a critic, and a convolution, its bias and this can be one operation in training too.

    Args:
        x: Any shape.

    Returns:
        The same shape as x.
    """
    y = tf.nn.leaky_relu(x, _SLOPE)
    return y, lambda upstream: _leaky_relu_gradient(upstream, y)


@tf.custom_gradient
def leaky_pixel_norm(x: tf.Tensor) -> tf.Tensor:
    """`pixel_norm(leaky_relu(x))`, keeping only its result for the gradient.

    With y = a * r, r = (mean(a**2) + epsilon)**-0.5, the gradient with respect to a is r * (dy - y * mean(dy * y)), and
    y has the sign of a.

    Args:
        x: [..., channels].

    Returns:
        The same shape as x.
    """
    leaky = tf.nn.leaky_relu(x, _SLOPE)
    scale = _inverse_root_mean_square(leaky, one_pass=_one_pass_norms.get())
    y = leaky * scale

    def gradient(upstream):
        along = tf.reduce_mean(_at_least_float32(upstream * y), axis=-1, keepdims=True)
        return _leaky_relu_gradient(scale * (upstream - y * tf.cast(along, y.dtype)), y)

    return y, gradient


def _leaky_relu_gradient(upstream: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    # The sign has no gradient of its own; saying so spares a second derivative tensors of zeros.
    return tf.raw_ops.LeakyReluGrad(gradients=upstream, features=tf.stop_gradient(y), alpha=_SLOPE)


def _inverse_root_mean_square(x: tf.Tensor, epsilon: float = 1e-8, one_pass: bool = False) -> tf.Tensor:
    wide = _at_least_float32(x)
    if one_pass:
        mean_square = tf.square(tf.raw_ops.EuclideanNorm(input=wide, axis=[-1], keep_dims=True)) / x.shape[-1]
    else:
        mean_square = tf.reduce_mean(tf.square(wide), axis=-1, keepdims=True)
    return tf.cast(tf.math.rsqrt(mean_square + epsilon), x.dtype)


def upscale(x: tf.Tensor, scale: tuple[int, int]) -> tf.Tensor:
    """Repeats every point (scale[0], scale[1]) times along time and freq (nearest neighbour)."""
    for axis, times in zip((1, 2), scale, strict=True):
        if times > 1:
            x = tf.repeat(x, times, axis=axis)
    return x


def downscale(x: tf.Tensor, scale: tuple[int, int]) -> tf.Tensor:
    """Averages boxes of (scale[0], scale[1]) points along time and freq."""
    if tuple(scale) == (1, 1):
        return x
    return tf.nn.avg_pool2d(x, ksize=scale, strides=scale, padding="VALID")


def minibatch_stddev(x: tf.Tensor, group_size: int = 1) -> tf.Tensor:
    """Appends one channel: the standard deviation over the batch, averaged over everything else.

    Lets the critic see a batch without variety. Karras et al. 2018, section 3. Replicas that share a batch take it over
    all of it, so that a batch is the same however it is split.

    Args:
        x: [batch, time, freq, channels]; every replica's share has the same length.
        group_size: Above 1 the deviation is taken over each group of so many neighbours instead, which divide the
            batch, as Karras et al. 2020 do.

    Returns:
        [batch, time, freq, channels + 1].
    """
    x = tf.convert_to_tensor(x)
    wide = _at_least_float32(x)
    if group_size > 1:
        variance = tf.math.reduce_variance(tf.reshape(wide, [-1, group_size, *x.shape[1:]]), axis=1)
        stddev = tf.reduce_mean(tf.sqrt(variance + 1e-6), axis=[1, 2, 3])
        stddev = tf.cast(tf.repeat(stddev, group_size), x.dtype)[:, None, None, None]
        return tf.concat([x, tf.broadcast_to(stddev, tf.shape(x[..., :1]))], axis=-1)
    mean = _mean_over_replicas(tf.reduce_mean(wide, axis=0))
    variance = _mean_over_replicas(tf.reduce_mean(tf.square(wide - mean), axis=0))
    stddev = tf.cast(tf.reduce_mean(tf.sqrt(variance + 1e-6)), x.dtype)  # Magenta: 1e-6
    return tf.concat([x, tf.fill(tf.shape(x[..., :1]), stddev)], axis=-1)


def _mean_over_replicas(x: tf.Tensor) -> tf.Tensor:
    """The mean over all replicas that run this, through which gradients of any order flow; x itself in one replica."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return x
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, x)


def blend(coarse: tf.Tensor, fine: tf.Tensor, fade: tf.Tensor | float) -> tf.Tensor:
    """(1 - fade) * coarse + fade * fine: how a new block comes in."""
    return coarse + tf.cast(fade, coarse.dtype) * (fine - coarse)


def resize_to_stage(
    specgrams: tf.Tensor, scale: tuple[int, int], step: tuple[int, int], fade: tf.Tensor | None
) -> tf.Tensor:
    """Brings whole specgrams to a stage's own resolution, faded as the generator's output is.

    Args:
        specgrams: [batch, time, freq, channels] at full size.
        scale: Full-size points for each point of the stage, (time, freq).
        step: Refinement between two blocks, (time, freq).
        fade: Weight of the stage's own resolution against the next coarser one, in [0, 1]; None in stable stages.

    Returns:
        [batch, time / scale[0], freq / scale[1], channels].
    """
    fine = downscale(specgrams, scale)
    if fade is None:
        return fine
    return blend(upscale(downscale(fine, step), step), fine, fade)


def _at_least_float32(x: tf.Tensor) -> tf.Tensor:
    """Widens 16-bit floats, which would lose squares and the epsilons added to them."""
    return tf.cast(x, tf.float32) if x.dtype.size < 4 else x


# ---------------------------------------------------------------------------------------------------- layers


def he_scale(fan_in: int, slope: float) -> float:
    """Standard deviation of He's initialiser, sqrt(2 / ((1 + slope**2) * fan_in))."""
    return float(np.sqrt(2.0 / ((1.0 + slope**2) * fan_in)))


class EqualisedLayer(keras.layers.Layer):
    """A layer whose kernel is stored as N(0, 1) and multiplied by He's scale when it is used.

    So every weight takes equally large steps under Adam (Karras et al. 2018, section 4.1). It computes in its input's
    precision, whatever the policy; the network decides what goes in.

    Args:
        he_slope: Slope in He's scale: 0 (ReLU) for inner convolutions, 1 (linear) for outputs, as in Magenta.
    """

    def __init__(self, he_slope: float = 0.0, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.he_slope = he_slope

    def add_kernel(self, shape: tuple[int, ...]) -> None:
        """Makes `kernel` with `shape` (channels last), `bias` and the run-time scale."""
        normal = keras.initializers.RandomNormal(stddev=1.0)
        self.kernel = self.add_weight(shape=shape, initializer=normal, name="kernel")
        self.bias = self.add_weight(shape=shape[-1:], initializer="zeros", name="bias")
        self.scale = he_scale(int(np.prod(shape[:-1])), self.he_slope)

    @property
    def scaled_kernel(self) -> tf.Tensor:
        """The kernel that the forward pass uses."""
        return tf.convert_to_tensor(self.kernel) * self.scale

    def add_bias(self, x: tf.Tensor) -> tf.Tensor:
        """x [..., channels] and the bias."""
        return tf.nn.bias_add(x, tf.cast(tf.convert_to_tensor(self.bias), x.dtype))

    def get_config(self):
        return {**super().get_config(), "he_slope": self.he_slope}


@keras.saving.register_keras_serializable("gansynth_tf")
class EqualisedConv(EqualisedLayer):
    """A convolution with an equalised learning rate, padding 'SAME' unless said.

    Args:
        filters: Output channels.
        kernel_size: (time, freq).
        padding: 'SAME' or 'VALID'.
        he_slope: See EqualisedLayer.

    Input shape:  [batch, time, freq, channels]
    Output shape: [batch, time, freq, filters]
    """

    def __init__(self, filters: int, kernel_size: tuple[int, int], padding: str = "SAME", **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = tuple(kernel_size)
        self.padding = padding

    def build(self, input_shape):
        self.add_kernel((*self.kernel_size, int(input_shape[-1]), self.filters))

    def call(self, x):
        return self.add_bias(tf.nn.conv2d(x, tf.cast(self.scaled_kernel, x.dtype), strides=1, padding=self.padding))

    def get_config(self):
        own = {"filters": self.filters, "kernel_size": self.kernel_size, "padding": self.padding}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("gansynth_tf")
class EqualisedUpscaleConv(EqualisedConv):
    """Nearest-neighbour upscaling by 2 followed by an odd-sized convolution, as one transposed convolution.

    Upscaled neighbours are equal, so the kernel's taps that meet the same input point can be summed first: a 3x3 kernel
    becomes a 4x4 one with stride 2, and each output point costs 4 multiplications where it cost 9. The weights and the
    result are those of the plain pair (Karras et al. 2020, StyleGAN2, name the trick).

    Args:
        filters, kernel_size, he_slope: See EqualisedConv; kernel sizes must be odd along a doubled axis.
        step: (2, 2) or (2, 1), the upscaling along (time, freq).

    Input shape:  [batch, time, freq, channels]
    Output shape: [batch, 2 * time, step[1] * freq, filters]
    """

    def __init__(self, filters: int, kernel_size: tuple[int, int], step: tuple[int, int] = (2, 2), **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        self.step = tuple(step)

    def call(self, x):
        kernel = tf.cast(tf.transpose(self.summed_kernel, [0, 1, 3, 2]), x.dtype)
        shape = tf.shape(x)
        sizes = [(x.shape[a] or shape[a]) * s for a, s in zip((1, 2), self.step, strict=True)]
        output_shape = tf.stack([shape[0], *sizes, self.filters])
        return self.add_bias(tf.nn.conv2d_transpose(x, kernel, output_shape, strides=self.step, padding="SAME"))

    @property
    def summed_kernel(self) -> tf.Tensor:
        """The scaled kernel of the transposed convolution, [taps, taps, channels, filters].

        Taps are summed by small matrices, first along time: weights of large layers are read twice, not once for every
        addition, which for single notes is much of the work.
        """
        time, freq = (_sums_of_taps(k, s) for k, s in zip(self.kernel_size, self.step, strict=True))
        kernel = tf.cast(self.scaled_kernel, tf.float32)
        along_time = time @ tf.reshape(kernel, [self.kernel_size[0], -1])
        along_both = freq @ tf.reshape(along_time, [len(time), self.kernel_size[1], -1])
        return tf.reshape(along_both, [len(time), len(freq), *kernel.shape[2:]])

    def get_config(self):
        return {**super().get_config(), "step": self.step}


def _sums_of_taps(taps: int, times: int) -> np.ndarray:
    """[taps + times - 1, taps] of 0 and 1: taps of a convolution -> taps of upscaling and it, transposed.

    An input point meets output points from -taps // 2 on, in reverse; as its twin beside it does, one further.
    """
    reverse = np.eye(taps, dtype=np.float32)[::-1]
    return sum(np.pad(reverse, [[place, times - 1 - place], [0, 0]]) for place in range(times))


@keras.saving.register_keras_serializable("gansynth_tf")
class EqualisedStart(EqualisedLayer):
    """The generator's first layer: a vector to its first (time, freq) plane.

    Magenta pads the vector as a 1x1 image with zeros and convolves it ('VALID') with a kernel as large as the plane.
    Each output point then sees just one tap, so the layer is one matrix product with the kernel turned around. The
    scale counts the whole kernel as fan-in, as Magenta's does.

    Args:
        filters: Output channels.
        plane: (time, freq).

    Input shape:  [batch, latent]
    Output shape: [batch, time, freq, filters]
    """

    def __init__(self, filters: int, plane: tuple[int, int], **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.plane = tuple(plane)

    def build(self, input_shape):
        self.add_kernel((*self.plane, int(input_shape[-1]), self.filters))

    def call(self, x):
        taps = tf.transpose(tf.reverse(tf.cast(self.scaled_kernel, x.dtype), axis=[0, 1]), [2, 0, 1, 3])
        y = tf.matmul(x, tf.reshape(taps, [taps.shape[0], -1]))
        return self.add_bias(tf.reshape(y, [-1, *self.plane, self.filters]))

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "plane": self.plane}


@keras.saving.register_keras_serializable("gansynth_tf")
class EqualisedDense(EqualisedLayer):
    """A dense layer with an equalised learning rate, He slope 1.

    Input shape:  [batch, channels]
    Output shape: [batch, units]
    """

    def __init__(self, units: int, he_slope: float = 1.0, **kwargs):
        super().__init__(he_slope=he_slope, **kwargs)
        self.units = units

    def build(self, input_shape):
        self.add_kernel((int(input_shape[-1]), self.units))

    def call(self, x):
        return self.add_bias(tf.matmul(x, tf.cast(self.scaled_kernel, x.dtype)))

    def get_config(self):
        return {**super().get_config(), "units": self.units}
