"""What several tests share: two logical CPUs, the golden files, small models, commands, a small trained run."""

import contextlib
import importlib
import io
import json
import os
import pathlib
import signal
import sys
import typing
from collections.abc import Callable

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf  # noqa: E402  (the line above must come first)

from gansynth_tf import compiled  # noqa: E402

compiled.load_librosa()  # Tests run in several processes, and some import librosa themselves.

# A shell starts what runs in the background with Ctrl-C ignored, and commands under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

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
def mirrored():
    """Two replicas on this machine's processors.

    TensorFlow numbers the collective operations of every strategy in a process from the same start, and takes those of
    a second one for members of the first one's. So the tests share this one, and it counts apart from those that the
    commands under test make.
    """

    class CountedApart(tf.distribute.MirroredStrategy):
        _collective_key_base = 1000

    return CountedApart(["CPU:0", "CPU:1"])


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

    def make(
        representation=None, resolutions=None, seed=5, dtype="float32", group_size=1, **generator_settings
    ) -> GANSynth:
        keras.utils.set_random_seed(seed)
        resolutions = resolutions or ResolutionSchedule((2, 4), 3)
        filters, latent_size, num_pitches = (9, 7, 6, 5), 11, 3
        model = GANSynth(
            representation or MelIF((8, 16), audio_length=80, sample_rate=2000),
            prespecified_normalizer(),
            Generator(resolutions, filters, latent_size, num_pitches, dtype=dtype, **generator_settings),
            Generator(resolutions, filters, latent_size, num_pitches, **generator_settings),
            Discriminator(resolutions, filters, num_pitches, group_size=group_size, dtype=dtype),
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


# ---------------------------------------------------------------------------------------------------- commands


class Finished(typing.NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def run_command() -> Callable[..., Finished]:
    """Runs a console script inside this process, which has TensorFlow already: ("train", "--config=…", …)."""
    return _run_command


def _run_command(name: str, *arguments: str) -> Finished:
    from absl import flags

    from gansynth_tf.cli import entry

    shared = set(flags.FLAGS)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    argv, sys.argv = sys.argv, [f"gansynth_{name}", *arguments]
    out, err, code = io.StringIO(), io.StringIO(), None
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            importlib.import_module(f"gansynth_tf.cli.{name}").console_entry_point()
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv = argv
        for number, handler in handlers.items():
            signal.signal(number, handler)
        # Several commands have flags of one name: each is imported afresh and leaves none behind.
        for flag in set(flags.FLAGS) - shared:
            delattr(flags.FLAGS, flag)
        for flag in flags.FLAGS.get_flags_for_module(entry):
            flag.unparse()
        flags.FLAGS.unparse_flags()
        sys.modules.pop(f"gansynth_tf.cli.{name}", None)
    assert isinstance(code, int), f"gansynth_{name} did not end its process"
    return Finished(code, out.getvalue(), err.getvalue())


# Two resolutions, so three stages: stable, fading, stable.
_TINY = {
    "soundfont_programs": [11, 24], "soundfont_velocities": [100], "min_pitch": 60, "max_pitch": 62,
    "audio_length": 4000, "sample_rate": 16000, "data_type": "mel", "mel_downscale": 16, "start_height": 8,
    "start_width": 16, "num_resolutions": 2, "latent_vector_size": 5, "fmap_base": 8, "fmap_max": 8, "fmap_min": 3,
    "batch_size_schedule": [4, 3], "stable_stage_num_images": 24, "transition_stage_num_images": 24,
    "total_num_images": 75, "save_summaries_num_images": 40, "fake_batch_size": 6, "steps_per_call": 3,
    "snapshot_metric_notes": 0, "checkpoint_seconds": 1000.0,
}  # fmt: skip


@pytest.fixture(scope="session")
def tiny_notes(run_command, tmp_path_factory) -> pathlib.Path:
    """A few notes of a quarter of a second at three pitches, from the default SoundFont: a folder of records."""
    folder = tmp_path_factory.mktemp("tiny") / "data"
    finished = run_command("prepare", f"--hparams={json.dumps(_TINY)}", f"--output_dir={folder}")
    assert finished.code == 0, finished.err
    return folder


@pytest.fixture(scope="session")
def tiny_hparams(tiny_notes) -> Callable[..., str]:
    """Makes the --hparams flag of a small progressive run in a folder, on shared notes; other settings override."""

    def make(run: pathlib.Path | str, **others) -> str:
        return "--hparams=" + json.dumps(_TINY | {"records_dir": str(tiny_notes), "train_root_dir": str(run)} | others)

    return make


class TinyRun(typing.NamedTuple):
    """A finished run: its folder, the flag that made it, what the command wrote."""

    folder: pathlib.Path
    hparams: str
    finished: Finished


@pytest.fixture(scope="session")
def tiny_run(run_command, tiny_hparams, tmp_path_factory) -> TinyRun:
    """A small trained run; tests read it, and copy the folder where they must change it."""
    folder = tmp_path_factory.mktemp("tiny") / "run"
    flag = tiny_hparams(folder)
    finished = run_command("train", flag)
    assert finished.code == 0, finished.err
    return TinyRun(folder, flag, finished)


@pytest.fixture(scope="session")
def exported(tiny_run, run_command, tmp_path_factory) -> pathlib.Path:
    """The small run, exported: a folder with version 1. Tests read it, and copy it where they must change it."""
    folder = tmp_path_factory.mktemp("tiny") / "new" / "export"
    finished = run_command("export", f"--ckpt_dir={tiny_run.folder}", f"--export_dir={folder}")
    assert finished.code == 0, finished.err
    assert finished.out == f"Saved to {folder / '1'}: z [batch, 5] and pitch [batch] -> 0.25 s of audio\n"
    return folder


# ---------------------------------------------------------------------------------------------------- Magenta's models

# As Magenta's trainer writes them; sizes of three resolutions up to [64, 128], pitches 60 to 62.
_MAGENTA = {
    "train_root_dir": "/gone/gansynth/train", "train_data_path": "/gone/nsynth-train.tfrecord",
    "tfds_data_dir": "/gone/datasets", "dataset_name": "nsynth_tfds", "data_type": "linear", "audio_length": 4000,
    "sample_rate": 16000, "data_normalizer": "specgrams_prespecified_normalizer", "batch_size_schedule": [4],
    "stable_stage_num_images": 24, "transition_stage_num_images": 24, "total_num_images": 160,
    "train_progressive": True, "latent_vector_size": 5, "kernel_size": 3, "start_height": 16, "start_width": 32,
    "scale_mode": "ALL", "scale_base": 2, "num_resolutions": 3, "to_rgb_activation": "tanh", "fmap_base": 20,
    "fmap_decay": 1.0, "fmap_max": 7, "g_fn": "specgram", "d_fn": "specgram", "master": "", "ps_tasks": 0, "task": 0,
    "debug_hook": False,
}  # fmt: skip


def _magenta_shapes(settings: dict, stage: int, num_pitches: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of what Magenta's TF1 graph saves in a stage (its networks.py, layers.py, model.py)."""
    widths = [settings["fmap_base"] / 2.0 ** (block * settings["fmap_decay"]) for block in range(10)]
    channels = [int(min(width, settings["fmap_max"])) for width in widths]
    start, k, shapes = (settings["start_height"], settings["start_width"]), settings["kernel_size"], {}

    def layer(scope: str, kind: str, *kernel: int) -> None:
        shapes[f"{scope}/{kind}/kernel"], shapes[f"{scope}/bias"] = kernel, kernel[-1:]

    for block in range(1, (stage + 1) // 2 + 2):
        c, below = channels[block], channels[block - 1]
        g = f"Generator/progressive_gan_generator/progressive_gan_block_{block}"
        d = f"Discriminator/progressive_gan_discriminator/progressive_gan_block_{block}"
        first = (*start, settings["latent_vector_size"] + num_pitches) if block == 1 else (k, k, below)
        layer(f"{g}/conv0", "conv2d", *first, c)
        layer(f"{g}/conv1", "conv2d", k, k, c, c)
        layer(f"{g}/to_rgb", "conv2d", 1, 1, c, 2)
        layer(f"{d}/from_rgb", "conv2d", 1, 1, 2, c)
        layer(f"{d}/conv0", "conv2d", k, k, c + (block == 1), c)
        layer(f"{d}/conv1", "conv2d", *(start if block == 1 else (k, k)), c, below)
    layer("Discriminator/progressive_gan_discriminator/progressive_gan_block_1/logits", "dense", channels[0], 1)
    layer("Discriminator/discriminator_cond/classification_logits", "dense", channels[0], num_pitches)
    return shapes


class MagentaFolder(typing.NamedTuple):
    """A folder as Magenta leaves it, with random weights, and what is in its checkpoint."""

    folder: pathlib.Path
    stage: pathlib.Path
    variables: dict[str, np.ndarray]


@pytest.fixture(scope="session")
def make_magenta() -> Callable[..., MagentaFolder]:
    """Writes a Magenta folder: (folder, stage, examples, **settings that differ from small ones)."""
    return _make_magenta


def _make_magenta(
    folder: pathlib.Path, stage: int = 4, examples: int = 120, pitches: list[int] | None = None, **settings
) -> MagentaFolder:
    settings, rng, variables = _MAGENTA | settings, np.random.default_rng(stage), {}
    pitches = pitches or [60, 61, 62]
    for name, shape in _magenta_shapes(settings, stage, len(pitches)).items():
        twins = [name, name + "/ExponentialMovingAverage"] if name.startswith("Generator/") else [name]
        for twin in (*twins, f"progressive_gan_train_ops/{name}/Adam", f"progressive_gan_train_ops/{name}/Adam_1"):
            variables[twin] = rng.standard_normal(shape, np.float32)
    for network in ("generator", "discriminator"):
        variables |= {f"progressive_gan_train_ops/{network}_train/beta{n}_power": np.float32(0) for n in (1, 2)}
    variables |= {"Variable": np.float32(33.5), "global_step": np.int64(examples)}
    stage_folder, name = folder / f"stage_{stage:05d}", f"model.ckpt-{examples}"
    stage_folder.mkdir(parents=True)
    slices, tensors = [""] * len(variables), [tf.constant(v) for v in variables.values()]
    tf.raw_ops.SaveV2(
        prefix=str(stage_folder / name), tensor_names=list(variables), shape_and_slices=slices, tensors=tensors
    )
    (stage_folder / "checkpoint").write_text(f'model_checkpoint_path: "/gone/{stage_folder.name}/{name}"\n')
    (folder / "experiment.json").write_text(json.dumps(settings))
    if pitches != list(range(24, 85)):  # Magenta knows no others; forks of it do.
        (folder / "pitches.json").write_text(json.dumps({"pitches": pitches, "counts": [3] * len(pitches)}))
    return MagentaFolder(folder, stage_folder, variables)
