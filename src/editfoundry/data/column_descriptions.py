"""What the columns of the lineage's tables and indexes hold, as the records' own docstrings say it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Collection
from dataclasses import fields
from typing import Any

from editfoundry.data.index import MEMBERS, REQUIRED_COLUMNS
from editfoundry.data.record import Caption, Clip, Quadruple, Triplet

_TABLE_RECORDS = (Caption, Clip, Quadruple)
"""Records that are kept as the rows of a table."""
_INDEX_ONLY = {
    "width": "Pixels of each of the two images.",
    "height": "Pixels of each of the two images.",
    **{f"{role}_offset": f"Byte of the shard's tar at which the {role} begins." for role in MEMBERS},
    **{f"{role}_length": f"Bytes of the {role} in the shard's tar." for role in MEMBERS},
    "mask_hash": "First 16 hex digits of the sha256 of the mask's pixels.",
}
"""Columns of a shard's index that are no field of a triplet."""


def column_descriptions(columns: Collection[str]) -> dict[str, str]:
    """Return what each column holds, in plain words; nothing for a table that is none of the lineage's.

    Args:
        columns: all names of a table's or an index's columns, by which the kind of record is told.
    """
    if set(columns) >= set(REQUIRED_COLUMNS):
        known = {**field_descriptions(Triplet), **_INDEX_ONLY}
    else:
        record = next((one for one in _TABLE_RECORDS if {"id", *_field_names(one)} == set(columns)), None)
        known = field_descriptions(record) if record else {}
    return {name: known[name] for name in columns if name in known}


def field_descriptions(record: type) -> dict[str, str]:
    """Return the docstring below each field of a data class, and that of its property ``id``, as one line each."""
    [body] = ast.parse(textwrap.dedent(inspect.getsource(record))).body
    assert isinstance(body, ast.ClassDef)
    told = {"id": inspect.getdoc(getattr(record, "id", None)) or ""}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                told[name] = text
    return {name: " ".join(text.replace("``", "").split()) for name, text in told.items() if text}


def _field_names(record: Any) -> list[str]:
    return [field.name for field in fields(record)]
