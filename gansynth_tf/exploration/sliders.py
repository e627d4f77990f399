"""Sliders: directions in latent space under names, kept beside the model, and set by value."""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from gansynth_tf import files

SLIDERS_FILE = "sliders.json"  # In a run folder; an exported model has the same in its gansynth.json.


class Slider(NamedTuple):
    """A direction.

    `direction`: float32 [latent], of unit length, so that the slider's value counts standard deviations of z. `share`:
    of the variance it accounts for where it was found. `effects`: what a step of 1 does to a note, by quality; may be
    empty.
    """

    direction: np.ndarray
    share: float
    effects: Mapping[str, float]


def move(z: np.ndarray, sliders: Mapping[str, Slider], values: Mapping[str, float], keep_norm: bool = True):
    """Sets sliders.

    Args:
        z: Latents where all sliders stand at 0, [..., latent].
        sliders: By name.
        values: Where sliders shall stand, by name, in standard deviations of z; the others stay at 0.
        keep_norm: Keep each latent's length. The generator weighs z against the pitch by its length, so a longer one
            would weaken the pitch.

    Returns:
        float32 [..., latent].

    Raises:
        ValueError: If there is no such slider, a value is not finite, or the latents have another length.
    """
    z = np.asarray(z, np.float32)
    moved = z.astype(np.float64)
    for name, value in values.items():
        if name not in sliders:
            raise ValueError(f"Expected one of the sliders {', '.join(sliders)}. Received: {name!r}")
        direction = sliders[name].direction
        if not np.isfinite(value) or z.shape[-1:] != direction.shape:
            found = f"{name}={value} for latents {list(z.shape)}"
            raise ValueError(f"Expected a finite value and latents [..., {len(direction)}]. Received: {found}")
        moved = moved + value * direction
    if keep_norm:
        lengths = np.linalg.norm(moved, axis=-1, keepdims=True)
        moved = moved * np.linalg.norm(z, axis=-1, keepdims=True) / np.where(lengths > 0, lengths, 1.0)
    return moved.astype(np.float32)


def rename(sliders: Mapping[str, Slider], names: Mapping[str, str]) -> dict[str, Slider]:
    """Gives sliders other names, in their old places.

    Args:
        sliders: By name.
        names: Old name -> new name.

    Raises:
        ValueError: If there is no such slider, or two would have one name.
    """
    for old, new in names.items():
        if old not in sliders:
            raise ValueError(f"Expected one of the sliders {', '.join(sliders)}. Received: {old!r}")
        if not new.strip() or set(new) & set("=,"):
            raise ValueError(f"Expected a name without commas and equals signs. Received: {new!r}")
    renamed = {names.get(name, name): slider for name, slider in sliders.items()}
    if len(renamed) < len(sliders):
        raise ValueError(f"Expected different names. Received: {', '.join(names.values())}; one is in use already")
    return renamed


# ---------------------------------------------------------------------------------------------------- files


def to_json(sliders: Mapping[str, Slider], fingerprint: str = "") -> dict:
    """Sliders as JSON holds them.

    Args:
        sliders: By name.
        fingerprint: Of the weights they were found in.

    Returns:
        A dict with "fingerprint" and "sliders", which `from_json` reads.
    """
    listed = [
        {
            "name": name,
            "share": slider.share,
            "effects": dict(slider.effects),
            "direction": [round(float(x), 6) for x in slider.direction],
        }
        for name, slider in sliders.items()
    ]
    return {"fingerprint": fingerprint, "sliders": listed}


def save_sliders(path: str | os.PathLike, sliders: Mapping[str, Slider], fingerprint: str = "") -> None:
    """Writes what `to_json` makes, whole or not at all."""
    files.write_json(path, to_json(sliders, fingerprint))


def load_sliders(path: str | os.PathLike, latent_size: int) -> tuple[dict[str, Slider], str]:
    """Reads sliders.

    Args:
        path: What `save_sliders` wrote, or the gansynth.json of an exported model.
        latent_size: Length of the model's latents.

    Returns:
        Sliders by name, and the fingerprint of the weights they were found in.

    Raises:
        OSError: If there is no such file.
        ValueError: If it holds no sliders of latents of that length.
    """
    text = pathlib.Path(path).read_text()
    sliders = {}
    try:
        content = json.loads(text)
        for each in content["sliders"]:
            direction = np.asarray(each["direction"], np.float32)
            if direction.shape != (latent_size,) or not np.all(np.isfinite(direction)) or not direction.any():
                raise ValueError(f"{each['name']!r} is no direction [{latent_size}]")
            effects = {name: float(value) for name, value in each["effects"].items()}
            sliders[each["name"]] = Slider(direction, float(each["share"]), effects)
        return sliders, str(content["fingerprint"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found = f"{path} ({type(error).__name__}: {error}); remove it, and gansynth_explore finds new ones"
        raise ValueError(f"Expected sliders of this model. Received: {found}") from error


def format_table(sliders: Mapping[str, Slider]) -> str:
    """A Markdown table: each slider's share, and what a step of 1 does."""
    qualities = list(next(iter(sliders.values())).effects)
    lines = [f"| slider | share | {' | '.join(name.replace('_', ' ') for name in qualities)} |"]
    lines[0] = lines[0].replace(" db", " dB")
    lines.append("|---" * (len(qualities) + 2) + "|")
    for name, slider in sliders.items():
        cells = [f"{slider.effects[quality]:+.2f}" for quality in qualities]
        lines.append(f"| {' | '.join([name, f'{slider.share:.3f}', *cells])} |")
    return "\n".join(lines)
