"""SDEdit (Meng et al. 2022): noise the picture part of the way and paint it anew from the output caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from PIL import Image

from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.encoding import encode
from editfoundry.diffusion.img2img import img2img
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.diffusion.seeded_noise import seeded_noise
from editfoundry.editors.working_size import at_working_size
from editfoundry.errors import BadInputError

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter


@dataclass(frozen=True, kw_only=True)
class SdeditSettings:
    """Sampling of the baseline ``sdedit``."""

    num_inference_steps: int = 50
    guidance_scale: float = 7.5
    """Weight of the output caption."""
    strength: float = 0.6
    """Share in (0, 1] of the way to noise: more follows the caption better and keeps less of the picture."""

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 1:
            raise BadInputError(f"strength is {self.strength}, but must be in (0, 1]")


@torch.inference_mode()
def sdedit(
    pipeline: Painter,
    settings: SdeditSettings,
    images: Sequence[Image.Image],
    input_captions: Sequence[str],
    output_captions: Sequence[str],
    seeds: Sequence[int],
) -> list[Image.Image]:
    """Edit RGB images of any size by their output captions; the input captions are not read."""

    def edit(places: list[int], resized: list[Image.Image]) -> list[Image.Image]:
        latents = encode(pipeline, resized)
        noise = seeded_noise(latents, [seeds[place] for place in places])
        prompts = encode_prompts(pipeline, [output_captions[place] for place in places])
        painted = img2img(
            pipeline, prompts, latents, noise, settings.num_inference_steps, settings.guidance_scale, settings.strength
        )
        return decode(pipeline, painted)

    return at_working_size(pipeline, images, edit)
