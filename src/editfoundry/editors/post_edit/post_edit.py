"""EditWorld's post-edit: one sampling of the edit, two looks by SAM, one inpainting of the region that changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from PIL import Image

from editfoundry.data.canny_edges import canny_edges
from editfoundry.diffusion.attention import attention_mask, collected_attention
from editfoundry.diffusion.blended_inpainting import inpaint
from editfoundry.diffusion.canny import control_images
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.encoding import encode
from editfoundry.diffusion.image_conditions import ImageConditions
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.diffusion.seeded_noise import noise_like, seeded_generators
from editfoundry.editors.editor import Editor, EditRequest, WordedEdit, resized
from editfoundry.editors.post_edit.compositing import composite
from editfoundry.editors.post_edit.post_edit_config import PostEditConfig
from editfoundry.editors.post_edit.post_edit_models import PostEditModels
from editfoundry.editors.post_edit.regions import (
    best_overlap_mask,
    dilated,
    instruction_token_weights,
    map_resolution,
    resized_mask,
)
from editfoundry.editors.working_size import editor_size, working_size
from editfoundry.errors import BadInputError

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


@dataclass(frozen=True, eq=False)
class PostEditModel:
    """``Editor.model`` of an editor with the post-edit."""

    editor: Editor
    """Makes ``I_gen``."""
    models: PostEditModels
    config: PostEditConfig


def with_post_edit(editor: Editor, models: PostEditModels, config: PostEditConfig) -> Editor:
    """Return an editor that edits as ``editor`` does and keeps all but the edited region as it was.

    Raises:
        BadInputError: the editor's family does not show where an instruction applies.
    """
    check_post_edit(editor)
    wrapping = replace(editor.source.family, edit=_edit, supports_post_edit=False)
    source = replace(editor.source, family=wrapping)
    return replace(editor, source=source, model=PostEditModel(editor, models, config))


def check_post_edit(editor: Editor) -> None:
    """Raise BadInputError unless the editor's family shows where an instruction applies."""
    family = editor.source.family
    if not family.supports_post_edit:
        raise BadInputError(
            f"{editor.name}: the post-edit collects the instruction's attention, which editors of the family "
            f"{family.name} do not show"
        )


def _edit(editor: Editor, requests: Sequence[EditRequest]) -> list[Image.Image]:
    """Edit requests of one working size as a batch, others one by one."""
    wrapped: PostEditModel = editor.model
    inner = replace(wrapped.editor, options=editor.options)
    first = requests[0].image.size
    if first == editor_size(inner, first) and all(request.image.size == first for request in requests):
        return [made.image for made in post_edit_batch(inner, wrapped.models, requests, wrapped.config)]
    return [post_edit_photo(inner, wrapped.models, request, wrapped.config)[0] for request in requests]


def post_edit_batch(
    editor: Editor,
    models: PostEditModels,
    requests: Sequence[EditRequest],
    config: PostEditConfig | None = None,
    prompts: Sequence[str] | None = None,
) -> list[PostEdit]:
    """Edit a batch of equally large pictures and keep all but the edited region as it was.

    Args:
        editor: makes ``I_gen``; its cross-attention is collected meanwhile, nothing is sampled twice.
        models: the segmenter and what inpaints.
        requests: their pictures have one size, one of the editor's working sizes.
        config: settings.
        prompts: what the region should show, one for each request; by default the instructions.
    """
    if not requests:
        return []
    chosen = config or PostEditConfig()
    instructions, seeds = [request.instruction for request in requests], [request.seed for request in requests]
    generated, attention = _generate(editor, requests, chosen.tokens)
    originals = [resized(request.image.convert("RGB"), generated[0].size) for request in requests]
    regions = [mask.numpy() for mask in attention_mask(torch.from_numpy(attention), chosen.tau)]
    masks = [
        [best_overlap_mask(models.segmenter, side, region, chosen.num_points, chosen.min_overlap) for side in pair]
        for *pair, region in zip(generated, originals, regions, strict=True)
    ]
    edit_masks = [dilated(in_generated | in_original, chosen.dilation) for in_generated, in_original in masks]
    with models.repainting():
        inpainted = _inpaint(models, originals, generated, edit_masks, prompts or instructions, seeds, chosen)
    return [
        PostEdit(
            image=composite(original, painted, mask, chosen.feather),
            original=original,
            generated=made,
            attention=heat / max(float(heat.max()), 1e-12),
            instruction_mask=region,
            generated_mask=pair[0],
            original_mask=pair[1],
            edit_mask=mask,
            edges=canny_edges(made),
            inpainted=painted,
        )
        for original, made, heat, region, pair, mask, painted in zip(
            originals, generated, attention, regions, masks, edit_masks, inpainted, strict=True
        )
    ]


