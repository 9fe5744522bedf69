"""Reads the checkpoint that MGIE's authors released: its tensors' names, as the parts here have them.

``mllm.pt`` holds the language model's token embeddings and head, the edit head and, under ``emb``, the picture tokens'
embeddings, which its own demonstration reads there; ``unet.pt`` holds the UNet by diffusers' own names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from editfoundry.editors.families.mgie.edit_head import EditHead
from editfoundry.editors.families.mgie.picture_tokens import PICTURE_TOKENS
from editfoundry.errors import BadInputError, one_line

_HEAD = "edit_head."
_HEAD_NAMES = {"llm2hid": "project_in", "query": "queries", "mapper": "transformer", "hid2feat": "project_out"}
"""First part of a tensor's name in the release -> here."""
_EMBEDDINGS, _LM_HEAD, _PICTURE_TOKENS = "model.embed_tokens.weight", "lm_head.weight", "emb"


@dataclass(frozen=True, eq=False)
class ReleasedMllm:
    """What ``mllm.pt`` holds."""

    embeddings: Tensor
    """``(V, D)`` of all tokens, those of the picture tokens last."""
    lm_head: Tensor
    """``(V, D)``."""
    edit_head: EditHead


def read_released_mllm(path: Path, num_heads: int = 4) -> ReleasedMllm:
    """Read ``mllm.pt``, or the same tensors as safetensors; the sizes are taken from their shapes.

    Args:
        path: the file; of a torch file tensors alone are read, never other objects.
        num_heads: of the edit head's attention, which no shape tells.

    Raises:
        BadInputError: the file is no such checkpoint, lacks tensors, they contradict each other, or one of them has
            a number that is not finite.
    """
    tensors = read_tensors(path)
    for name in (_EMBEDDINGS, _LM_HEAD):
        if name not in tensors:
            raise BadInputError(f"{path}: has no tensor {name}, which MGIE's release has: it is another file")
    check_finite(tensors, path)
    embeddings, lm_head = tensors[_EMBEDDINGS].float(), tensors[_LM_HEAD].float()
    if embeddings.shape != lm_head.shape or embeddings.ndim != 2:
        shapes = f"{tuple(embeddings.shape)} and {tuple(lm_head.shape)}"
        raise BadInputError(f"{path}: embeddings and language-model head are {shapes}, not of one shape")
    count, (num_tokens, width) = len(PICTURE_TOKENS), embeddings.shape
    if num_tokens <= count:
        raise BadInputError(
            f"{path}: {_EMBEDDINGS} has {num_tokens} rows, and {count} of them are picture tokens alone"
        )
    if _PICTURE_TOKENS in tensors:
        told = tensors[_PICTURE_TOKENS].float()
        if told.numel() != count * width or told.shape[-1] != width:
            shape = tuple(told.shape)
            raise BadInputError(f"{path}: {_PICTURE_TOKENS} is {shape}, not {count} tokens of {width} numbers")
        embeddings = torch.cat([embeddings[:-count], told.reshape(count, width)])
    head = {name.removeprefix(_HEAD): value for name, value in tensors.items() if name.startswith(_HEAD)}
    return ReleasedMllm(embeddings, lm_head, edit_head_of(head, path, num_heads))


def edit_head_of(tensors: Mapping[str, Tensor], path: Path, num_heads: int = 4) -> EditHead:
    """Return the edit head that the release's tensors are, named as in its ``EditMapper``.

    Raises:
        BadInputError: tensors are missing, unknown or of other shapes.
    """
    named = {_head_name(name): value.float() for name, value in tensors.items()}
    try:
        hidden_dim, state_dim = named["project_in.weight"].shape
        queries = named["queries"] = named["queries"].reshape(-1, hidden_dim)
        head = EditHead(
            state_dim=state_dim,
            hidden_dim=hidden_dim,
            num_layers=len({name.split(".")[3] for name in named if name.startswith("transformer.encoder.layers.")}),
            num_heads=num_heads,
            feedforward_dim=named["transformer.encoder.layers.0.linear1.weight"].shape[0],
            num_queries=len(queries),
            output_dim=named["project_out.weight"].shape[0],
        )
        head.load_state_dict(named)
    except (KeyError, ValueError, IndexError, RuntimeError, AssertionError) as error:
        raise BadInputError(f"{path}: its edit head is not MGIE's: {one_line(error, 200)}") from error
    return head.eval()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file or of a torch file, of which nothing but tensors is read.

    Raises:
        BadInputError: the file is missing, damaged, or holds other objects.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BadInputError(f"{path}: no such file") from None
    except Exception as error:  # Whatever either library raises for a damaged file.
        raise BadInputError(f"{path}: not a file of tensors: {one_line(error, 160)}") from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise BadInputError(f"{path}: holds more than named tensors")
    return found


def check_finite(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raise BadInputError, which names the tensor, unless all numbers are finite."""
    for name, value in tensors.items():
        if not bool(value.isfinite().all()):
            raise BadInputError(f"{path}: {name} has numbers that are not finite; get the file again")


def _head_name(name: str) -> str:
    first, _, rest = name.partition(".")
    known = _HEAD_NAMES.get(first, first)
    return f"{known}.{rest}" if rest else known
