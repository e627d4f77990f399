"""Run by the peer's Python: one note of Magenta's GANSynth in a WAV file, from a cold start.

    PEER/bin/python benchmarks/peer_cold_start.py PATH_OF_magenta_peer.py NOTE.wav

Builds mel_prog_hires with random weights for one note (its own command would also restore a checkpoint), generates, and
writes. Whoever starts it measures the time.
"""

import pathlib
import sys

import numpy as np
import scipy.io.wavfile

script, wav = pathlib.Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, str(script.parent))
import magenta_peer  # noqa: E402  (found by the line above)

magenta_peer.load_notes(None)
flags = magenta_peer.make_flags({}, "unused")
model = magenta_peer.lib_model.Model(2 * flags["num_resolutions"] - 2, 1, flags)
magenta_peer.initialise(model)
z = np.random.RandomState(0).normal(size=(1, flags["latent_vector_size"]))
audio = model.generate_samples_from_z(z, [60])
scipy.io.wavfile.write(wav, 16000, np.asarray(audio, np.float32).reshape(-1))
