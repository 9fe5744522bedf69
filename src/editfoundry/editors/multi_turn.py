"""Several edits of one picture, one after the other, without drift (Emu Edit, section 4.5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from PIL import Image

from editfoundry.diffusion.seeds import wrapped_seed
from editfoundry.editors.editor import Editor, EditRequest, EditResult, Turn, WordedEdit
from editfoundry.errors import BadInputError

KEEP_BELOW = 0.03
"""The paper's threshold."""
_BLUR_SHARE = 1 / 64
"""Deviation of the low-pass, as a share of the picture's shorter side; the paper does not tell its own."""


def kept_where_alike(before: Image.Image, after: Image.Image, keep_below: float = KEEP_BELOW) -> Image.Image:
    """Return an edit with the pixels of its own input wherever it changed next to nothing.

    Args:
        before: RGB, the picture that was edited.
        after: RGB of the same size, the edit.
        keep_below: the input's pixel stays where the difference, its absolute value's mean over R, G and B in [0, 1],
            is below this after a low-pass; 0 keeps none.
    """
    old, new = (np.asarray(image.convert("RGB")) for image in (before, after))
    difference = np.abs(new.astype(np.float32) - old).mean(axis=2) / 255
    distance = cv2.GaussianBlur(difference, (0, 0), max(min(before.size) * _BLUR_SHARE, 0.5))
    return Image.fromarray(np.where(distance[..., None] < keep_below, old, new))


def with_kept_pixels(editor: Editor, keep_below: float = KEEP_BELOW) -> Editor:
    """Return an editor that edits as ``editor`` does and keeps its input's pixels, see `kept_where_alike`."""
    inner = editor.source.family

    def edit(opened: Editor, requests: Sequence[EditRequest]) -> list[Image.Image | WordedEdit]:
        made = inner.edit(opened, requests)
        return [_kept(request, one, keep_below) for request, one in zip(requests, made, strict=True)]

    return replace(editor, source=replace(editor.source, family=replace(inner, edit=edit)))


def _kept(request: EditRequest, made: Any, keep_below: float) -> Any:
    """Return an edit with its input's pixels; what is no picture of that size is left for the editor to refuse."""
    if isinstance(made, WordedEdit):
        return replace(made, image=_kept(request, made.image, keep_below))
    if not isinstance(made, Image.Image) or made.size != request.image.size:
        return made
    return kept_where_alike(request.image, made, keep_below)


def edit_turns(
    editor: Editor, request: EditRequest, later: Sequence[str], keep_below: float = KEEP_BELOW
) -> Iterator[EditResult]:
    """Yield the edit of each turn, which all have a picture; a turn edits what the turn before it left.

    Args:
        editor: makes every turn, each with noise of its own.
        request: the first turn.
        later: the instructions of the turns after it. Mask, captions and task are the first turn's alone.
        keep_below: see `kept_where_alike`.

    Raises:
        BadInputError: an instruction is empty, or the editor cannot make a turn.
    """
    if any(not instruction.strip() for instruction in later):
        raise BadInputError("the instruction of a later turn is empty: say what to change, or leave it out")
    reads_history = "history" in editor.source.family.reads
    for number, instruction in enumerate([request.instruction, *later]):
        if number:
            request = replace(
                request,
                instruction=instruction,
                seed=wrapped_seed(request.seed + 1),
                mask=None,
                input_caption=None,
                output_caption=None,
                task=None,
            )
        edited = editor.edit([request])[0]
        kept = kept_where_alike(request.image, edited.require(), keep_below)
        yield replace(edited, image=kept)
        history = (*request.history, Turn(image=request.image, instruction=instruction)) if reads_history else ()
        request = replace(request, image=kept, history=history)
