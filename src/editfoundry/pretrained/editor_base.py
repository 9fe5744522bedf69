"""The role ``editor_base``, and every editor trained from it: InstructPix2Pix pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from editfoundry.errors import BadInputError
from editfoundry.pretrained.diffusers_pipeline import open_pipeline
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import ModelReference, Profile

if TYPE_CHECKING:
    from diffusers import StableDiffusionInstructPix2PixPipeline


def load_editor_base(profile: Profile, runtime: Runtime) -> StableDiffusionInstructPix2PixPipeline:
    """Load the profile's editor before any fine-tuning."""
    from diffusers import StableDiffusionInstructPix2PixPipeline

    reference = profile.model("editor_base")
    return open_pipeline(StableDiffusionInstructPix2PixPipeline, reference, runtime.of(reference).staying())


def load_editor(source: str | Path, runtime: Runtime) -> StableDiffusionInstructPix2PixPipeline:
    """Load an editor from a diffusers folder.

    Raises:
        BadInputError: there is no such folder, or it holds no ``model_index.json``.
    """
    if not (Path(source) / "model_index.json").is_file():
        raise BadInputError(f"{source}: no editor here: expected a diffusers folder with model_index.json")
    from diffusers import StableDiffusionInstructPix2PixPipeline

    reference = ModelReference(role="editor_base", source=f"{Path(source).resolve()}")
    return open_pipeline(StableDiffusionInstructPix2PixPipeline, reference, runtime)
