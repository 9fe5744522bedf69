"""The denoising loss of a two-condition editor (InstructPix2Pix, eq. 1)."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from editfoundry.errors import BadInputError


def noise_scheduler(scheduler: Any) -> DDPMScheduler:
    """Return the forward process, on whose schedule the editor's own ``scheduler`` samples.

    Raises:
        BadInputError: the editor predicts something other than epsilon or v.
    """
    forward_process: DDPMScheduler = DDPMScheduler.from_config(scheduler.config)
    prediction_type = forward_process.config.prediction_type
    if prediction_type not in ("epsilon", "v_prediction"):
        raise BadInputError(f"the editor's scheduler has prediction_type {prediction_type!r}: epsilon or v_prediction")
    return forward_process


def prediction_target(scheduler: DDPMScheduler, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """Return what the UNet learns to predict, ``(B, C, h, w)``: the noise, or the velocity."""
    if scheduler.config.prediction_type == "epsilon":
        return noise
    velocity: Tensor = scheduler.get_velocity(latents, noise, timesteps)
    return velocity


def denoising_loss(
    unet: nn.Module,
    scheduler: DDPMScheduler,
    *,
    latents: Tensor,
    image_latents: Tensor,
    noise: Tensor,
    timesteps: Tensor,
    prompt_embeds: Tensor,
) -> Tensor:
    """Return the mean squared error of one denoising step, a scalar.

    Args:
        unet: the widened UNet.
        scheduler: see `noise_scheduler`.
        latents: ``(B, C, h, w)`` scaled latents of the output images.
        image_latents: ``(B, C, h, w)`` unscaled latents of the input images, zero where dropped.
        noise: ``(B, C, h, w)`` standard normal.
        timesteps: ``(B,)`` int64.
        prompt_embeds: ``(B, L, D)``.
    """
    noisy = scheduler.add_noise(latents, noise, timesteps)
    target = prediction_target(scheduler, latents, noise, timesteps)
    model_input = torch.cat([noisy, image_latents], dim=1).contiguous(memory_format=torch.channels_last)
    prediction = unet(model_input, timesteps, encoder_hidden_states=prompt_embeds, return_dict=False)[0]
    return mse_loss(prediction.float(), target.float())
