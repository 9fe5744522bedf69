"""The role ``text_to_image``: paints a picture from a caption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from editfoundry.pretrained.diffusers_pipeline import open_pipeline
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import Profile

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


def load_text_to_image(profile: Profile, runtime: Runtime) -> StableDiffusionPipeline:
    """Load the profile's Stable Diffusion pipeline.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
    """
    from diffusers import StableDiffusionPipeline

    return open_pipeline(StableDiffusionPipeline, profile.model("text_to_image"), runtime)
