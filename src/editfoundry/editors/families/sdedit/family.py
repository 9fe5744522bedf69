"""SDEdit (Meng et al. 2022): the profile's text-to-image model repaints the noised picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from editfoundry.editors.editor_family import EditorFamily, load_painter
from editfoundry.errors import BadInputError

if TYPE_CHECKING:
    from PIL import Image

    from editfoundry.editors.editor import Editor, EditRequest


@dataclass(frozen=True, kw_only=True)
class SdeditOptions:
    """Sampling of SDEdit."""

    num_inference_steps: int = 50
    guidance_scale: float = 7.5
    """Weight of the output caption."""
    strength: float = 0.6
    """Share in (0, 1] of the way to noise: more follows the caption better and keeps less of the picture."""

    def __post_init__(self) -> None:
        if self.num_inference_steps < 1:
            raise BadInputError(f"num_inference_steps is {self.num_inference_steps}, but must be at least 1")
        if not 0 < self.strength <= 1:
            raise BadInputError(f"strength is {self.strength}, but must be in (0, 1]")


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
