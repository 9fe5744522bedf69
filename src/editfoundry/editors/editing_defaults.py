"""``editing.json`` in an editor's folder: the options that suit the editor, and the pictures that it was made for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
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
    side: int | None = None
    """Side of those pictures, pixels, where they are squares of one size."""
    area_side: int | None = None
    """Side, in pixels, of the square whose area pictures of any aspect ratio are edited at, as they were trained on; by
    default their long side is the model's own."""


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
        defaults = EditingDefaults(**found)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise BadInputError(f"{path}: not a JSON object of options, made_for, side, area_side: {error}") from error
    options = defaults.options
    plain = isinstance(options, dict) and all(isinstance(value, int | float | str) for value in options.values())
    sides = all(side is None or (type(side) is int and side > 0) for side in (defaults.side, defaults.area_side))
    if not plain or not isinstance(defaults.made_for, str) or not sides:
        raise BadInputError(
            f"{path}: options must be names with numbers or words, made_for a text, side and area_side numbers"
        )
    return defaults


def write_editing_defaults(folder: Path, defaults: EditingDefaults) -> None:
    """Write ``folder/editing.json``."""
    told = {name: value for name, value in asdict(defaults).items() if name != "area_side" or value is not None}
    (folder / FILE_NAME).write_text(json.dumps(told, indent=2) + "\n")


def copy_editing_defaults(source: Path, folder: Path) -> None:
    """Let an editor in ``folder`` keep what the editor in ``source``, which it was trained from, says; if anything."""
    if (source / FILE_NAME).is_file():
        shutil.copyfile(source / FILE_NAME, folder / FILE_NAME)
