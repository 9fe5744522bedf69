"""Reads quadruples from a JSON or JSONL file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editfoundry.data.hashing import input_hash
from editfoundry.data.nothing_kept import require_something_kept
from editfoundry.data.record import Quadruple
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.stage_result import StageResult
from editfoundry.data.untrusted import parse_json, read_utf8
from editfoundry.errors import BadInputError, Rejection
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard
from editfoundry.execution.shard_store import ShardNotes
from editfoundry.synthesis.quadruples.keywords import check_keywords
from editfoundry.synthesis.quadruples.stage import QuadrupleStage


@dataclass(frozen=True)
class _Malformed:
    """A line of a JSONL file that is not JSON."""

    line: str
    error: str


_MAX_SHOWN = 1000
"""Characters of a malformed line that are kept with its rejection."""
_SPELLINGS = {
    "input_caption": ("input_caption", "original_caption", "input", "caption"),
    "instruction": ("instruction", "instuction", "edit"),
    "output_caption": ("output_caption", "target_caption", "target_cation", "output"),
    "keywords": ("keywords", "key_words"),
}


@dataclass(frozen=True)
class ImportStage(QuadrupleStage[list[Any], None]):
    """Quadruples that are written out in a file: one shard."""

    source: Path

    def shards(self) -> list[Shard[list[Any]]]:
        """Read the file."""
        rows = _json_rows(self.source)
        if not rows:
            raise BadInputError(f"{self.source}: holds no quadruple")
        return [Shard("00000", rows, len(rows))]

    def digest(self, shard: Shard[list[Any]], target: Path) -> str:
        """Hash the file."""
        return input_hash(self.source)

    def setup(self) -> None:
        """Load nothing."""

    def process(self, models: None, shard: Shard[list[Any]], target: Path, notes: ShardNotes) -> Iterator[Quadruple]:
        """Yield what can be read."""
        for number, row in enumerate(shard.source, start=1):
            place = f"{self.source.name}:{number}"
            try:
                quadruple = _parse(row, place)
            except Rejection as error:
                notes.rejected.append(RejectedRow(place, error.reason, error.detail, _as_dict(row)))
                continue
            yield quadruple


def import_quadruples(path: Path, output: Path, replace: bool = False) -> StageResult:
    """Read a JSON or JSONL file of quadruples in our spelling or EditWorld's into one shard.

    With ``replace``, quadruples that were made of something else may be replaced.

    Raises:
        BadInputError: the file is missing, malformed as a whole, or empty. A malformed line of a JSONL file is
            recorded as rejected instead.
    """
    return require_something_kept(run_stage(ImportStage(path), output, replace=replace), path)


def _json_rows(path: Path) -> list[Any]:
    if path.suffix.lower() == ".jsonl":
        try:
            text = read_utf8(path)
        except OSError as error:
            raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error
        return [_json_line(line) for line in text.split("\n") if line.strip()]
    try:
        data = parse_json(read_utf8(path))
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error
    except BadInputError:
        raise
    except ValueError as error:
        raise BadInputError(f"{path}: not JSON: {error}") from error
    if isinstance(data, dict):
        return list(data.values()) if all(isinstance(value, dict) for value in data.values()) else [data]
    if not isinstance(data, list):
        raise BadInputError(f"{path}: must hold a list of quadruples, or one quadruple under each key")
    return data


def _json_line(line: str) -> Any:
    try:
        return parse_json(line)
    except ValueError as error:
        return _Malformed(line[:_MAX_SHOWN], str(error))


def _parse(row: object, source: str) -> Quadruple:
    if isinstance(row, _Malformed):
        raise Rejection("malformed line", row.error)
    fields = _as_dict(row)
    input_caption = _text(fields, "input_caption")
    keywords = _keywords(fields)
    check_keywords(input_caption, keywords)
    return Quadruple(
        input_caption=input_caption,
        instruction=_text(fields, "instruction"),
        output_caption=_text(fields, "output_caption"),
        keywords=keywords,
        category=str(fields.get("category", fields.get("type", ""))),
        source=source,
    )


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = _spelled(fields, name)
    if not isinstance(value, str) or not value.strip():
        raise Rejection(f"no {name.replace('_', ' ')}")
    return value.strip()


def _keywords(fields: Mapping[str, Any]) -> tuple[str, ...]:
    value = _spelled(fields, "keywords")
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Rejection("no keywords")
    return tuple(word.strip() for word in words if word.strip())


def _spelled(fields: Mapping[str, Any], name: str) -> Any:
    return next((fields[spelling] for spelling in _SPELLINGS[name] if spelling in fields), None)


def _as_dict(row: object) -> dict[str, Any]:
    if isinstance(row, _Malformed):
        return {"line": row.line}
    return row if isinstance(row, dict) else {"value": repr(row)}
