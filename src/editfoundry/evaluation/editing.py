"""Lets an editor edit tinyworld's cases: a benchmark's items as they are drawn."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from editfoundry.editors.editor import Edit, Editor, EditRequest
from editfoundry.tinyworld.edit_case import EditCase


def run_editor(editor: Editor, cases: Sequence[EditCase], seeds: Sequence[int]) -> list[Edit]:
    """Edit a batch of cases; see `Editor.edit`."""
    return editor.edit([_request(editor, case, seed) for case, seed in zip(cases, seeds, strict=True)])


def _request(editor: Editor, case: EditCase, seed: int) -> EditRequest:
    reads = editor.source.family.reads
    return EditRequest(
        image=Image.fromarray(case.input_image),
        instruction=case.instruction,
        seed=seed,
        id=case.id,
        input_caption=case.input_caption if "input_caption" in reads else None,
        output_caption=case.output_caption if "output_caption" in reads else None,
        truth=Image.fromarray(case.true_output) if "truth" in reads else None,
    )
