"""DiffEdit (Couairon et al. 2023): the captions' predictions say where to edit, DDIM inversion keeps the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from editfoundry.diffusion.ddim_inversion import DdimSchedule, invert, predictor, unet_output
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.encoding import encode
from editfoundry.diffusion.prompt_embeds import PromptEmbeds, encode_empty_prompt, encode_prompts, image_size
from editfoundry.diffusion.seeded_noise import seeded_draws
from editfoundry.editors.editor import EditRequest
from editfoundry.editors.families.diffedit.options import DiffEditOptions
from editfoundry.editors.working_size import edit_at_working_size

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter


@torch.inference_mode()
def diffedit(pipeline: Painter, options: DiffEditOptions, requests: Sequence[EditRequest]) -> list[Image.Image]:
    """Edit RGB pictures of any size; a request without an input caption has the paper's empty reference text."""

    def edit(group: list[EditRequest]) -> list[Image.Image]:
        latents = encode(pipeline, [request.image for request in group])
        size = image_size(pipeline, latents)
        reference = encode_prompts(pipeline, [request.input_caption or "" for request in group]).at_size(*size)
        query = encode_prompts(pipeline, [request.output_caption or "" for request in group]).at_size(*size)
        mask = difference_mask(pipeline, latents, reference, query, [request.seed for request in group], options)
        return decode(pipeline, masked_decoding(pipeline, latents, query, mask, options))

    return edit_at_working_size(pipeline, requests, edit)


@torch.inference_mode()
def difference_mask(
    pipeline: Painter,
    latents: Tensor,
    reference: PromptEmbeds,
    query: PromptEmbeds,
    seeds: Sequence[int],
    options: DiffEditOptions,
) -> Tensor:
    """Return where the two captions want different pictures (the paper's step 1).

    Args:
        pipeline: the text-to-image model.
        latents: ``(B, C, H, W)`` clean, scaled.
        reference: what the pictures show.
        query: what they must show.
        seeds: of the noises, one for each picture.
        options: strength, noises, threshold.

    Returns:
        ``(B, 1, H, W)`` bool; nothing where the predictions are equal.
    """
    schedule = DdimSchedule.of(pipeline, options.num_inference_steps)
    index = _first_step(schedule, options.mask_strength)
    both = reference.followed_by(query)
    noises = seeded_draws(latents, seeds, options.num_maps)
    difference = torch.zeros_like(latents[:, :1])
    for noise in noises:
        noised = schedule.noised(latents, noise, index)
        output = unet_output(pipeline, torch.cat([noised] * 2), schedule.timesteps[index], both)
        first, second = output.chunk(2)
        difference += (second - first).abs().mean(1, keepdim=True)
    return _binarised(difference, options)


@torch.inference_mode()
def masked_decoding(
    pipeline: Painter, latents: Tensor, query: PromptEmbeds, mask: Tensor, options: DiffEditOptions
) -> Tensor:
    """Invert without text and decode with the output caption inside the mask (the paper's steps 2 and 3).

    Args:
        pipeline: the text-to-image model.
        latents: ``(B, C, H, W)`` clean, scaled.
        query: the ``B`` output captions.
        mask: ``(B, 1, H, W)`` bool, true where the picture may change.
        options: steps, ratio, guidance.

    Returns:
        ``(B, C, H, W)`` clean latents, equal to ``latents`` outside the mask.
    """
    schedule = DdimSchedule.of(pipeline, options.num_inference_steps)
    first = _first_step(schedule, options.encoding_ratio)
    empty = encode_empty_prompt(pipeline).expanded(len(latents)).at_size(*image_size(pipeline, latents))
    unconditional = predictor(pipeline, schedule, empty)
    encoded = invert(schedule, unconditional, latents, first, options.num_refinements)
    guided = predictor(pipeline, schedule, query, options.guidance_scale, empty)
    edited = encoded[0]
    for index, kept in enumerate(encoded[1:], start=first):
        edited = torch.where(mask, schedule.step(edited, guided(edited, index), index), kept)
    return edited


def _first_step(schedule: DdimSchedule, strength: float) -> int:
    """Return the step at which ``strength`` of the steps are still to be done."""
    return len(schedule) - max(1, round(len(schedule) * strength))


def _binarised(difference: Tensor, options: DiffEditOptions) -> Tensor:
    limit = options.outlier_ratio * difference.mean(dim=(1, 2, 3), keepdim=True)
    cut = difference.minimum(limit)
    largest = cut.amax(dim=(1, 2, 3), keepdim=True)
    return (cut >= options.mask_threshold * largest) & (largest > 0)
