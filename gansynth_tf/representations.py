"""Keras layers from waves to specgrams and back: Engel et al. 2019 (arXiv 1902.08710), section 2."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from gansynth_tf import mel, spectral


class _Representation(keras.layers.Layer):
    """What all representations share: sizes, float32 and the configuration.

    Phase does not survive a cast, so the layer computes in float32 under every precision policy.
    """

    def __init__(self, specgram_shape: Sequence[int], audio_length: int, sample_rate: int, name: str | None = None):
        super().__init__(name=name, dtype="float32", autocast=False, trainable=False)
        time, freq = specgram_shape
        self.specgram_shape = (int(time), int(freq), 2)
        self.audio_length = int(audio_length)
        self.sample_rate = int(sample_rate)

    def encode(self, waves: tf.Tensor) -> tf.Tensor:
        """Waves to specgrams.

        Args:
            waves: float [batch, samples] in [-1, 1], samples = audio_length.

        Returns:
            float32 [batch, time, freq, 2].

        Raises:
            ValueError: Another shape than [batch, audio_length].
        """
        waves = tf.cast(waves, tf.float32)
        if not waves.shape.is_compatible_with([None, self.audio_length]):
            raise ValueError(f"waves must be [batch, {self.audio_length}], got {waves.shape}; crop or pad them first")
        return self._encode(tf.ensure_shape(waves, [None, self.audio_length]))

    def decode(self, specgrams: tf.Tensor) -> tf.Tensor:
        """Specgrams to waves.

        Args:
            specgrams: float [batch, time, freq, 2], as `encode` returns them.

        Returns:
            float32 [batch, samples], not clipped.

        Raises:
            ValueError: Another shape than [batch, *specgram_shape].
        """
        return self._decode(self._checked_specgrams(specgrams))

    def decode_real(self, specgrams: tf.Tensor) -> tf.Tensor:
        """`decode` in float32 arithmetic alone: no complex numbers, no Fourier transform, no float64.

        Args:
            specgrams: float [batch, time, freq, 2], as `encode` returns them.

        Returns:
            float32 [batch, samples], not clipped.

        Raises:
            ValueError: Another shape than [batch, *specgram_shape].
        """
        return self._decode_real(self._checked_specgrams(specgrams))

    def consistency_magnitudes(self, specgrams: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Magnitudes that specgrams ask for, and those that the waves they decode to have.

        Most specgrams are no wave's: overlapping frames contradict each other, and decoding finds a compromise.

        Args:
            specgrams: float [batch, time, freq, 2], as `encode` returns them.

        Returns:
            Two float32 [batch, time, linear bins], linear STFT magnitudes, equal where the specgrams are a wave's.

        Raises:
            ValueError: Another shape than [batch, *specgram_shape].
        """
        return self._consistency_magnitudes(self._checked_specgrams(specgrams))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Same as `encode`."""
        return self.encode(inputs)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """[batch, samples] to [batch, time, freq, 2]."""
        return (input_shape[0], *self.specgram_shape)

    def get_config(self) -> dict:
        """Constructor arguments."""
        return {
            "specgram_shape": list(self.specgram_shape[:2]),
            "audio_length": self.audio_length,
            "sample_rate": self.sample_rate,
            "name": self.name,
        }

    def _encode(self, waves: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def _decode(self, specgrams: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def _decode_real(self, specgrams: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def _consistency_magnitudes(self, specgrams: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        raise NotImplementedError

    def _checked_specgrams(self, specgrams: tf.Tensor) -> tf.Tensor:
        specgrams = tf.cast(specgrams, tf.float32)
        if not specgrams.shape.is_compatible_with([None, *self.specgram_shape]):
            expected = ", ".join(map(str, self.specgram_shape))
            raise ValueError(f"specgrams must be [batch, {expected}], got {specgrams.shape}; pass what encode returned")
        return tf.ensure_shape(specgrams, [None, *self.specgram_shape])


class _Spectral(_Representation):
    """What representations with an STFT share: its framing, and the way back over it."""

    _framing: spectral.Framing

    def _to_parts(self, specgrams: tf.Tensor, float64: bool = True) -> tuple[tf.Tensor, tf.Tensor]:
        """Real and imaginary parts of the STFT that specgrams ask for, each [batch, time, linear bins]."""
        raise NotImplementedError

    def _decode(self, specgrams: tf.Tensor) -> tf.Tensor:
        return spectral.stfts_to_waves(tf.complex(*self._to_parts(specgrams)), self._framing)

    def _decode_real(self, specgrams: tf.Tensor) -> tf.Tensor:
        return spectral.parts_to_waves(*self._to_parts(specgrams, float64=False), self._framing)

    def _consistency_magnitudes(self, specgrams: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        stfts = tf.complex(*self._to_parts(specgrams))
        reanalysed = spectral.waves_to_stfts(spectral.stfts_to_waves(stfts, self._framing), self._framing)
        return spectral.stfts_to_polar(stfts)[0], spectral.stfts_to_polar(reanalysed)[0]


@keras.saving.register_keras_serializable("gansynth_tf")
class LinearIF(_Spectral):
    """Log-magnitude and instantaneous frequency of every STFT bin (the paper's "IF"; Magenta's data type "linear").

    Frames have 2 * freq samples and overlap by 75 %. All padding stands in front.

    Args:
        specgram_shape: (time, freq), powers of two.
        audio_length: Samples per wave, at most (time - 1) * freq / 2 + 2 * freq.
        sample_rate: Hz; does not enter the numbers.
        name: Layer name.

    Input shape:  [batch, samples]
    Output shape: [batch, time, freq, 2]: log(|X| + 1e-6), and IF in units of pi in [-1, 1].
    """

    _instantaneous = True

    def __init__(self, specgram_shape: Sequence[int], audio_length: int, sample_rate: int, name: str | None = None):
        framing = spectral.make_framing(specgram_shape, audio_length)
        super().__init__(specgram_shape, audio_length, sample_rate, name)
        self._framing = framing

    def _encode(self, waves: tf.Tensor) -> tf.Tensor:
        return spectral.waves_to_specgrams(waves, self._framing, self._instantaneous)

    def _to_parts(self, specgrams: tf.Tensor, float64: bool = True) -> tuple[tf.Tensor, tf.Tensor]:
        return spectral.specgrams_to_parts(specgrams, self._instantaneous)


@keras.saving.register_keras_serializable("gansynth_tf")
class LinearPhase(LinearIF):
    """Log-magnitude and wrapped phase of every STFT bin (the paper's "Phase"; Magenta's data type "phase").

    Arguments and sizes as `LinearIF`.

    Input shape:  [batch, samples]
    Output shape: [batch, time, freq, 2]: log(|X| + 1e-6), and phase in units of pi in [-1, 1].
    """

    _instantaneous = False


@keras.saving.register_keras_serializable("gansynth_tf")
class MelIF(_Spectral):
    """Log mel power and mel instantaneous frequency (the paper's "IF-Mel"; Magenta's data type "mel").

    Args:
        specgram_shape: (time, freq), powers of two; freq counts mel bands.
        audio_length: Samples per wave, at most (time - 1) * hop + frame, where frame = 2 * freq * mel_downscale and
            hop = frame / 4.
        sample_rate: Hz; the mel bands reach from 0 to half of it.
        mel_downscale: Linear bins per mel band, a power of two. Magenta: 1.
        mel_if: "matrix", the product of the IF with the mel matrix (Magenta's), or "power_mean", the power-weighted
            circular mean of the IF in each band, which keeps the pitch with fewer bands.
        name: Layer name.

    Input shape:  [batch, samples]
    Output shape: [batch, time, freq, 2]: log(power + 1e-6), and IF in units of pi in [-1, 1] (with "matrix" its first
        frame, a product of phases, lies outside).
    """

    def __init__(
        self,
        specgram_shape: Sequence[int],
        audio_length: int,
        sample_rate: int,
        mel_downscale: int = 1,
        mel_if: str = "matrix",
        name: str | None = None,
    ):
        if mel_if not in ("matrix", "power_mean"):
            raise ValueError(f"mel_if must be 'matrix' or 'power_mean', got {mel_if!r}")
        framing = spectral.make_framing(specgram_shape, audio_length, mel_downscale)
        weights = mel.linear_to_mel_weights(framing.num_bins, specgram_shape[1], sample_rate)
        super().__init__(specgram_shape, audio_length, sample_rate, name)
        self.mel_downscale = int(mel_downscale)
        self.mel_if = mel_if
        self._framing = framing
        self._linear_to_mel = weights.astype(np.float32)
        self._mel_to_linear = mel.mel_to_linear_weights(weights).astype(np.float32)
        self._nearest_bands = mel.nearest_bands(weights)

    def _encode(self, waves: tf.Tensor) -> tf.Tensor:
        stfts = spectral.waves_to_stfts(waves, self._framing)
        if self.mel_if == "power_mean":
            return mel.stfts_to_mean_melspecgrams(stfts, self._linear_to_mel)
        return mel.stfts_to_melspecgrams(stfts, self._linear_to_mel)

    def _to_parts(self, specgrams: tf.Tensor, float64: bool = True) -> tuple[tf.Tensor, tf.Tensor]:
        if self.mel_if == "power_mean":
            return mel.mean_melspecgrams_to_parts(specgrams, self._mel_to_linear, self._nearest_bands)
        return mel.melspecgrams_to_parts(specgrams, self._mel_to_linear, float64)

    def get_config(self) -> dict:
        """Constructor arguments."""
        return {**super().get_config(), "mel_downscale": self.mel_downscale, "mel_if": self.mel_if}


@keras.saving.register_keras_serializable("gansynth_tf")
class Waveform(_Representation):
    """The wave itself, so that the same networks can be a waveform GAN (Magenta's data type "wave").

    The wave is padded to a power of two, half of the zeros in front, and written into both channels; decoding reads
    channel 0.

    Args:
        specgram_shape: (padded samples, 1), a power of two; None for the smallest that holds the wave.
        audio_length: Samples per wave.
        sample_rate: Hz; does not enter the numbers.
        name: Layer name.

    Input shape:  [batch, samples]
    Output shape: [batch, padded samples, 1, 2]. Magenta: 64000 samples become 65536.
    """

    def __init__(
        self, specgram_shape: Sequence[int] | None, audio_length: int, sample_rate: int, name: str | None = None
    ):
        smallest = 1 << max(0, int(audio_length) - 1).bit_length()
        shape = (smallest, 1) if specgram_shape is None else tuple(int(size) for size in specgram_shape)
        if audio_length < 1 or len(shape) != 2 or shape[0] < smallest or shape[0].bit_count() != 1 or shape[1] != 1:
            raise ValueError(
                f"specgram_shape of a wave must be (power of two >= {smallest}, 1) for audio_length {audio_length}, "
                f"got {shape}; use ({smallest}, 1) or None"
            )
        super().__init__(shape, audio_length, sample_rate, name)

    def _encode(self, waves: tf.Tensor) -> tf.Tensor:
        front = self._front_padding
        waves = tf.pad(waves, [[0, 0], [front, self.specgram_shape[0] - self.audio_length - front]])
        return tf.stack([waves, waves], axis=-1)[:, :, tf.newaxis]

    def _decode(self, specgrams: tf.Tensor) -> tf.Tensor:
        return specgrams[:, self._front_padding : self._front_padding + self.audio_length, 0, 0]

    def _decode_real(self, specgrams: tf.Tensor) -> tf.Tensor:
        return self._decode(specgrams)

    def _consistency_magnitudes(self, specgrams: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # No frames overlap, so nothing can contradict; in Magenta the loss of a waveform model is 0, too.
        magnitudes = tf.abs(specgrams[..., 0])
        return magnitudes, magnitudes

    @property
    def _front_padding(self) -> int:
        return (self.specgram_shape[0] - self.audio_length) // 2
