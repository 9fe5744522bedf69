"""Rows of a caption, an instruction and the caption after it: written by a model, or by hand to teach one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editfoundry.data.atomic import atomic_file
from editfoundry.data.untrusted import not_utf8, parse_json
from editfoundry.errors import BadInputError, one_line
from editfoundry.synthesis.instructions.instruction_format import (
    AFTER_CAPTION,
    BETWEEN_ANSWERS,
    STOP,
    completion,
    mark_inside,
    question,
)

TABLE_SUFFIX, TEXT_SUFFIX = ".parquet", ".jsonl"


@dataclass(frozen=True, kw_only=True)
class InstructionRow:
    """One caption with an instruction and what the picture's caption is after it."""

    input: str
    """What the picture shows before the edit."""
    edit: str
    """The instruction."""
    output: str
    """What the picture shows after it."""
    id: str = ""
    """Of the caption, where it is known."""
    url: str = ""
    """Where the caption's picture was found; it is never fetched."""
    provenance: str = ""
    """JSON object: the models' names and every parameter that shaped the row; empty for rows by hand."""

    def to_json(self) -> dict[str, Any]:
        """Return the row as it stands in a JSONL file, without what it lacks."""
        texts = {"input": self.input, "edit": self.edit, "output": self.output}
        known = {name: value for name, value in (("id", self.id), ("url", self.url)) if value}
        return {**texts, **known, **({"provenance": json.loads(self.provenance)} if self.provenance else {})}


def write_instruction_rows(path: Path, rows: Iterable[InstructionRow]) -> None:
    """Write rows as JSONL, whole or not at all."""
    _write(path, (row.to_json() for row in rows))


def write_chats(path: Path, rows: Iterable[InstructionRow]) -> None:
    """Write rows as the chats that an endpoint's own fine-tuning takes, one ``{"messages": [...]}`` a line."""
    _write(path, ({"messages": _messages(row)} for row in rows))


def _messages(row: InstructionRow) -> list[dict[str, str]]:
    asked = [{"role": message.role, "content": message.content} for message in question(row.input)]
    return [*asked, {"role": "assistant", "content": completion(row.edit, row.output)}]


def _write(path: Path, values: Iterable[Mapping[str, Any]]) -> None:
    with atomic_file(path) as file:
        for value in values:
            file.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")


def read_instruction_rows(path: Path) -> Iterator[InstructionRow]:
    """Yield the rows of a JSONL file, or of all such files of a folder, in order; empty lines do not count.

    A line is ``{"input", "edit", "output"}``, as of InstructPix2Pix's rows by hand, or ``{"prompt", "completion"}``,
    as they were given to a model.

    Raises:
        BadInputError: there is no row, or one is not of these forms, has an empty text or one with a delimiter inside.
    """
    number = 0
    for file in row_files(path):
        for place, line in _lines(file):
            number += 1
            try:
                yield _row(parse_json(line))
            except ValueError as error:
                raise BadInputError(f"{file}: line {place}: {one_line(error, 200)}") from error
    if not number:
        raise BadInputError(f'{path}: holds no rows; a line is {{"input": ..., "edit": ..., "output": ...}}')


def row_files(path: Path) -> list[Path]:
    """Return the JSONL files of a folder in order, or the one file that ``path`` is."""
    return sorted(path.glob(f"*{TEXT_SUFFIX}")) if path.is_dir() else [path]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip())
    except FileNotFoundError as error:
        raise BadInputError(f"{path}: missing; give a JSONL file of rows") from error
    except UnicodeDecodeError as error:
        raise not_utf8(path) from error
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({one_line(error, 160)}); give a JSONL file of rows") from error


def _row(value: object) -> InstructionRow:
    if not isinstance(value, dict):
        raise ValueError("is no JSON object")
    fields = _released(value) if "prompt" in value else value
    texts = {name: _text(name, fields.get(name)) for name in ("input", "edit", "output")}
    further = {name: fields[name] for name in ("id", "url") if isinstance(fields.get(name), str)}
    provenance = fields.get("provenance")
    told = json.dumps(provenance, ensure_ascii=False) if isinstance(provenance, dict) else ""
    return InstructionRow(**texts, **further, provenance=told)


def _released(value: Mapping[str, Any]) -> dict[str, Any]:
    """Take a prompt and its completion apart."""
    prompt, answer = value["prompt"], value.get("completion")
    if not isinstance(prompt, str) or not isinstance(answer, str):
        raise ValueError("prompt and completion must be texts")
    parts = answer.removesuffix(STOP).split(BETWEEN_ANSWERS)
    if not prompt.endswith(AFTER_CAPTION) or len(parts) != 2:
        raise ValueError(
            f"a prompt ends with {AFTER_CAPTION!r}, and a completion holds {BETWEEN_ANSWERS!r} once between its answers"
        )
    return {**value, "input": prompt.removesuffix(AFTER_CAPTION), "edit": parts[0], "output": parts[1]}


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is {value!r}; it must be a text")
    if mark := mark_inside(value):
        raise ValueError(f"{name} holds {mark!r}, which ends texts for the model")
    return " ".join(value.split())
