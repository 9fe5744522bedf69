"""Batched sampling with a Stable Diffusion or SDXL pipeline's parts: each picture with a seed of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from editfoundry.diffusion.prompt_embeds import PromptEmbeds, encode_empty_prompt, latent_size

if TYPE_CHECKING:
    from editfoundry.diffusion.image_conditions import ImageConditions
    from editfoundry.pretrained.text_to_image import Painter

AfterStep = Callable[[Tensor, Tensor | None, Any], Tensor]
"""``(latents, timestep they are now at, None after the last step, the run's scheduler) -> latents``."""


def record_generator(seed: int, record_id: str, stage: str, candidate: int) -> torch.Generator:
    """Return the CPU generator of one candidate of one record at one stage; it depends on nothing else."""
    from editfoundry.data.record import short_hash

    digest = short_hash(str(seed), record_id, stage, str(candidate))
    return torch.Generator().manual_seed(int(digest, 16) % 2**63)


def noise_for(pipeline: Painter, generators: Sequence[torch.Generator]) -> Tensor:
    """Draw one latent noise for each generator: ``(B, C, H, W)`` in the UNet's precision, on its device."""
    unet: Any = pipeline.unet
    shape = (1, unet.config.in_channels, *latent_size(unet))
    drawn = [torch.randn(shape, generator=generator) for generator in generators]
    return torch.cat(drawn).to(unet.device, unet.dtype)


@torch.inference_mode()
def denoise(
    pipeline: Painter,
    prompts: PromptEmbeds,
    noise: Tensor,
    num_inference_steps: int,
    guidance_scale: float,
    after_step: AfterStep | None = None,
    *,
    negative: PromptEmbeds | None = None,
    conditions: ImageConditions | None = None,
    start: Tensor | None = None,
    strength: float = 1.0,
) -> Tensor:
    """Run classifier-free guided sampling.

    Args:
        pipeline: its UNet and scheduler are used.
        prompts: one for each of the ``B`` pictures.
        noise: ``(B, C, H, W)`` unit Gaussian noise.
        num_inference_steps: steps of the scheduler.
        guidance_scale: weight of the prompts; at 1 the null condition is not computed.
        after_step: may change the latents after each step.
        negative: the null condition, ``B = 1``; by default the empty prompt, encoded here.
        conditions: pictures that steer the UNet beside the prompts.
        start: ``(B, C, H, W)`` clean scaled latents to set out from, noised, instead of from noise alone.
        strength: with ``start``, the share in (0, 1] of the steps that is done, the last ones.

    Returns:
        ``(B, C, H, W)`` clean latents, scaled as the UNet sees them.
    """
    parts: Any = pipeline
    # A copy: from_config would undo what the pipeline changed of the scheduler's defaults (clip_sample, steps_offset).
    scheduler = copy.deepcopy(parts.scheduler)
    scheduler.set_timesteps(num_inference_steps, device=noise.device)
    latents, timesteps = _first_latents(scheduler, noise, num_inference_steps, start, strength)
    guided = guidance_scale != 1
    if guided:
        empty = negative or encode_empty_prompt(pipeline)
        prompts = empty.expanded(len(prompts)).followed_by(prompts)
    for index, timestep in enumerate(timesteps):
        doubled = torch.cat([latents, latents]) if guided else latents
        scaled = scheduler.scale_model_input(doubled, timestep)
        output = _predict(parts.unet, scaled, timestep, prompts, conditions, guided)
        if guided:
            unconditional, conditional = output.chunk(2)
            output = unconditional + guidance_scale * (conditional - unconditional)
        latents = scheduler.step(output, timestep, latents, return_dict=False)[0]
        if after_step is not None:
            upcoming = timesteps[index + 1] if index + 1 < len(timesteps) else None
            latents = after_step(latents, upcoming, scheduler)
    return latents


def _first_latents(
    scheduler: Any, noise: Tensor, num_inference_steps: int, start: Tensor | None, strength: float
) -> tuple[Tensor, Tensor]:
    if start is None:
        return noise * scheduler.init_noise_sigma, scheduler.timesteps
    skipped = (num_inference_steps - min(int(num_inference_steps * strength), num_inference_steps)) * scheduler.order
    timesteps = scheduler.timesteps[skipped:]
    if not len(timesteps):
        return start, timesteps
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(skipped)
    return scheduler.add_noise(start, noise, timesteps[:1]), timesteps


def _predict(
    unet: Any,
    latents: Tensor,
    timestep: Tensor,
    prompts: PromptEmbeds,
    conditions: ImageConditions | None,
    guided: bool,
) -> Tensor:
    added: dict[str, Any] = dict(prompts.added_cond_kwargs())
    extra: dict[str, Any] = {}
    if conditions is not None:
        extra = conditions.residuals(latents, timestep, prompts, guided)
        added |= conditions.added_cond_kwargs(guided)
    extra["added_cond_kwargs"] = added or None
    return unet(latents, timestep, prompts.prompt_embeds, return_dict=False, **extra)[0]
