"""Mask-based attention control: prompt-to-prompt on shared words, and what lies outside a mask held (section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from editfoundry.diffusion.ddim_inversion import DdimSchedule
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.prompt_embeds import encode_empty_prompt, encode_prompts, image_size
from editfoundry.diffusion.prompt_to_prompt.alignment import align
from editfoundry.diffusion.prompt_to_prompt.paired_sampling import sample_pairs
from editfoundry.synthesis.emu_edit.config import EmuPairConfig
from editfoundry.synthesis.emu_edit.first_pictures import FirstPictures
from editfoundry.synthesis.emu_edit.made_pair import MadePair, pair_of
from editfoundry.synthesis.emu_edit.masks import FoundThing, latent_masks, region_masks
from editfoundry.synthesis.emu_edit.models import EmuModels

_GUIDANCE, _CROSS, _SELF, _BLENDING = range(4)
"""Places of the settings among a draw's random numbers."""


@dataclass(frozen=True, kw_only=True)
class _Controls:
    """How ``N`` candidates are painted; tensors are ``(N,)``, counts are of steps."""

    owners: Sequence[int]
    """Each one's first picture."""
    guidance_scale: Tensor
    num_cross_steps: Tensor | float
    num_self_steps: Tensor
    masks: Tensor | None = None
    """``(N, 1, h, w)`` in [0, 1]: where the picture may change while it is held."""
    first_held: Tensor | None = None
    """The step from which it is held."""
    first_free: Tensor | None = None
    """The step from which it is held no more."""
    feature_steps: float | None = None
    """With plug-and-play, the steps in which features are shared."""

    def __getitem__(self, rows: slice) -> _Controls:
        """Return those of some candidates."""
        cut: dict[str, Any] = {name: v[rows] for name, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, owners=list(self.owners)[rows], **cut)


def edit_regions(
    models: EmuModels, first: FirstPictures, things: Mapping[int, FoundThing], config: EmuPairConfig
) -> list[MadePair]:
    """Return three candidates of each draw whose thing was found, one a mask: ``local`` and ``texture``."""
    settings, steps, rows = config.region, config.num_inference_steps, list(things)
    masks = [
        (row, kind, mask) for row in rows for kind, mask in region_masks(things[row].outline, config.masks).items()
    ]
    owners = [row for row, _, _ in masks]
    controls = _Controls(
        owners=owners,
        guidance_scale=first.spread(owners, _GUIDANCE, settings.guidance_scale),
        num_cross_steps=first.spread(owners, _CROSS, settings.shares) * steps,
        num_self_steps=first.spread(owners, _SELF, settings.shares) * steps,
        masks=latent_masks([mask for _, _, mask in masks], first.latents),
        first_held=first.spread(owners, _BLENDING, settings.blending) * steps,
        first_free=torch.full((len(owners),), float(steps)),
    )
    made = _second_pictures(models, first, controls, config)
    return [
        pair_of(first, row, picture, facts={"mask": kind, **told}, mask=mask, thing=things[row], is_finite=finite)
        for (row, kind, mask), (picture, finite), told in zip(masks, made, _told(controls, steps), strict=True)
    ]


def edit_whole(models: EmuModels, first: FirstPictures, rows: Sequence[int], config: EmuPairConfig) -> list[MadePair]:
    """Return a candidate of each draw, made with a blank mask: ``global``."""
    settings, steps = config.whole, config.num_inference_steps
    controls = _Controls(
        owners=rows,
        guidance_scale=first.spread(rows, _GUIDANCE, settings.guidance_scale),
        num_cross_steps=first.spread(rows, _CROSS, settings.shares) * steps,
        num_self_steps=first.spread(rows, _SELF, settings.shares) * steps,
        masks=torch.zeros_like(first.latents[list(rows), :1]),
        first_held=torch.zeros(len(rows)),
        first_free=first.spread(rows, _BLENDING, settings.blending) * steps,
    )
    return _pairs(models, first, controls, config)


def restyle(models: EmuModels, first: FirstPictures, rows: Sequence[int], config: EmuPairConfig) -> list[MadePair]:
    """Return a candidate of each draw by plug-and-play: ``style``.

    The first picture was painted by DDIM, so the noise that its inversion looks for is known: it was painted from it.
    """
    settings, steps = config.style, config.num_inference_steps
    controls = _Controls(
        owners=rows,
        guidance_scale=first.spread(rows, _GUIDANCE, settings.guidance_scale),
        num_cross_steps=0.0,
        num_self_steps=first.spread(rows, _SELF, settings.shares) * steps,
        feature_steps=settings.feature_share * steps,
    )
    return _pairs(models, first, controls, config)


