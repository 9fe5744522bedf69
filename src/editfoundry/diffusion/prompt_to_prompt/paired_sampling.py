"""Two captions painted from the same latents, the second with the first one's attention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from editfoundry.diffusion.ddim_inversion import unet_output
from editfoundry.diffusion.prompt_embeds import PromptEmbeds
from editfoundry.diffusion.prompt_to_prompt.alignment import Alignment
from editfoundry.diffusion.prompt_to_prompt.injection import Injection, injected

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter


Blend = Callable[[Tensor, Tensor, int], Tensor]
"""``(latents of the first pictures, of the second ones, number of the step just taken) -> those of the second``."""


class PairSchedule(Protocol):
    """The steps of one run, from noise (step 0) to the clean latents."""

    @property
    def timesteps(self) -> Tensor:
        """``(N,)``, falling."""

    def __len__(self) -> int:
        """Return the number of steps."""

    def scaled(self, latents: Tensor, index: int) -> Tensor:
        """Return the latents as the UNet sees them before step ``index``."""

    def step(self, latents: Tensor, output: Tensor, index: int) -> Tensor:
        """Return the latents after step ``index``: ``(2B, C, H, W)``, first all first pictures, then all second."""


@torch.no_grad()
def sample_pairs(
    pipeline: Painter,
    schedule: PairSchedule,
    latents: Tensor,
    source: PromptEmbeds,
    target: PromptEmbeds,
    nulls: Sequence[PromptEmbeds],
    alignment: Alignment,
    *,
    guidance_scale: float | Tensor,
    num_cross_steps: float | Tensor,
    num_self_steps: float | Tensor,
    max_self_attention_pixels: int | None,
    in_null_half: bool = False,
    target_guidance_scale: float | Tensor | None = None,
    num_feature_steps: float | Tensor | None = None,
    decoder_alone: bool = False,
    blend: Blend | None = None,
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
        guidance_scale: weight of the captions; one, or ``(B,)``.
        num_cross_steps: cross-attention is shared in the steps, numbered from 0, below this; one, or ``(B,)``.
        num_self_steps: likewise for self-attention.
        max_self_attention_pixels: self-attention is shared in layers of at most this many latent pixels; None for all.
        in_null_half: whether self-attention is shared under the null condition too, as InstructPix2Pix's release does.
        target_guidance_scale: weight of the second captions, where it is another; one, or ``(B,)``.
        num_feature_steps: the decoder's features are shared in the steps below this (plug-and-play); one, or ``(B,)``;
            None shares none.
        decoder_alone: whether self-attention is shared in the UNet's decoder alone, as plug-and-play has it.
        blend: changes the second pictures' latents after each step.

    Returns:
        The clean latents of the first and of the second captions, ``(B, C, H, W)`` each.
    """
    count, device = len(latents), latents.device
    bounds = [torch.as_tensor(bound, device=device).expand(count) for bound in (num_cross_steps, num_self_steps)]
    features = None if num_feature_steps is None else torch.as_tensor(num_feature_steps, device=device).expand(count)
    scales = (guidance_scale, guidance_scale if target_guidance_scale is None else target_guidance_scale)
    scale = torch.cat([torch.as_tensor(one, device=device, dtype=latents.dtype).expand(count) for one in scales])
    never = torch.zeros(count, dtype=torch.bool, device=device)
    injection = Injection(
        alignment.to(device),
        max_self_attention_pixels,
        never,
        never,
        in_null_half,
        None if features is None else never,
        decoder_alone,
    )
    pair, prompts = torch.cat([latents] * 2), source.followed_by(target)
    with injected(pipeline.unet, injection):
        for index, null in enumerate(nulls):
            injection.cross_is_on, injection.self_is_on = (index < bound for bound in bounds)
            injection.features_are_on = None if features is None else index < features
            conditions = null.followed_by(null).followed_by(prompts)
            seen = schedule.scaled(torch.cat([pair] * 2), index)
            without, with_captions = unet_output(pipeline, seen, schedule.timesteps[index], conditions).chunk(2)
            guided = without + scale[:, None, None, None] * (with_captions - without)
            pair = schedule.step(pair, guided, index)
            if blend is not None:
                kept, edited = pair.chunk(2)
                pair = torch.cat([kept, blend(kept, edited, index)])
    first, second = pair.chunk(2)
    return first, second
