"""The pairs of images of a data set, as the VAE takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from editfoundry.data.index import read_index, read_member
from editfoundry.data.png import decode_png

_COLUMNS = ["id", "instruction", "shard", "input_offset", "input_length", "output_offset", "output_length"]


class TripletPixels(Dataset[Tensor]):
    """Random access to the image pairs of triplet shards, one ranged read an image.

    Item ``i`` is ``(2, 3, resolution, resolution)`` float in [-1, 1], RGB: input image, output image. Both are cropped
    to the same centred square and, with ``flip``, mirrored together.
    """

    def __init__(self, dataset: Path, resolution: int, flip: bool = False) -> None:
        """Read the index of ``dataset``, a folder of shards or one shard; ``resolution`` is in pixels.

        Raises:
            BadInputError: no shards, or one that was never finished.
        """
        self._folder = dataset if dataset.is_dir() else dataset.parent
        self._rows = read_index(dataset).select(_COLUMNS)
        self.resolution = resolution
        self.flip = flip

    def __len__(self) -> int:
        return int(self._rows.num_rows)

    def __getitem__(self, index: int) -> Tensor:
        row = self._rows.slice(index, 1).to_pylist()[0]
        tar = self._folder / row["shard"]
        pair = []
        for role in ("input", "output"):
            member = read_member(tar, row[f"{role}_offset"], row[f"{role}_length"])
            pair.append(_square(decode_png(member, "RGB", f"{tar}: {row['id']}, its {role}"), self.resolution))
        pixels = torch.stack([_to_tensor(image) for image in pair])
        return pixels.flip(-1) if self.flip else pixels

    def instructions(self) -> list[str]:
        """Return every triplet's instruction, in order."""
        texts: list[str] = self._rows.column("instruction").to_pylist()
        return texts


def _square(image: Image.Image, resolution: int) -> Image.Image:
    if image.size == (resolution, resolution):
        return image
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.resize((resolution, resolution), Image.Resampling.LANCZOS, box=box)


def _to_tensor(image: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.array(image, dtype=np.float32))
    return pixels.permute(2, 0, 1) / 127.5 - 1
