"""Where caption pairs are read: JSONL files in parts, Parquet tables of pairs, tables of captions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from editfoundry.data.hashing import file_hash
from editfoundry.data.record import Caption, short_hash
from editfoundry.data.tables import column_names, count_rows, read_rows, table_paths
from editfoundry.data.untrusted import parse_json
from editfoundry.errors import BadInputError, Rejection, one_line
from editfoundry.synthesis.instruct_pix2pix.caption_pairs import NOT_A_ROW, SPELLINGS, CaptionPair, read_pair
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.edits import sample_edit_of
from editfoundry.tinyworld.scene_sampling import is_held_out, random_stream
from editfoundry.tinyworld.wrong_outcomes import shows

_COLUMNS = {*(name for spellings in SPELLINGS.values() for name in spellings), "category", "source", "url"}
_MAX_LINE = 2**20
"""Bytes of a JSONL line; a longer one is no row of captions."""
_MAX_TRIES = 100
"""Edits of one scene that are drawn until one shows and leads to nothing that training must not see."""


@dataclass(frozen=True)
class CaptionPart:
    """The rows of one shard."""

    path: Path
    first: int
    """Number of its first row among all of the input's."""
    count: int
    start: int = 0
    """Byte at which a JSONL file's rows begin."""
    stop: int = 0
    """And end; 0 for a Parquet table, which is read whole."""

    def digest(self) -> str:
        """Return a hash of the rows."""
        if not self.stop:
            return file_hash(self.path)
        with self.path.open("rb") as file:
            file.seek(self.start)
            return short_hash(file.read(self.stop - self.start))


def caption_parts(source: Path, rows_per_part: int) -> list[tuple[str, CaptionPart]]:
    """Return the parts of a file or folder by their names, in order.

    Raises:
        BadInputError: there is no JSONL file and no Parquet table, or no row in them.
    """
    files = [source] if source.suffix == ".jsonl" else sorted(source.glob("*.jsonl")) if source.is_dir() else []
    found: list[tuple[str, CaptionPart]] = []
    number = 0
    if not files:
        for table in table_paths(source):
            found.append((table.stem, CaptionPart(table, number, count_rows(table))))
            number += found[-1][1].count
        return found
    for file in files:
        for start, stop, count in _byte_ranges(file, rows_per_part):
            found.append((f"{len(found):05}", CaptionPart(file, number, count, start, stop)))
            number += count
    if not found:
        raise BadInputError(f"{source}: holds no row; each line is a JSON object with input, edit, output")
    return found


def holds_captions_alone(source: Path) -> bool:
    """Return whether a file or folder holds captions that nobody wrote instructions for yet.

    Raises:
        BadInputError: it holds neither captions nor caption pairs.
    """
    if source.suffix == ".jsonl" or (source.is_dir() and any(source.glob("*.jsonl"))):
        return False
    columns = column_names(source)
    if {"input_caption", "instruction", "output_caption"} <= set(columns):
        return False
    if "caption" in columns:
        return True
    raise BadInputError(f"{source}: neither captions nor caption pairs; its columns are {', '.join(columns)}")


def read_part(part: CaptionPart) -> Iterator[tuple[int, CaptionPair | Rejection, Any]]:
    """Yield the number, the pair or why it is none, and what stands there, for each row."""
    rows = _lines(part) if part.stop else _table_rows(part.path)
    for number, row in enumerate(rows, start=part.first):
        place = f"{part.path.name}:{number - part.first + 1}"
        try:
            if isinstance(row, Rejection):
                raise row
            yield number, read_pair(row, number, place), row
        except Rejection as rejection:
            yield number, rejection, row


def edit_captions(part: CaptionPart, seed: int) -> Iterator[tuple[int, CaptionPair | Rejection, Any]]:
    """Yield a true plain edit of each of tinyworld's captions, as `read_part` does."""
    for number, caption in enumerate(read_rows(part.path, Caption), start=part.first):
        row = {"input": caption.caption, "id": caption.id, "url": caption.url}
        try:
            yield number, true_pair(caption, number, seed), row
        except Rejection as rejection:
            yield number, rejection, row


def true_pair(caption: Caption, number: int, seed: int) -> CaptionPair:
    """Return the plain edit of a tinyworld caption that ``seed`` draws.

    Raises:
        Rejection: the caption is not tinyworld's, or no edit of it can be seen.
    """
    try:
        scene = scene_from_caption(caption.caption)
    except ValueError as error:
        hint = "for other captions, have them written: editfoundry instructions write CAPTIONS OUT"
        raise Rejection("not a tinyworld caption", f"{error}; {hint}") from error
    random = random_stream("caption pair", seed, caption.id)
    for _ in range(_MAX_TRIES):
        edit = sample_edit_of(random, scene)
        if shows(edit) and not is_held_out(edit.after) and edit.after.caption != scene.caption:
            return CaptionPair(
                input_caption=scene.caption,
                instruction=edit.instruction,
                output_caption=edit.after.caption,
                category=edit.category,
                source=f"{caption.id} {caption.url}".strip(),
                number=number,
            )
    raise Rejection("no edit shows", caption.caption)


def _byte_ranges(file: Path, rows_per_part: int) -> Iterator[tuple[int, int, int]]:
    """Yield where parts of so many lines that are not blank begin and end, and how many such lines each has."""
    try:
        with file.open("rb") as lines:
            start = stop = count = 0
            while line := lines.readline(_MAX_LINE):
                if len(line) == _MAX_LINE:
                    raise BadInputError(f"{file}: a line is longer than {_MAX_LINE} bytes; is it a JSONL of captions?")
                stop += len(line)
                count += bool(line.strip())
                if count == rows_per_part:
                    yield start, stop, count
                    start, count = stop, 0
            if count:
                yield start, stop, count
    except OSError as error:
        raise BadInputError(f"{file}: cannot be read: {error.strerror}") from error


def _lines(part: CaptionPart) -> Iterator[Any]:
    with part.path.open("rb") as file:
        file.seek(part.start)
        data = file.read(part.stop - part.start)
    for line in data.split(b"\n"):
        if line.strip():
            try:
                yield parse_json(line.decode("utf-8-sig"))
            except (ValueError, RecursionError) as error:
                yield Rejection(NOT_A_ROW, one_line(error, 200))


def _table_rows(path: Path) -> Iterator[Any]:
    with pq.ParquetFile(path) as table:
        names = [name for name in table.schema_arrow.names if name in _COLUMNS]
        for batch in table.iter_batches(columns=names):
            for row in batch.to_pylist():
                # A pair's own ``id`` is a hash of its texts, and says nothing of where they come from.
                source = row.pop("source", None)
                yield {**row, **({"url": source} if source else {})}
