"""Null-text inversion (Mokady et al. 2023): null conditions under which guided sampling retraces an inversion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from editfoundry.diffusion.ddim_inversion import DdimSchedule, unet_output
from editfoundry.diffusion.prompt_embeds import PromptEmbeds

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter

LEARNING_RATE = 1e-2
"""At the first step; it falls to zero over a hundred steps, as in the paper's code."""
TOLERANCE = 1e-5
"""Mean squared error at which a step's optimisation ends; it grows by twice this each step."""


def null_text_embeds(
    pipeline: Painter,
    schedule: DdimSchedule,
    trajectory: Sequence[Tensor],
    prompts: PromptEmbeds,
    empty: PromptEmbeds,
    guidance_scale: float,
    num_iterations: int,
) -> list[PromptEmbeds]:
    """Optimise the null condition of each step, with Adam, starting at the step before's.

    Args:
        pipeline: its UNet predicts; its weights stay as they are.
        schedule: the steps of the inversion.
        trajectory: latents before each step, and last the clean ones, from `invert`.
        prompts: the ``B`` input captions.
        empty: the ordinary null condition, ``B`` rows.
        guidance_scale: of the sampling to come.
        num_iterations: of the optimiser at each step, at most; the paper's is 10.

    Returns:
        A null condition for each step.
    """
    found: list[PromptEmbeds] = []
    null, latents = empty.prompt_embeds.clone(), trajectory[0]
    for index, wanted in enumerate(trajectory[1:]):
        with torch.no_grad():
            conditional = unet_output(pipeline, latents, schedule.timesteps[index], prompts)

        def after(
            embeds: Tensor, latents: Tensor = latents, conditional: Tensor = conditional, index: int = index
        ) -> Tensor:
            condition = replace(empty, prompt_embeds=embeds)
            output = unet_output(pipeline, latents, schedule.timesteps[index], condition)
            return schedule.step(latents, output + guidance_scale * (conditional - output), index)

        rate = LEARNING_RATE * max(0.0, 1 - index / 100)
        null = _optimised(null, after, wanted, rate, num_iterations, TOLERANCE * (1 + 2 * index))
        with torch.no_grad():
            latents = after(null)
        found.append(replace(empty, prompt_embeds=null))
    return found


def _optimised(
    start: Tensor, after: Callable[[Tensor], Tensor], wanted: Tensor, rate: float, num_iterations: int, tolerance: float
) -> Tensor:
    null = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([null], lr=rate)
    for _ in range(num_iterations):
        with torch.enable_grad():
            errors = (after(null) - wanted).square().mean(dim=(1, 2, 3))
        if bool((errors < tolerance).all()):
            break
        # A sum: a mean would make a picture's gradient depend on how many others there are.
        (null.grad,) = torch.autograd.grad(errors.sum(), null)
        optimizer.step()
    return null.detach()