def post_edit_photo(
    editor: Editor,
    models: PostEditModels,
    request: EditRequest,
    config: PostEditConfig | None = None,
    prompt: str | None = None,
) -> tuple[Image.Image, PostEdit]:
    """Edit a photograph of any size; outside the edited region the result has the photograph's own pixels.

    Returns:
        The result at the photograph's size, and the post-edit at the editor's.
    """
    photo = request.image.convert("RGB")
    working = request.at_size(editor_size(editor, photo.size))
    [made] = post_edit_batch(editor, models, [working], config, None if prompt is None else [prompt])
    painted = made.inpainted.resize(photo.size, Image.Resampling.LANCZOS)
    mask = resized_mask(made.edit_mask, photo.size)
    return composite(photo, painted, mask, (config or PostEditConfig()).feather), made


def _generate(editor: Editor, requests: Sequence[EditRequest], tokens: str) -> tuple[list[Image.Image], np.ndarray]:
    """Return ``I_gen`` and the attention at its size, ``(B, H, W)`` float32."""
    pipeline = editor.model
    width, height = (side // pipeline.vae_scale_factor for side in requests[0].image.size)
    weights = instruction_token_weights(pipeline.tokenizer, [request.instruction for request in requests], tokens)
    resolution = map_resolution(pipeline.unet, (height, width))
    with collected_attention(pipeline.unet, weights, resolution, (height, width)) as collector:
        edits = editor.source.family.edit(editor, requests)
    generated = [edit.image if isinstance(edit, WordedEdit) else edit for edit in edits]
    maps = collector.maps().float().cpu().numpy()
    size = generated[0].size
    return generated, np.stack([cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR) for heat in maps])


def _inpaint(
    models: PostEditModels,
    originals: Sequence[Image.Image],
    generated: Sequence[Image.Image],
    masks: Sequence[np.ndarray],
    prompts: Sequence[str],
    seeds: Sequence[int],
    config: PostEditConfig,
) -> list[Image.Image]:
    """Repaint the masks at the painter's size: ControlNet holds ``I_gen``'s edges, IP-Adapter ``I_ori`` (step c)."""
    painter, size = models.painter, originals[0].size
    own_size = working_size(painter, size)
    before, after = ([resized(image, own_size) for image in side] for side in (originals, generated))
    kept, start = encode(painter, before), encode(painter, after)
    shape = (kept.shape[-1], kept.shape[-2])
    # A latent pixel that the mask touches may change; the composite keeps the others' pixels exactly.
    allowed = np.stack([cv2.resize(mask.astype(np.float32), shape, interpolation=cv2.INTER_AREA) > 0 for mask in masks])
    noise = noise_like(kept, seeded_generators([seed + _SEED for seed in seeds]))
    present, absent = models.ip_adapter.encode_images(before)
    conditions = ImageConditions(
        controlnet=models.controlnet,
        control_images=control_images(after).to(kept),
        controlnet_conditioning_scale=config.controlnet_conditioning_scale,
        image_embeds=present.to(kept),
        negative_image_embeds=absent.to(kept),
    )
    with models.ip_adapter.applied(config.ip_adapter_scale):
        latents = inpaint(
            painter,
            encode_prompts(painter, prompts),
            kept,
            torch.from_numpy(allowed)[:, None].to(kept.device),
            noise,
            config.num_inference_steps,
            config.guidance_scale,
            conditions=conditions,
            start=start if config.strength < 1 else None,
            strength=config.strength,
        )
    return [resized(image, size) for image in decode(painter, latents)]
