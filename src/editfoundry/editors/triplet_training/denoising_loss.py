"""The denoising loss of a two-condition editor (InstructPix2Pix, eq. 1)."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch import Tensor
from torch.nn.functional import mse_loss

from editfoundry.diffusion.guidance import Denoiser
from editfoundry.diffusion.schedulers import on_schedule_of
from editfoundry.errors import BadInputError


def noise_scheduler(
    scheduler: Any, prediction_type: str | None = None, zero_terminal_snr: bool = False
) -> DDPMScheduler:
    """Return the forward process, on whose schedule the editor's own ``scheduler`` samples.

    Args:
        scheduler: the editor's.
        prediction_type: what to learn to predict; by default what the editor did.
        zero_terminal_snr: end the schedule in pure noise (Lin et al. 2023, section 3.1), if it did not before.

    Raises:
        BadInputError: neither epsilon nor v is predicted, or epsilon where the schedule ends in pure noise.
    """
    changes: dict[str, Any] = {} if prediction_type is None else {"prediction_type": prediction_type}
    if zero_terminal_snr:
        changes["rescale_betas_zero_snr"] = True
    forward_process: DDPMScheduler = on_schedule_of(scheduler, DDPMScheduler, **changes)
    config = forward_process.config
    if config.prediction_type not in ("epsilon", "v_prediction"):
        kind = config.prediction_type
        raise BadInputError(f"the editor's scheduler has prediction_type {kind!r}: epsilon or v_prediction")
    if config.rescale_betas_zero_snr and config.prediction_type == "epsilon":
        raise BadInputError(
            "the schedule ends in pure noise, of which epsilon tells nothing: set prediction_type to v_prediction"
        )
    return forward_process


def sampling_scheduler(scheduler: Any, forward_process: DDPMScheduler) -> Any:
    """Return the editor's ``scheduler`` made to sample from what ``forward_process`` trains; DDIM where it cannot."""
    changes: dict[str, Any] = {"prediction_type": forward_process.config.prediction_type}
    scheduler_class = type(scheduler)
    if forward_process.config.rescale_betas_zero_snr:
        # From the last timestep, or the pure noise is never seen (Lin et al. 2023, section 3.3).
        changes |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
        if "rescale_betas_zero_snr" not in inspect.signature(scheduler_class.__init__).parameters:
            scheduler_class = DDIMScheduler
    return on_schedule_of(scheduler, scheduler_class, **changes)


def min_snr_weights(scheduler: DDPMScheduler, timesteps: Tensor, gamma: float) -> Tensor:
    """Return Min-SNR-gamma loss weights, ``(B,)`` (Hang et al. 2023, eq. 6 and its form for v-prediction)."""
    signal = scheduler.alphas_cumprod.to(timesteps.device)[timesteps]
    snr = signal / (1 - signal)
    clipped = snr.clamp(max=gamma)
    return clipped / snr if scheduler.config.prediction_type == "epsilon" else clipped / (snr + 1)


def prediction_target(scheduler: DDPMScheduler, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """Return what the UNet learns to predict, ``(B, C, h, w)``: the noise, or the velocity."""
    if scheduler.config.prediction_type == "epsilon":
        return noise
    velocity: Tensor = scheduler.get_velocity(latents, noise, timesteps)
    return velocity


def weighted_mean(errors: Tensor, weights: Tensor) -> Tensor:
    """Return the mean over samples of each one's mean error by its own weights, a scalar.

    So the loss of a batch is the mean of its equal parts', however many processes and accumulation steps it has.

    Args:
        errors: ``(B, 1, h, w)``.
        weights: the same, not negative; a sample whose weights are all 0 counts as 0.
    """
    over = (1, 2, 3)
    return ((errors * weights).sum(over) / weights.sum(over).clamp(min=1e-8)).mean()


def denoising_loss(
    unet: Denoiser,
    scheduler: DDPMScheduler,
    *,
    latents: Tensor,
    image_latents: Tensor,
    noise: Tensor,
    timesteps: Tensor,
    prompt_embeds: Tensor,
    snr_gamma: float | None = None,
    weights: Tensor | None = None,
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
        snr_gamma: gamma of `min_snr_weights`; by default all samples weigh the same.
        weights: ``(B, 1, h, w)`` of the places; by default all weigh the same.
    """
    noisy = scheduler.add_noise(latents, noise, timesteps)
    target = prediction_target(scheduler, latents, noise, timesteps)
    model_input = torch.cat([noisy, image_latents], dim=1).contiguous(memory_format=torch.channels_last)
    prediction = unet(model_input, timesteps, encoder_hidden_states=prompt_embeds, return_dict=False)[0]
    if snr_gamma is None and weights is None:
        return mse_loss(prediction.float(), target.float())
    errors = mse_loss(prediction.float(), target.float(), reduction="none")
    errors = (errors if weights is None else errors * weights).mean(dim=(1, 2, 3))
    return errors.mean() if snr_gamma is None else (errors * min_snr_weights(scheduler, timesteps, snr_gamma)).mean()
