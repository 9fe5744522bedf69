"""Whether a benchmark's edits are in the training data: by perceptual hashes of pictures, and by texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from editfoundry.curation.perceptual_hash import are_near, hash_bands, look_alike, perceptual_hash, thumbnail
from editfoundry.data.index import index_rows, shards_of
from editfoundry.data.record import Triplet
from editfoundry.data.shards import read_triplets
from editfoundry.data.split_leaks import split_folders
from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmarks.item import BenchmarkItem
from editfoundry.judging.clip_similarity import plain_text

LEAKS = ("input picture", "target picture", "edit", "captions")
"""What no benchmark may share with its training data: a picture, the same edit (input caption with instruction), or
both captions of one edit."""
SHARED_TEXTS = ("input caption", "output caption", "instruction")
"""What may be the same by chance, and is counted."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkLeak:
    """One thing that a benchmark's item shares with a training triplet."""

    kind: str
    """One of ``LEAKS`` or ``SHARED_TEXTS``."""
    item_id: str
    triplet_id: str
    detail: str
    """The text, or which of the triplet's pictures it is."""


@dataclass(frozen=True, kw_only=True)
class LeakReport:
    """What a benchmark and a data set share; of each kind, an item is named once."""

    num_items: int
    num_triplets: int
    leaks: tuple[BenchmarkLeak, ...]
    """Of ``LEAKS``, in the order of the kinds and the items."""
    shared_texts: tuple[BenchmarkLeak, ...]
    """Of ``SHARED_TEXTS``."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing leaks; shared texts are no leak."""
        return not self.leaks

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def find_benchmark_leaks(
    items: Sequence[BenchmarkItem], dataset: Path, progress: Callable[[int], None] | None = None
) -> LeakReport:
    """Compare a benchmark with training data; triplets are streamed, of the benchmark hashes and thumbnails are kept.

    Args:
        items: the benchmark.
        dataset: a data set, whose split ``train`` is read, or any folder of triplet shards.
        progress: called with the number of triplets read.

    Raises:
        BadInputError: there is no shard or triplet, or one that cannot be read; or a picture of an item cannot.
    """
    pictures, texts = _PictureIndex(items), _TextIndex(items)
    found: dict[tuple[str, str], BenchmarkLeak] = {}
    num_triplets = 0
    for triplet in _training_triplets(dataset):
        for kind, item_id, detail in (*pictures.matches(triplet), *texts.matches(triplet)):
            leak = BenchmarkLeak(kind=kind, item_id=item_id, triplet_id=triplet.id, detail=detail)
            found.setdefault((kind, item_id), leak)
        num_triplets += 1
        if progress is not None:
            progress(num_triplets)
    if num_triplets == 0:
        raise BadInputError(f"{dataset}: has no triplet for training, so nothing was compared")
    places = {item.id: place for place, item in enumerate(items)}
    return LeakReport(
        num_items=len(items),
        num_triplets=num_triplets,
        leaks=_ordered(found.values(), LEAKS, places),
        shared_texts=_ordered(found.values(), SHARED_TEXTS, places),
    )


def _training_triplets(dataset: Path) -> Iterator[Triplet]:
    """Yield what training would read: of a folder with several splits, the triplets of ``train`` or of none."""
    folder = split_folders(dataset).get("train", dataset)
    splits = {row["split"] for tar in shards_of(folder) for row in index_rows(tar, ("split",))}
    return (triplet for triplet in read_triplets(folder) if len(splits) < 2 or triplet.split in ("train", ""))


def _ordered(found: Iterable[BenchmarkLeak], kinds: Sequence[str], places: dict[str, int]) -> tuple[BenchmarkLeak, ...]:
    chosen = (leak for leak in found if leak.kind in kinds)
    return tuple(sorted(chosen, key=lambda leak: (kinds.index(leak.kind), places[leak.item_id])))


@dataclass(frozen=True)
class _KnownPicture:
    kind: str
    item_id: str
    hash: int
    thumbnail: np.ndarray


class _PictureIndex:
    """The benchmark's pictures, found by the bands of their hashes."""

    def __init__(self, items: Sequence[BenchmarkItem]) -> None:
        self._bands: defaultdict[tuple[int, int], list[_KnownPicture]] = defaultdict(list)
        for item in items:
            for kind, picture in (("input picture", item.open_input()), ("target picture", item.open_truth())):
                if picture is not None:
                    known = _KnownPicture(kind, item.id, perceptual_hash(picture), thumbnail(picture))
                    for band in hash_bands(known.hash):
                        self._bands[band].append(known)

    def matches(self, triplet: Triplet) -> Iterator[tuple[str, str, str]]:
        for name, picture in (("input", triplet.input_image), ("output", triplet.output_image)):
            for known in self._alike(picture):
                yield known.kind, known.item_id, f"looks like the triplet's {name}"

    def _alike(self, picture: Image.Image) -> Iterator[_KnownPicture]:
        value = perceptual_hash(picture)
        near = {id(k): k for b in hash_bands(value) for k in self._bands.get(b, ()) if are_near(k.hash, value)}
        if near:
            small = thumbnail(picture)
            yield from (known for known in near.values() if look_alike(known.thumbnail, small))


class _TextIndex:
    """The benchmark's texts, alike where they differ in case, spaces and final punctuation only."""

    def __init__(self, items: Sequence[BenchmarkItem]) -> None:
        self._items: defaultdict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
        for item in items:
            for key, _ in _texts(item.input_caption, item.instruction, item.output_caption):
                self._items[key].append(item.id)

    def matches(self, triplet: Triplet) -> Iterator[tuple[str, str, str]]:
        for key, shown in _texts(triplet.input_caption, triplet.instruction, triplet.output_caption):
            for item_id in self._items.get(key, ()):
                yield key[0], item_id, shown


def _texts(
    input_caption: str | None, instruction: str, output_caption: str | None
) -> Iterator[tuple[tuple[str, tuple[str, ...]], str]]:
    before, edit, after = input_caption or "", instruction, output_caption or ""
    combinations = {
        "edit": (before, edit),
        "captions": (before, after),
        "input caption": (before,),
        "output caption": (after,),
        "instruction": (edit,),
    }
    for kind, texts in combinations.items():
        plain = tuple(map(plain_text, texts))
        if all(plain):
            yield (kind, plain), " | ".join(texts)
