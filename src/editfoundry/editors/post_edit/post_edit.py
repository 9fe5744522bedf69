"""EditWorld's post-edit: one sampling of the edit, two looks by SAM, one inpainting of the region that changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from PIL import Image

from editfoundry.diffusion.attention import attention_mask, collected_attention
from editfoundry.diffusion.blended_inpainting import inpaint
from editfoundry.diffusion.canny import canny_edges, control_images
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.encoding import encode
from editfoundry.diffusion.image_conditions import ImageConditions
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images, working_size
from editfoundry.editors.post_edit.compositing import composite
from editfoundry.editors.post_edit.models import PostEditModels
from editfoundry.editors.post_edit.post_edit_config import PostEditConfig
from editfoundry.editors.post_edit.regions import (
    best_overlap_mask,
    dilated,
    instruction_token_weights,
    map_resolution,
    resized_mask,
)

if TYPE_CHECKING:
    from diffusers import StableDiffusionInstructPix2PixPipeline

_SEED = 104_729
"""Added to an edit's seed for the noise of its inpainting."""


@dataclass(frozen=True)
class PostEdit:
    """An edit and everything that led to it; all pictures are RGB of the size ``image`` has, ``H x W``."""

    image: Image.Image
    """The result."""
    original: Image.Image
    """``I_ori``."""
    generated: Image.Image
    """``I_gen``, what the editor alone makes."""
    attention: np.ndarray
    """``(H, W)`` float32 in [0, 1]: the instruction's attention while ``I_gen`` was sampled."""
    instruction_mask: np.ndarray
    """``(H, W)`` bool, ``M_instr``."""
    generated_mask: np.ndarray
    """``(H, W)`` bool, ``M_gen``."""
    original_mask: np.ndarray
    """``(H, W)`` bool, ``M_ori``."""
    edit_mask: np.ndarray
    """``(H, W)`` bool, ``M_edit``: the union of both, a little dilated."""
    edges: np.ndarray
    """``(H, W)`` uint8, canny of ``I_gen``."""
    inpainted: Image.Image
    """What the painter made of the region, before it is put back."""


def post_edit_images(
    editor: StableDiffusionInstructPix2PixPipeline,
    models: PostEditModels,
    images: Sequence[Image.Image],
    instructions: Sequence[str],
    *,
    seeds: Sequence[int],
    config: PostEditConfig | None = None,
    prompts: Sequence[str] | None = None,
    **edit_options: Any,
) -> list[PostEdit]:
    """Edit a batch of equally large images and keep all but the edited region as it was.

    Args:
        editor: makes ``I_gen``; its cross-attention is collected meanwhile, nothing is sampled twice.
        models: the segmenter and what inpaints.
        images: RGB, all of one size, of sides that the editor's and the painter's VAE can halve as often as they do.
        instructions: one per image.
        seeds: one per image.
        config: settings.
        prompts: what the region should show, one per image; by default the instructions.
        edit_options: further options of `edit_images`.

    Raises:
        BadInputError: the lists differ in length, the images in size, or an option is wrong.
    """
    if not images:
        return []
    chosen = config or PostEditConfig()
    generated, attention = _generate(editor, images, instructions, seeds, chosen.tokens, edit_options)
    originals = [image.convert("RGB").resize(generated[0].size, Image.Resampling.LANCZOS) for image in images]
    regions = [mask.numpy() for mask in attention_mask(torch.from_numpy(attention), chosen.tau)]
    masks = [
        [best_overlap_mask(models.segmenter, side, region, chosen.num_points, chosen.min_overlap) for side in pair]
        for *pair, region in zip(generated, originals, regions, strict=True)
    ]
    edit_masks = [dilated(in_generated | in_original, chosen.dilation) for in_generated, in_original in masks]
    inpainted = _inpaint(models, originals, generated, edit_masks, prompts or instructions, seeds, chosen)
    return [
        PostEdit(
            image=composite(original, painted, mask, chosen.feather), original=original, generated=made,
            attention=heat / max(float(heat.max()), 1e-12), instruction_mask=region, generated_mask=pair[0],
            original_mask=pair[1], edit_mask=mask, edges=canny_edges(made), inpainted=painted,
        )
        for original, made, heat, region, pair, mask, painted in zip(
            originals, generated, attention, regions, masks, edit_masks, inpainted, strict=True
        )
    ]  # fmt: skip


