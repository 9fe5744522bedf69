"""Averages a model's weights with those that it started from (WiSE-FT; Wortsman et al. 2022, eq. 1).

What a short training brings mostly stays at half the way, and what it wears off mostly comes back.
"""

from __future__ import annotations

from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

Weights = dict[Path, dict[str, Tensor]]
"""Tensors by their names, of each file by its path in the model's folder."""


def read_weights(folder: Path) -> Weights:
    """Read all safetensors of a model, in whatever precision they lie there."""
    return {path.relative_to(folder): load_file(path) for path in sorted(folder.rglob("*.safetensors"))}


def keep_share(folder: Path, before: Weights, share: float) -> None:
    """Move a model's weights back towards earlier ones, in place.

    Args:
        folder: of the model; its files may not be links.
        before: see `read_weights`; files and tensors that it lacks, or that had another shape, stay as they are.
        share: of the earlier weights in the average, in [0, 1].
    """
    for path in sorted(folder.rglob("*.safetensors")):
        earlier = before.get(path.relative_to(folder), {})
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            mixed = {name: _between(file.get_tensor(name), earlier.get(name), share) for name in file.keys()}  # noqa: SIM118
        save_file(mixed, path, metadata=metadata)


def _between(now: Tensor, before: Tensor | None, share: float) -> Tensor:
    if before is None or before.shape != now.shape or not now.is_floating_point():
        return now
    return now.float().lerp(before.float(), share).to(now.dtype)
