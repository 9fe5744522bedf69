"""The models that the post-edit needs beside the editor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from editfoundry.pretrained.controlnet_canny import load_controlnet_canny
from editfoundry.pretrained.ip_adapter import IpAdapter, load_ip_adapter
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.segmenter import Segmenter, load_segmenter
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.profiles import Profile

if TYPE_CHECKING:
    from diffusers import ControlNetModel

    from editfoundry.pretrained.text_to_image import Painter


@dataclass(frozen=True)
class PostEditModels:
    """What finds the region and repaints it."""

    segmenter: Segmenter
    painter: Painter
    controlnet: ControlNetModel
    ip_adapter: IpAdapter


def load_post_edit_models(profile: Profile, runtime: Runtime) -> PostEditModels:
    """Load the profile's segmenter, text-to-image model, ControlNet and IP-Adapter.

    Raises:
        MissingModelError: the profile names no model for a role, or it is not on this machine.
        BadInputError: a model does not fit the text-to-image model.
    """
    segmenter, painter = load_segmenter(profile, runtime), load_text_to_image(profile, runtime)
    controlnet = load_controlnet_canny(profile, runtime, painter.unet)
    return PostEditModels(segmenter, painter, controlnet, load_ip_adapter(profile, runtime, painter))
