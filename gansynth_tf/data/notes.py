"""One note and its `tf.train.Example`; features named as in TFDS nsynth/gansynth_subset, audio in 16 bits."""

import dataclasses
import hashlib

import numpy as np

SPLITS = ("train", "valid", "test")
# NSynth's own lists and orders; records hold places in them, as TFDS does.
FAMILIES = (
    "bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "synth_lead", "vocal",
)
SOURCES = ("acoustic", "electronic", "synthetic")
QUALITIES = (
    "bright", "dark", "distortion", "fast_decay", "long_release",
    "multiphonic", "nonlinear_env", "percussive", "reverb", "tempo-synced",
)
UNKNOWN = -1  # What a record holds in place of a pitch, velocity, family or source that nobody knows.


@dataclasses.dataclass(frozen=True)
class Note:
    """One note on its way into a shard.

    Args:
        id: Unique name, as NSynth's "flute_acoustic_002-060-100".
        audio: float [samples] in [-1, 1], or int16 [samples].
        pitch: MIDI pitch; `UNKNOWN` for a sound of no known pitch.
        velocity: MIDI velocity, or `UNKNOWN`.
        instrument: The instrument's unique name.
        family: One of `FAMILIES`; empty: not known.
        source: One of `SOURCES`; empty: not known.
        split: One of `SPLITS`.
        qualities: Those of `QUALITIES` that the note has.
    """

    id: str
    audio: np.ndarray
    pitch: int
    velocity: int
    instrument: str
    family: str
    source: str
    split: str
    qualities: tuple[str, ...] = ()

    def __post_init__(self):
        named = (("family", self.family, ("", *FAMILIES)), ("source", self.source, ("", *SOURCES)))
        named += (("split", self.split, SPLITS), *(("qualities", quality, QUALITIES) for quality in self.qualities))
        for name, value, known in named:
            if value not in known:
                listed = ", ".join(filter(None, known))
                raise ValueError(f"Expected {name} of note {self.id} among {listed}. Received: {value!r}.")
        for name in ("pitch", "velocity"):
            if not (getattr(self, name) == UNKNOWN or 0 <= getattr(self, name) <= 127):
                raise ValueError(f"Expected {name} of note {self.id} in 0..127. Received: {getattr(self, name)}.")
        if np.ndim(self.audio) != 1 or not np.all(np.isfinite(self.audio)):
            found = f"shape {np.shape(self.audio)}" if np.ndim(self.audio) != 1 else "NaN or infinity"
            raise ValueError(f"Expected finite audio [samples] of note {self.id}. Received: {found}; leave it out.")


def word(known: tuple[str, ...], place: int) -> str:
    """The word at a place of `FAMILIES` or `SOURCES`; empty where it is `UNKNOWN`."""
    return known[place] if 0 <= place < len(known) else ""


def to_int16(wave: np.ndarray) -> np.ndarray:
    """16-bit samples: round(x * 32768), clipped, as NSynth's own WAV files hold; 16-bit samples stay as they are.

    Args:
        wave: float in [-1, 1], or int16, any shape.

    Returns:
        Little-endian int16, same shape.
    """
    wave = np.asarray(wave)
    if wave.dtype != np.int16:
        wave = np.clip(np.round(wave.astype(np.float64) * 32768.0), -32768, 32767)
    return wave.astype("<i2")


def place_of(note_id: str) -> float:
    """Where a note stands in a set's order: a fixed number in [0, 1) that looks random, made from its id alone."""
    # 52 bits: more would not survive in a float.
    return (int.from_bytes(hashlib.sha256(note_id.encode()).digest()[:8], "big") >> 12) / 2**52


def serialize_note(note: Note, label: int) -> bytes:
    """Encodes one note as a `tf.train.Example`; the same note gives the same bytes.

    Args:
        note: The note.
        label: The instrument's place in the manifest's list.

    Returns:
        The serialized example.
    """
    import tensorflow as tf

    integers = {
        "pitch": note.pitch,
        "velocity": note.velocity,
        "instrument/label": label,
        "instrument/family": FAMILIES.index(note.family) if note.family else UNKNOWN,
        "instrument/source": SOURCES.index(note.source) if note.source else UNKNOWN,
        **{f"qualities/{name}": int(name in note.qualities) for name in QUALITIES},
    }
    features = {name: tf.train.Feature(int64_list=tf.train.Int64List(value=[int(n)])) for name, n in integers.items()}
    for name, value in (("id", note.id.encode()), ("audio", to_int16(note.audio).tobytes())):
        features[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def relabel(serialized: bytes, label: int) -> bytes:
    """The same note with another `instrument/label`."""
    import tensorflow as tf

    example = tf.train.Example.FromString(serialized)
    example.features.feature["instrument/label"].int64_list.value[0] = label
    return example.SerializeToString(deterministic=True)


def read_id(serialized: bytes) -> str:
    """A serialized note's id."""
    import tensorflow as tf

    return tf.train.Example.FromString(serialized).features.feature["id"].bytes_list.value[0].decode()


def parse_record(serialized, num_samples: int, float_audio: bool = False) -> dict:
    """Decodes notes; usable inside `tf.data`.

    Args:
        serialized: String tensor, scalar or [batch], from `serialize_note` or from TFDS's own files.
        num_samples: Wanted length; longer audio loses its end, shorter audio is followed by zeros.
        float_audio: Whether audio is a list of numbers, as TFDS writes it, instead of 16-bit samples.

    Returns:
        "id" string, "audio" float32 [..., num_samples] in [-1, 1], and int32 "pitch", "velocity", "instrument/label",
        "instrument/family", "instrument/source" (places in the manifest's instruments, `FAMILIES`, `SOURCES`; -1 where
        unknown), and "qualities" bool [..., 10] in the order of `QUALITIES`.
    """
    import tensorflow as tf

    serialized = tf.convert_to_tensor(serialized)
    names = ["pitch", "velocity", "instrument/label", "instrument/family", "instrument/source"]
    qualities = [f"qualities/{name}" for name in QUALITIES]
    wanted = {name: tf.io.FixedLenFeature([], tf.int64) for name in names + qualities}
    wanted["id"] = wanted["audio"] = tf.io.FixedLenFeature([], tf.string)
    if float_audio:
        wanted["audio"] = tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)
    parse = tf.io.parse_single_example if serialized.shape.rank == 0 else tf.io.parse_example
    example = parse(serialized, wanted)
    if float_audio:
        audio = example["audio"][..., :num_samples]
        padding = [[0, 0]] * (audio.shape.rank - 1) + [[0, num_samples - tf.shape(audio)[-1]]]
        audio = tf.pad(audio, padding)
    else:
        samples = tf.io.decode_raw(example["audio"], tf.int16, fixed_length=2 * num_samples)
        audio = tf.cast(samples, tf.float32) * (1.0 / 32768.0)
    return {
        "id": example["id"],
        "audio": tf.ensure_shape(audio, [*serialized.shape, num_samples]),
        **{name: tf.cast(example[name], tf.int32) for name in names},
        "qualities": tf.cast(tf.stack([example[name] for name in qualities], axis=-1), tf.bool),
    }
