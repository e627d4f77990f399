"""Starting from another model's weights: the same networks, other notes, perhaps other pitches.

A pitch owns one row of the generator's first kernel (what its one-hot adds to every channel) and one column of the
critic's pitch head. A pitch that the other model does not know takes those of the nearest that it does. For a known
pitch the generator's output is the same: pixel norm and the kernel's scale both go by the length of what they are given
(z and one-hot), and cancel out.
"""

import keras
import numpy as np
import tensorflow as tf

from gansynth_tf.model import GANSynth


def copy_model(source: GANSynth, target: GANSynth) -> list[int]:
    """Gives a fresh model the weights and the normaliser of another.

    Args:
        source: A trained model with its critic.
        target: A model of the same architecture; its pitches may differ.

    Returns:
        The target's pitches that the source does not know, ascending.

    Raises:
        ValueError: When the architectures differ; the message says where.
    """
    check_alike(source, target)
    grown, blocks = source.num_blocks, len(source.generator.blocks)
    if grown < blocks or source.fade is not None:
        raise ValueError(
            f"Expected a model grown to its end to start from. Received: one of {grown} of {blocks} blocks."
        )
    rows = nearest_classes(source.pitches, target.pitches)
    latents = np.arange(source.latent_size)
    inputs = np.concatenate([latents, source.latent_size + rows])
    pitched = _pitched_weights(target)
    for theirs, ours in zip(source.networks, target.networks, strict=True):
        for weight, other in zip(ours.weights, theirs.weights, strict=True):
            if not any(weight is one for one in pitched):
                weight.assign(other)
    # Pitches are among the inputs of the generators' kernels, and are the outputs of the critic's head.
    places = ((inputs, -2), (inputs, -2), (rows, -1), (rows, -1))
    for weight, other, (chosen, axis) in zip(pitched, _pitched_weights(source), places, strict=True):
        weight.assign(tf.gather(other, chosen, axis=axis))
    target.normalizer.assign(source.normalizer.a.numpy(), source.normalizer.b.numpy())
    return sorted(set(target.pitches) - set(source.pitches))


def nearest_classes(known: list[int], wanted: list[int]) -> np.ndarray:
    """For every wanted pitch the index of the nearest known one, the lower of two that are equally near: int [wanted].

    Args:
        known, wanted: MIDI pitches, ascending.
    """
    return np.abs(np.asarray(wanted)[:, None] - np.asarray(known)).argmin(axis=1)


def check_alike(source: GANSynth, target: GANSynth) -> None:
    """Compares what must be equal.

    Raises:
        ValueError: When something differs; the message names each, theirs and ours.
    """
    theirs, ours = _architecture(source), _architecture(target)
    different = [f"{name} {theirs[name]} there, {ours[name]} here" for name in ours if theirs[name] != ours[name]]
    if different:
        raise ValueError(
            f"Expected a model of the same architecture to start from. Received: {'; '.join(different)}. "
            "Leave out --config, so that the settings come from that model, or change them."
        )


def _architecture(model: GANSynth) -> dict[str, object]:
    generator, resolutions = model.generator, model.generator.resolutions
    config = model.representation.get_config()
    config.pop("name")
    return config | {
        "representation": type(model.representation).__name__,
        "resolutions": [resolutions.start, resolutions.step, resolutions.num_resolutions],
        "channels": list(generator.filters),
        "kernel": list(generator.blocks[0].second.kernel_size),
        "latent_vector_size": model.latent_size,
        "to_rgb_activation": generator.activation,
        "pitch_scale": generator.pitch_scale,
        "normaliser": [list(model.normalizer.a.shape), model.normalizer.clip],
    }


def _pitched_weights(model: GANSynth) -> list[keras.Variable]:
    """The weights with a part for each pitch: the first kernel of both generators, the critic's pitch head."""
    generators = model.generator, model.smoothed_generator
    head = model.discriminator.pitch
    return [*(generator.blocks[0].first.kernel for generator in generators), head.kernel, head.bias]
