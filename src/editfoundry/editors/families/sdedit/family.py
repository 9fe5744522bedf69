"""SDEdit (Meng et al. 2022): the profile's text-to-image model repaints the noised picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from editfoundry.editors.editor_family import EditorFamily, load_painter
from editfoundry.editors.families.sdedit.options import SdeditOptions

if TYPE_CHECKING:
    from PIL import Image

    from editfoundry.editors.editor import Editor, EditRequest


def _edit(editor: Editor, requests: Sequence[EditRequest]) -> list[Image.Image]:
    from editfoundry.editors.families.sdedit.editing import sdedit

    return sdedit(editor.model, editor.options, requests)


SDEDIT = EditorFamily(
    name="sdedit",
    names={"sdedit": "SDEdit: text_to_image repaints the noised input from the output caption."},
    roles=("text_to_image",),
    options_class=SdeditOptions,
    needs=("output_caption",),
    load=load_painter,
    edit=_edit,
)
