"""``editing.json`` in an editor's folder: the options that suit the editor, and the pictures that it was made for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from editfoundry.errors import BadInputError

FILE_NAME = "editing.json"


@dataclass(frozen=True, kw_only=True)
class EditingDefaults:
    """What a folder says about editing with it; one without the file says nothing."""

    options: Mapping[str, float | int | str] = field(default_factory=dict)
    """Options that hold where a person gives none, in the place of diffusers' defaults."""
    made_for: str = ""
    """The only pictures that the editor knows, in words; empty where it takes any photograph."""


def read_editing_defaults(folder: Path) -> EditingDefaults:
    """Read ``folder/editing.json``.

    Raises:
        BadInputError: the file is malformed.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return EditingDefaults()
    try:
        found = json.loads(path.read_text())
        options, made_for = found.get("options", {}), found.get("made_for", "")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise BadInputError(f"{path}: cannot be read as JSON with options and made_for: {error}") from error
    plain = isinstance(options, dict) and all(isinstance(value, int | float | str) for value in options.values())
    if not plain or not isinstance(made_for, str):
        raise BadInputError(f"{path}: options must be names with numbers or words, made_for a text")
    return EditingDefaults(options=options, made_for=made_for)
