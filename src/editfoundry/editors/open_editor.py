"""Editors by name: a checkpoint, a registered model, or any diffusers pipeline that takes an image and a prompt."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from editfoundry.data.untrusted import parse_json
from editfoundry.errors import BadInputError
from editfoundry.pretrained.diffusers_pipeline import open_pipeline
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import ModelReference
from editfoundry.tracking.registered_models import is_registered_reference, registered_folder

INSTRUCT_PIX2PIX = "StableDiffusionInstructPix2PixPipeline"
_NEEDS_MORE = (
    "mask_image",
    "control_image",
    "controlnet_conditioning_scale",
    "adapter_conditioning_scale",
    "reference_image",
)
"""Arguments of pipelines that cannot edit by an image and a prompt alone."""


@dataclass(frozen=True)
class Editor:
    """A pipeline that edits an image as a prompt says."""

    name: str
    """As the person named it."""
    pipeline: Any
    """On its device."""

    @property
    def is_instruct_pix2pix(self) -> bool:
        """Whether our own sampling, its guidance and the post-edit apply."""
        return type(self.pipeline).__name__ == INSTRUCT_PIX2PIX


def open_editor(name: str, runtime: Runtime, cache: Path = Path(".cache/registered")) -> Editor:
    """Load an editor.

    Args:
        name: a folder in diffusers' layout, whose ``model_index.json`` says the class; ``package:NAME``, one that is
            shipped; or a model of MLflow's registry: ``NAME@ALIAS``, ``models:/NAME@ALIAS``, ``models:/NAME/VERSION``.
        runtime: device and precision.
        cache: where a registered model is fetched to, if it is not on this disk.

    Raises:
        BadInputError: nothing is there, or the pipeline does not take an image and a prompt.
    """
    index = editor_index(name, cache)
    pipeline_class = pipeline_class_of(index)
    reference = ModelReference(role="editor_base", source=str(index.parent.resolve()))
    return Editor(name, open_pipeline(pipeline_class, reference, runtime))


def editor_index(name: str, cache: Path = Path(".cache/registered")) -> Path:
    """Return the ``model_index.json`` of an editor's folder; see `open_editor`.

    Raises:
        BadInputError: nothing is there.
    """
    return _index(editor_folder(name, cache), name)


def editor_folder(name: str, cache: Path = Path(".cache/registered")) -> Path:
    """Return the folder that a name stands for, see `open_editor`; of these only a registered model is looked into.

    Raises:
        BadInputError: there is no such registered model.
    """
    if is_registered_reference(name):
        return _index(registered_folder(name, cache), name).parent
    return Path(ModelReference(role="editor_base", source=name).location)


def edit_photo_with(
    editor: Editor, image: Image.Image, instruction: str, *, seed: int = 0, **options: Any
) -> Image.Image:
    """Edit a photograph of any size by any editor and return the edit at the photograph's size.

    Args:
        editor: from `open_editor`.
        image: the photograph.
        instruction: what to do.
        seed: of the noise.
        options: arguments of the pipeline; those that are None are left at its own defaults, and those that it does
            not know are refused.

    Raises:
        BadInputError: the pipeline has no such option.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if editor.is_instruct_pix2pix:
        from editfoundry.editors.families.instruct_pix2pix.sampling import edit_photo

        return edit_photo(editor.pipeline, image, instruction, seed=seed, **given)
    arguments = _arguments(editor, given)
    photo = image.convert("RGB")
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        edited = editor.pipeline(image=photo, prompt=instruction, generator=generator, **arguments).images[0]
    return edited.convert("RGB").resize(photo.size, Image.Resampling.LANCZOS)


def _arguments(editor: Editor, given: dict[str, Any]) -> dict[str, Any]:
    pipeline_class = type(editor.pipeline)
    known = inspect.signature(pipeline_class.__call__).parameters
    if "true_cfg_scale" in known and known["guidance_scale"].default is None:
        # Qwen-Image: its own guidance is called true_cfg_scale, and is off without a negative prompt.
        given = {("true_cfg_scale" if name == "guidance_scale" else name): value for name, value in given.items()}
        given.setdefault("negative_prompt", " ")
    unknown = sorted(set(given) - set(known))
    if unknown:
        name = unknown[0].replace("_", "-")
        raise BadInputError(f"{editor.name}: {pipeline_class.__name__} has no option {name}: leave it out")
    return given


def _index(folder: Path, name: str) -> Path:
    """Return the ``model_index.json`` of a folder; a registered model may have it further down."""
    if (folder / "model_index.json").is_file():
        return folder / "model_index.json"
    found = sorted(folder.glob("*/model_index.json")) or sorted(folder.glob("*/*/model_index.json"))
    if is_registered_reference(name) and len(found) == 1:
        return found[0]
    raise BadInputError(f"{name}: no editor here: expected a diffusers folder with model_index.json")


def pipeline_class_of(index: Path) -> type[Any]:
    """Return the pipeline's class, which ``model_index.json`` names.

    Raises:
        BadInputError: it names none, or one that does not take an image and a prompt.
    """
    import diffusers

    try:
        name = parse_json(index.read_text())["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{index}: names no pipeline class") from error
    pipeline_class = getattr(diffusers, name, None) if isinstance(name, str) and name.endswith("Pipeline") else None
    if pipeline_class is None or not issubclass(pipeline_class, diffusers.DiffusionPipeline):
        raise BadInputError(f"{index}: {name!r} is no pipeline of diffusers")
    arguments = inspect.signature(pipeline_class.__call__).parameters
    missing = [argument for argument in ("image", "prompt") if argument not in arguments]
    more = [argument for argument in _NEEDS_MORE if argument in arguments]
    if missing or more:
        reason = f"takes no {missing[0]}" if missing else f"needs {more[0]} too"
        raise BadInputError(f"{index}: {name} {reason}; an editor takes an image and a prompt")
    return pipeline_class
