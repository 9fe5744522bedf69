"""Samples edits from an InstructPix2Pix editor: batched, one seed per image, as diffusers' own pipeline would.

Each image has its own CPU generator, and draws from it in the pipeline's order: first the initial latents, then
whatever the scheduler asks for at each step. An edit is therefore the same alone and in a batch, and the same as
``StableDiffusionInstructPix2PixPipeline(..., generator=torch.Generator().manual_seed(seed))``, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import StableDiffusionInstructPix2PixPipeline
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image
from torch import Tensor

from editfoundry.diffusion.guidance import Denoiser, combine_guidance, uses_guidance
from editfoundry.diffusion.schedulers import scheduler_by_name, scheduler_step
from editfoundry.diffusion.seeded_noise import seeded_generators
from editfoundry.editors.families.instruct_pix2pix.instruction_embeds import embed_instructions
from editfoundry.errors import BadInputError

Scale = float | Sequence[float]
"""One guidance scale for all edits of a batch, or one for each."""


@torch.no_grad()
def edit_images(
    pipeline: StableDiffusionInstructPix2PixPipeline,
    images: Sequence[Image.Image],
    instructions: Sequence[str],
    *,
    seeds: Sequence[int],
    num_inference_steps: int = 100,
    guidance_scale: Scale = 7.5,
    image_guidance_scale: Scale = 1.5,
    guidance_rescale: float = 0.0,
    scheduler: str | None = None,
    prompt_embeds: Tensor | None = None,
    negative_prompt_embeds: Tensor | None = None,
    denoiser: Denoiser | None = None,
) -> list[Image.Image]:
    """Edit a batch of equally large images, each by its own instruction.

    Args:
        pipeline: the editor, on its device.
        images: RGB, all of one size; sides are rounded down to multiples of the VAE's scale factor (pixels).
        instructions: one per image.
        seeds: one per image.
        num_inference_steps: denoising steps.
        guidance_scale: ``s_T`` of InstructPix2Pix eq. 3.
        image_guidance_scale: ``s_I`` of eq. 3. As in diffusers, there is no guidance at all where ``s_T <= 1`` or
            ``s_I < 1``.
        guidance_rescale: in [0, 1], see `rescale_guidance`.
        scheduler: name of the sampler, see `scheduler_by_name`; by default the editor's own.
        prompt_embeds: ``(B, L, D)``, what stands in the place of the instructions' embeddings; by default the
            pipeline's text encoder says it.
        negative_prompt_embeds: ``(1, L, D)``, the null condition beside ``prompt_embeds``.
        denoiser: called in the place of the pipeline's UNet, which it knows; of ``B`` edits with guidance it is given
            ``3B`` rows: null condition, image only and full condition, in this order. Where ``s_I`` is 1, the null
            condition has no weight, and its rows are left out.

    Returns:
        RGB images of the size that the VAE decodes to.

    Raises:
        BadInputError: the lists differ in length, or the images in size; or there is no such sampler.
    """
    _check_batch(images, instructions, seeds)
    if not images:
        return []
    guidance = _Guidance.of(guidance_scale, image_guidance_scale, guidance_rescale, len(images))
    device = pipeline._execution_device
    if prompt_embeds is None:
        prompt_embeds = _prompt_embeds(pipeline, instructions, device, guidance.num_views - 1)
    elif guidance.is_on and negative_prompt_embeds is not None:
        null = negative_prompt_embeds.expand((guidance.num_views - 1) * len(images), -1, -1)
        prompt_embeds = torch.cat([null, prompt_embeds]).to(device)
    sampler = pipeline.scheduler if scheduler is None else scheduler_by_name(scheduler, pipeline.scheduler)
    sampler.set_timesteps(num_inference_steps, device=device)
    image_latents = _image_latents(pipeline, images, device, prompt_embeds.dtype)
    generators = seeded_generators(seeds)
    latents = randn_tensor(image_latents.shape, generator=generators, device=device, dtype=prompt_embeds.dtype)
    latents = latents * sampler.init_noise_sigma
    if guidance.is_on:
        unseen = [torch.zeros_like(image_latents)] if guidance.sees_null else []
        image_latents = torch.cat([*unseen, image_latents, image_latents])
    unet = denoiser or pipeline.unet
    for t in sampler.timesteps:
        model_input = torch.cat([latents] * guidance.num_views)
        model_input = torch.cat([sampler.scale_model_input(model_input, t), image_latents], dim=1)
        eps = unet(model_input, t, encoder_hidden_states=prompt_embeds, return_dict=False)[0]
        latents = scheduler_step(sampler, guidance.apply(eps), t, latents, generators)
    return _decode(pipeline, latents)


@dataclass(frozen=True)
class _Guidance:
    """The guidance of B edits; the UNet sees null condition, image only and full condition, in this order."""

    is_on: bool
    sees_null: bool
    """Not where every ``s_I`` is 1: eq. 3 then has no term of the null condition."""
    guidance_scale: float | Tensor
    image_guidance_scale: float | Tensor
    rescale: float

    @classmethod
    def of(cls, guidance_scale: Scale, image_guidance_scale: Scale, rescale: float, count: int) -> _Guidance:
        if not 0 <= rescale <= 1:
            raise BadInputError(f"guidance_rescale is {rescale}, but must be in [0, 1]")
        pairs = list(zip(_for_each(guidance_scale, count), _for_each(image_guidance_scale, count), strict=True))
        is_on = any(uses_guidance(*pair) for pair in pairs)
        sees_null = any(image != 1 for text, image in pairs if uses_guidance(text, image))
        if len(set(pairs)) == 1:
            return cls(is_on, sees_null, *pairs[0], rescale)
        # Both scales at 1 give the conditional prediction, which is what no guidance means.
        pairs = [pair if uses_guidance(*pair) else (1.0, 1.0) for pair in pairs]
        text, image = torch.tensor(pairs).T.reshape(2, count, 1, 1, 1)
        return cls(is_on, sees_null, text, image, rescale)

    @property
    def num_views(self) -> int:
        """How often the UNet sees each edit."""
        return 1 + self.is_on + (self.is_on and self.sees_null)

    def apply(self, eps: Tensor) -> Tensor:
        """``(num_views * B, C, h, w)`` to ``(B, C, h, w)``; without guidance, as it is."""
        if not self.is_on:
            return eps
        *nulls, image, full = eps.chunk(self.num_views)
        null = nulls[0] if nulls else image
        scales = [s.to(eps) if isinstance(s, Tensor) else s for s in (self.guidance_scale, self.image_guidance_scale)]
        return combine_guidance(
            full, image, null, guidance_scale=scales[0], image_guidance_scale=scales[1], guidance_rescale=self.rescale
        )


def _for_each(scale: Scale, count: int) -> Sequence[float]:
    scales = [float(scale)] * count if isinstance(scale, (int, float)) else list(scale)
    if len(scales) != count:
        raise BadInputError(f"{len(scales)} guidance scales for {count} edits: give one, or one per edit")
    return scales


def _check_batch(images: Sequence[Image.Image], instructions: Sequence[str], seeds: Sequence[int]) -> None:
    if not len(images) == len(instructions) == len(seeds):
        raise BadInputError(
            f"{len(images)} images, {len(instructions)} instructions and {len(seeds)} seeds: give one of each per edit"
        )
    sizes = {image.size for image in images}
    if len(sizes) > 1:
        raise BadInputError(f"images of one batch must have one size, these have {sorted(sizes)}: resize them first")


def _prompt_embeds(
    pipeline: StableDiffusionInstructPix2PixPipeline, instructions: Sequence[str], device: torch.device, num_nulls: int
) -> Tensor:
    """Embed the instructions, ``num_nulls`` times as many empty ones before them."""
    null = [""] * (num_nulls * len(instructions))
    return embed_instructions(pipeline, [*null, *instructions], device)


def _image_latents(
    pipeline: StableDiffusionInstructPix2PixPipeline,
    images: Sequence[Image.Image],
    device: torch.device,
    dtype: torch.dtype,
) -> Tensor:
    """Return the posteriors' modes, ``(B, 4, h, w)``, which InstructPix2Pix does not scale; no image twice."""
    distinct = {id(image): image for image in images}
    pixels = pipeline.image_processor.preprocess([image.convert("RGB") for image in distinct.values()])
    latents: Tensor = pipeline.vae.encode(pixels.to(device=device, dtype=dtype)).latent_dist.mode()
    places = list(distinct)
    return latents[[places.index(id(image)) for image in images]]


def _decode(pipeline: StableDiffusionInstructPix2PixPipeline, latents: Tensor) -> list[Image.Image]:
    pixels = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor, return_dict=False)[0]
    pipeline.maybe_free_model_hooks()
    edited: list[Image.Image] = pipeline.image_processor.postprocess(pixels, output_type="pil")
    return edited
