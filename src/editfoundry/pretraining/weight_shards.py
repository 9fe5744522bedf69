"""In what shards models lie on disk that have some of their weights in common, so that these can lie there once."""

from __future__ import annotations

from pathlib import Path

from diffusers.utils import SAFETENSORS_WEIGHTS_NAME
from transformers.utils import SAFE_WEIGHTS_NAME

from editfoundry.pretraining.job import Save
from editfoundry.pretraining.shared_files import split_weights

INPAINTER_PARTS = ("conv_in", "down_blocks.0", "down_blocks.1", "up_blocks.2", "conv_norm_out", "conv_out")
"""What the inpainter trains of the painter's UNet: the levels of 16 x 16, and the way down from 8 x 8."""
_SEEING_PARTS = ("vision_tower", "multi_modal_projector")
"""Of a LLaVA, what MGIE leaves as it is."""


def save_with_unet_in_shards(save: Save, folder: Path) -> dict[str, int]:
    """Save painter, base or inpainter, and return what ``save`` does.

    The first layer, which sees more channels in the base, has a shard of its own, and so has what the inpainter trains.
    """
    counts = save(folder)
    split_weights(folder / "unet" / SAFETENSORS_WEIGHTS_NAME, "conv_in.weight".__eq__, _is_of_inpainter)
    return counts


def save_with_llava_in_shards(save: Save, folder: Path, inside: str = "") -> dict[str, int]:
    """Save a LLaVA, or an editor with one in the folder ``inside``, and return what ``save`` does.

    Vision tower and projector have a shard of their own.
    """
    counts = save(folder)
    split_weights(folder / inside / SAFE_WEIGHTS_NAME, _sees)
    return counts


def _is_of_inpainter(name: str) -> bool:
    return _is_in(name, INPAINTER_PARTS)


def _sees(name: str) -> bool:
    return _is_in(name, _SEEING_PARTS)


def _is_in(name: str, parts: tuple[str, ...]) -> bool:
    return name.startswith(tuple(f"{part}." for part in parts))