def post_edit_photo(
    editor: StableDiffusionInstructPix2PixPipeline,
    models: PostEditModels,
    image: Image.Image,
    instruction: str,
    *,
    seed: int = 0,
    config: PostEditConfig | None = None,
    prompt: str | None = None,
    **edit_options: Any,
) -> tuple[Image.Image, PostEdit]:
    """Edit a photograph of any size; outside the edited region the result has the photograph's own pixels.

    Returns:
        The result at the photograph's size, and the post-edit at the editor's.
    """
    photo = image.convert("RGB")
    working = photo.resize(working_size(editor, photo.size), Image.Resampling.LANCZOS)
    [made] = post_edit_images(
        editor, models, [working], [instruction], seeds=[seed], config=config,
        prompts=None if prompt is None else [prompt], **edit_options,
    )  # fmt: skip
    painted = made.inpainted.resize(photo.size, Image.Resampling.LANCZOS)
    mask = resized_mask(made.edit_mask, photo.size)
    return composite(photo, painted, mask, (config or PostEditConfig()).feather), made


def _generate(
    editor: StableDiffusionInstructPix2PixPipeline, images: Sequence[Image.Image], instructions: Sequence[str],
    seeds: Sequence[int], tokens: str, options: dict[str, Any],
) -> tuple[list[Image.Image], np.ndarray]:  # fmt: skip
    """Return ``I_gen`` and the attention at its size, ``(B, H, W)`` float32."""
    width, height = (side // editor.vae_scale_factor for side in images[0].size)
    weights = instruction_token_weights(editor.tokenizer, instructions, tokens)
    resolution = map_resolution(editor.unet, (height, width))
    with collected_attention(editor.unet, weights, resolution, (height, width)) as collector:
        generated = edit_images(editor, images, instructions, seeds=seeds, **options)
    maps = collector.maps().float().cpu().numpy()
    size = generated[0].size
    return generated, np.stack([cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR) for heat in maps])


def _inpaint(
    models: PostEditModels, originals: Sequence[Image.Image], generated: Sequence[Image.Image],
    masks: Sequence[np.ndarray], prompts: Sequence[str], seeds: Sequence[int], config: PostEditConfig,
) -> list[Image.Image]:  # fmt: skip
    """Repaint the masks at the painter's size: ControlNet holds ``I_gen``'s edges, IP-Adapter ``I_ori`` (step c)."""
    painter, size = models.painter, originals[0].size
    own_size = working_size(painter, size)
    before, after = ([_resized(image, own_size) for image in side] for side in (originals, generated))
    kept, start = encode(painter, before), encode(painter, after)
    shape = (kept.shape[-1], kept.shape[-2])
    # A latent pixel that the mask touches may change; the composite keeps the others' pixels exactly.
    allowed = np.stack([cv2.resize(mask.astype(np.float32), shape, interpolation=cv2.INTER_AREA) > 0 for mask in masks])
    drawn = [torch.randn(1, *kept.shape[1:], generator=torch.Generator().manual_seed(s + _SEED)) for s in seeds]
    present, absent = models.ip_adapter.encode_images(before)
    conditions = ImageConditions(
        controlnet=models.controlnet, control_images=control_images(after).to(kept),
        controlnet_conditioning_scale=config.controlnet_conditioning_scale, image_embeds=present.to(kept),
        negative_image_embeds=absent.to(kept),
    )  # fmt: skip
    with models.ip_adapter.applied(config.ip_adapter_scale):
        latents = inpaint(
            painter, encode_prompts(painter, prompts), kept, torch.from_numpy(allowed)[:, None].to(kept.device),
            torch.cat(drawn).to(kept), config.num_inference_steps, config.guidance_scale, conditions=conditions,
            start=start if config.strength < 1 else None, strength=config.strength,
        )  # fmt: skip
    return [_resized(image, size) for image in decode(painter, latents)]


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
