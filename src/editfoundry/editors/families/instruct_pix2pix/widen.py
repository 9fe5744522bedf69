"""UNets that also see the input image: a painter's, widened (InstructPix2Pix, section 3.2), or one without training."""

from __future__ import annotations

import torch
from diffusers import UNet2DConditionModel

from editfoundry.diffusion.input_channels import add_input_channels
from editfoundry.errors import BadInputError


def widen_conv_in(unet: UNet2DConditionModel, seed: int | None = None) -> UNet2DConditionModel:
    """Double the input channels of ``unet`` (4 -> 8) in place and return it.

    The channels for the input image's latent start at zero, so the widened model predicts at first what the original
    did, whatever image it is shown. With a ``seed`` they start at random.

    Raises:
        BadInputError: the UNet's input channels are not its output channels, as where it was widened before.
    """
    num_old, num_out = unet.config.in_channels, unet.config.out_channels
    if num_old != num_out:
        raise BadInputError(
            f"the UNet takes {num_old} channels and returns {num_out}: only a text-to-image UNet can be widened"
        )
    return add_input_channels(unet, num_old, seed)


def untrained(unet: UNet2DConditionModel, seed: int) -> UNet2DConditionModel:
    """Return a UNet of the same configuration at random weights, which also sees the input image."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = {**unet.config, "in_channels": 2 * unet.config.out_channels}
        fresh: UNet2DConditionModel = UNet2DConditionModel.from_config(config)
    return fresh
