"""One flat YAML or JSON file of settings, read into a dataclass."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from editfoundry.data.untrusted import read_yaml
from editfoundry.errors import BadInputError
from editfoundry.training.loop_config import LoopConfig

Config = TypeVar("Config", bound=LoopConfig)


def read_settings(path: Path) -> dict[str, Any]:
    """Read the mapping of names to values that a training's file is.

    Raises:
        BadInputError: the file is missing, or is no mapping.
    """
    values = read_yaml(Path(path), "a training configuration")
    if not isinstance(values, dict):
        raise BadInputError(f"{path}: a training configuration is a mapping of names to values")
    return values


def config_from(config_class: type[Config], values: Mapping[str, Any]) -> Config:
    """Return a configuration whose fields are ``values``.

    Raises:
        BadInputError: a name is unknown, one is missing, or a value is wrong.
    """
    fields = {field.name: field for field in dataclasses.fields(config_class)}
    unknown = [str(name) for name in values if name not in fields]
    if unknown:
        raise BadInputError(f"unknown setting {unknown[0]!r}: the settings are {', '.join(fields)}")
    required = [name for name, field in fields.items() if field.default is dataclasses.MISSING and name not in values]
    if required:
        names = ", ".join(map(repr, required))
        raise BadInputError(f"setting {names} is missing" if len(required) == 1 else f"settings {names} are missing")
    return config_class(**{name: _converted(name, str(fields[name].type), value) for name, value in values.items()})


def _converted(name: str, annotation: str, value: Any) -> Any:
    kind, _, optional = annotation.partition(" | ")
    if value is None and optional:
        return None
    try:
        # YAML reads 1e-4, without a dot, as text.
        if kind == "float" and not isinstance(value, bool):
            return float(value)
        if kind == "Path" and isinstance(value, str):
            return Path(value)
    except (TypeError, ValueError):
        pass
    if (kind == "int" and type(value) is int) or (kind == "bool" and type(value) is bool):
        return value
    if kind == "str" and (isinstance(value, str) or value is False):
        # YAML reads an unquoted no as false.
        return "no" if value is False else value
    if kind == "tuple[str, ...]" and isinstance(value, (list, tuple)) and all(isinstance(text, str) for text in value):
        return tuple(value)
    raise BadInputError(f"{name} is {value!r}, which is not of type {annotation}")