def _pairs(models: EmuModels, first: FirstPictures, controls: _Controls, config: EmuPairConfig) -> list[MadePair]:
    made, told = _second_pictures(models, first, controls, config), _told(controls, config.num_inference_steps)
    return [
        pair_of(first, row, picture, facts=facts, is_finite=finite)
        for row, (picture, finite), facts in zip(controls.owners, made, told, strict=True)
    ]


@torch.inference_mode()
def _second_pictures(
    models: EmuModels, first: FirstPictures, controls: _Controls, config: EmuPairConfig
) -> list[tuple[Image.Image, bool]]:
    """Paint the candidates' second pictures; each with whether the painter gave numbers."""
    painter = models.painter
    edits = [draw.edit for draw in first.draws]
    before, after = [edit.first_caption for edit in edits], [edit.second_caption for edit in edits]
    size = image_size(painter)
    prompts = [encode_prompts(painter, texts).at_size(*size) for texts in (before, after)]
    empty, alignment = encode_empty_prompt(painter).at_size(*size), align(painter.tokenizer, before, after, "refine")

    def paint(rows: slice) -> Tensor:
        part = controls[rows]
        owners, schedule = list(part.owners), DdimSchedule.of(painter, config.num_inference_steps)
        return sample_pairs(
            painter,
            schedule,
            first.noise.latents[owners],
            prompts[0][owners],
            prompts[1][owners],
            [empty.expanded(len(owners))] * len(schedule),
            alignment[owners],
            guidance_scale=config.input_guidance_scale,
            target_guidance_scale=part.guidance_scale.to(first.latents.device),
            num_cross_steps=part.num_cross_steps,
            num_self_steps=part.num_self_steps,
            max_self_attention_pixels=None,
            in_null_half=part.feature_steps is not None,
            num_feature_steps=part.feature_steps,
            decoder_alone=part.feature_steps is not None,
            blend=None if part.masks is None else _blend_of(part),
        )[1]

    latents = torch.cat(models.passes.run(len(controls.owners), paint))
    if controls.masks is not None and controls.feature_steps is None:
        latents = _held_exactly(latents, first, controls, config)
    finite = latents.isfinite().flatten(1).all(1)
    pictures = decode(painter, torch.where(finite[:, None, None, None], latents, torch.zeros_like(latents)))
    return list(zip(pictures, finite.tolist(), strict=True))


def _blend_of(controls: _Controls) -> Any:
    """Return what holds the pictures outside the masks: ``x_t m + (1 - m) y_t``, the first picture's own latents."""
    masks, held, free = controls.masks, controls.first_held, controls.first_free
    assert masks is not None and held is not None and free is not None

    def blend(kept: Tensor, edited: Tensor, index: int) -> Tensor:
        is_held = ((index >= held) & (index < free)).to(edited.device)[:, None, None, None]
        return torch.where(is_held, edited * masks + (1 - masks) * kept, edited)

    return blend


def _held_exactly(latents: Tensor, first: FirstPictures, controls: _Controls, config: EmuPairConfig) -> Tensor:
    """Return the latents with the first picture's very own where it was held to the end; a batch rounds otherwise."""
    masks, held, free = controls.masks, controls.first_held, controls.first_free
    assert masks is not None and held is not None and free is not None
    steps = config.num_inference_steps
    to_the_end = ((held <= steps - 1) & (free >= steps)).to(latents.device)[:, None, None, None]
    outside = to_the_end & (masks == 0)
    return torch.where(outside, first.latents[list(controls.owners)], latents)


def _told(controls: _Controls, num_steps: int) -> list[dict[str, Any]]:
    """Return what was drawn for each candidate, in shares of the steps."""
    values = {
        "guidance_scale": controls.guidance_scale,
        "cross_share": torch.as_tensor(controls.num_cross_steps) / num_steps,
        "self_share": controls.num_self_steps / num_steps,
    }
    count = len(controls.owners)
    listed = {name: np.broadcast_to(value.numpy(), count) for name, value in values.items()}
    return [{name: round(float(value[row]), 6) for name, value in listed.items()} for row in range(count)]
