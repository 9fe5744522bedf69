"""A table's rows in parts, streamed: only a part's records are in memory, never its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, count, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from editfoundry.sources.table_reader import PARQUET_SUFFIXES, TableRow

OpenRows = Callable[[], Iterator[TableRow]]
"""Reads the table from its start."""


class RowRange:
    """Some rows of a table. They are read once where the ranges before it were; whoever wants them twice pays again."""

    def __init__(
        self, open_rows: OpenRows, start: int = 0, stop: int | None = None, ahead: Iterator[TableRow] | None = None
    ) -> None:
        """``ahead`` yields the rows from ``start`` to ``stop`` without reading those before them."""
        self._open_rows, self._start, self._stop, self._ahead = open_rows, start, stop, ahead
        self._count: int | None = None

    def __iter__(self) -> Iterator[TableRow]:
        rows = self._ahead or islice(self._open_rows(), self._start, self._stop)
        self._ahead = None
        number = 0
        for row in rows:
            number += 1
            yield row
        self._count = number

    def count(self) -> int:
        """Return how many there are, and read them for that where nobody has."""
        if self._count is None:
            for _ in self:
                pass
        return self._count or 0


def row_ranges(open_rows: OpenRows, size: int) -> Iterator[RowRange]:
    """Yield a table's rows, ``size`` of them at a time; the last range may have fewer."""
    rows = open_rows()
    for number in count():
        first = next(rows, None)
        if first is None:
            return
        start = number * size
        part = RowRange(open_rows, start, start + size, chain([first], islice(rows, size - 1)))
        yield part
        part.count()


def num_table_rows(files: list[Path], limit: int | None = None) -> int | None:
    """Return the number of rows that are read, where the files say it; None of text, whose rows must be read for it."""
    if any(path.suffix.lower() not in PARQUET_SUFFIXES for path in files):
        return None
    try:
        num_rows = sum(int(pq.read_metadata(path).num_rows) for path in files)
    except (OSError, pa.ArrowException):
        # Whoever reads the rows says what is wrong.
        return None
    return num_rows if limit is None else min(limit, num_rows)
