"""Writes ``params.yaml`` of a profile: everything that the profile brings, where a person sees and changes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from editfoundry.data.atomic import atomic_file
from editfoundry.lineage.params import SECTIONS, profile_params
from editfoundry.lineage.stages import STAGES
from editfoundry.profiles import load_profile

PARAMS_FILE = "params.yaml"
_HEADER = """\
# Parameters of the lineage; every stage of dvc.yaml and every Dagster asset reads its own section.
# Written by `editfoundry lineage write-params` from the profile; what you change here overrides the profile.
"""


def params_text(profile: str) -> str:
    """Return what ``params.yaml`` of a project with that profile holds: a section for each stage, as DVC wants it.

    Raises:
        BadInputError: there is no such profile, or a parameter of it is unknown or wrong.
    """
    whole, brought = profile_params(profile), load_profile(profile).params
    names = [name for name in SECTIONS if name in brought or any(stage.name == name for stage in STAGES)]
    sections = "".join(f"\n{name}:{_section(brought.get(name, {}))}" for name in names)
    return f"{_HEADER}profile: {_flow(profile)}\ndevice: {_flow(whole.device)}\n{sections}"


def write_params(path: Path, profile: str) -> None:
    """Write the file, whole or not at all."""
    with atomic_file(path) as file:
        file.write(params_text(profile).encode())


def _section(values: dict[str, Any] | Any) -> str:
    if not values:
        return " {}\n"
    return "\n" + "".join(f"  {name}: {_flow(value)}\n" for name, value in values.items())


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    import yaml

    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("...\n").strip()
