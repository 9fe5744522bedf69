"""A folder of image pairs with one table beside them: the layout of a person who has pictures and a spreadsheet.

The table is CSV, TSV or JSONL. Each row names an input image, an output image (paths from the table's folder) and the
instruction between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from editfoundry.data.csv_table import csv_table
from editfoundry.data.exchange.huggingface import SPLIT_WORDS
from editfoundry.data.exchange.importing import Entry, import_entries, known_task, parse_json, text
from editfoundry.data.exchange.pairs import checked_instruction, read_mask, read_pair, resolve_inside
from editfoundry.data.fields import triplet_from_fields
from editfoundry.data.record import Triplet
from editfoundry.data.stage_result import StageResult
from editfoundry.data.untrusted import check_utf8
from editfoundry.errors import BadInputError, Rejection, one_line

COLUMNS = {
    "input": ("input", "input_image", "original_image", "source_image", "before"),
    "output": ("output", "output_image", "edited_image", "target_image", "after"),
    "instruction": ("instruction", "edit_prompt", "edit", "prompt"),
    "input_caption": ("input_caption", "original_prompt"),
    "output_caption": ("output_caption", "edited_prompt"),
    "mask": ("mask", "mask_image"),
    "category": ("category",),
    "task": ("task",),
    "split": ("split",),
    "source": ("source", "url"),
}
"""What a column means -> the names it may have, of which the first in a row that is not empty counts."""
REQUIRED = ("input", "output", "instruction")
SPLITS = {word: split for split, words in SPLIT_WORDS.items() for word in words}
"""A split as written in the table -> as recorded."""
SUFFIXES = (".csv", ".tsv", ".jsonl")
USUAL_NAMES = ("pairs", "metadata")
"""Names of the table, without suffix, that are taken where a folder holds several; the second is `datasets`' own."""
BROKEN_ROW = "broken row"
UNKNOWN_SPLIT = "unknown split"
MAX_LINE_CHARS = 2**20

_Row = tuple[int, dict[str, Any] | str]
"""Its number, from 1 after the header, and its values, or why it cannot be read."""


def import_pairs_folder(folder: Path, output: Path) -> StageResult:
    """Write the pairs of a table and its pictures into shards; a row that cannot be used is a recorded rejection.

    Args:
        folder: the folder that holds the table, or the table itself.
        output: folder of triplet shards.

    Raises:
        BadInputError: no table, several of which none is meant, a table without the three columns or without rows, or
            ``output`` holds something else.
    """
    table = find_table(Path(folder))
    _check_columns(table)
    entries = (_entry(table, number, values) for number, values in _rows(table))
    return import_entries(entries, table, output, "import pairs-folder")


def find_table(folder: Path) -> Path:
    """Return the table of a folder: ``pairs.*`` or ``metadata.*``, else the only one there; a file is itself.

    Raises:
        BadInputError: none, several, or a file of another kind.
    """
    if folder.is_file():
        if folder.suffix.lower() not in SUFFIXES:
            raise BadInputError(f"{folder}: not a {', '.join(SUFFIXES)} table; give one, or the folder that holds it")
        return folder
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder or table")
    tables = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.name[0] != "." and p.is_file())
    if not tables:
        raise BadInputError(f"{folder}: no CSV, TSV or JSONL table in it; write one with {', '.join(REQUIRED)}")
    usual = [table for name in USUAL_NAMES for table in tables if table.stem == name]
    if len(tables) > 1 and len(usual) != 1:
        names = ", ".join(found.name for found in tables)
        raise BadInputError(f"{folder}: several tables ({names}); give the one that is meant")
    return usual[0] if usual else tables[0]


def _check_columns(table: Path) -> None:
    """Check that a CSV's header, or one of a JSONL's rows, has the columns."""
    first: dict[str, Any] = {}
    for _, values in _rows(table, with_header=True):
        if isinstance(values, dict):
            if not _lacking(values):
                return
            first = first or values
    with table.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        check_utf8(file.readline(MAX_LINE_CHARS), table)
    lacking = _lacking(first)
    known = ", ".join(COLUMNS[lacking][1:])
    raise BadInputError(f"{table}: no column {lacking!r} (or {known}); it has {one_line(', '.join(first) or 'none')}")


