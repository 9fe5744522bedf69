"""Shards of triplets: a WebDataset tar and a Parquet index of its members' byte offsets.

A shard is done when its index is there; equal triplets give equal bytes.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow.parquet as pq
from PIL import Image

from editfoundry.data.atomic import atomic_file
from editfoundry.data.fields import to_json, triplet_fields, triplet_from_fields
from editfoundry.data.hashing import file_hash, input_hash
from editfoundry.data.index import (
    MEMBERS,
    index_path,
    parse_row,
    read_checked_rows,
    read_fields,
    read_index,
    read_member,
    shard_paths,
    shards_of,
    write_index,
)
from editfoundry.data.output_folder import claim_output
from editfoundry.data.parquet_errors import PARQUET_ERRORS
from editfoundry.data.png import decode_png, encode_png
from editfoundry.data.record import Triplet, mask_hash, triplet_id
from editfoundry.data.rejections import RejectedRow, count_by_reason, read_rejections, write_rejections
from editfoundry.data.stage_result import StageResult
from editfoundry.data.storage import locate, parquet_source
from editfoundry.data.tables import stored_metadata
from editfoundry.errors import BadInputError

__all__ = [
    "check_pictures",
    "claim_output",
    "count_triplets",
    "file_hash",
    "input_hash",
    "is_done",
    "read_fields",
    "read_index",
    "read_member",
    "read_triplet",
    "read_triplets",
    "reused_result",
    "shard_paths",
    "write_triplets",
]

DUPLICATE_ID = "duplicate id"
_HEADER = 512
_MAX_SPAN = 2**26
_MODES = {"input": "RGB", "output": "RGB", "mask": "L"}


def write_triplets(
    path: Path,
    triplets: Iterable[Triplet],
    rejected: Iterable[RejectedRow] = (),
    input_hash: str = "",
    num_derived: Callable[[], int] = lambda: 0,
) -> StageResult:
    """Write one shard: ``00000.tar``, then ``00000.rejected.parquet`` if anything was, and last ``00000.parquet``.

    Triplets are streamed: one is in memory at a time. ``rejected`` is read after the last triplet, so it may be a list
    that the producer of ``triplets`` fills. A triplet whose id the shard has already is rejected as ``duplicate id``.
    When ``triplets`` raises, nothing is left behind and an older shard of that path stays as it was.

    Returns:
        The shard's counts; every triplet and every rejection counts as one record read, but for the ``num_derived``,
        asked after the last triplet, that a stage made beyond one for each record.
    """
    path = Path(path)
    duplicates: list[RejectedRow] = []
    with atomic_file(path) as file:
        rows = list(_write_members(file, triplets, duplicates))
        dropped = [*duplicates, *rejected]
        # An old index must never stand beside a new tar.
        index_path(path).unlink(missing_ok=True)
    counts = write_rejections(path, dropped)
    derived = num_derived()
    write_index(path, rows, input_hash, derived)
    num_in = len(rows) + len(dropped) - derived
    return StageResult(num_in=num_in, num_out=len(rows), rejected=counts, num_derived=derived)


def read_triplets(path_or_folder: Path) -> Iterator[Triplet]:
    """Yield the triplets of a shard, or of all shards of a folder, in order, one in memory at a time.

    Raises:
        BadInputError: a shard without index, a cut tar, an index that points elsewhere, a broken image, or one that is
            not the picture which the triplet's id was made of.
    """
    for tar in shards_of(path_or_folder):
        rows = read_checked_rows(tar)
        with tar.open("rb") as file:
            for number, row in enumerate(rows, start=1):
                yield _read_row(file, row, f"{tar}: row {number} of its index ({row['id']})")


def read_triplet(tar: Path, row: Mapping[str, Any]) -> Triplet:
    """Return one triplet of a shard, by its row of `read_index` or `read_fields`."""
    # One buffer holds the whole record: one read, and from S3 one request.
    with locate(tar).open("rb", buffering=_span(row)) as file:
        return _read_row(file, row, f"{tar}: record {row['id']}")


def check_pictures(row: Mapping[str, Any], input_image: Image.Image, output_image: Image.Image, where: str) -> None:
    """Raise BadInputError, which begins with ``where``, unless two pictures are those of an index row's id."""
    if triplet_id(row["instruction"], input_image, output_image) != row["id"]:
        raise BadInputError(f"{where}: holds other pictures than those its index was written for; make the shard again")


def count_triplets(path_or_folder: Path) -> int:
    """Return the number of triplets, from the indexes' footers."""
    return sum(_num_rows(tar) for tar in shards_of(path_or_folder))


