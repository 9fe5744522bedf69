"""Runs an editor over cases and takes nothing it returns on trust."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from editfoundry.errors import Rejection
from editfoundry.evaluation.cases import EditCase

Editor = Callable[[Sequence[Image.Image], Sequence[str], Sequence[int]], list[Image.Image]]
"""Images (RGB), instructions and noise seeds in; as many edited images (RGB, each its input's size) out."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Edit:
    """What came of one case: an image, or the reason why there is none."""

    image: np.ndarray | None
    """``(H, W, 3)`` uint8 RGB, the case's size."""
    failure: str | None = None
    """``crashed``, ``wrong-count``, ``wrong-type``, ``wrong-size`` or ``not-finite``."""
    detail: str = ""


def run_editor(editor: Editor, cases: Sequence[EditCase], seeds: Sequence[int]) -> list[Edit]:
    """Edit a batch; when the batch fails as a whole, edit its cases one by one to find out which do."""
    try:
        outputs = _call(editor, cases, seeds)
    except Rejection as problem:
        if len(cases) == 1:
            return [Edit(None, problem.reason, problem.detail)]
        return [run_editor(editor, [case], [seed])[0] for case, seed in zip(cases, seeds, strict=True)]
    return [_checked(output, case) for output, case in zip(outputs, cases, strict=True)]


def _call(editor: Editor, cases: Sequence[EditCase], seeds: Sequence[int]) -> list[Image.Image]:
    images = [Image.fromarray(c.input_image) for c in cases]
    try:
        outputs = list(editor(images, [c.instruction for c in cases], list(seeds)))
    except Exception as error:
        _log.warning("the editor crashed on %s", ", ".join(c.id for c in cases), exc_info=True)
        raise Rejection("crashed", f"{type(error).__name__}: {error}") from error
    if len(outputs) != len(cases):
        raise Rejection("wrong-count", f"{len(outputs)} images for {len(cases)} inputs")
    return outputs


def _checked(output: object, case: EditCase) -> Edit:
    if not isinstance(output, Image.Image):
        return Edit(None, "wrong-type", f"{type(output).__name__} is no PIL image")
    height, width = case.input_image.shape[:2]
    if output.size != (width, height):
        return Edit(None, "wrong-size", f"{output.width}x{output.height} instead of {width}x{height}")
    if output.mode == "F" and not np.isfinite(np.asarray(output)).all():
        return Edit(None, "not-finite", "the image has pixels that are not finite")
    return Edit(np.asarray(output.convert("RGB")))
