"""Long music needs no more memory than short music, and hostile files no more than their size."""

import subprocess
import sys

import pytest

_PROGRAM = """
import pathlib, re, sys
import mido
import numpy as np
from gansynth_tf.generation import midi, sound_files, writing

class Model:
    pitches, sample_rate, audio_length, latent_size = range(24, 85), 16000, 64000, 256

    def generate(self, z, pitch):
        return np.random.default_rng(0).uniform(-0.1, 0.1, [len(z), self.audio_length]).astype(np.float32)

folder, minutes, resampled = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "resampled"
track = mido.MidiTrack()
for index in range(minutes * 60 * 4):
    track.append(mido.Message("note_on", note=24 + index * 7 % 61, velocity=90, time=0))
    track.append(mido.Message("note_on", note=24 + index * 7 % 61, velocity=0, time=50))
file = mido.MidiFile(ticks_per_beat=100, tracks=[track])
file.save(folder / "long.mid")
del file, track
music, model = midi.read_midi(folder / "long.mid"), Model()
performance = writing.Performance()
z = np.random.default_rng(0).normal(size=[performance.num_instruments(music), 256]).astype(np.float32)
ensemble = writing.Ensemble(list(map(str, range(len(z)))), z, {})
sound_format = sound_files.SoundFormat("flac", sample_rate=22050, normalize="loudness") if resampled else None
path, facts = writing.write_clip(model, folder, ensemble, music, performance, sound_format, 8)
path.unlink()
# Not getrusage: it counts what the parent had, too.
print(len(music), int(re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1]) / 1024)
"""


def _peak_megabytes(folder, minutes, kind):
    arguments = [sys.executable, "-c", _PROGRAM, str(folder), str(minutes), kind]
    finished = subprocess.run(arguments, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    notes, megabytes = finished.stdout.split()
    assert int(notes) == minutes * 240
    return float(megabytes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("minutes", "kind"),
    [(6, "plain"), pytest.param(60, "plain", marks=pytest.mark.long),
     pytest.param(60, "resampled", marks=pytest.mark.long)],
)  # fmt: skip
def test_long_music_needs_no_more_memory_than_a_minute(tmp_path, minutes, kind):
    short, long = (_peak_megabytes(tmp_path, length, kind) for length in (1, minutes))
    print(f"{kind}: 1 minute {short:.0f} MB, {minutes} minutes {long:.0f} MB")
    # An hour of samples would be 230 MB. Its notes themselves, 14400, are a few megabytes.
    assert long < short + 8 + 0.1 * minutes


_HOSTILE = """
import pathlib, re, sys
from gansynth_tf.generation import midi

# Two megabytes of notes that are never released.
track = b"\\0\\x90\\x3c\\x40" + b"\\0\\x3d\\x40" * (2**21 // 3 - 20)
path = pathlib.Path(sys.argv[1]) / "hostile.mid"
path.write_bytes(b"MThd\\0\\0\\0\\6\\0\\1\\0\\1\\0\\x60MTrk" + len(track).to_bytes(4, "big") + track)
print(len(midi.read_midi(path)), int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024)
"""


@pytest.mark.long
def test_the_largest_file_allowed_costs_bounded_memory(tmp_path):
    finished = subprocess.run([sys.executable, "-c", _HOSTILE, str(tmp_path)], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    notes, megabytes = finished.stdout.split()
    print(f"{notes} notes that never end: {float(megabytes):.0f} MB")
    assert int(notes) > 600_000 and float(megabytes) < 450
