"""The trade-off between instruction and picture: an edit for each pair of guidance scales (InstructPix2Pix, fig. 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image, ImageDraw, ImageFont

from editfoundry.editors.editor import Editor, EditRequest
from editfoundry.editors.editor_family import EditorSource
from editfoundry.errors import BadInputError

PAPER_IMAGE_GUIDANCE_SCALES = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2)
"""The paper's curve: ``s_T`` fixed at 7.5, ``s_I`` swept over these."""
SCALES = ("guidance_scale", "image_guidance_scale")
"""The options that are swept."""
_MARGIN = 44
"""Pixels for the scales' names, at the left and on top."""
_CELL = 128
"""Smallest side of a picture on the sheet, pixels."""


@dataclass(frozen=True)
class GuidanceSweep:
    """The edits of one image by one instruction, from one noise."""

    guidance_scales: tuple[float, ...]
    """``s_T`` of each row."""
    image_guidance_scales: tuple[float, ...]
    """``s_I`` of each column."""
    edits: tuple[tuple[Image.Image, ...], ...]
    """Rows of RGB images."""


def sweep_guidance(
    editor: Editor,
    request: EditRequest,
    guidance_scales: Sequence[float] = (7.5,),
    image_guidance_scales: Sequence[float] = PAPER_IMAGE_GUIDANCE_SCALES,
    *,
    batch_size: int = 8,
) -> GuidanceSweep:
    """Do what ``request`` asks for at every pair of scales, a batch of pairs at a time where the editor can.

    Args:
        editor: has the options ``SCALES``.
        request: the seed of the noise is the same for all.
        guidance_scales: ``s_T``, the rows.
        image_guidance_scales: ``s_I``, the columns.
        batch_size: edits that are sampled together.

    Raises:
        BadInputError: the editor has not both scales, or one of them is no finite number.
    """
    family = editor.source.family
    check_sweep(editor.source, guidance_scales, image_guidance_scales)
    pairs = [(text, picture) for text in guidance_scales for picture in image_guidance_scales]
    size = batch_size if set(SCALES) <= set(family.per_request_options) else 1
    edits: list[Image.Image] = []
    for start in range(0, len(pairs), size):
        edits += _edit_at(editor, request, pairs[start : start + size])
    width = len(image_guidance_scales)
    rows = tuple(tuple(edits[start : start + width]) for start in range(0, len(edits), width))
    return GuidanceSweep(tuple(guidance_scales), tuple(image_guidance_scales), rows)


def check_sweep(source: EditorSource, guidance_scales: Sequence[float], image_guidance_scales: Sequence[float]) -> None:
    """Raise BadInputError unless an editor has both scales and can have these values of them."""
    if not set(SCALES) <= set(source.option_names):
        raise BadInputError(f"{source.name}: a sweep has two guidance scales, and this editor has not both")
    for name, scales in zip(SCALES, (guidance_scales, image_guidance_scales), strict=True):
        for scale in scales:
            source.options({name: scale})


def _edit_at(editor: Editor, request: EditRequest, pairs: Sequence[tuple[float, float]]) -> list[Image.Image]:
    options = [dict(zip(SCALES, pair, strict=True)) for pair in pairs]
    if len(options) == 1:
        return [editor.with_options(**options[0]).edit([request])[0].require()]
    return [edit.require() for edit in editor.edit([replace(request, options=own) for own in options])]


def draw_sweep(sweep: GuidanceSweep) -> Image.Image:
    """Return the edits as one RGB sheet, with the scales beside rows and above columns."""
    first = sweep.edits[0][0]
    factor = max(1, -(-_CELL // min(first.size)))
    width, height = (factor * side for side in first.size)
    sheet = Image.new("RGB", (_MARGIN + width * len(sweep.edits[0]), _MARGIN + height * len(sweep.edits)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, scale in enumerate(sweep.image_guidance_scales):
        draw.text((_MARGIN + width * column + 4, 14), f"s_I {scale:g}", "black", font)
    for row, (scale, edits) in enumerate(zip(sweep.guidance_scales, sweep.edits, strict=True)):
        draw.multiline_text((4, _MARGIN + height * row + 4), f"s_T\n{scale:g}", "black", font)
        for column, edit in enumerate(edits):
            shown = edit.resize((width, height), Image.Resampling.NEAREST if factor > 1 else Image.Resampling.LANCZOS)
            sheet.paste(shown, (_MARGIN + width * column, _MARGIN + height * row))
    return sheet
