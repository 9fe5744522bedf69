"""Chooses kept and dropped triplets of a data set to look at, with their pictures, scores and reasons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any

from PIL import Image

from editfoundry.curation.curate import STAGE
from editfoundry.data.index import read_fields, shard_paths
from editfoundry.data.output_folder import check_claim
from editfoundry.data.rejections import RejectedRow, read_rejections
from editfoundry.data.shards import read_triplet
from editfoundry.data.split_leaks import SPLITS
from editfoundry.errors import BadInputError


@dataclass(frozen=True, kw_only=True)
class ShownTriplet:
    """One triplet of a contact sheet."""

    instruction: str
    verdict: str
    """The split it was kept in, or the reason for which it was dropped."""
    detail: str = ""
    """The particulars of the reason."""
    category: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    judge_reasons: Mapping[str, str] = field(default_factory=dict)
    images: tuple[Image.Image, Image.Image] | None = None
    """Input and output, RGB; None where they are not at hand."""


@dataclass(frozen=True, kw_only=True)
class CurationSheet:
    """What a contact sheet shows."""

    kept: Sequence[ShownTriplet]
    dropped: Sequence[ShownTriplet]
    num_kept: int
    num_dropped: int
    dropped_by_reason: Mapping[str, int]


def choose_shown(dataset: Path, triplets: Sequence[Path], num_each: int) -> CurationSheet:
    """Choose ``num_each`` kept triplets, evenly spread, and as many dropped ones, the reasons taking turns.

    Args:
        dataset: made by ``curate``.
        triplets: folders of the shards that it was made of: the dropped ones' pictures are there. Without any they
            are shown by their texts.
        num_each: how many at most of each.

    Raises:
        BadInputError: ``dataset`` is no data set, or no folder of ``triplets`` has a dropped one.
    """
    check_claim(dataset, STAGE)
    shards = [shard for split in SPLITS for shard in shard_paths(dataset / split)]
    if not shards:
        raise BadInputError(f"{dataset}: no data set here; run editfoundry curate first")
    kept = [(shard, row) for shard in shards for row in read_fields(shard)]
    by_reason: dict[str, list[RejectedRow]] = defaultdict(list)
    for rejected in read_rejections(dataset):
        by_reason[rejected.reason].append(rejected)
    turns = chain.from_iterable(zip_longest(*by_reason.values()))
    dropped = islice((row for row in turns if row is not None), num_each)
    return CurationSheet(
        kept=[_kept(shard, row) for shard, row in _spread(kept, num_each)],
        dropped=[_dropped(row, triplets) for row in dropped],
        num_kept=len(kept),
        num_dropped=sum(map(len, by_reason.values())),
        dropped_by_reason={reason: len(rows) for reason, rows in sorted(by_reason.items())},
    )


def _spread(items: Sequence[tuple[Path, dict[str, Any]]], count: int) -> list[tuple[Path, dict[str, Any]]]:
    count = min(count, len(items))
    return [items[number * len(items) // count] for number in range(count)]


def _kept(shard: Path, row: Mapping[str, Any]) -> ShownTriplet:
    triplet = read_triplet(shard, row)
    return ShownTriplet(**_texts(row), verdict=row["split"], images=(triplet.input_image, triplet.output_image))


def _dropped(rejected: RejectedRow, triplets: Sequence[Path]) -> ShownTriplet:
    images = None
    if triplets:
        triplet = read_triplet(_shard_of(rejected, triplets), rejected.row)
        images = (triplet.input_image, triplet.output_image)
    return ShownTriplet(**_texts(rejected.row), verdict=rejected.reason, detail=rejected.detail, images=images)


def _shard_of(rejected: RejectedRow, triplets: Sequence[Path]) -> Path:
    """Find the shard that has it: several folders may have one of that name."""
    # A name from a table is never a path.
    name = Path(str(rejected.row.get("shard", ""))).name
    for shard in (folder / name for folder in triplets):
        if shard.is_file() and any(row["id"] == rejected.row["id"] for row in read_fields(shard)):
            return shard
    places = ", ".join(map(str, triplets))
    raise BadInputError(f"{places}: no shard {name} with what was dropped; give the folders the data set was made of")


def _texts(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "instruction": row.get("instruction", ""),
        "category": row.get("category", ""),
        "scores": row.get("scores", {}),
        "judge_reasons": row.get("provenance", {}).get("judge_reasons") or {},
    }
