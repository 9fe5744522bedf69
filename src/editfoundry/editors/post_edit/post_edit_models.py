"""The models that the post-edit needs beside the editor."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from editfoundry.pretrained.controlnet_canny import load_controlnet_canny
from editfoundry.pretrained.ip_adapter import IpAdapter, load_ip_adapter
from editfoundry.pretrained.placement import at_work
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.segmenter import Segmenter, load_segmenter
from editfoundry.pretrained.text_to_image import load_text_to_image, parts_of
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
    runtime: Runtime
    """Of what repaints."""

    def repainting(self) -> AbstractContextManager[None]:
        """Have what repaints on its device inside a ``with`` block."""
        return at_work(self.runtime, *parts_of(self.painter), self.controlnet, *self.ip_adapter.modules)


def load_post_edit_models(profile: Profile, runtime: Runtime) -> PostEditModels:
    """Load the profile's segmenter, text-to-image model, ControlNet and IP-Adapter.

    Raises:
        MissingModelError: the profile names no model for a role, or it is not on this machine.
        BadInputError: a model does not fit the text-to-image model.
    """
    segmenter, painter = load_segmenter(profile, runtime), load_text_to_image(profile, runtime, may_wait=True)
    own = runtime.of(profile.model("text_to_image"))
    controlnet = load_controlnet_canny(profile, own, painter.unet)
    return PostEditModels(segmenter, painter, controlnet, load_ip_adapter(profile, own, painter), own)
