"""The names of SAM's weights in segment-anything and in transformers' layout, which is how they come as safetensors."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PARTS = (
    ("image_encoder", "vision_encoder"),
    ("patch_embed.proj", "patch_embed.projection"),
    ("neck.0", "neck.conv1"),
    ("neck.1", "neck.layer_norm1"),
    ("neck.2", "neck.conv2"),
    ("neck.3", "neck.layer_norm2"),
    ("blocks", "layers"),
    ("iou_prediction_head.layers.", "iou_prediction_head.mlp."),
    ("output_upscaling.0", "upscale_conv1"),
    ("output_upscaling.1", "upscale_layer_norm"),
    ("output_upscaling.3", "upscale_conv2"),
    ("mask_downscaling.0", "mask_embed.conv1"),
    ("mask_downscaling.1", "mask_embed.layer_norm1"),
    ("mask_downscaling.3", "mask_embed.conv2"),
    ("mask_downscaling.4", "mask_embed.layer_norm2"),
    ("mask_downscaling.6", "mask_embed.conv3"),
    ("point_embeddings", "point_embed"),
    ("pe_layer.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding"),
    (".norm", ".layer_norm"),
)
_HEAD = re.compile(r"(iou_prediction_head\.mlp|output_hypernetworks_mlps\.\d+\.layers)\.(\d+)\.")
SHARED_EMBEDDING = "shared_image_embedding.positional_embedding"
"""In transformers' layout the same tensor as the prompt encoder's; a file may hold either."""


def transformers_names(names: Iterable[str], head_depth: int) -> dict[str, str]:
    """Return transformers' name of each of segment-anything's names.

    Args:
        names: of the state dict of segment-anything's ``Sam``.
        head_depth: linear layers of the head that predicts IoU; the heads that predict masks have three.
    """
    return {name: _renamed(name, head_depth) for name in names}


def _renamed(name: str, head_depth: int) -> str:
    for ours, theirs in _PARTS:
        name = name.replace(ours, theirs)

    def layer(match: re.Match[str]) -> str:
        head, number = match[1], int(match[2])
        is_iou = head.startswith("iou")
        last = (head_depth if is_iou else 3) - 1
        place = "proj_in" if number == 0 else "proj_out" if number == last else f"layers.{number - 1}"
        return f"{head.rsplit('.', 1)[0]}.{place}."

    return _HEAD.sub(layer, name)
