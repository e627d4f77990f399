"""The project's data as Magenta's GANSynth takes it: an .npz file of four-second notes at 16 kHz.

    python benchmarks/peer_notes.py --config=laptop --hparams='{"audio_length": 64000}' --output=notes.npz

Writes audio float32 [notes, 64000] and pitch int64 [notes] of one split. Magenta's code knows no other length: shorter
notes are followed by silence, longer ones are refused.
"""

import argparse

import numpy as np

from gansynth_tf import build_data, files, settings
from gansynth_tf.hparams import parse_overrides

RATE, SAMPLES = 16000, 64000


def main() -> None:
    """Writes the file and says what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="", help="preset whose data are written")
    parser.add_argument("--hparams", default="{}", help="JSON over the preset")
    parser.add_argument("--split", default="train", choices=["train", "valid", "test"])
    parser.add_argument("--output", default="notes.npz")
    args = parser.parse_args()
    hparams = settings.resolve_hparams(args.config, parse_overrides(args.hparams))
    if hparams.sample_rate != RATE or hparams.audio_length > SAMPLES:
        found = f"{hparams.audio_length} at {hparams.sample_rate} Hz"
        raise SystemExit(f"Expected at most {SAMPLES} samples at {RATE} Hz, as Magenta takes them. Received: {found}")
    notes = build_data.load_real_notes(hparams, args.split)
    audio = np.pad(notes["audio"], ((0, 0), (0, SAMPLES - notes["audio"].shape[1])))
    with files.replacing(args.output) as beside:
        np.savez_compressed(beside, audio=audio, pitch=notes["pitch"].astype(np.int64), sample_rate=RATE)
    pitches = np.unique(notes["pitch"])
    print(f"{args.output}: {len(audio)} {args.split} notes, {len(pitches)} pitches from {pitches[0]} to {pitches[-1]}")


if __name__ == "__main__":
    main()