def is_done(path: Path, input_hash: str) -> bool:
    """Return whether the shard is complete and was made from inputs and parameters with this hash."""
    path = Path(path)
    if not path.is_file():
        return False
    stored = stored_metadata(index_path(path))
    return stored.get("input_hash") == input_hash and stored.get("tar_size") == str(path.stat().st_size)


def reused_result(path: Path) -> StageResult:
    """Return the counts of a shard that is there already, as `write_triplets` returned them."""
    counts = count_by_reason(read_rejections(Path(path)))
    num_out = _num_rows(Path(path))
    derived = int(stored_metadata(index_path(Path(path))).get("num_derived", "0"))
    return StageResult(
        num_in=num_out + sum(counts.values()) - derived,
        num_out=num_out,
        rejected=counts,
        num_shards=1,
        num_shards_reused=1,
        num_derived=derived,
    )


def _write_members(
    file: BinaryIO, triplets: Iterable[Triplet], duplicates: list[RejectedRow]
) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for triplet in triplets:
            fields = triplet_fields(triplet)
            if fields["id"] in seen:
                duplicates.append(RejectedRow(fields["id"], DUPLICATE_ID, "the shard has it already", fields))
                continue
            seen.add(fields["id"])
            width, height = triplet.input_image.size
            places = _add_record(tar, file, fields, triplet)
            digest = None if triplet.mask is None else mask_hash(triplet.mask)
            yield {**fields, "width": width, "height": height, **places, "mask_hash": digest}


def _add_record(tar: tarfile.TarFile, file: BinaryIO, fields: Mapping[str, Any], triplet: Triplet) -> dict[str, int]:
    images = {"input": triplet.input_image, "output": triplet.output_image, "mask": triplet.mask}
    members = {role: encode_png(image, _MODES[role]) for role, image in images.items() if image is not None}
    members["json"] = to_json(fields).encode()
    places = {}
    for role, data in members.items():
        info = tarfile.TarInfo(fields["id"] + MEMBERS[role])
        info.size = len(data)
        places[f"{role}_offset"] = file.tell() + _HEADER
        places[f"{role}_length"] = len(data)
        tar.addfile(info, io.BytesIO(data))
    return places


def _read_row(file: BinaryIO, row: Mapping[str, Any], where: str) -> Triplet:
    images = {
        role: decode_png(_read_named(file, row, role, where), mode, f"{where}, its {role}")
        for role, mode in _MODES.items()
        if row[f"{role}_offset"] is not None
    }
    fields = parse_row(row, where) if isinstance(row["provenance"], str) else row
    triplet = triplet_from_fields(fields, images["input"], images["output"], images.get("mask"))
    check_pictures(row, triplet.input_image, triplet.output_image, where)
    _check_mask(row, triplet.mask, where)
    return triplet


def _check_mask(row: Mapping[str, Any], mask: Image.Image | None, where: str) -> None:
    """Raise BadInputError unless a mask is the one that its index row has a hash of; older indexes have none."""
    expected = row.get("mask_hash")
    if expected is not None and (mask is None or mask_hash(mask) != expected):
        raise BadInputError(f"{where}: holds another mask than the one its index was written for; make the shard again")


def _span(row: Mapping[str, Any]) -> int:
    """Return the bytes from the first image's header to the last image's end."""
    places = [(row[f"{role}_offset"], row[f"{role}_length"]) for role in _MODES if row[f"{role}_offset"] is not None]
    span = max(offset + length for offset, length in places) - min(offset for offset, _ in places) + _HEADER
    return min(max(int(span), 2), _MAX_SPAN)


def _read_named(file: BinaryIO, row: Mapping[str, Any], role: str, where: str) -> bytes:
    offset, length = row[f"{role}_offset"], row[f"{role}_length"]
    name = row["id"] + MEMBERS[role]
    file.seek(offset - _HEADER)
    block = file.read(_HEADER + length)
    if len(block) != _HEADER + length or block[:100].rstrip(b"\0") != name.encode():
        raise BadInputError(f"{where}: member {name} is not where the index has it; make the shard again")
    return block[_HEADER:]


def _num_rows(tar: Path) -> int:
    path = index_path(tar)
    if not path.is_file():
        raise BadInputError(f"{tar}: no index {path.name} beside it, so it was never finished; make it again")
    try:
        return int(pq.read_metadata(parquet_source(path)).num_rows)
    except PARQUET_ERRORS as error:
        raise BadInputError(f"{path}: not a whole Parquet file; make the shard again") from error
