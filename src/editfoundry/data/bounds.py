"""Bounds of parameters, checked where a dataclass of them is made."""

from __future__ import annotations

from collections.abc import Sequence

from editfoundry.errors import BadInputError


def check_at_least(parameters: object, lowest: float, *names: str) -> None:
    """Raise BadInputError where one of the named parameters is below ``lowest``; one that is None is not looked at."""
    for name in names:
        value = getattr(parameters, name)
        if value is not None and not value >= lowest:
            raise BadInputError(f"{name} is {value}; it must be at least {lowest:.10g}")


def check_between(parameters: object, lowest: float, highest: float, *names: str) -> None:
    """Raise BadInputError where one of the named parameters is not in [lowest, highest]; None is not looked at."""
    for name in names:
        value = getattr(parameters, name)
        if value is not None and not lowest <= value <= highest:
            raise BadInputError(f"{name} is {value}; it must be from {lowest:.10g} to {highest:.10g}")


def check_each_once(name: str, values: Sequence[str]) -> None:
    """Raise BadInputError where a list of names, itself called ``name``, has one of them twice."""
    twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
    if twice is not None:
        raise BadInputError(f"{name} has {str(twice)!r} twice; name each once")
