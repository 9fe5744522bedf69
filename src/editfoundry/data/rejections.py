"""What a stage dropped, and why: a Parquet table beside the shard."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from editfoundry.data.storage import locate
from editfoundry.data.tables import REJECTED_SUFFIX, read_rows, write_rows
from editfoundry.data.untrusted import parse_json
from editfoundry.errors import BadInputError


@dataclass(frozen=True)
class RejectedRow:
    """One record that a stage dropped."""

    id: str
    """The record's id, or its place in the input where it has none yet."""
    reason: str
    """A short constant to count by."""
    detail: str = ""
    """This record's particulars."""
    row: Mapping[str, Any] = field(default_factory=dict)
    """The record's fields without its images; JSON-serialisable."""


@dataclass(frozen=True)
class _StoredRow:
    id: str
    reason: str
    detail: str
    row: str


def rejections_path(path: Path) -> Path:
    """Return where a shard's rejections are: ``00000.rejected.parquet`` for ``00000.tar`` or ``00000.parquet``."""
    return path.with_name(path.name.split(".")[0] + REJECTED_SUFFIX)


def write_rejections(path: Path, rows: Iterable[RejectedRow]) -> dict[str, int]:
    """Write a shard's rejections atomically and return their counts by reason; without rejections, no file.

    ``path`` is the rejections' own path or the shard's.
    """
    path = path if path.name.endswith(REJECTED_SUFFIX) else rejections_path(path)
    stored = [_StoredRow(r.id, r.reason, r.detail, _row_json(r.row)) for r in rows]
    if stored:
        write_rows(path, stored, _StoredRow)
    else:
        path.unlink(missing_ok=True)
    return count_by_reason(stored)


def read_rejections(path_or_folder: Path) -> Iterator[RejectedRow]:
    """Yield a shard's rejections, or those of all shards of a folder, sorted by name; none is no error."""
    path = locate(path_or_folder)
    if path.is_dir():
        found = sorted(path.glob(f"*{REJECTED_SUFFIX}"))
    else:
        own = path if path.name.endswith(REJECTED_SUFFIX) else rejections_path(path)
        found = [own] if own.exists() else []
    for file in found:
        for stored in read_rows(file, _StoredRow):
            try:
                yield RejectedRow(stored.id, stored.reason, stored.detail, parse_json(stored.row))
            except ValueError as error:
                raise BadInputError(f"{file}: the row of {stored.id} is not JSON ({error}); make it again") from error


def count_by_reason(rows: Iterable[RejectedRow] | Iterable[_StoredRow]) -> dict[str, int]:
    """Return reason -> count, sorted by reason."""
    return dict(sorted(Counter(row.reason for row in rows).items()))


def _row_json(row: Mapping[str, Any]) -> str:
    return json.dumps(dict(row), sort_keys=True, ensure_ascii=False, default=str)
