"""Reads quadruples from a JSON or JSONL file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editfoundry.data.hashing import input_hash
from editfoundry.data.nothing_kept import require_something_kept
from editfoundry.data.output_folder import claim_output, remove_other_shards
from editfoundry.data.record import Quadruple
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.stage import StageResult
from editfoundry.data.tables import table_is_done
from editfoundry.data.untrusted import parse_json
from editfoundry.errors import BadInputError, Rejection
from editfoundry.synthesis.quadruples.keywords import check_keywords
from editfoundry.synthesis.quadruples.stage import SHARD_SUFFIXES, STAGE, reused, store


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


def import_quadruples(path: Path, output: Path) -> StageResult:
    """Read a JSON or JSONL file of quadruples in our spelling or EditWorld's into one shard.

    Raises:
        BadInputError: the file is missing, malformed as a whole, or empty. A malformed line of a JSONL file is
            recorded as rejected instead.
    """
    rows = _json_rows(path)
    if not rows:
        raise BadInputError(f"{path}: holds no quadruple")
    claim_output(output, STAGE)
    target, digest = output / "00000.parquet", input_hash(path)
    remove_other_shards(output, {target.stem}, SHARD_SUFFIXES)
    if table_is_done(target, digest):
        return require_something_kept(reused(target), path)
    kept: list[Quadruple] = []
    rejected: list[RejectedRow] = []
    for number, row in enumerate(rows, start=1):
        try:
            kept.append(_parse(row, f"{path.name}:{number}"))
        except Rejection as error:
            rejected.append(RejectedRow(f"{path.name}:{number}", error.reason, error.detail, _as_dict(row)))
    return require_something_kept(store(target, digest, kept, rejected), path)


def _json_rows(path: Path) -> list[Any]:
    if path.suffix.lower() == ".jsonl":
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise BadInputError(f"{path}: not JSON: {error}") from error
        return [_json_line(line) for line in text.split("\n") if line.strip()]
    try:
        data = parse_json(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error
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
