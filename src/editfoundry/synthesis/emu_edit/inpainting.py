"""The tasks ``remove``, ``add`` and ``background``: a part of the first picture is painted anew (section 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from editfoundry.diffusion.blended_inpainting import inpaint
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.prompt_embeds import encode_empty_prompt, encode_prompts
from editfoundry.diffusion.sampling import noise_for, record_generator
from editfoundry.synthesis.emu_edit.config import RECIPE, EmuPairConfig
from editfoundry.synthesis.emu_edit.first_pictures import FirstPictures
from editfoundry.synthesis.emu_edit.made_pair import MadePair, pair_of
from editfoundry.synthesis.emu_edit.masks import FoundThing, background_mask, latent_masks, region_masks
from editfoundry.synthesis.emu_edit.models import EmuModels

_GUIDANCE = 0
"""Place of the setting among a draw's random numbers."""
_Masked = tuple[int, str, np.ndarray]
"""Number of a first picture, kind of a mask, and the mask."""


def take_away(
    models: EmuModels, first: FirstPictures, things: Mapping[int, FoundThing], config: EmuPairConfig
) -> list[MadePair]:
    """Return candidates without the thing, one a mask: ``remove``, and ``add``, whose thing stands in its output."""
    masks = [
        (row, kind, mask)
        for row, thing in things.items()
        for kind, mask in region_masks(thing.outline, config.masks).items()
    ]
    return _painted(models, first, masks, things, config)


def change_background(
    models: EmuModels, first: FirstPictures, things: Mapping[int, Sequence[FoundThing]], config: EmuPairConfig
) -> list[MadePair]:
    """Return a candidate of each draw in which all but the things is painted anew: ``background``."""
    masks = [
        (row, "background", background_mask([thing.outline for thing in own], config.masks))
        for row, own in things.items()
    ]
    return _painted(models, first, masks, {}, config)


@torch.inference_mode()
def _painted(
    models: EmuModels,
    first: FirstPictures,
    masks: Sequence[_Masked],
    things: Mapping[int, FoundThing],
    config: EmuPairConfig,
) -> list[MadePair]:
    """Paint what each mask allows with the second caption, from noise of the mask's own."""
    painter, owners = models.painter, [row for row, _, _ in masks]
    prompts = encode_prompts(painter, [first.draws[row].edit.second_caption for row in owners])
    empty, regions = encode_empty_prompt(painter), latent_masks([mask for _, _, mask in masks], first.latents)
    scales = first.spread(owners, _GUIDANCE, config.inpainting.guidance_scale).tolist()
    keys = [(str(first.draws[row].seed), f"{RECIPE} {kind}") for row, kind, _ in masks]
    noise = noise_for(painter, [record_generator(config.seed, *key, candidate=0) for key in keys])

    def paint(rows: slice) -> Tensor:
        own = list(range(rows.start, rows.stop))
        return inpaint(
            painter,
            prompts[rows],
            first.latents[[owners[n] for n in own]],
            regions[rows],
            noise[own],
            config.num_inference_steps,
            torch.tensor(scales[rows], device=regions.device, dtype=regions.dtype)[:, None, None, None],
            empty,
        )

    latents = torch.cat(models.passes.run(len(owners), paint))
    finite = latents.isfinite().flatten(1).all(1)
    pictures = decode(painter, torch.where(finite[:, None, None, None], latents, torch.zeros_like(latents)))
    return [
        pair_of(
            first,
            row,
            picture,
            facts={"mask": kind, "guidance_scale": round(scale, 6)},
            mask=mask,
            thing=things.get(row),
            is_finite=is_finite,
        )
        for (row, kind, mask), picture, scale, is_finite in zip(masks, pictures, scales, finite.tolist(), strict=True)
    ]
