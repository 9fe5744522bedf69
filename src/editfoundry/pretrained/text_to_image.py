"""The role ``text_to_image``: paints a picture from a caption."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from editfoundry.errors import BadInputError
from editfoundry.pretrained.diffusers_pipeline import open_pipeline, pipeline_class_name
from editfoundry.pretrained.fitness import KNOWN_TYPES
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import Profile

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    Painter: TypeAlias = StableDiffusionPipeline | StableDiffusionXLPipeline

PIPELINES = KNOWN_TYPES["text_to_image"]


def load_text_to_image(profile: Profile, runtime: Runtime) -> Painter:
    """Load the profile's pipeline, of the class that its ``model_index.json`` names.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: it is of another class than Stable Diffusion's or SDXL's.
    """
    import diffusers

    reference = profile.model("text_to_image")
    name = pipeline_class_name(reference)
    if name not in PIPELINES:
        raise BadInputError(
            f"role 'text_to_image': model {reference} is a {name}; name one that is a {' or a '.join(PIPELINES)}"
        )
    return open_pipeline(getattr(diffusers, name), reference, runtime)
