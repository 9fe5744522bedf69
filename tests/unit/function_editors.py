"""Editors made of a plain function, and requests, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from editfoundry.editors.editor import Editor, EditRequest
from editfoundry.editors.editor_family import EditorFamily, EditorSource, NoOptions


def editor_of(edit: Callable[[Sequence[EditRequest]], Sequence[Any]], name: str = "test", **family: Any) -> Editor:
    """Return an editor that edits a batch of requests by ``edit``; ``family`` holds further fields of its family."""
    made = EditorFamily(name=name, edit=lambda editor, requests: edit(requests), **family)
    return Editor(source=EditorSource(name=name, family=made), options=NoOptions())


def request(image: Image.Image, instruction: str = "melt it", seed: int = 0, **parts: Any) -> EditRequest:
    """Return a request."""
    return EditRequest(image=image, instruction=instruction, seed=seed, **parts)
