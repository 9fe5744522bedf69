"""The role ``text_to_image``: paints a picture from a caption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from editfoundry.errors import BadInputError
from editfoundry.pretrained.diffusers_pipeline import open_pipeline, pipeline_class_name
from editfoundry.pretrained.fitness import KNOWN_TYPES
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import Profile

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    Painter: TypeAlias = StableDiffusionPipeline | StableDiffusionXLPipeline

PIPELINES = KNOWN_TYPES["text_to_image"]


def load_text_to_image(profile: Profile, runtime: Runtime, may_wait: bool = False) -> Painter:
    """Load the profile's pipeline, of the class that its ``model_index.json`` names.

    Args:
        profile: names the role ``text_to_image``.
        runtime: device and precision, where the role has none of its own.
        may_wait: whether it may lie elsewhere where the profile says so; the caller has it `at_work`, see there.

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
    own = runtime.of(reference)
    return open_pipeline(getattr(diffusers, name), reference, own if may_wait else own.staying())


def parts_of(painter: Painter) -> list[Any]:
    """Return the painter's modules."""
    return [part for part in painter.components.values() if hasattr(part, "parameters")]
