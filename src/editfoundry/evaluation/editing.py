"""Runs an editor over cases and takes nothing it returns on trust."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from editfoundry.errors import Rejection
from editfoundry.evaluation.item_editors import editor_of
from editfoundry.tinyworld.edit_case import EditCase

Editor = Callable[[Sequence[Image.Image], Sequence[str], Sequence[int]], list[Image.Image]]
"""Images (RGB), instructions and noise seeds in; as many edited images (RGB, each its input's size) out."""

_NOT_FINITE = "invalid value encountered in cast"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Edit:
    """What came of one case: an image, or the reason why there is none."""

    image: np.ndarray | None
    """``(H, W, 3)`` uint8 RGB, the case's size."""
    failure: str | None = None
    """``crashed``, ``wrong-count``, ``wrong-type``, ``wrong-size``, ``not-finite``, or an `ItemEditor`'s own reason."""
    detail: str = ""


class Instruction(Protocol):
    """What an editor is asked for, beside the picture."""

    @property
    def id(self) -> str:
        """Names it in messages."""
        ...

    @property
    def instruction(self) -> str:
        """What to do."""
        ...


def run_editor(editor: Editor, cases: Sequence[EditCase], seeds: Sequence[int]) -> list[Edit]:
    """Edit a batch; when the batch fails as a whole, edit its cases one by one to find out which do."""
    return run_on_images(editor, cases, [Image.fromarray(c.input_image) for c in cases], seeds)


def run_on_images(
    editor: Editor, items: Sequence[Instruction], images: Sequence[Image.Image], seeds: Sequence[int]
) -> list[Edit]:
    """Edit ``images`` (RGB) as ``items`` say; as `run_editor`."""
    try:
        outputs = _call(editor, items, images, seeds)
    except Rejection as problem:
        if len(items) == 1:
            return [Edit(None, problem.reason, problem.detail)]
        single = zip(items, images, seeds, strict=True)
        return [run_on_images(editor, [item], [image], [seed])[0] for item, image, seed in single]
    return [_checked(output, image.size) for output, image in zip(outputs, images, strict=True)]


def _call(
    editor: Editor, items: Sequence[Instruction], images: Sequence[Image.Image], seeds: Sequence[int]
) -> list[Image.Image]:
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.filterwarnings("always", _NOT_FINITE)
            outputs = list(editor_of(editor, items)(list(images), [i.instruction for i in items], list(seeds)))
    except Rejection:
        raise
    except Exception as error:
        _log.warning("the editor crashed on %s", ", ".join(i.id for i in items), exc_info=True)
        raise Rejection("crashed", f"{type(error).__name__}: {error}") from error
    _check_warnings(caught)
    if len(outputs) != len(items):
        raise Rejection("wrong-count", f"{len(outputs)} images for {len(items)} inputs")
    return outputs


def _check_warnings(caught: Sequence[warnings.WarningMessage]) -> None:
    """Refuse what a pipeline made of numbers that are not finite: black pixels, which numpy alone remarks on."""
    if any(_NOT_FINITE in str(warning.message) for warning in caught):
        raise Rejection("not-finite", "the editor's pixels are not finite")
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _checked(output: object, size: tuple[int, int]) -> Edit:
    if not isinstance(output, Image.Image):
        return Edit(None, "wrong-type", f"{type(output).__name__} is no PIL image")
    width, height = size
    if output.size != size:
        return Edit(None, "wrong-size", f"{output.width}x{output.height} instead of {width}x{height}")
    if output.mode == "F" and not np.isfinite(np.asarray(output)).all():
        return Edit(None, "not-finite", "the image has pixels that are not finite")
    return Edit(np.asarray(output.convert("RGB")))
