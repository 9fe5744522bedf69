"""Inpainting: the profile's inpainter or any inpainting checkpoint of diffusers, or a painter with blended latents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from editfoundry.editors.editor_family import EditorFamily, EditorSource, FamilyTraining, load_painter
from editfoundry.editors.families.inpainting.options import InpaintingOptions
from editfoundry.editors.families.inpainting.training_config import InpaintingTraining
from editfoundry.pretrained.fitness import KNOWN_TYPES

if TYPE_CHECKING:
    from PIL import Image

    from editfoundry.editors.editor import Editor, EditRequest
    from editfoundry.pretrained.runtime import Runtime

INPAINTING_NAME, INPAINTER_NAME = "inpainting", "inpainter"


def _load(source: EditorSource, runtime: Runtime) -> Any:
    from editfoundry.pretrained.inpainter import load_inpainter, open_inpainter
    from editfoundry.profiles import ModelReference

    if source.folder is not None:
        return open_inpainter(ModelReference(role="inpainter", source=str(source.folder.resolve())), runtime)
    if source.name == INPAINTER_NAME:
        return load_inpainter(source.own_profile, runtime)
    return load_painter(source, runtime)


def _edit(editor: Editor, requests: Sequence[EditRequest]) -> list[Image.Image]:
    from editfoundry.editors.families.inpainting.painting import inpaint_pictures

    return inpaint_pictures(editor.model, editor.options, requests, sees_mask=_sees_mask(editor.source))


def _sees_mask(source: EditorSource) -> bool:
    return source.folder is not None or source.name == INPAINTER_NAME


INPAINTING = EditorFamily(
    name="inpainting",
    names={
        INPAINTING_NAME: "Inpainting: text_to_image paints the instruction, as a prompt, inside the mask.",
        INPAINTER_NAME: "Inpainting: the profile's inpainter, which sees the mask, paints the prompt.",
    },
    roles=("text_to_image",),
    roles_of={INPAINTER_NAME: ("inpainter",)},
    pipeline_classes=KNOWN_TYPES["inpainter"],
    options_class=InpaintingOptions,
    needs=("mask",),
    load=_load,
    edit=_edit,
    training=FamilyTraining(InpaintingTraining, "editfoundry.editors.families.inpainting.trainee:InpaintingTrainee"),
)
