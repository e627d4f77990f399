"""Runs magenta_peer.py on notes of another length than four seconds.

    PEER/bin/python benchmarks/peer_short_notes.py PATH_OF_magenta_peer.py SAMPLES ARGUMENTS_OF_IT...

Magenta's signal path takes its length from the settings, but its data set crops and pads every note to 64,000 samples.
This replaces that one number; give `"audio_length": SAMPLES` among the settings, too.
"""

import importlib.util
import sys


def main() -> None:
    """Loads the script as a module, changes the length, and runs it with the rest of the arguments."""
    script, samples = sys.argv[1], int(sys.argv[2])
    spec = importlib.util.spec_from_file_location("magenta_peer", script)
    peer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peer)
    spectral_ops = peer.datasets.spectral_ops
    crop_or_pad = spectral_ops.crop_or_pad
    spectral_ops.crop_or_pad = lambda waves, length, channels: crop_or_pad(waves, samples, channels)
    sys.argv = [script, *sys.argv[3:]]
    peer.main()


if __name__ == "__main__":
    main()
