"""Equal files of the embedded models lie on disk once: the others are links to it.

The painter and the editors have one autoencoder; painter, base and inpainter one text encoder, and one UNet but for
some layers. Each folder still opens by itself in plain diffusers, from a checkout; a wheel, which knows no links, has
copies.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from safetensors.torch import load_file, save_file

MIN_SHARED = 16 * 2**10
"""Bytes from which on a file is worth a link: weights and vocabularies, not configurations."""


def split_weights(path: Path, *groups: Callable[[str], bool]) -> None:
    """Split a weights file into shards, of which a model that is the same but for some of them can share the others.

    Args:
        path: a safetensors file of diffusers or transformers, which open its shards by an index beside them.
        groups: each tells of a tensor's name whether it belongs to a shard; the first that does has it, and what
            belongs to none has a shard of its own, the last. A shard without tensors is left out.
    """
    weights = load_file(path)
    numbers = {name: next((n for n, has in enumerate(groups) if has(name)), len(groups)) for name in weights}
    kept = sorted({*numbers.values()})
    files = {n: f"{path.stem}-{place:05}-of-{len(kept):05}.safetensors" for place, n in enumerate(kept, 1)}
    for number, file in files.items():
        shard = {name: value for name, value in weights.items() if numbers[name] == number}
        save_file(shard, path.with_name(file), metadata={"format": "pt"})
    size = sum(value.numel() * value.element_size() for value in weights.values())
    places = {name: files[number] for name, number in sorted(numbers.items())}
    index = {"metadata": {"total_size": size}, "weight_map": places}
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
