"""A trained model as one TFLite file, for telephones, single-board computers and plug-ins: (z, pitch) -> audio."""

import tensorflow as tf

from gansynth_tf.model import GANSynth
from gansynth_tf.serving import make_specgrams, served_variables


def to_tflite(model: GANSynth) -> bytes:
    """Converts a model to TFLite's own operations, float32.

    The file has one signature, `serving_default`: z [batch, latent] float32, pitch [batch] int32 -> audio [batch,
    samples] float32, any batch size, with the graph's rules for numbers it cannot play (see serving.make_specgrams).

    The inverse transform is `decode_real`: TFLite has no inverse Fourier transform of its own, and its delegates no
    complex numbers.

    Args:
        model: Standing at the stage that shall generate.

    Returns:
        The file's content.
    """
    make = make_specgrams(model)
    # Repeating points, as a model in the middle of its growth does, hides their number; TFLite wants to know it.
    whole = [-1, *model.representation.specgram_shape]

    def serving_default(z: tf.Tensor, pitch: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"audio": model.representation.decode_real(tf.reshape(make(z, pitch), whole))}

    holder = tf.Module()  # The converter makes constants of the variables that it finds in here.
    holder.weights, _ = served_variables(model)
    inputs = [
        tf.TensorSpec([None, model.latent_size], tf.float32, name="z"),
        tf.TensorSpec([None], tf.int32, name="pitch"),
    ]
    function = tf.function(serving_default, input_signature=inputs).get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([function], holder).convert()
