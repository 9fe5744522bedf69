"""Checks that the values of options are of the kinds that the options have, before anything is loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from types import UnionType
from typing import Any, Union, get_args, get_origin

from editfoundry.errors import BadInputError

MAX_STEPS = 1000
"""Of a sampling: the timesteps that the models were trained with."""
_NAMES = {"bool": bool, "int": int, "float": float, "str": str}
_MEANT = {bool: "0 or 1", int: "a whole number", float: "a finite number", str: "a word"}
_UNTOLD = (Any, "Any")


def check_kinds(options: Any, given: Mapping[str, Any]) -> None:
    """Refuse numbers and words that an option cannot have; values of other types are taken as they are.

    Args:
        options: an instance of the options' dataclass, with its defaults.
        given: name -> value, for names that it has.

    Raises:
        BadInputError: a word for a number, a part of a whole number, a number for a word, or one that is not finite.
    """
    annotations = {option.name: option.type for option in fields(options)}
    for name, value in given.items():
        if isinstance(value, bool | int | float | str):
            kinds = _kinds(annotations[name], getattr(options, name))
            if kinds is not None and not any(_is_of(value, kind) for kind in kinds):
                meant = " or ".join(_MEANT[kind] for kind in kinds) or "neither a number nor a word"
                raise BadInputError(f"{name} is {value!r}, but must be {meant}")


def check_num_steps(options: Any, name: str = "num_inference_steps") -> None:
    """Raise BadInputError unless the option ``name`` is a number of sampler steps."""
    steps = getattr(options, name)
    if not 1 <= steps <= MAX_STEPS:
        raise BadInputError(f"{name} is {steps}, but must be in 1 to {MAX_STEPS}")


def _kinds(annotation: Any, default: Any) -> list[type] | None:
    """Return which of our kinds an option can have, the widest first; None where nothing tells."""
    is_union = get_origin(annotation) in (Union, UnionType)
    parts = get_args(annotation) if is_union else (annotation,)
    told = [part if isinstance(part, str) else getattr(part, "__name__", "") for part in parts]
    found = {_NAMES[name.strip()] for text in told for name in text.split("|") if name.strip() in _NAMES}
    if not found and type(default) in _NAMES.values():
        found = {type(default)}
    if not found and (isinstance(annotation, str) or annotation in _UNTOLD):
        return None
    return [kind for kind in (float, int, bool, str) if kind in found]


def _is_of(value: bool | int | float | str, kind: type) -> bool:
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return math.isfinite(value)
        except OverflowError:
            return False
    if kind is bool:
        return value in (0, 1) and not isinstance(value, str)
    return isinstance(value, kind) and not isinstance(value, bool)
