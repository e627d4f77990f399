"""Named instruments: latents kept as small JSON or NPZ files, chosen and mixed by name."""

import json
import os
import pathlib
import re
import zipfile
from collections.abc import Iterable, Mapping

import numpy as np

from gansynth_tf import files
from gansynth_tf.latents import mix

_NAMES_SHOWN = 12
_FORBIDDEN = ",+*"  # They separate and weigh names.
_SHARE = re.compile(r"\s*(?:(?P<weight>\d*\.?\d+)\s*\*\s*)?(?P<name>[^\s*][^*]*)")


def save_latents(path: str | os.PathLike, z: np.ndarray) -> None:
    """Writes latents [batch, latent] as a .npy file, whole or not at all; `load_instruments` names its rows."""
    if pathlib.PurePath(path).suffix != ".npy":
        raise ValueError(f"Expected a path that ends in .npy. Received: {os.fspath(path)}")
    with files.replacing(path) as beside:
        np.save(beside, np.asarray(z, np.float32), allow_pickle=False)


def save_instruments(path: str | os.PathLike, instruments: Mapping[str, np.ndarray]) -> None:
    """Writes named latents, whole or not at all.

    Args:
        path: A .json file, which people can read, or a .npz file with an array for each name.
        instruments: Latents [latent] by name, float32. Names have no comma, plus or asterisk.

    Raises:
        OSError: If it cannot be written.
        ValueError: If the path has another ending, a name is not plain, or a latent is not finite [latent].
    """
    path = pathlib.Path(path)
    latents = {name: np.asarray(z, np.float32) for name, z in instruments.items()}
    for name, z in latents.items():
        if not name.strip() or name != name.strip() or set(name) & set(_FORBIDDEN) or not name.isprintable():
            raise ValueError(f"Expected a name on one line, without , + and *. Received: {name!r}")
        if z.ndim != 1 or not np.all(np.isfinite(z)):
            raise ValueError(f"Expected finite latents [latent]. Received for {name!r}: shape {z.shape}")
    if path.suffix == ".json":
        files.write_json(path, {"instruments": {name: z.tolist() for name, z in latents.items()}})
    elif path.suffix == ".npz":
        with files.replacing(path) as beside:
            # np.savez takes names as keywords, so that an instrument called "file" would be lost.
            with zipfile.ZipFile(beside, "w") as archive:
                for name, z in latents.items():
                    # A fixed date: the same instruments are the same bytes.
                    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as member:
                        np.lib.format.write_array(member, z, allow_pickle=False)
    else:
        raise ValueError(f"Expected a path that ends in .json or .npz. Received: {path}")


def load_instruments(path: str | os.PathLike, latent_size: int) -> dict[str, np.ndarray]:
    """Reads named latents.

    Args:
        path: What `save_instruments` wrote; or a .npy file, or a .npz file with arrays [batch, latent], whose rows are
            named "0", "1", ... (behind the array's name and a dot where there are several arrays).
        latent_size: Length of the model's latents.

    Returns:
        float32 [latent] by name; at least one.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it holds no finite latents of that size.
    """
    path = pathlib.Path(path)
    content = path.read_bytes()
    try:
        arrays = _read_json(content) if path.suffix == ".json" else _read_numpy(path)
        arrays = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    except Exception as error:  # A broken archive raises zipfile's, zlib's and NumPy's errors.
        found = f"{path} ({' '.join(str(error).split())})"
        raise ValueError(f"Expected latents (.json, .npz or .npy). Received: {found}") from error
    instruments = {}
    for name, array in arrays.items():
        if array.ndim not in (1, 2) or array.shape[-1] != latent_size or not np.all(np.isfinite(array)):
            found = f"{path} with {name or 'an array'} of shape {array.shape}"
            raise ValueError(f"Expected finite latents [batch, {latent_size}]. Received: {found}")
        if array.ndim == 1:
            instruments[name or "0"] = array
        else:
            prefix = f"{name}." if len(arrays) > 1 else ""
            instruments |= {f"{prefix}{row}": z for row, z in enumerate(array)}
    if not instruments:
        raise ValueError(f"Expected at least one instrument. Received: {path}, which holds none")
    return instruments


def _read_json(content: bytes) -> dict[str, list[float]]:
    instruments = json.loads(content)["instruments"]
    if not isinstance(instruments, dict):
        raise ValueError("its instruments have no names")
    return instruments


def _read_numpy(path: pathlib.Path) -> dict[str, np.ndarray]:
    with path.open("rb") as stream:
        content = np.load(stream, allow_pickle=False)
        return {name: content[name] for name in content.files} if hasattr(content, "files") else {"": content}


def choose(instruments: Mapping[str, np.ndarray], descriptions: Iterable[str]) -> np.ndarray:
    """Finds instruments by name, and mixes them.

    Args:
        instruments: Latents [latent] by name.
        descriptions: Each a name, or several with weights: "flute", "flute+organ", "0.7*flute + 0.3*organ".

    Returns:
        float32 [descriptions, latent].

    Raises:
        ValueError: If a name is unknown, or a mixture is not possible.
    """
    return np.stack([_blend(instruments, description) for description in descriptions])


def _blend(instruments: Mapping[str, np.ndarray], description: str) -> np.ndarray:
    weights, names = zip(*shares(description), strict=True)
    for name in names:
        if name not in instruments:
            rest = len(instruments) - _NAMES_SHOWN
            known = ", ".join(list(instruments)[:_NAMES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
            raise ValueError(f"Expected one of the instruments {known}. Received: {name!r}")
    return instruments[names[0]] if len(names) == 1 else mix([instruments[name] for name in names], weights)


def shares(description: str) -> list[tuple[float, str]]:
    """Weights and names in a description; a weight that is not written is 1.

    Raises:
        ValueError: If there is a plus without a name, or a weight that is no number.
    """
    found = [_SHARE.fullmatch(text) for text in description.split("+")]
    if not all(found):
        raise ValueError(f"Expected NAME, or 0.7*NAME+0.3*NAME. Received: {description!r}")
    return [(float(share["weight"] or 1), share["name"].strip()) for share in found]


def plain_name(description: str) -> str:
    """A name for what a description describes, without the signs that names must not have."""
    return re.sub(r"\s*[+*,]\s*", "_", description).strip() or "instrument"
