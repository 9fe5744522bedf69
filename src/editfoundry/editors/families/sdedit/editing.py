"""SDEdit (Meng et al. 2022): noise the picture part of the way and paint it anew from the output caption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from PIL import Image

from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.encoding import encode
from editfoundry.diffusion.img2img import img2img
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.diffusion.seeded_noise import noise_like, seeded_generators
from editfoundry.editors.editor import EditRequest
from editfoundry.editors.families.sdedit.options import SdeditOptions
from editfoundry.editors.working_size import edit_at_working_size

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter


@torch.inference_mode()
def sdedit(pipeline: Painter, options: SdeditOptions, requests: Sequence[EditRequest]) -> list[Image.Image]:
    """Edit RGB pictures of any size by their output captions."""

    def edit(group: list[EditRequest]) -> list[Image.Image]:
        latents = encode(pipeline, [request.image for request in group])
        noise = noise_like(latents, seeded_generators([request.seed for request in group]))
        prompts = encode_prompts(pipeline, [request.output_caption or "" for request in group])
        painted = img2img(
            pipeline, prompts, latents, noise, options.num_inference_steps, options.guidance_scale, options.strength
        )
        return decode(pipeline, painted)

    return edit_at_working_size(pipeline, requests, edit)
