"""Rows of CSV and TSV text in which a quote that is never closed costs its own row and not those after it.

Python's own parser takes everything after such a quote, line breaks included, for one field.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from editfoundry.data.untrusted import check_utf8, not_utf8
from editfoundry.errors import BadInputError

UNCLOSED_QUOTE = "a quote that opens in this row is not closed"
MAX_RECORD_LINES = 256
"""A row of more lines is one whose quote is not closed."""
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}


def csv_table(lines: Iterable[str], path: Path, delimiter: str = ",") -> tuple[list[str], Iterator[list[str] | str]]:
    """Return the header of a table, empty where it has none, and its rows: the fields, or why they cannot be read.

    A row may go over several lines within quotes. Where its quotes do not fit together and a later one of its lines
    has by itself as many fields as the header, it ends after its first line, and the later lines are rows of their own.

    Args:
        lines: the text's, with their ends; blank ones are no rows.
        path: named in errors.
        delimiter: between two fields.

    Raises:
        BadInputError: the header cannot be read, has another delimiter alone, or the text is not UTF-8.
    """
    records = _records(_Lines(_decoded(lines, path)), delimiter)
    header = next(records, [])
    if isinstance(header, str):
        raise BadInputError(f"{path}: the header cannot be read as CSV: {header}")
    other = next((d for d in _DELIMITERS if d != delimiter and len(header) == 1 and d in header[0]), None)
    if other is not None:
        raise BadInputError(
            f"{path}: its columns are separated by {_DELIMITERS[other]}; save it again with {_DELIMITERS[delimiter]}"
        )
    return header, records


def _decoded(lines: Iterable[str], path: Path) -> Iterator[str]:
    """Yield the lines.

    Raises:
        BadInputError: the first one, or one of a file that is opened to fail at it, is not UTF-8.
    """
    try:
        for number, line in enumerate(lines):
            if number == 0:
                check_utf8(line, path)
            yield line
    except UnicodeDecodeError as error:
        raise not_utf8(path) from error


class _TooManyLinesError(Exception):
    pass


class _Lines:
    """Lines that can be read again, and those that the record at hand has used."""

    def __init__(self, source: Iterator[str]) -> None:
        self.used: list[str] = []
        self.ended = False
        self._source = source
        self._again: deque[str] = deque()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.used) == MAX_RECORD_LINES:
            raise _TooManyLinesError
        line = self._again.popleft() if self._again else next(self._source, None)
        if line is None:
            self.ended = True
            raise StopIteration
        self.used.append(line)
        return line

    def start_record(self) -> None:
        """Forget the lines of the record before."""
        self.used, self.ended = [], False

    def keep_only_first(self) -> None:
        """Give the lines after the record's first one out again."""
        self._again.extendleft(reversed(self.used[1:]))


def _records(lines: _Lines, delimiter: str) -> Iterator[list[str] | str]:
    reader = csv.reader(lines, delimiter=delimiter)
    num_fields = None
    while True:
        lines.start_record()
        record: list[str] | str
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            record = str(error)
        except _TooManyLinesError:
            record = UNCLOSED_QUOTE
        if lines.ended:
            record = UNCLOSED_QUOTE
        if len(lines.used) > 1 and _takes_in_others(lines.used, record, num_fields, delimiter):
            lines.keep_only_first()
            record = UNCLOSED_QUOTE
        if record:
            num_fields = len(record) if num_fields is None else num_fields
            yield record


def _takes_in_others(lines: Sequence[str], record: list[str] | str, num_fields: int | None, delimiter: str) -> bool:
    """Tell whether a record of several lines is one whose open quote has swallowed the rows after it."""
    if num_fields is None:
        return not _is_well_formed(lines, delimiter)
    if len(record) == num_fields and not isinstance(record, str) and _is_well_formed(lines, delimiter):
        return False
    return any(_num_fields(line, delimiter) == num_fields for line in lines[1:])


def _is_well_formed(lines: Sequence[str], delimiter: str) -> bool:
    try:
        return len(list(csv.reader(lines, delimiter=delimiter, strict=True))) == 1
    except csv.Error:
        return False


def _num_fields(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 0
