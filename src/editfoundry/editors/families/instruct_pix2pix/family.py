"""InstructPix2Pix editors: checkpoints of diffusers' class, and the profile's own base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from editfoundry.editors.editor import Editor
from editfoundry.editors.editor_family import EditorFamily, EditorSource, FamilyTraining
from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining
from editfoundry.editors.option_values import check_num_steps
from editfoundry.errors import BadInputError

if TYPE_CHECKING:
    from diffusers import StableDiffusionInstructPix2PixPipeline
    from PIL import Image

    from editfoundry.editors.editor import EditRequest
    from editfoundry.pretrained.runtime import Runtime

PER_REQUEST_OPTIONS = ("guidance_scale", "image_guidance_scale")


@dataclass(frozen=True, kw_only=True)
class InstructPix2PixOptions:
    """Sampling of an InstructPix2Pix editor, with diffusers' defaults."""

    num_inference_steps: int = 100
    guidance_scale: float = 7.5
    """Weight of the instruction, ``s_T``."""
    image_guidance_scale: float = 1.5
    """Weight of the input picture, ``s_I``."""
    guidance_rescale: float = 0.0
    """Share in [0, 1] of guidance brought back to the plain spread."""
    scheduler: str | None = None
    """By diffusers' name; by default the editor's own."""

    def __post_init__(self) -> None:
        check_num_steps(self)
        if not 0 <= self.guidance_rescale <= 1:
            raise BadInputError(f"guidance_rescale is {self.guidance_rescale}, but must be in [0, 1]")


def options_in(settings: object) -> dict[str, Any]:
    """Return those of `InstructPix2PixOptions` that a stage's settings have as fields of the same names."""
    return {o.name: getattr(settings, o.name) for o in fields(InstructPix2PixOptions) if hasattr(settings, o.name)}


def sampling_of(requests: Sequence[EditRequest], options: InstructPix2PixOptions) -> dict[str, Any]:
    """Return what `edit_images` takes beside pictures and instructions.

    Args:
        requests: each with its seed and, where it has them, guidance scales of its own.
        options: the editor's, and the guidance scales of all other requests.
    """
    scales = {
        name: [request.options.get(name, getattr(options, name)) for request in requests]
        for name in PER_REQUEST_OPTIONS
    }
    return {
        "seeds": [request.seed for request in requests],
        "num_inference_steps": options.num_inference_steps,
        "guidance_rescale": options.guidance_rescale,
        "scheduler": options.scheduler,
        **scales,
    }


def editor_of_pipeline(pipeline: StableDiffusionInstructPix2PixPipeline, name: str = "base", **options: Any) -> Editor:
    """Return a pipeline that is in memory as an editor, with `InstructPix2PixOptions`."""
    source = EditorSource(name=name, family=INSTRUCT_PIX2PIX)
    return Editor(source=source, model=pipeline, options=InstructPix2PixOptions(**options))


def _load(source: EditorSource, runtime: Runtime) -> StableDiffusionInstructPix2PixPipeline:
    from editfoundry.pretrained.editor_base import load_editor, load_editor_base

    if source.folder is not None:
        return load_editor(source.folder, runtime)
    return load_editor_base(source.own_profile, runtime)


def _edit(editor: Editor, requests: Sequence[EditRequest]) -> list[Image.Image]:
    from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
    from editfoundry.editors.working_size import edit_at_working_size

    def edit(group: list[EditRequest]) -> list[Image.Image]:
        return edit_images(
            editor.model,
            [request.image for request in group],
            [request.instruction for request in group],
            **sampling_of(group, editor.options),
        )

    return edit_at_working_size(editor.model, requests, edit, editor.source.defaults.area_side)


INSTRUCT_PIX2PIX = EditorFamily(
    name="instruct_pix2pix",
    names={"base": "InstructPix2Pix, the profile's editor_base before any fine-tuning."},
    roles=("editor_base",),
    pipeline_classes=("StableDiffusionInstructPix2PixPipeline",),
    options_class=InstructPix2PixOptions,
    load=_load,
    edit=_edit,
    supports_post_edit=True,
    per_request_options=PER_REQUEST_OPTIONS,
    training=FamilyTraining(
        InstructPix2PixTraining, "editfoundry.editors.families.instruct_pix2pix.trainee:InstructPix2PixTrainee"
    ),
)
