"""What several tests share: two logical CPUs, the golden files, small models."""

import os
import pathlib
from collections.abc import Callable

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf  # noqa: E402  (the line above must come first)

# Two logical CPUs stand for two devices; they must be named before TensorFlow starts.
_CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(_CPU, [tf.config.LogicalDeviceConfiguration() for _ in range(2)])


@pytest.fixture(scope="session")
def golden_dir() -> pathlib.Path:
    """Outputs of Magenta's own code, kept beside the repository; skips where they are absent."""
    path = pathlib.Path(__file__).resolve().parents[2] / "shared" / "golden"
    if not path.is_dir():
        pytest.skip(f"golden files not found in {path}")
    return path


@pytest.fixture(scope="session")
def make_tiny_model() -> Callable:
    """Makes a whole model of a few thousand weights: 3 blocks up to [8, 16], latents of 11, pitches 40, 43, 50."""
    import keras

    from gansynth_tf.model import GANSynth
    from gansynth_tf.networks import Discriminator, Generator
    from gansynth_tf.normalizers import prespecified_normalizer
    from gansynth_tf.pitches import PitchClasses
    from gansynth_tf.representations import MelIF
    from gansynth_tf.schedules import ResolutionSchedule

    def make(representation=None, resolutions=None, seed=5, **generator_settings) -> GANSynth:
        keras.utils.set_random_seed(seed)
        resolutions = resolutions or ResolutionSchedule((2, 4), 3)
        filters, latent_size, num_pitches = (9, 7, 6, 5), 11, 3
        model = GANSynth(
            representation or MelIF((8, 16), audio_length=80, sample_rate=2000),
            prespecified_normalizer(),
            Generator(resolutions, filters, latent_size, num_pitches, **generator_settings),
            Generator(resolutions, filters, latent_size, num_pitches, **generator_settings),
            Discriminator(resolutions, filters, num_pitches),
            PitchClasses((40, 43, 50), (2, 1, 5)),
        )
        # Biases are zero at first, which would hide mistakes in them.
        rng = np.random.default_rng(seed)
        for network in (model.generator, model.discriminator):
            for variable in network.trainable_variables:
                if variable.name == "bias":
                    variable.assign(rng.normal(scale=0.3, size=variable.shape))
        model.smoothed_generator.set_weights(model.generator.get_weights())
        return model

    return make
