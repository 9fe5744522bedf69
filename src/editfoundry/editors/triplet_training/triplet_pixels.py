"""The pairs of images of a data set, as the VAE takes them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from editfoundry.data.index import read_index, read_member, rows_of_split
from editfoundry.data.png import decode_png
from editfoundry.data.shards import check_pictures
from editfoundry.data.storage import locate
from editfoundry.editors.triplet_training.aspect_ratios import Size, nearest_size
from editfoundry.errors import BadInputError

Crop = tuple[float, float, float]
"""Sides as a share of the largest crop's of that aspect ratio, in (0, 1], and its place across and down, 0 to 1."""
View = tuple[bool, Crop]
"""Whether an image is mirrored, after it was cropped, and its crop."""
CENTRED: Crop = (1.0, 0.5, 0.5)
_SIDES = ["width", "height"]
_PLACES = ("input_offset", "input_length", "output_offset", "output_length")
_COLUMNS = ["id", "instruction", "task", "shard", *_PLACES, *_SIDES]


class TripletPixels(Dataset[Tensor]):
    """Random access to the image pairs of triplet shards, one ranged read an image.

    Item ``i`` is ``(2, 3, height, width)`` float in [-1, 1], RGB: input image, output image. Both are cropped to the
    same centred rectangle, by default a square, and, with ``flip``, mirrored together.
    """

    def __init__(self, dataset: Path, resolution: int, flip: bool = False, split: str = "train") -> None:
        """Read the index of ``dataset``, a folder of shards or one shard; items are squares of ``resolution`` pixels.

        Of a folder whose rows belong to several splits, as an import has them, those of ``split`` are taken.

        Raises:
            BadInputError: no shards, one that was never finished, or none of ``split`` among several splits.
        """
        dataset = locate(dataset)
        self._folder = dataset if dataset.is_dir() else dataset.parent
        self._rows = rows_of_split(read_index(dataset), split, dataset).select(_COLUMNS)
        self.size: Size = (resolution, resolution)
        self.flip = flip

    def grouped_by_size(self, sizes: Sequence[Size]) -> list[tuple[np.ndarray, TripletPixels]]:
        """Return the triplets in groups by which of ``sizes`` is nearest to theirs, each group with its items' numbers.

        A group's items are of its size; the largest group comes first.
        """
        stored = list(zip(*(self._rows.column(side).to_pylist() for side in _SIDES), strict=True))
        nearest = {size: nearest_size(size, sizes) for size in set(stored)}
        numbers: dict[Size, list[int]] = {}
        for number, size in enumerate(stored):
            numbers.setdefault(nearest[size], []).append(number)
        groups = sorted(numbers.items(), key=lambda group: (-len(group[1]), group[0]))
        return [(np.array(chosen), self._of(chosen, size)) for size, chosen in groups]

    def _of(self, numbers: Sequence[int], size: Size) -> TripletPixels:
        group = copy.copy(self)
        group._rows, group.size = self._rows.take(numbers), size
        return group

    def __len__(self) -> int:
        return int(self._rows.num_rows)

    def __getitem__(self, index: int) -> Tensor:
        return self.pair(index, self.flip)

    def pair(self, index: int, flip: bool, crop: Crop = CENTRED) -> Tensor:
        """Return a pair, both its images cropped and mirrored alike.

        Raises:
            BadInputError: the shard is missing or cut, or an image is broken.
        """
        return self.pair_as(index, [(flip, crop)] * 2)

    def pair_as(self, index: int, views: Sequence[View]) -> Tensor:
        """Return a pair, each of its images in a view of its own; raises as `pair`."""
        images = zip(self.images(index), views, strict=True)
        seen = [(_to_tensor(_cropped(image, self.size, crop)), flip) for image, (flip, crop) in images]
        return torch.stack([pixels.flip(-1) if flip else pixels for pixels, flip in seen])

    def images(self, index: int) -> list[Image.Image]:
        """Return the input and the output image of a triplet, RGB, as they were stored."""
        row = self._rows.slice(index, 1).to_pylist()[0]
        tar = self._folder / row["shard"]
        places = {role: (row[f"{role}_offset"], row[f"{role}_length"]) for role in ("input", "output")}
        try:
            members = {role: read_member(tar, *place) for role, place in places.items()}
        except FileNotFoundError as error:
            raise BadInputError(f"{tar}: missing, though its index is there; make the shard again") from error
        images = [decode_png(data, "RGB", f"{tar}: {row['id']}, its {role}") for role, data in members.items()]
        check_pictures(row, images[0], images[1], f"{tar}: {row['id']}")
        return images

    def instructions(self) -> list[str]:
        """Return every triplet's instruction, in order."""
        texts: list[str] = self._rows.column("instruction").to_pylist()
        return texts

    def tasks(self) -> list[str]:
        """Return every triplet's task, in order; empty where it has none."""
        names: list[str] = self._rows.column("task").to_pylist()
        return names


def _cropped(image: Image.Image, size: Size, crop: Crop) -> Image.Image:
    share, across, down = crop
    width, height = size
    # The largest rectangle of that aspect ratio takes the whole width, or else the whole height.
    if image.width * height <= image.height * width:
        box_width, box_height = round(image.width * share), round(image.width * height / width * share)
    else:
        box_width, box_height = round(image.height * width / height * share), round(image.height * share)
    if (box_width, box_height) == size == image.size:
        return image
    left, top = int((image.width - box_width) * across), int((image.height - box_height) * down)
    box = (left, top, left + box_width, top + box_height)
    return image.resize(size, Image.Resampling.LANCZOS, box=box)


def _to_tensor(image: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.array(image, dtype=np.float32))
    return pixels.permute(2, 0, 1) / 127.5 - 1
