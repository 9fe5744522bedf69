"""Files of prompts and exemplars: ours by name, anybody's by path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from editfoundry.data.untrusted import read_toml
from editfoundry.errors import BadInputError, one_line


def read_prompt_file(name_or_path: str, folder: Path, what: str) -> tuple[Path, dict[str, Any]]:
    """Return a TOML file's path and content; a name without ``.toml`` stands for a file of ``folder``.

    Raises:
        BadInputError: there is no such file, or it is not TOML; ``what`` says in the message what was looked for.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = folder / f"{name_or_path}.toml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.toml")))
        raise BadInputError(f"no {what} {name_or_path!r}: use one of {known}, or the path of a TOML file")
    return path, read_toml(path)


def text_of(table: Mapping[str, Any], key: str, place: str, may_be_empty: bool = False) -> str:
    """Return a text of a table; ``place`` is the file and the table, for errors.

    Raises:
        BadInputError: it is missing, empty or of another type.
    """
    return _checked_text(_value(table, key, place), key, place, may_be_empty)


def texts_of(table: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    """Return a list of texts, which may be empty; the rest is as for `text_of`."""
    values = _value(table, key, place)
    if not isinstance(values, list):
        raise BadInputError(f"{place}: {key} must be a list of texts, not {_shown(values)}")
    return tuple(_checked_text(value, key, place) for value in values)


def tables_of(table: Mapping[str, Any], key: str, place: str) -> list[dict[str, Any]]:
    """Return a list of tables, as ``[[key]]`` makes it; the rest is as for `text_of`."""
    values = _value(table, key, place)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise BadInputError(f"{place}: {key} must be tables, each under [[{key}]], not {_shown(values)}")
    return values


def table_of(table: Mapping[str, Any], key: str, place: str) -> dict[str, Any]:
    """Return a table, as ``[key]`` makes it; the rest is as for `text_of`."""
    value = _value(table, key, place)
    if not isinstance(value, dict):
        raise BadInputError(f"{place}: {key} must be a table, under [{key}], not {_shown(value)}")
    return value


def _value(table: Mapping[str, Any], key: str, place: str) -> Any:
    if key not in table:
        raise BadInputError(f"{place}: {key!r} is missing")
    return table[key]


def _checked_text(value: object, key: str, place: str, may_be_empty: bool = False) -> str:
    if not isinstance(value, str) or not (value.strip() or may_be_empty):
        raise BadInputError(f"{place}: {key} must be a text, not {_shown(value)}")
    return value


def _shown(value: object) -> str:
    return one_line(repr(value), 60)
