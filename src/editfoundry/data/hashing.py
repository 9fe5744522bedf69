"""Hashes that tell whether a stage's inputs and parameters have changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from editfoundry.data.storage import locate

ONLY_WHEN_SET = MappingProxyType({"hashed": "only when set"})
"""Metadata of a dataclass's field that counts in `input_hash` only where it differs from its default, so that outputs
made before the field was there stay valid."""


def file_hash(path: Path) -> str:
    """Return the sha256 of a file's bytes as 64 hex digits."""
    with locate(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def input_hash(*parts: object) -> str:
    """Return the sha256, 64 hex digits, of a stage's inputs and parameters.

    A ``Path`` of a file stands for the file's bytes, a dataclass for its fields; everything else for its JSON.
    """
    text = json.dumps([_plain(part) for part in parts], sort_keys=True, ensure_ascii=False, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(part: object) -> Any:
    if isinstance(part, Path):
        return file_hash(part) if part.is_file() else str(part)
    if is_dataclass(part) and not isinstance(part, type):
        return {type(part).__name__: _field_values(part)}
    if isinstance(part, bytes):
        return part.hex()
    if part is None or isinstance(part, (str, int, float, bool, list, tuple, dict)):
        return part
    return str(part)


def _field_values(value: Any) -> Any:
    """Return a dataclass's fields as a dict, those of dataclasses inside it too."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _field_values(getattr(value, field.name))
            for field in fields(value)
            if field.metadata != ONLY_WHEN_SET or getattr(value, field.name) != field.default
        }
    if isinstance(value, dict):
        return {key: _field_values(item) for key, item in value.items()}
    return [_field_values(item) for item in value] if isinstance(value, (list, tuple)) else value