def _lacking(values: Mapping[str, Any]) -> str:
    return next((column for column in REQUIRED if not set(COLUMNS[column]) & set(values)), "")


def _rows(table: Path, with_header: bool = False) -> Iterator[_Row]:
    """Yield a table's rows; ``with_header`` puts a CSV's header before them, as a row 0 of names without values."""
    try:
        # Bytes that are not UTF-8 become lone surrogates, so that they spoil one row, not the file.
        with table.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            if table.suffix.lower() == ".jsonl":
                yield from _jsonl_rows(_lines(file, table))
            else:
                yield from _csv_rows(_lines(file, table), table, with_header)
    except OSError as error:
        raise BadInputError(f"{table}: cannot be read ({error.strerror})") from error


def _lines(file: TextIO, table: Path) -> Iterator[str]:
    while line := file.readline(MAX_LINE_CHARS):
        if len(line) == MAX_LINE_CHARS:
            raise BadInputError(f"{table}: a line is longer than {MAX_LINE_CHARS} characters; is it a text table?")
        yield line


def _csv_rows(lines: Iterable[str], table: Path, with_header: bool) -> Iterator[_Row]:
    header, records = csv_table(lines, table, "\t" if table.suffix.lower() == ".tsv" else ",")
    names = [name.strip() for name in header]
    if with_header:
        yield 0, dict.fromkeys(names, "")
    for number, record in enumerate(records, start=1):
        if isinstance(record, str):
            yield number, record
        elif len(record) != len(names):
            yield number, f"{len(record)} fields, {len(names)} in the header"
        else:
            yield number, dict(zip(names, record, strict=True))


def _jsonl_rows(lines: Iterable[str]) -> Iterator[_Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            values = parse_json(line)
        except (ValueError, RecursionError) as error:
            yield number, f"not JSON ({one_line(error)})"
            continue
        yield number, values if isinstance(values, dict) else f"a JSON {type(values).__name__}, not an object"


def _entry(table: Path, number: int, values: dict[str, Any] | str) -> Entry:
    place = f"{table.name} row {number}"
    if isinstance(values, str):
        return Entry(place, {}, partial(_reject, values))
    texts = {_printable(name): _printable(value) for name, value in values.items() if isinstance(value, str)}
    return Entry(place, texts, partial(_load, table.parent, values, place))


def _reject(problem: str) -> Triplet:
    raise Rejection(BROKEN_ROW, problem)


def _load(folder: Path, row: Mapping[str, Any], place: str) -> Triplet:
    values = {column: text(row, *names).strip() for column, names in COLUMNS.items()}
    damaged = next((column for column, value in values.items() if value != _printable(value)), None)
    if damaged:
        raise Rejection(BROKEN_ROW, f"{damaged} is not UTF-8 text")
    instruction = checked_instruction(values["instruction"])
    split = SPLITS.get(values["split"].lower(), "")
    if values["split"] and not split:
        raise Rejection(UNKNOWN_SPLIT, f"{values['split']!r} is none of {', '.join(SPLITS)}")
    input_image, output_image = read_pair(*(resolve_inside(folder, values[side]) for side in ("input", "output")))
    mask = read_mask(resolve_inside(folder, values["mask"]), input_image.size) if values["mask"] else None
    captions = {name: values[name] for name in ("input_caption", "output_caption", "category")}
    fields = {**captions, "instruction": instruction, "split": split, "source": values["source"] or place}
    fields["task"] = known_task(values["task"])
    return triplet_from_fields(fields, input_image, output_image, mask)


def _printable(value: str) -> str:
    """Return text with every lone surrogate, which no UTF-8 file can hold, as a question mark."""
    return value.encode("utf-8", "replace").decode("utf-8")
