"""Every setting of a run, in one frozen dataclass with Magenta's field names.

Precedence: default < preset (`configs/NAME.py`) < `--hparams` JSON < the `experiment.json` of the run that is resumed,
where a conflicting override is an error. Defaults are those of Magenta's `set_flags` (models/gansynth/lib/model.py)
unless a comment says otherwise.
"""

import dataclasses
import difflib
import json
import math
import typing

# Fields of Magenta that mean nothing here; accepted, so that its command lines and experiment.json files load.
IGNORED_MAGENTA_KEYS = (
    "train_data_path", "master", "ps_tasks", "task", "debug_hook", "g_fn", "d_fn", "eval_batch_size",
)  # fmt: skip

# Settings of a run that may change when it is resumed: they do not touch what is learnt.
RESUMABLE_CHANGES = (
    "train_root_dir", "soundfont_path", "data_path", "tfds_data_dir", "total_num_images", "train_time_limit",
    "save_summaries_num_images", "steps_per_call", "keep_checkpoints", "checkpoint_seconds", "records_dir",
    "fake_batch_size", "snapshot_metric_notes", "keep_every_examples", "keep_best", "jit_compile",
)  # fmt: skip

# Settings that each source of a mix may have for itself.
SOURCE_KEYS = (
    "data_path", "tfds_data_dir", "tfds_name", "detect_pitch", "trim_silence", "instrument_sources",
    "instrument_families", "min_velocity", "max_velocity", "min_pitch", "max_pitch", "soundfont_path",
    "soundfont_programs", "soundfont_velocities", "soundfont_hold_fraction",
)  # fmt: skip

# Settings that a run does not take over from the model it starts from (init_from): its notes, its files, its length.
NOT_INHERITED = (
    *RESUMABLE_CHANGES, *SOURCE_KEYS, "dataset_name", "sources", "seed", "init_from", "train_progressive",
)  # fmt: skip

# Settings that say where files are on the machine that trained.
_PLACES = ("train_root_dir", "records_dir", "data_path", "tfds_data_dir", "soundfont_path", "init_from")

_CHOICES = {
    "dataset_name": ("soundfont", "folder", "records", "nsynth_tfds", "nsynth_records", "mix"),
    "data_type": ("linear", "phase", "mel", "wave"),
    "data_normalizer": (
        "none",
        "specgrams_prespecified_normalizer",
        "specgrams_simple_normalizer",
        "specgrams_freq_normalizer",
    ),  # fmt: skip
    "scale_mode": ("ALL", "H"),
    "to_rgb_activation": ("tanh", "linear"),
    "mel_if": ("matrix", "power_mean"),
    "precision": ("float32", "mixed_bfloat16", "mixed_float16"),
    "model_type": ("gansynth", "wavegan", "wavenet", "wavenet_autoencoder", "spectral_autoencoder"),
    "adversarial_loss": ("wgan_gp", "logistic_r1", "relativistic_r1_r2"),
    "wavenet_output": ("mu_law", "logistics"),
}


