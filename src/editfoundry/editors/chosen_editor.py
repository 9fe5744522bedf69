"""The editor that a person has chosen for a picture, found by its name and opened."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from editfoundry.diffusion.seeds import SEEDS
from editfoundry.errors import BadInputError
from editfoundry.profiles import Profile

if TYPE_CHECKING:
    from editfoundry.editors.editor import Editor
    from editfoundry.editors.editor_family import EditorSource
    from editfoundry.pretrained.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class ChosenEditor:
    """Which editor, where, and how it samples."""

    name: str | None = None
    """See `find_editor`; None for the profile's ``editor_base``."""
    profile: str = "embedded"
    """Name or TOML file."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Such as ``num_inference_steps`` and ``guidance_scale``; those that are None keep the editor's defaults."""


def find_chosen(editor: ChosenEditor, profile: Profile) -> EditorSource:
    """Return what is known of an editor before it is loaded, so that a wrong one is told before torch is imported.

    Raises:
        BadInputError: there is none of that name, or it has no such option.
    """
    from editfoundry.editors.open_editor import BASE, find_editor

    source = find_editor(editor.name or BASE, profile)
    source.options(_given(editor))
    return source


def shown_name(source: EditorSource, profile: Profile) -> str:
    """Return an editor's name as a person is told it; the profile's base is called by its model."""
    return source.name if source.name != "base" or source.folder else str(profile.model("editor_base"))


def open_chosen(source: EditorSource, editor: ChosenEditor) -> tuple[Editor, Runtime]:
    """Load an editor, and return it with where it runs."""
    from editfoundry.editors.open_editor import open_source
    from editfoundry.pretrained.runtime import choose_runtime

    runtime = choose_runtime(editor.device)
    return open_source(source, runtime, **_given(editor)), runtime


def _given(editor: ChosenEditor) -> dict[str, Any]:
    return {name: value for name, value in editor.options.items() if value is not None}


def warn_of_foreign_pictures(source: EditorSource, image: Path, picture: Image.Image) -> None:
    """Say on stderr that the editor was made for other pictures, before it spoils this one."""
    known = source.defaults
    if not known.made_for or (known.side, known.side) == picture.size:
        return
    editor, (width, height) = shown_name(source, source.own_profile), picture.size
    print(
        f"warning: {image} is {width}x{height}, but the editor {editor} knows nothing but {known.made_for}: what it "
        "makes of a photograph is no edit. For photographs: --profile paper, or --editor FOLDER",
        file=sys.stderr,
    )


def check_seed(seed: int) -> None:
    """Raise BadInputError where a seed is out of bounds."""
    if seed not in SEEDS:
        raise BadInputError(f"--seed is {seed}, but must be in {SEEDS.start} to {SEEDS.stop - 1}")
