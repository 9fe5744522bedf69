"""Checkpoints of any class of diffusers, sampled by diffusers itself."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import field, fields, make_dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from editfoundry.editors.editor_family import EditorFamily, EditorSource
from editfoundry.errors import BadInputError

if TYPE_CHECKING:
    from PIL import Image

    from editfoundry.editors.editor import Editor, EditRequest
    from editfoundry.pretrained.runtime import Runtime

_NEEDS_MORE = (
    "mask_image",
    "control_image",
    "controlnet_conditioning_scale",
    "adapter_conditioning_scale",
    "reference_image",
)
"""Arguments of pipelines that cannot edit by an image and a prompt alone."""
_GIVEN_BY_US = ("self", "image", "prompt", "generator", "output_type", "return_dict")


def pipeline_class_named(name: object, where: str) -> type[Any]:
    """Return diffusers' class of this name.

    Args:
        name: as ``model_index.json`` has it.
        where: names the checkpoint in messages.

    Raises:
        BadInputError: diffusers has no such pipeline, or it does not take an image and a prompt.
    """
    import diffusers

    pipeline_class = getattr(diffusers, name, None) if isinstance(name, str) and name.endswith("Pipeline") else None
    if pipeline_class is None or not issubclass(pipeline_class, diffusers.DiffusionPipeline):
        raise BadInputError(f"{where}: {name!r} is no pipeline of diffusers")
    arguments = inspect.signature(pipeline_class.__call__).parameters
    missing = [argument for argument in ("image", "prompt") if argument not in arguments]
    more = [argument for argument in _NEEDS_MORE if argument in arguments]
    if missing or more:
        reason = f"takes no {missing[0]}" if missing else f"needs {more[0]} too"
        raise BadInputError(f"{where}: {name} {reason}; an editor takes an image and a prompt")
    return pipeline_class


def options_class(source: EditorSource) -> type[Any]:
    """Return a dataclass of the pipeline's arguments beside image and prompt, with its own defaults.

    Raises:
        BadInputError: as `pipeline_class_named`.
    """
    pipeline_class = pipeline_class_named(source.pipeline_class, source.name)
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    arguments = [
        (argument.name, _annotation(argument), field(default_factory=partial(_default, argument)))
        for argument in inspect.signature(pipeline_class.__call__).parameters.values()
        if argument.name not in _GIVEN_BY_US and argument.kind in named
    ]
    return make_dataclass(f"{source.pipeline_class}Options", arguments, frozen=True, kw_only=True)


def _annotation(argument: inspect.Parameter) -> Any:
    return Any if argument.annotation is inspect.Parameter.empty else argument.annotation


def _default(argument: inspect.Parameter) -> Any:
    return None if argument.default is inspect.Parameter.empty else argument.default


def _load(source: EditorSource, runtime: Runtime) -> Any:
    from editfoundry.pretrained.diffusers_pipeline import open_pipeline
    from editfoundry.profiles import ModelReference

    pipeline_class = pipeline_class_named(source.pipeline_class, source.name)
    reference = ModelReference(role="editor_base", source=str(source.folder.resolve() if source.folder else ""))
    return open_pipeline(pipeline_class, reference, runtime)


def _edit(editor: Editor, requests: Sequence[EditRequest]) -> list[Image.Image]:
    """Edit one request after the other at the size that the pipeline chooses, and return each at its own."""
    return [_edit_one(editor, request) for request in requests]


def _edit_one(editor: Editor, request: EditRequest) -> Image.Image:
    import torch

    from editfoundry.diffusion.seeded_noise import seeded_generators
    from editfoundry.editors.editor import resized

    photo = request.image.convert("RGB")
    [generator] = seeded_generators([request.seed])
    with torch.inference_mode():
        edited = editor.model(image=photo, prompt=request.instruction, generator=generator, **_arguments(editor)).images
    return resized(edited[0].convert("RGB"), photo.size)


def _arguments(editor: Editor) -> dict[str, Any]:
    given = {option.name: getattr(editor.options, option.name) for option in fields(editor.options)}
    own = type(editor.options)()
    if "true_cfg_scale" in given and getattr(own, "guidance_scale", 0) is None:
        # Qwen-Image: its own guidance is called true_cfg_scale, and is off without a negative prompt.
        if given["guidance_scale"] is not None:
            given["true_cfg_scale"], given["guidance_scale"] = given["guidance_scale"], None
        if given["negative_prompt"] is None:
            given["negative_prompt"] = " "
    return given


DIFFUSERS_PIPELINE = EditorFamily(name="diffusers_pipeline", load=_load, edit=_edit, options_class=options_class)
