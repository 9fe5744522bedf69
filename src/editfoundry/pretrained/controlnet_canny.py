"""The role ``controlnet_canny``: keeps a picture's edges while another picture is painted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from editfoundry.errors import BadInputError
from editfoundry.pretrained.diffusers_pipeline import open_model
from editfoundry.pretrained.fitness import CONTROLNET_SHARES
from editfoundry.pretrained.placement import place
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import Profile

if TYPE_CHECKING:
    from diffusers import ControlNetModel, UNet2DConditionModel


def load_controlnet_canny(profile: Profile, runtime: Runtime, unet: UNet2DConditionModel) -> ControlNetModel:
    """Load the profile's ControlNet, to live where the UNet does.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: it was trained for UNets of another size than ``unet``.
    """
    from diffusers import ControlNetModel

    reference = profile.model("controlnet_canny")
    options = {"subfolder": reference.subfolder} if reference.subfolder else {}
    controlnet: Any = open_model(ControlNetModel, reference, runtime, **options)
    for name in CONTROLNET_SHARES:
        ours, theirs = (_plain(getattr(model.config, name)) for model in (controlnet, unet))
        if ours != theirs:
            raise BadInputError(
                f"role 'controlnet_canny': model {reference} has {name} {ours} and the text_to_image model {theirs}; "
                "name one that was trained for it"
            )
    return place(controlnet.eval(), runtime)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, (list, tuple)) else value
