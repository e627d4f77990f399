"""Where a run's settings come from: presets (`configs/NAME.py`), overrides, and the experiment.json of a run."""

import json
import os
import pathlib
import runpy
import warnings

from gansynth_tf import files
from gansynth_tf.hparams import IGNORED_MAGENTA_KEYS, RESUMABLE_CHANGES, HParams
from gansynth_tf.pitches import PitchClasses


def list_presets() -> dict[str, pathlib.Path]:
    """Name -> file of every preset that comes with the package."""
    here = pathlib.Path(__file__).resolve().parent
    folder = here / "configs" if (here / "configs").is_dir() else here.parent / "configs"
    return {path.stem: path for path in sorted(folder.glob("[a-z]*.py"))}


BOX = pathlib.Path(__file__).resolve().parent / "box"  # The trained model that comes with the package.


def find_model(name: str | os.PathLike) -> pathlib.Path:
    """The folder that a model's name means: that of this path; for "box", and for none, the model in the box."""
    path = pathlib.Path(name).expanduser()
    return BOX if not str(name) or (str(name) == "box" and not path.exists()) else path


def folder_for(model: pathlib.Path, name: str) -> pathlib.Path:
    """Where what is made of a model goes, unless told otherwise: in its folder, but not in the package's."""
    return (pathlib.Path("/tmp/gansynth") if model.resolve() == BOX else model) / name


def read_preset(name: str) -> dict:
    """The `hparams` dict of a preset; one that sets `base` to another's name has those of that one, too.

    Args:
        name: Of a preset that comes with the package; or the path of a Python file that sets `hparams`, or of a run's
            experiment.json; empty: {}.

    Raises:
        ValueError: When there is no such preset.
    """
    if not name:
        return {}
    presets = list_presets()
    path = pathlib.Path(name).expanduser() if name.endswith((".py", ".json")) else presets.get(name)
    if path is None or not path.is_file():
        expected = f"one of {', '.join(presets)}, or the path of a .py file or of a run's experiment.json"
        raise ValueError(f"--config must be {expected}. Received: {name!r}")
    if path.suffix == ".json":
        return read_json(path)
    try:
        preset = runpy.run_path(str(path))
    except Exception as error:
        raise ValueError(f"The preset {path} cannot be run: {type(error).__name__}: {error}") from error
    values = preset.get("hparams")
    if not isinstance(values, dict):
        raise ValueError(f"A preset must set `hparams` to a dict; {path} does not.")
    return read_preset(preset.get("base", "")) | values


def resolve_hparams(config: str, overrides: dict) -> HParams:
    """Settings by precedence: default < preset < overrides < the run's own experiment.json.

    Raises:
        ValueError: For an unknown or wrong setting, or one that contradicts the run which would be resumed.
    """
    preset = read_preset(config)
    ignored = [key for key in IGNORED_MAGENTA_KEYS if key in preset | overrides]
    if ignored:
        warnings.warn(f"Settings of Magenta that mean nothing here: {', '.join(ignored)}.", stacklevel=2)
    hparams = HParams().override(preset).override(overrides)
    if files.is_remote(hparams.train_root_dir):
        raise ValueError(f"train_root_dir must be a folder of this machine. Received: {hparams.train_root_dir}")
    run = pathlib.Path(hparams.train_root_dir).expanduser()
    hparams = hparams.override({"train_root_dir": str(run)})
    if not (run / "experiment.json").exists():
        return hparams
    saved = read_experiment(run / "experiment.json")
    differences = saved.differences(hparams)
    fixed = {k: v for k, v in differences.items() if k not in RESUMABLE_CHANGES}
    if "soundfont_path" in differences and not _is_same_font(*differences["soundfont_path"]):
        fixed["soundfont_path"] = differences["soundfont_path"]
    if fixed:
        listed = "; ".join(f"{name} is {was!r}, not {now!r}" for name, (was, now) in fixed.items())
        raise ValueError(
            f"{hparams.train_root_dir} holds a run with other settings: {listed}. "
            "Repeat its settings, or choose another train_root_dir."
        )
    return hparams


def _is_same_font(before: str, now: str) -> bool:
    """Whether two settings name the same SoundFont; one that is gone has moved."""
    from gansynth_tf.data import sf2, soundfont

    paths = [pathlib.Path(path or soundfont.default_soundfont()) for path in (before, now)]
    return not paths[0].is_file() or sf2.read_font(paths[0]) == sf2.read_font(paths[1])


def read_experiment(path: pathlib.Path) -> HParams:
    """The settings that a run folder's experiment.json holds.

    Raises:
        ValueError: When it holds none, or one of another kind.
    """
    values = read_json(path)
    try:
        return HParams().override(values)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None


def read_pitches(path: pathlib.Path) -> PitchClasses:
    """The pitch classes that a run folder's pitches.json holds.

    Raises:
        ValueError: When it holds none.
    """
    values = read_json(path)
    try:
        return PitchClasses.from_json(values)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {type(error).__name__}: {error}") from None


def read_json(path: pathlib.Path) -> dict:
    """A JSON file's object.

    Raises:
        ValueError: When it holds none.
    """
    try:
        values = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is damaged, not JSON: {error}. Put a copy in its place.") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} is damaged: expected a JSON object. Received: {str(values)[:40]!r}")
    return values
