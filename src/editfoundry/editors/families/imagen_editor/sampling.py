"""Paints inside masks, stage by stage."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from editfoundry.diffusion.schedulers import scheduler_step
from editfoundry.diffusion.seeded_noise import noise_like, seeded_generators
from editfoundry.editors.families.imagen_editor.masked_picture import masked_picture
from editfoundry.editors.families.imagen_editor.options import ImagenEditorOptions
from editfoundry.editors.families.imagen_editor.pipeline import ImagenEditorPipeline
from editfoundry.editors.families.imagen_editor.stage import RGB_CHANNELS, CascadeStage, enlarge


@torch.inference_mode()
def paint_holes(
    pipeline: ImagenEditorPipeline,
    prompts: Sequence[str],
    pictures: Tensor,
    holes: Tensor,
    seeds: Sequence[int],
    options: ImagenEditorOptions,
) -> Tensor:
    """Return painted pictures of the cascade's size, ``(B, 3, S, S)`` float in [-1, 1]; each depends on its own seed.

    Args:
        pipeline: the cascade.
        prompts: what to paint, ``B`` of them.
        pictures: ``(B, 3, S, S)`` float in [-1, 1], on the pipeline's device.
        holes: ``(B, 1, S, S)`` bool, where to paint.
        seeds: of the noise, ``B`` of them.
        options: of the sampling.
    """
    # The null condition's rows come first.
    embeds = torch.cat([pipeline.embed([""]).expand(len(prompts), -1, -1), pipeline.embed(prompts)])
    seen = masked_picture(pictures, holes).to(pipeline.unet.dtype)
    generators = seeded_generators(seeds)
    painted: Tensor | None = None
    for stage in pipeline.stages:
        shape = (len(prompts), RGB_CHANNELS, stage.side, stage.side)
        noise = noise_like(torch.empty(shape, device=seen.device, dtype=seen.dtype), generators).latents
        smaller, level, guidance = None, None, options.base_guidance()
        if painted is not None:
            enlarged = enlarge(painted, stage.side).to(seen.dtype)
            level = torch.full((len(prompts),), options.noise_level, device=seen.device)
            added = noise_like(enlarged, generators).latents
            smaller = pipeline.scheduler.add_noise(enlarged, added, level)
            guidance = [options.super_resolution_guidance] * options.super_resolution_steps
        known = stage.known(seen, smaller)
        painted = _denoise(pipeline.scheduler, stage, noise, known, embeds, level, guidance, generators)
    assert painted is not None
    return painted.float().clamp(-1, 1)


def _denoise(
    scheduler: Any,
    stage: CascadeStage,
    pixels: Tensor,
    known: Tensor,
    embeds: Tensor,
    level: Tensor | None,
    guidance: Sequence[float],
    generators: Sequence[torch.Generator],
) -> Tensor:
    """Run one stage's guided sampling, with a guidance scale for each step."""
    own = copy.deepcopy(scheduler)
    own.set_timesteps(len(guidance), device=pixels.device)
    pixels, count = pixels * own.init_noise_sigma, len(pixels)
    for timestep, scale in zip(own.timesteps, guidance, strict=True):
        noisy = own.scale_model_input(pixels, timestep)
        # With a scale of 1 the null condition cancels out.
        rows = 1 if scale == 1 else 2
        levels = None if level is None else torch.cat([level] * rows)
        seen = (torch.cat([noisy] * rows), torch.cat([known] * rows))
        output = stage.predict(*seen, timestep, embeds[-rows * count :], levels)
        if rows == 2:
            null, conditional = output.chunk(2)
            output = null + scale * (conditional - null)
        pixels = scheduler_step(own, output, timestep, pixels, generators)
    return pixels
