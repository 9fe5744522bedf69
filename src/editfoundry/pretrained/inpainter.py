"""The role ``inpainter``: paints a prompt inside a mask that it sees beside the picture."""

from __future__ import annotations

from typing import Any

from editfoundry.errors import BadInputError
from editfoundry.pretrained.diffusers_pipeline import open_pipeline, pipeline_class_name
from editfoundry.pretrained.fitness import KNOWN_TYPES
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import ModelReference, Profile

PIPELINES = KNOWN_TYPES["inpainter"]


def load_inpainter(profile: Profile, runtime: Runtime) -> Any:
    """Load the profile's inpainting pipeline, of the class that its ``model_index.json`` names.

    Raises:
        MissingModelError: the profile names none, or one that is not on this machine and cannot be fetched.
        BadInputError: it is of another class, or its UNet does not see the mask.
    """
    reference = profile.model("inpainter")
    pipeline = open_inpainter(reference, runtime.of(reference).staying())
    # Latents, mask, and the latents of the picture without what the mask hides.
    channels, wanted = pipeline.unet.config.in_channels, 2 * pipeline.vae.config.latent_channels + 1
    if channels != wanted:
        raise BadInputError(
            f"role 'inpainter': the UNet of {reference} has {channels} input channels, not {wanted}, so it "
            "does not see the mask; name a checkpoint that was trained to inpaint"
        )
    return pipeline


def open_inpainter(reference: ModelReference, runtime: Runtime) -> Any:
    """Load an inpainting pipeline, also one whose UNet does not see the mask.

    Raises:
        MissingModelError: it is not on this machine and cannot be fetched.
        BadInputError: it is of another class.
    """
    import diffusers

    name = pipeline_class_name(reference)
    if name not in PIPELINES:
        raise BadInputError(
            f"role 'inpainter': model {reference} is a {name}; name one that is a {' or a '.join(PIPELINES)}"
        )
    return open_pipeline(getattr(diffusers, name), reference, runtime)
