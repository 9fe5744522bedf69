"""UNets that also see the input image: a painter's, widened (InstructPix2Pix, section 3.2), or one without training."""

from __future__ import annotations

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from editfoundry.errors import BadInputError


def widen_conv_in(unet: UNet2DConditionModel, seed: int | None = None) -> UNet2DConditionModel:
    """Double the input channels of ``unet`` (4 -> 8) in place and return it.

    The first channels keep their weights, and the bias is kept; the channels for the input image's latent start at
    zero, so the widened model predicts at first what the original did, whatever image it is shown. With a ``seed`` they
    start at random, as a new layer of eight channels would.

    Raises:
        BadInputError: the UNet's input channels are not its output channels, as where it was widened before.
    """
    num_old, num_out = unet.config.in_channels, unet.config.out_channels
    if num_old != num_out:
        raise BadInputError(
            f"the UNet takes {num_old} channels and returns {num_out}: only a text-to-image UNet can be widened"
        )
    old = unet.conv_in
    new = nn.Conv2d(
        2 * num_old,
        old.out_channels,
        old.kernel_size,
        old.stride,
        old.padding,
        bias=old.bias is not None,
        device=old.weight.device,
        dtype=old.weight.dtype,
    )
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        if seed is None:
            new.weight.zero_()
        else:
            torch.manual_seed(seed)
            new.reset_parameters()
        new.weight[:, :num_old] = old.weight
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias)
    unet.conv_in = new
    unet.register_to_config(in_channels=2 * num_old)
    return unet


def untrained(unet: UNet2DConditionModel, seed: int) -> UNet2DConditionModel:
    """Return a UNet of the same configuration at random weights, which also sees the input image."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = {**unet.config, "in_channels": 2 * unet.config.out_channels}
        fresh: UNet2DConditionModel = UNet2DConditionModel.from_config(config)
    return fresh
