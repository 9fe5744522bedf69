"""Finds triplets that are there already, exactly or nearly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from editfoundry.curation.perceptual_hash import are_near, hash_bands, look_alike, thumbnail
from editfoundry.data.record import Triplet
from editfoundry.data.shards import read_triplet
from editfoundry.errors import Rejection

Pair = tuple[Path, dict[str, Any]]


class SeenTriplets:
    """Remembers what was kept: of each triplet two hashes and its index row, no pixels.

    Two 64-bit hashes that differ in at most three bits agree in one of four 16-bit bands, so only triplets that share
    a band are compared, and only those whose hashes are near are read again and compared by their pixels.
    """

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._bands: dict[tuple[int, int], list[int]] = defaultdict(list)
        self._hashes: list[tuple[int, int]] = []
        self._places: list[Pair] = []

    def add(self, tar: Path, row: dict[str, Any], hashes: tuple[int, int]) -> None:
        """Remember a triplet that lies at ``row`` of ``tar``, with the perceptual hashes of its two pictures.

        Raises:
            Rejection: it, or one that looks the same, is there already.
        """
        if row["id"] in self._ids:
            raise Rejection("duplicate", row["id"])
        twin = self._twin(tar, row, hashes)
        if twin is not None:
            raise Rejection("near duplicate", f"of {twin}")
        self._ids.add(row["id"])
        for band in hash_bands(hashes[0]):
            self._bands[band].append(len(self._hashes))
        self._hashes.append(hashes)
        self._places.append((tar, row))

    def _twin(self, tar: Path, row: dict[str, Any], hashes: tuple[int, int]) -> str | None:
        triplet: Triplet | None = None
        candidates = {index for band in hash_bands(hashes[0]) for index in self._bands.get(band, ())}
        for index in sorted(candidates):
            if all(are_near(a, b) for a, b in zip(hashes, self._hashes[index], strict=True)):
                triplet = triplet or read_triplet(tar, row)
                other_tar, other_row = self._places[index]
                if _look_alike(triplet, read_triplet(other_tar, other_row)):
                    return str(other_row["id"])
        return None


def _look_alike(first: Triplet, second: Triplet) -> bool:
    pick: tuple[Callable[[Triplet], Image.Image], ...] = (lambda t: t.input_image, lambda t: t.output_image)
    return all(look_alike(thumbnail(image(first)), thumbnail(image(second))) for image in pick)
