"""GANSynth: adversarial neural audio synthesis (Engel et al., ICLR 2019) in TensorFlow 2 and Keras 3.

    import gansynth_tf

    model = gansynth_tf.load("runs/quickstart")
    waves = model.generate(model.sample_z(3, seed=0), [60, 64, 67])  # float32 [batch, samples]
"""

from gansynth_tf.build import load
from gansynth_tf.hparams import HParams
from gansynth_tf.pitches import PitchClasses, hz_to_midi, midi_to_hz
from gansynth_tf.settings import list_presets

__version__ = "0.1.0"
__all__ = ["HParams", "PitchClasses", "hz_to_midi", "list_presets", "load", "midi_to_hz"]
