"""More input channels for a trained UNet, which change nothing before they are trained."""

from __future__ import annotations

import torch
from diffusers import UNet2DConditionModel
from torch import nn


def add_input_channels(unet: UNet2DConditionModel, count: int, seed: int | None = None) -> UNet2DConditionModel:
    """Give ``unet`` ``count`` input channels after those it has, in place, and return it.

    The old channels keep their weights, and the bias is kept. The new ones' weights are zero, so the UNet predicts at
    first what it did before, whatever the new channels show. With a ``seed`` they start at random, as a new layer of so
    many channels would.
    """
    old = unet.conv_in
    new = nn.Conv2d(
        old.in_channels + count,
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
        new.weight[:, : old.in_channels] = old.weight
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias)
    unet.conv_in = new
    unet.register_to_config(in_channels=new.in_channels)
    return unet
