"""Edits of real pictures: inverted under the input caption, painted again under both captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from editfoundry.diffusion.ddim_inversion import DdimSchedule, invert, predictor
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.encoding import encode
from editfoundry.diffusion.prompt_embeds import PromptEmbeds, encode_empty_prompt, encode_prompts, image_size
from editfoundry.diffusion.prompt_to_prompt.alignment import align
from editfoundry.diffusion.prompt_to_prompt.null_text import null_text_embeds
from editfoundry.diffusion.prompt_to_prompt.paired_sampling import sample_pairs
from editfoundry.editors.editor import EditRequest
from editfoundry.editors.families.prompt_to_prompt.options import PromptToPromptOptions
from editfoundry.editors.working_size import edit_at_working_size

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter


def prompt_to_prompt(
    pipeline: Painter, options: PromptToPromptOptions, requests: Sequence[EditRequest]
) -> list[Image.Image]:
    """Edit RGB pictures of any size; nothing is drawn, so the seeds change nothing."""

    def edit(group: list[EditRequest]) -> list[Image.Image]:
        before = [request.input_caption or "" for request in group]
        after = [request.output_caption or "" for request in group]
        latents = encode(pipeline, [request.image for request in group]).clone()
        return decode(pipeline, edit_latents(pipeline, latents, before, after, options)[1])

    return edit_at_working_size(pipeline, requests, edit)


def edit_latents(
    pipeline: Painter,
    latents: Tensor,
    input_captions: Sequence[str],
    output_captions: Sequence[str],
    options: PromptToPromptOptions,
) -> tuple[Tensor, Tensor]:
    """Return what the inversion makes of the pictures again, and the edits: ``(B, C, H, W)`` clean latents each.

    Args:
        pipeline: the text-to-image model.
        latents: ``(B, C, H, W)`` clean, scaled.
        input_captions: what the pictures show.
        output_captions: what they must show.
        options: inversion, sharing, guidance.
    """
    schedule = DdimSchedule.of(pipeline, options.num_inference_steps)
    size = image_size(pipeline, latents)
    source, target = (
        _trainable(encode_prompts(pipeline, texts)).at_size(*size) for texts in (input_captions, output_captions)
    )
    empty = _trainable(encode_empty_prompt(pipeline)).expanded(len(latents)).at_size(*size)
    with torch.no_grad():
        trajectory = invert(schedule, predictor(pipeline, schedule, source), latents, 0, options.num_refinements)
    nulls = [empty] * len(schedule)
    if options.num_null_text_iterations and options.guidance_scale != 1:
        nulls = null_text_embeds(
            pipeline, schedule, trajectory, source, empty, options.guidance_scale, options.num_null_text_iterations
        )
    alignment = align(pipeline.tokenizer, input_captions, output_captions, options.control, options.new_word_weight)
    return sample_pairs(
        pipeline,
        schedule,
        trajectory[0],
        source,
        target,
        nulls,
        alignment,
        guidance_scale=options.guidance_scale,
        num_cross_steps=options.cross_share * len(schedule),
        num_self_steps=options.self_share * len(schedule),
        max_self_attention_pixels=options.max_self_attention_pixels,
    )


def _trainable(prompts: PromptEmbeds) -> PromptEmbeds:
    """Return the prompts as tensors that autograd may see; the encoder makes them in inference mode."""
    pooled, time_ids = prompts.pooled_prompt_embeds, prompts.add_time_ids
    return PromptEmbeds(
        prompts.prompt_embeds.clone(),
        None if pooled is None else pooled.clone(),
        None if time_ids is None else time_ids.clone(),
    )
