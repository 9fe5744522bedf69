"""Inpainting: the profile's text-to-image model with blended latents, or any inpainting checkpoint of diffusers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from editfoundry.editors.editor_family import EditorFamily, EditorSource, FamilyTraining, load_painter
from editfoundry.editors.families.inpainting.options import InpaintingOptions
from editfoundry.editors.families.inpainting.training_config import InpaintingTraining

if TYPE_CHECKING:
    from PIL import Image

    from editfoundry.editors.editor import Editor, EditRequest
    from editfoundry.pretrained.runtime import Runtime

INPAINTING_NAME = "inpainting"
_PIPELINES = ("StableDiffusionInpaintPipeline", "StableDiffusionXLInpaintPipeline")


def _load(source: EditorSource, runtime: Runtime) -> Any:
    if source.folder is None:
        return load_painter(source, runtime)
    import diffusers

    from editfoundry.pretrained.diffusers_pipeline import open_pipeline
    from editfoundry.profiles import ModelReference

    reference = ModelReference(role="inpainter", source=str(source.folder.resolve()))
    return open_pipeline(getattr(diffusers, source.pipeline_class), reference, runtime)


def _edit(editor: Editor, requests: Sequence[EditRequest]) -> list[Image.Image]:
    from editfoundry.editors.families.inpainting.painting import inpaint_pictures

    return inpaint_pictures(editor.model, editor.options, requests, sees_mask=editor.source.folder is not None)


INPAINTING = EditorFamily(
    name="inpainting",
    names={INPAINTING_NAME: "Inpainting: text_to_image paints the instruction, as a prompt, inside the mask."},
    roles=("text_to_image",),
    pipeline_classes=_PIPELINES,
    options_class=InpaintingOptions,
    needs=("mask",),
    load=_load,
    edit=_edit,
    training=FamilyTraining(InpaintingTraining, "editfoundry.editors.families.inpainting.trainee:InpaintingTrainee"),
)
