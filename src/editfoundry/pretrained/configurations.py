"""A model's configuration files without its weights: in its folder, in Hugging Face's cache, or as they are published.

Nothing is fetched, and nothing is loaded: what cannot work is seen before gigabytes are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from editfoundry.data.untrusted import read_json
from editfoundry.profiles import PUBLISHED_FOLDER, ModelReference


def find_file(reference: ModelReference, name: str) -> Path | None:
    """Return a file of a model where it lies on this machine: in its folder, or in Hugging Face's cache.

    Args:
        reference: the model.
        name: path of the file inside it, as ``unet/config.json``.
    """
    if reference.is_endpoint:
        return None
    if reference.is_local:
        path = Path(reference.location) / name
        return path if path.is_file() else None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(reference.source, name, revision=reference.revision)
    return Path(found) if isinstance(found, str) else None


def read_configuration(reference: ModelReference, name: str) -> dict[str, Any] | None:
    """Return a JSON file of a model: its own, or, of a model that is not here, as it was published; None for neither.

    Raises:
        BadInputError: the file is no JSON object.
    """
    path = find_file(reference, name) or PUBLISHED_FOLDER / reference.source / name
    return read_json(path, dict) if path.is_file() else None


def native_side(reference: ModelReference) -> int | None:
    """Return the side, in pixels, of the pictures that a diffusers pipeline was made for; None where nothing tells."""
    unet, vae = (read_configuration(reference, f"{part}/config.json") for part in ("unet", "vae"))
    if unet is None or vae is None:
        return None
    size = unet.get("sample_size")
    side = max(size) if isinstance(size, list) and size else size
    scale = 2 ** (len(vae.get("block_out_channels", [])) - 1)
    return int(side * scale) if isinstance(side, int) else None


def attention_sides(reference: ModelReference) -> list[int] | None:
    """Return the sides of the cross-attention maps of a pipeline's UNet, in latent pixels; None where nothing tells."""
    unet = read_configuration(reference, "unet/config.json")
    size = None if unet is None else unet.get("sample_size")
    if unet is None or not isinstance(size, int):
        return None
    sides, side = set(), size
    for kind in unet.get("down_block_types", []):
        sides |= {side} if "CrossAttn" in kind else set()
        last, side = side, (side + 1) // 2
    # The middle block works at the last level's size, with attention unless its name says otherwise.
    has_middle = "CrossAttn" in str(unet.get("mid_block_type", "UNetMidBlock2DCrossAttn"))
    return sorted(sides | ({last} if has_middle and unet.get("down_block_types") else set()))
