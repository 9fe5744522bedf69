"""DiffEdit (Couairon et al. 2023): the profile's text-to-image model repaints where the two captions disagree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from editfoundry.editors.editor_family import EditorFamily, load_painter
from editfoundry.editors.families.diffedit.options import DiffEditOptions

if TYPE_CHECKING:
    from PIL import Image

    from editfoundry.editors.editor import Editor, EditRequest


def _edit(editor: Editor, requests: Sequence[EditRequest]) -> list[Image.Image]:
    from editfoundry.editors.families.diffedit.editing import diffedit

    return diffedit(editor.model, editor.options, requests)


DIFFEDIT = EditorFamily(
    name="diffedit",
    names={
        "diffedit": "DiffEdit: text_to_image repaints, after DDIM inversion, where input and output caption disagree."
    },
    roles=("text_to_image",),
    options_class=DiffEditOptions,
    needs=("output_caption",),
    also_reads=("input_caption",),
    load=load_painter,
    edit=_edit,
)
