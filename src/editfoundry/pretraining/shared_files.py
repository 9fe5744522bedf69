"""Equal files of the embedded models lie on disk once: the others are links to it.

The painter and the editors have one autoencoder, painter and base one text encoder, and one UNet but for the layer
that sees the picture. Each folder still opens by itself
in plain diffusers, from a checkout; a wheel, which knows no links, has copies.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from safetensors.torch import load_file, save_file

MIN_SHARED = 16 * 2**10
"""Bytes from which on a file is worth a link: weights and vocabularies, not configurations."""


def split_weights(path: Path, alone: Collection[str]) -> None:
    """Split a weights file into two shards, of which a model that is the same but for some tensors can share one.

    Args:
        path: a safetensors file of diffusers or transformers, which open its two shards by an index beside them.
        alone: names of the tensors that get a shard of their own.
    """
    weights = load_file(path)
    shards = [{name: value for name, value in weights.items() if (name in alone) is own} for own in (True, False)]
    names = [f"{path.stem}-0000{number}-of-00002.safetensors" for number in (1, 2)]
    places = {name: file for file, shard in zip(names, shards, strict=True) for name in shard}
    for file, shard in zip(names, shards, strict=True):
        save_file(shard, path.with_name(file), metadata={"format": "pt"})
    size = sum(value.numel() * value.element_size() for value in weights.values())
    index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(places.items()))}
    path.with_name(f"{path.name}.index.json").write_text(json.dumps(index, indent=1) + "\n")
    path.unlink()


def share_equal_files(folder: Path) -> None:
    """Put a relative link in the place of every large file whose bytes lie in ``folder`` already, by order of path."""
    seen: dict[str, Path] = {}
    for path in _files(folder):
        if path.is_symlink() or path.stat().st_size < MIN_SHARED:
            continue
        first = seen.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), path)
        if first is not path:
            link = path.with_name(f"{path.name}.link")
            link.symlink_to(os.path.relpath(first, path.parent))
            link.replace(path)


def unshare_files(folder: Path) -> None:
    """Put copies in the place of all links in ``folder``, so that a model can be replaced without changing others."""
    for path in _files(folder):
        if path.is_symlink():
            copy = path.with_name(f"{path.name}.copy")
            copy.write_bytes(path.read_bytes())
            copy.replace(path)


def stored_size(folder: Path) -> int:
    """Return the bytes of the files in ``folder``, each counted once, links not at all."""
    return sum(path.stat().st_size for path in _files(folder) if not path.is_symlink())


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
