"""The parameters of the lineage: a profile's own, and what ``params.yaml`` changes of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import field, make_dataclass
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from editfoundry.curation.score_config import ScoreConfig
from editfoundry.data.untrusted import read_yaml
from editfoundry.errors import BadInputError
from editfoundry.lineage.claims_config import ClaimsConfig
from editfoundry.lineage.stages import STAGES
from editfoundry.profiles import DEFAULT_PROFILE, load_profile
from editfoundry.synthesis.instructions.config import InstructionConfig
from editfoundry.training.loop_config import MAX_SEED

FURTHER_SECTIONS: dict[str, type] = {
    "score": ScoreConfig,
    "claims": ClaimsConfig,
    "instructions": InstructionConfig,
    "instruction_training": dict,
}
"""Sections of no stage: of ``editfoundry score``, for triplets from elsewhere (the lineage's own are scored as they are
made), of ``editfoundry claims``, and of ``editfoundry instructions write`` and ``train``."""
SECTIONS: dict[str, type] = {**{stage.name: stage.config for stage in STAGES}, **FURTHER_SECTIONS}
"""Section -> class of its parameters; ``dict`` for one that is taken as it is."""

if TYPE_CHECKING:
    _Sections: Any = object

    class Params(_Sections):
        """All parameters, as ``params.yaml`` holds them: profile, device, and one section for each stage."""

        profile: str
        device: str

else:
    Params = make_dataclass(
        "Params",
        [
            ("profile", str, field(default=DEFAULT_PROFILE)),
            ("device", str, field(default="auto")),
            *(
                (name, Mapping[str, Any] if config is dict else config, field(default_factory=config))
                for name, config in SECTIONS.items()
            ),
        ],
        frozen=True,
        kw_only=True,
        namespace={
            "__module__": __name__,
            "__doc__": "All parameters, as ``params.yaml`` holds them.",
        },
    )


def load_params(path: Path | None, profile: str | None = None) -> Params:
    """Read ``params.yaml``: what it says holds, then what suits its profile, then the defaults of the classes.

    With another profile than the file's, those of the file's values hold that differ from its own profile's: what a
    profile brought gives way to what the other brings, what a person changed stays.

    Args:
        path: the file; without one, the profile's own parameters.
        profile: name or TOML file of a profile to take in the place of the file's.

    Raises:
        BadInputError: the file is missing or malformed, or has an unknown key or a wrong value; or there is no such
            profile.
    """
    values = {} if path is None else read_yaml(path, "parameters") or {}
    named = values.get("profile", DEFAULT_PROFILE) if isinstance(values, Mapping) else DEFAULT_PROFILE
    try:
        if not isinstance(values, Mapping) or not isinstance(named, str):
            return _build(Params, values, "")
        if profile is not None and profile != named:
            values = {**_changed(values, dataclasses.asdict(profile_params(named))), "profile": profile}
        # Looked at by itself first, so that a fault of the profile is not told as one of the file.
        profile_params(profile or named)
        return _build(Params, _merged(load_profile(profile or named).params, values), "")
    except (TypeError, ValueError) as error:
        raise BadInputError(f"{path}: {error}" if path else str(error)) from error


def profile_params(profile: str) -> Params:
    """Return the parameters that a profile brings, over the defaults of the classes.

    Raises:
        BadInputError: there is no such profile, or a parameter of it is unknown or wrong.
    """
    found = load_profile(profile)
    try:
        return _build(Params, {**found.params, "profile": profile}, "")
    except (TypeError, ValueError) as error:
        raise BadInputError(f"profile {profile!r}: params: {error}") from error


def with_overrides(params: Params, section: str, values: Mapping[str, Any]) -> Params:
    """Return the parameters with some values of one section replaced; the others of nested sections stay.

    Raises:
        BadInputError: there is no such section or parameter, or a value is of another type.
    """
    if section not in SECTIONS:
        raise BadInputError(f"no section {section!r} in the parameters")
    current: Any = getattr(params, section)
    if isinstance(current, Mapping):
        return dataclasses.replace(params, **{section: _merged(current, values)})
    try:
        changed: Any = _build(type(current), _merged(dataclasses.asdict(current), values), f"{section}.")
        return dataclasses.replace(params, **{section: changed})
    except (TypeError, ValueError) as error:
        raise BadInputError(f"overrides: {error}") from error


def _merged(current: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    both = {name: value for name, value in values.items() if isinstance(value, Mapping) and current.get(name)}
    return {**current, **values, **{name: _merged(current[name], value) for name, value in both.items()}}


def _changed(values: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of ``values`` that ``base`` does not have, of mappings their parts."""
    changed: dict[str, Any] = {}
    for name, value in values.items():
        known = base.get(name)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            inner = _changed(value, known)
            changed |= {name: inner} if inner else {}
        elif name not in base or (tuple(value) if isinstance(value, list) else value) != known:
            changed[name] = value
    return changed


def _build(cls: Any, values: object, where: str) -> Any:
    if not isinstance(values, Mapping):
        raise BadInputError(f"{where.removesuffix('.') or 'the file'} is not a mapping of names to values")
    known = {f.name: f for f in dataclasses.fields(cls)}
    unknown = [name for name in values if name not in known]
    if unknown:
        raise BadInputError(f"unknown parameter {where}{unknown[0]}; there are {', '.join(known)}")
    hints = get_type_hints(cls)
    built = {}
    for name, value in values.items():
        section = _section(hints[name], value)
        built[name] = _build(section, value, f"{where}{name}.") if section else _plain(value, hints[name], where + name)
    try:
        return cls(**built)
    except BadInputError as error:
        raise BadInputError(f"section {where.removesuffix('.')}: {error}" if where else str(error)) from error


def _section(hint: Any, value: object) -> Any:
    """Return the dataclass that ``value`` fills; None for a plain value, and for nothing where that is allowed."""
    kinds = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    allows_nothing = type(None) in kinds and value is None
    return None if allows_nothing else next((kind for kind in kinds if dataclasses.is_dataclass(kind)), None)


def _plain(value: object, hint: Any, name: str) -> object:
    """Return a plain value as ``hint`` wants it; an infinity, NaN or a seed out of range is wrong."""
    typed = _typed(value, hint, name)
    if isinstance(typed, float) and not math.isfinite(typed):
        raise BadInputError(f"parameter {name} is {typed}, but must be a finite number")
    if name.endswith(".seed") and isinstance(typed, int) and not 0 <= typed <= MAX_SEED:
        raise BadInputError(f"parameter {name} is {typed}, but must be 0 to {MAX_SEED}")
    return typed


def _typed(value: object, hint: Any, name: str) -> object:
    """Return ``value`` as ``hint`` wants it: an int is a float too, and a list of YAML a tuple."""
    kinds = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    if float in kinds and type(value) is int:
        return float(value)
    for kind in kinds:
        origin = get_origin(kind) or kind
        if origin is tuple and isinstance(value, list):
            return tuple(value)
        if type(value) is origin or (origin is Mapping and isinstance(value, Mapping)):
            return value
    wanted = " or ".join("nothing" if kind is type(None) else kind.__name__ for kind in kinds)
    raise BadInputError(f"parameter {name} is {value!r}, which is no {wanted}")
