"""DiffEdit (Couairon et al. 2023): the captions' predictions say where to edit, DDIM inversion keeps the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from editfoundry.diffusion.ddim_inversion import DdimSchedule, invert, predictor, unet_output
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.encoding import encode
from editfoundry.diffusion.prompt_embeds import PromptEmbeds, encode_empty_prompt, encode_prompts
from editfoundry.diffusion.seeded_noise import seeded_noise
from editfoundry.editors.working_size import at_working_size
from editfoundry.errors import BadInputError

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter


@dataclass(frozen=True, kw_only=True)
class DiffEditSettings:
    """The three steps of the baseline ``diffedit``."""

    num_inference_steps: int = 50
    """DDIM steps of a whole run; ``encoding_ratio`` of them are inverted and decoded."""
    guidance_scale: float = 7.5
    """Weight of the output caption while decoding."""
    encoding_ratio: float = 0.8
    """Share of the way to noise that the picture is inverted (the paper's ``r``)."""
    mask_strength: float = 0.5
    """Noise level at which the two captions' predictions are compared, as a share of the timesteps."""
    num_maps: int = 10
    """Noises over which the difference is averaged."""
    mask_threshold: float = 0.5
    """Where the difference, scaled to [0, 1], is at least this, the picture may change."""
    outlier_ratio: float = 3.0
    """Differences above this many times the picture's mean are cut to it before scaling."""
    num_refinements: int = 0
    """Fixed-point iterations of each step of the inversion; the paper has none."""

    def __post_init__(self) -> None:
        for name in ("encoding_ratio", "mask_strength"):
            if not 0 < getattr(self, name) <= 1:
                raise BadInputError(f"{name} is {getattr(self, name)}, but must be in (0, 1]")
        if self.num_maps < 1 or self.num_inference_steps < 1:
            raise BadInputError("num_maps and num_inference_steps must be at least 1")


@torch.inference_mode()
def diffedit(
    pipeline: Painter,
    settings: DiffEditSettings,
    images: Sequence[Image.Image],
    input_captions: Sequence[str],
    output_captions: Sequence[str],
    seeds: Sequence[int],
) -> list[Image.Image]:
    """Edit RGB images of any size; an empty input caption is the paper's empty reference text."""

    def edit(places: list[int], resized: list[Image.Image]) -> list[Image.Image]:
        latents = encode(pipeline, resized)
        reference = encode_prompts(pipeline, [input_captions[place] for place in places])
        query = encode_prompts(pipeline, [output_captions[place] for place in places])
        mask = difference_mask(pipeline, latents, reference, query, [seeds[place] for place in places], settings)
        return decode(pipeline, masked_decoding(pipeline, latents, query, mask, settings))

    return at_working_size(pipeline, images, edit)


@torch.inference_mode()
def difference_mask(
    pipeline: Painter,
    latents: Tensor,
    reference: PromptEmbeds,
    query: PromptEmbeds,
    seeds: Sequence[int],
    settings: DiffEditSettings,
) -> Tensor:
    """Return where the two captions want different pictures (the paper's step 1).

    Args:
        pipeline: the text-to-image model.
        latents: ``(B, C, H, W)`` clean, scaled.
        reference: what the pictures show.
        query: what they must show.
        seeds: of the noises, one for each picture.
        settings: strength, noises, threshold.

    Returns:
        ``(B, 1, H, W)`` bool; nothing where the predictions are equal.
    """
    schedule = DdimSchedule.of(pipeline, settings.num_inference_steps)
    index = _first_step(schedule, settings.mask_strength)
    both = reference.followed_by(query)
    noises = seeded_noise(latents, seeds, settings.num_maps).reshape(settings.num_maps, *latents.shape)
    difference = torch.zeros_like(latents[:, :1])
    for noise in noises:
        noised = schedule.noised(latents, noise, index)
        output = unet_output(pipeline, torch.cat([noised] * 2), schedule.timesteps[index], both)
        first, second = output.chunk(2)
        difference += (second - first).abs().mean(1, keepdim=True)
    return _binarised(difference, settings)


@torch.inference_mode()
def masked_decoding(
    pipeline: Painter, latents: Tensor, query: PromptEmbeds, mask: Tensor, settings: DiffEditSettings
) -> Tensor:
    """Invert without text and decode with the output caption inside the mask (the paper's steps 2 and 3).

    Args:
        pipeline: the text-to-image model.
        latents: ``(B, C, H, W)`` clean, scaled.
        query: the ``B`` output captions.
        mask: ``(B, 1, H, W)`` bool, true where the picture may change.
        settings: steps, ratio, guidance.

    Returns:
        ``(B, C, H, W)`` clean latents, equal to ``latents`` outside the mask.
    """
    schedule = DdimSchedule.of(pipeline, settings.num_inference_steps)
    first = _first_step(schedule, settings.encoding_ratio)
    empty = encode_empty_prompt(pipeline).expanded(len(latents))
    unconditional = predictor(pipeline, schedule, empty)
    encoded = invert(schedule, unconditional, latents, first, settings.num_refinements)
    guided = predictor(pipeline, schedule, query, settings.guidance_scale, empty)
    edited = encoded[0]
    for index, kept in enumerate(encoded[1:], start=first):
        edited = torch.where(mask, schedule.step(edited, guided(edited, index), index), kept)
    return edited


def _first_step(schedule: DdimSchedule, strength: float) -> int:
    """Return the step at which ``strength`` of the steps are still to be done."""
    return len(schedule) - max(1, round(len(schedule) * strength))


def _binarised(difference: Tensor, settings: DiffEditSettings) -> Tensor:
    limit = settings.outlier_ratio * difference.mean(dim=(1, 2, 3), keepdim=True)
    cut = difference.minimum(limit)
    largest = cut.amax(dim=(1, 2, 3), keepdim=True)
    return (cut >= settings.mask_threshold * largest) & (largest > 0)
