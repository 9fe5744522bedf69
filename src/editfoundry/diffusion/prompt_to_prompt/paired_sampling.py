"""Two captions painted from the same latents, the second with the first one's attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from editfoundry.diffusion.ddim_inversion import DdimSchedule, unet_output
from editfoundry.diffusion.prompt_embeds import PromptEmbeds
from editfoundry.diffusion.prompt_to_prompt.alignment import Alignment
from editfoundry.diffusion.prompt_to_prompt.injection import Injection, injected

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter


@torch.no_grad()
def sample_pairs(
    pipeline: Painter,
    schedule: DdimSchedule,
    latents: Tensor,
    source: PromptEmbeds,
    target: PromptEmbeds,
    nulls: Sequence[PromptEmbeds],
    alignment: Alignment,
    *,
    guidance_scale: float,
    cross_share: float | Tensor,
    self_share: float | Tensor,
    max_self_attention_pixels: int,
) -> tuple[Tensor, Tensor]:
    """Paint ``B`` pairs of captions together (Hertz et al. 2022, algorithm 1).

    Args:
        pipeline: the text-to-image model.
        schedule: the steps.
        latents: ``(B, C, H, W)`` that both pictures of a pair start from.
        source: the ``B`` first captions.
        target: the ``B`` second ones.
        nulls: the null condition of each step, ``B`` rows.
        alignment: how the captions share cross-attention.
        guidance_scale: weight of the captions.
        cross_share: share of the steps, from the first, in which cross-attention is shared; one, or ``(B,)``.
        self_share: likewise for self-attention.
        max_self_attention_pixels: self-attention is shared in layers of at most this many latent pixels.

    Returns:
        The clean latents of the first and of the second captions, ``(B, C, H, W)`` each.
    """
    count = len(latents)
    shares = [torch.as_tensor(share, device=latents.device).expand(count) for share in (cross_share, self_share)]
    never = torch.zeros(count, dtype=torch.bool, device=latents.device)
    injection = Injection(alignment.to(latents.device), max_self_attention_pixels, never, never)
    pair, prompts = torch.cat([latents] * 2), source.followed_by(target)
    with injected(pipeline.unet, injection):
        for index, null in enumerate(nulls):
            injection.cross_is_on, injection.self_is_on = (index < share * len(schedule) for share in shares)
            conditions = null.followed_by(null).followed_by(prompts)
            output = unet_output(pipeline, torch.cat([pair] * 2), schedule.timesteps[index], conditions)
            without, with_captions = output.chunk(2)
            pair = schedule.step(pair, without + guidance_scale * (with_captions - without), index)
    first, second = pair.chunk(2)
    return first, second