_AT_LEAST_ONE = (
    "audio_length", "sample_rate", "mel_downscale", "latent_vector_size", "kernel_size", "start_height",
    "start_width", "num_resolutions", "fmap_base", "fmap_max", "fmap_min", "gradient_penalty_interval",
    "stable_stage_num_images", "transition_stage_num_images", "total_num_images", "save_summaries_num_images",
    "fake_batch_size", "steps_per_call", "keep_checkpoints", "normalizer_num_examples",
    "wavegan_dim", "wavegan_critic_updates", "wavenet_width", "wavenet_skip_width", "wavenet_layers",
    "wavenet_stack_layers", "wavenet_hop", "wavenet_condition_width", "wavenet_chunk_frames",
    "wavenet_encoder_width", "wavenet_code_size", "spectral_width", "spectral_code_size",
    "griffin_lim_iterations", "pitch_group_size",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class HParams:
    """Settings of one run. Counts called `num_images` are training examples: the name is Magenta's."""

    # ------------------------------------------------------------------------------------------ files
    train_root_dir: str = "/tmp/gansynth/train"
    records_dir: str = ""  # Where rendered notes are kept; empty: train_root_dir/data.
    init_from: str = ""  # A model whose weights are the first ones; see training/transfer.py.
    # ------------------------------------------------------------------------------------------ data
    dataset_name: str = "soundfont"  # Magenta: nsynth_tfds.
    data_path: str = ""  # Of "folder", "records" and "nsynth_records".
    tfds_data_dir: str = ""  # Of "nsynth_tfds"; empty: where TFDS keeps its data.
    tfds_name: str = "nsynth/gansynth_subset"
    sources: tuple[dict, ...] = ()  # Of "mix": [{"name": "folder", "weight": 2, "data_path": "mine"}, …].
    detect_pitch: bool = False  # Measure the pitch of files that nothing else says.
    trim_silence: bool = False  # Begin files at their sound.
    unconditional: bool = False  # One class, whatever the notes' pitches.
    instrument_sources: tuple[str, ...] = ()  # Of acoustic, electronic, synthetic; empty: all.
    instrument_families: tuple[str, ...] = ()  # NSynth's; empty: all.
    min_velocity: int = 0
    max_velocity: int = 127
    soundfont_path: str = ""  # Empty: the SoundFont that pretty_midi installs.
    soundfont_programs: tuple[int, ...] = ()  # General MIDI programs from 0; empty: every usable acoustic one.
    soundfont_velocities: tuple[int, ...] = (25, 50, 75, 100, 127)  # NSynth's.
    soundfont_hold_fraction: float = 0.75  # NSynth holds 3 of 4 seconds.
    min_pitch: int = 24  # The paper's range of MIDI pitches.
    max_pitch: int = 84
    audio_length: int = 64000  # Samples.
    sample_rate: int = 16000  # Hz.
    # ------------------------------------------------------------------------------------------ signal
    data_type: str = "mel"
    mel_downscale: int = 1  # Linear bins for each mel band. Magenta: 1.
    mel_if: str = "matrix"  # How a band's IF is made of its bins'. Magenta: matrix.
    data_normalizer: str = "specgrams_prespecified_normalizer"
    normalizer_margin: float = 0.8
    normalizer_num_examples: int = 1000
    mag_normalizer_a: float = 0.0661371661726
    mag_normalizer_b: float = 0.113718730221
    p_normalizer_a: float = 0.8
    p_normalizer_b: float = 0.0
    # ------------------------------------------------------------------------------------------ networks
    latent_vector_size: int = 256
    kernel_size: int = 3
    kernel_width: int = 0  # Taps along frequency; 0: as many as along time. Magenta has but kernel_size.
    start_height: int = 4
    start_width: int = 8
    scale_mode: str = "ALL"
    scale_base: int = 2
    num_resolutions: int = 7
    simple_arch: bool = False
    to_rgb_activation: str = "tanh"
    fmap_base: int = 512
    fmap_decay: float = 1.0
    fmap_max: int = 128
    fmap_min: int = 1  # Lower bound on channels; Magenta has none.
    pitch_scale: float = 1.0  # Multiplies the one-hot pitch beside z. Magenta: 1.
    # ------------------------------------------------------------------------------------------ baselines
    model_type: str = "gansynth"  # Another type's one network learns by generator_learning_rate.
    wavegan_dim: int = 64
    wavegan_shuffle: int = 2  # Largest shift of phase shuffle, samples.
    wavegan_critic_updates: int = 5  # For each of the generator; each takes a batch.
    wavenet_output: str = "mu_law"
    wavenet_width: int = 512
    wavenet_skip_width: int = 256
    wavenet_layers: int = 30
    wavenet_stack_layers: int = 10  # The dilation doubles so often, then starts again.
    wavenet_hop: int = 512  # Samples for one frame of the condition.
    wavenet_condition_width: int = 512
    wavenet_chunk_frames: int = 12  # Frames of a note in an update.
    wavenet_encoder_width: int = 128
    wavenet_code_size: int = 16  # Numbers in a frame.
    spectral_width: int = 128
    spectral_code_size: int = 1984
    griffin_lim_iterations: int = 1000
    # ------------------------------------------------------------------------------------------ losses
    adversarial_loss: str = "wgan_gp"  # See training/objectives.py. Magenta: wgan_gp.
    gradient_penalty_target: float = 1.0
    gradient_penalty_weight: float = 10.0
    gradient_penalty_interval: int = 1  # Penalty every k-th update with k times the weight. Magenta: 1.
    real_score_penalty_weight: float = 0.001
    generator_ac_loss_weight: float = 1.0
    discriminator_ac_loss_weight: float = 1.0
    pitch_projection: bool = False  # Whether the logit of a note's pitch is part of the critic's score.
    pitch_group_size: int = 1  # Notes of one pitch side by side in a batch; minibatch stddev is taken over them.
    gen_gl_consistency_loss_weight: float = 0.0
    # ------------------------------------------------------------------------------------------ optimisation
    generator_learning_rate: float = 0.0004
    discriminator_learning_rate: float = 0.0004
    adam_beta1: float = 0.0
    adam_beta2: float = 0.99
    decay_at_updates: tuple[int, ...] = ()  # Updates at which a baseline's rate falls, as NSynth's does.
    ema_decay: float = 0.999  # A constant in Magenta.
    precision: str = "float32"  # Of the networks; signal path, losses and penalty stay float32. Magenta: float32.
    jit_compile: bool = False  # Whether XLA compiles the networks; one device only. Magenta: False.
    # ------------------------------------------------------------------------------------------ schedule
    train_progressive: bool = True
    batch_size_schedule: tuple[int, ...] = (16, 8)
    stable_stage_num_images: int = 32
    transition_stage_num_images: int = 32
    total_num_images: int = 320
    train_time_limit: float | None = None  # Seconds of training after which the run ends.
    train_time_stage_multiplier: float = 1.0
    # ------------------------------------------------------------------------------------------ reporting
    save_summaries_num_images: int = 100  # Examples between two snapshots.
    fake_batch_size: int = 16  # Notes in a snapshot; the same latents each time.
    snapshot_metric_notes: int = 256  # Notes that are measured at a snapshot; 0: none.
    steps_per_call: int = 20  # Updates in one call of the graph.
    checkpoint_seconds: float = 600.0  # Magenta: 600.
    keep_checkpoints: int = 5  # Magenta: 5.
    keep_every_examples: int = 0  # Examples between two checkpoints that stay for good, in kept/; 0: none.
    keep_best: str = ""  # Snapshot metric whose largest value (with "-" in front: smallest) is kept in kept/best.
    seed: int = 0

    def __post_init__(self):
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, _checked(field, getattr(self, field.name)))
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}. Received: {getattr(self, name)!r}")
        self._check_ranges()
        if bool(self.sources) != (self.dataset_name == "mix"):
            received = f"dataset_name {self.dataset_name!r} and {len(self.sources)} sources"
            raise ValueError(f"sources belong to dataset_name 'mix', which needs at least one. Received: {received}")
        self.mixed_sources()

    def _check_ranges(self) -> None:
        """Bounds that no type says."""
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1. Received: {getattr(self, name)}")
        rates = ("generator_learning_rate", "discriminator_learning_rate")
        for name in (*rates, "gradient_penalty_target", "checkpoint_seconds", "train_time_stage_multiplier"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be greater than 0. Received: {getattr(self, name)}")
        for name in ("adam_beta1", "adam_beta2", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and below 1. Received: {getattr(self, name)}")
        for what in ("pitch", "velocity"):
            low, high = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            if not 0 <= low <= high <= 127:
                raise ValueError(f"Expected 0 <= min_{what} <= max_{what} <= 127. Received: {low} and {high}")
        if self.kernel_width < 0:
            raise ValueError(f"kernel_width must be at least 0. Received: {self.kernel_width}")
        if self.snapshot_metric_notes != 0 and self.snapshot_metric_notes < 4:
            raise ValueError(f"snapshot_metric_notes must be 0, or 4 or more. Received: {self.snapshot_metric_notes}")
        if self.keep_every_examples < 0:
            raise ValueError(f"keep_every_examples must be at least 0. Received: {self.keep_every_examples}")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed must be in 0..{2**31 - 1}. Received: {self.seed}")
        if not 0 < self.soundfont_hold_fraction <= 1:
            raise ValueError(f"soundfont_hold_fraction must be in (0, 1]. Received: {self.soundfont_hold_fraction}")
        if self.train_time_limit is not None and not self.train_time_limit > 0:
            raise ValueError(f"train_time_limit must be seconds above 0, or null. Received: {self.train_time_limit}")
        self._check_architecture()

    def _check_architecture(self) -> None:
        """Settings that must fit each other."""
        sizes = self.batch_size_schedule
        if not 1 <= len(sizes) <= self.num_resolutions or min(sizes) < 1:
            raise ValueError(
                f"batch_size_schedule must hold 1 to num_resolutions={self.num_resolutions} sizes of at least 1. "
                f"Received: {list(sizes)}"
            )
        if self.simple_arch:
            raise ValueError("simple_arch=true is not built here: use simple_arch=false, the paper's architecture.")

    # ------------------------------------------------------------------------------------------ derived
    @property
    def kernel(self) -> tuple[int, int]:
        """Taps of the inner convolutions along (time, freq)."""
        return self.kernel_size, self.kernel_width or self.kernel_size

    @property
    def hold_seconds(self) -> float:
        """How long a rendered note is held before its release."""
        return self.soundfont_hold_fraction * self.audio_length / self.sample_rate

    def mixed_sources(self) -> list[tuple[float, "HParams"]]:
        """Weight and settings of each source of a mix: the run's own settings, overridden by what the source says.

        Raises:
            ValueError: A source has no name, a weight that is not positive, or a setting that is not one of data.
        """
        mixed = []
        for number, source in enumerate(self.sources, start=1):
            own = dict(source)
            name, weight = own.pop("name", None), own.pop("weight", 1.0)
            where = f"Source {number} of sources"
            if not isinstance(name, str) or name == "mix" or name not in _CHOICES["dataset_name"]:
                known = ", ".join(choice for choice in _CHOICES["dataset_name"] if choice != "mix")
                raise ValueError(f"{where} must have a 'name' among {known}. Received: {name!r}")
            if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < math.inf:
                raise ValueError(f"{where} must have a 'weight' above 0. Received: {weight!r}")
            for key in own:
                if key not in SOURCE_KEYS:
                    nearest = difflib.get_close_matches(key, SOURCE_KEYS, n=1, cutoff=0.0)[0]
                    raise ValueError(f"{where} has an unknown setting {key!r}. Did you mean {nearest!r}?")
            mixed.append((float(weight), dataclasses.replace(self, **own, dataset_name=name, sources=())))
        return mixed

    # ------------------------------------------------------------------------------------------ to and from
    def override(self, values: dict) -> "HParams":
        """A copy with other values; ValueError names the nearest field for an unknown key."""
        values = {k: v for k, v in values.items() if k not in IGNORED_MAGENTA_KEYS}
        names = [f.name for f in dataclasses.fields(self)]
        for key in values:
            if key not in names:
                nearest = difflib.get_close_matches(key, names, n=1, cutoff=0.0)[0]
                raise ValueError(f"Unknown hparam {key!r}. Did you mean {nearest!r}?")
        return dataclasses.replace(self, **values)

    def without_files(self) -> "HParams":
        """A copy that does not say where files are."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        sources = tuple({k: v for k, v in source.items() if k not in _PLACES} for source in self.sources)
        return dataclasses.replace(self, sources=sources, **{name: defaults[name] for name in _PLACES})

    def to_dict(self) -> dict:
        """Flat dict of JSON types, as in `experiment.json`."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()}

    def differences(self, other: "HParams") -> dict[str, tuple]:
        """Fields that differ: name -> (own value, other's value)."""
        mine, theirs = self.to_dict(), other.to_dict()
        return {k: (mine[k], theirs[k]) for k in mine if mine[k] != theirs[k]}


def parse_overrides(text: str) -> dict:
    """The dict that a `--hparams` flag holds.

    Args:
        text: A JSON object; empty means none.

    Raises:
        ValueError: If the text is no JSON object, with the place of the mistake.
    """
    expected = "--hparams must be a JSON object such as '{\"seed\": 1}'."
    try:
        values = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise ValueError(f"{expected} Received {text!r}: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{expected} Received: {text!r}")
    return values


def _checked(field: dataclasses.Field, value: object) -> object:
    """The value in the field's type; ValueError when it is another."""
    kind = field.type
    optional = type(None) in typing.get_args(kind)
    if optional and value is None:
        return None
    kind = next((t for t in typing.get_args(kind) if t is not type(None)), kind) if optional else kind
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        if isinstance(value, (list, tuple)) and all(type(v) is inner for v in value):
            return tuple(value)
        plural = {int: "integers", str: "strings", dict: "objects"}[inner]
        raise ValueError(f"{field.name} must be a list of {plural}. Received: {value!r}")
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError(f"{field.name} must be a finite number. Received: {value!r}")
        return float(value)
    if type(value) is kind:
        return value
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    words = {int: "an integer", float: "a number", str: "a string", bool: "true or false"}
    raise ValueError(f"{field.name} must be {words[kind]}. Received: {value!r}")
