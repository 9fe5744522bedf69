"""Batched sampling with a Stable Diffusion or SDXL pipeline's parts: each picture with a seed of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from editfoundry.diffusion.prompt_embeds import PromptEmbeds, encode_empty_prompt, image_size, latent_size
from editfoundry.diffusion.schedulers import scheduler_step
from editfoundry.diffusion.seeded_noise import SeededNoise, noise_like

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


def noise_for(pipeline: Painter, generators: Sequence[torch.Generator]) -> SeededNoise:
    """Draw the latent noise of one picture for each generator, in the UNet's size and precision, on its device."""
    unet: Any = pipeline.unet
    shape = (len(generators), unet.config.in_channels, *latent_size(unet))
    return noise_like(torch.empty(shape, device=unet.device, dtype=unet.dtype), generators)


@torch.inference_mode()
def denoise(
    pipeline: Painter,
    prompts: PromptEmbeds,
    noise: SeededNoise,
    num_inference_steps: int,
    guidance_scale: float | Tensor,
    after_step: AfterStep | None = None,
    *,
    negative: PromptEmbeds | None = None,
    conditions: ImageConditions | None = None,
    start: Tensor | None = None,
    strength: float = 1.0,
) -> Tensor:
    """Run classifier-free guided sampling; a picture is the same alone and in any batch, with any scheduler.

    Args:
        pipeline: its UNet and scheduler are used.
        prompts: one for each of the ``B`` pictures.
        noise: where the ``B`` pictures start, and what the scheduler draws from if it adds noise on the way.
        num_inference_steps: steps of the scheduler.
        guidance_scale: weight of the prompts; at 1 the null condition is not computed. Or each picture's own weight,
            ``(B, 1, 1, 1)``.
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
    scheduler.set_timesteps(num_inference_steps, device=noise.latents.device)
    generators = noise.fresh_generators()
    latents, timesteps = _first_latents(scheduler, noise.latents, num_inference_steps, start, strength)
    guided = isinstance(guidance_scale, Tensor) or guidance_scale != 1
    if guided:
        empty = negative or encode_empty_prompt(pipeline)
        prompts = empty.expanded(len(prompts)).followed_by(prompts)
    prompts = prompts.at_size(*image_size(pipeline, latents))
    for index, timestep in enumerate(timesteps):
        doubled = torch.cat([latents, latents]) if guided else latents
        scaled = scheduler.scale_model_input(doubled, timestep)
        output = _predict(parts.unet, scaled, timestep, prompts, conditions, guided)
        if guided:
            unconditional, conditional = output.chunk(2)
            output = unconditional + guidance_scale * (conditional - unconditional)
        latents = scheduler_step(scheduler, output, timestep, latents, generators)
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
