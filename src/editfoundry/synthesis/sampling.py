"""Batched sampling with a Stable Diffusion pipeline's parts: each picture with a seed of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

AfterStep = Callable[[Tensor, Tensor | None], Tensor]
"""``(latents, timestep they are now at, None after the last step) -> latents``."""


def record_generator(seed: int, record_id: str, stage: str, candidate: int) -> torch.Generator:
    """Return the CPU generator of one candidate of one record at one stage; it depends on nothing else."""
    from editfoundry.data.record import short_hash

    digest = short_hash(str(seed), record_id, stage, str(candidate))
    return torch.Generator().manual_seed(int(digest, 16) % 2**63)


def noise_for(pipeline: StableDiffusionPipeline, generators: Sequence[torch.Generator]) -> Tensor:
    """Draw one latent noise for each generator: ``(B, C, H, W)`` in the UNet's precision, on its device."""
    unet: Any = pipeline.unet
    size = unet.config.sample_size
    shape = (1, unet.config.in_channels, size, size)
    drawn = [torch.randn(shape, generator=generator) for generator in generators]
    return torch.cat(drawn).to(unet.device, unet.dtype)


@torch.inference_mode()
def encode_prompts(pipeline: StableDiffusionPipeline, prompts: Sequence[str]) -> Tensor:
    """Embed prompts, each distinct one once: ``(B, L, D)``."""
    distinct = list(dict.fromkeys(prompts))
    embeds, _ = pipeline.encode_prompt(distinct, pipeline.device, 1, do_classifier_free_guidance=False)
    return embeds[[distinct.index(prompt) for prompt in prompts]]


@torch.inference_mode()
def denoise(
    pipeline: StableDiffusionPipeline,
    prompt_embeds: Tensor,
    latents: Tensor,
    num_inference_steps: int,
    guidance_scale: float,
    after_step: AfterStep | None = None,
) -> Tensor:
    """Run classifier-free guided sampling.

    Args:
        pipeline: its UNet, scheduler and text encoder are used.
        prompt_embeds: ``(B, L, D)``.
        latents: ``(B, C, H, W)`` unit Gaussian noise.
        num_inference_steps: steps of the scheduler.
        guidance_scale: weight of the prompt; 1 means no guidance.
        after_step: may change the latents after each step.

    Returns:
        ``(B, C, H, W)`` clean latents, scaled as the UNet sees them.
    """
    parts: Any = pipeline
    # A copy: from_config would undo what the pipeline changed of the scheduler's defaults (clip_sample, steps_offset).
    scheduler = copy.deepcopy(parts.scheduler)
    scheduler.set_timesteps(num_inference_steps, device=latents.device)
    timesteps = scheduler.timesteps
    negative = encode_prompts(pipeline, [""]).expand_as(prompt_embeds)
    latents = latents * scheduler.init_noise_sigma
    for index, timestep in enumerate(timesteps):
        scaled = scheduler.scale_model_input(torch.cat([latents, latents]), timestep)
        output = parts.unet(scaled, timestep, torch.cat([negative, prompt_embeds]), return_dict=False)[0]
        unconditional, conditional = output.chunk(2)
        guided = unconditional + guidance_scale * (conditional - unconditional)
        latents = scheduler.step(guided, timestep, latents, return_dict=False)[0]
        if after_step is not None:
            latents = after_step(latents, timesteps[index + 1] if index + 1 < len(timesteps) else None)
    return latents


@torch.inference_mode()
def decode(pipeline: StableDiffusionPipeline, latents: Tensor) -> list[Image.Image]:
    """Turn ``(B, C, H, W)`` scaled latents into RGB images."""
    parts: Any = pipeline
    pixels = parts.vae.decode(latents / parts.vae.config.scaling_factor, return_dict=False)[0]
    return parts.image_processor.postprocess(pixels, output_type="pil")
