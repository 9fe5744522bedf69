"""Prompt embeddings of Stable Diffusion and of Stable Diffusion XL, in one form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

    from editfoundry.pretrained.text_to_image import Painter


@dataclass(frozen=True)
class PromptEmbeds:
    """What a UNet is told by ``B`` prompts."""

    prompt_embeds: Tensor
    """``(B, L, D)``; of SDXL, the two encoders' states side by side."""
    pooled_prompt_embeds: Tensor | None = None
    """``(B, P)``, of SDXL's second encoder."""
    add_time_ids: Tensor | None = None
    """``(B, 6)``, SDXL's original height and width, crop's top and left, target height and width, in pixels."""

    def __len__(self) -> int:
        return len(self.prompt_embeds)

    def __getitem__(self, rows: Sequence[int] | Tensor | slice) -> PromptEmbeds:
        """Return the prompts of these rows."""
        return self._each(lambda part: part[rows])

    def expanded(self, count: int) -> PromptEmbeds:
        """Return one prompt ``count`` times."""
        return self._each(lambda part: part.expand(count, *part.shape[1:]))

    def repeated(self, count: int) -> PromptEmbeds:
        """Return each prompt ``count`` times in a row, as candidates of a record lie."""
        return self._each(lambda part: part.repeat_interleave(count, 0))

    def followed_by(self, others: PromptEmbeds) -> PromptEmbeds:
        """Return these prompts and then ``others``."""
        return PromptEmbeds(
            torch.cat([self.prompt_embeds, others.prompt_embeds]),
            _joined(self.pooled_prompt_embeds, others.pooled_prompt_embeds),
            _joined(self.add_time_ids, others.add_time_ids),
        )

    def at_size(self, height: int, width: int) -> PromptEmbeds:
        """Return the prompts for whole pictures of this size in pixels, whatever size they were encoded for.

        SDXL is told it as the original and as the target size, without a crop: a smaller original size would ask for
        the blur of an enlarged picture (Podell et al. 2023, section 2.2).
        """
        if self.add_time_ids is None:
            return self
        time_ids = self.add_time_ids.new_tensor([[height, width, 0, 0, height, width]]).expand(len(self), -1)
        return PromptEmbeds(self.prompt_embeds, self.pooled_prompt_embeds, time_ids)

    def added_cond_kwargs(self) -> dict[str, Tensor]:
        """Return what SDXL's UNet and ControlNet take beside the embeddings; empty for Stable Diffusion."""
        if self.pooled_prompt_embeds is None or self.add_time_ids is None:
            return {}
        return {"text_embeds": self.pooled_prompt_embeds, "time_ids": self.add_time_ids}

    def _each(self, change: Callable[[Tensor], Tensor]) -> PromptEmbeds:
        pooled, time_ids = self.pooled_prompt_embeds, self.add_time_ids
        return PromptEmbeds(
            change(self.prompt_embeds),
            None if pooled is None else change(pooled),
            None if time_ids is None else change(time_ids),
        )


@torch.inference_mode()
def encode_prompts(pipeline: Painter, prompts: Sequence[str]) -> PromptEmbeds:
    """Embed prompts, each distinct one once, for pictures of the model's own size; for others see `at_size`."""
    distinct = list(dict.fromkeys(prompts))
    rows = [distinct.index(prompt) for prompt in prompts]
    return _encode(pipeline, distinct)[rows]


@torch.inference_mode()
def encode_empty_prompt(pipeline: Painter) -> PromptEmbeds:
    """Embed the null condition of classifier-free guidance, ``B = 1``; SDXL base was trained with zeros for it."""
    empty = _encode(pipeline, [""])
    if empty.pooled_prompt_embeds is None or not pipeline.config.force_zeros_for_empty_prompt:
        return empty
    embeds, pooled = empty.prompt_embeds, empty.pooled_prompt_embeds
    return PromptEmbeds(torch.zeros_like(embeds), torch.zeros_like(pooled), empty.add_time_ids)


def latent_size(unet: UNet2DConditionModel) -> tuple[int, int]:
    """Return height and width of the latents the UNet was trained on."""
    size: Any = unet.config.sample_size
    height, width = (size, size) if isinstance(size, int) else size
    return int(height), int(width)


def image_size(pipeline: Painter, latents: Tensor | None = None) -> tuple[int, int]:
    """Return the height and width, in pixels, of ``latents``' pictures, ``(B, C, H, W)``, else of the model's."""
    height, width = latent_size(pipeline.unet) if latents is None else latents.shape[-2:]
    return height * pipeline.vae_scale_factor, width * pipeline.vae_scale_factor


def _joined(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    return None if first is None or second is None else torch.cat([first, second])


def _encode(pipeline: Any, prompts: list[str]) -> PromptEmbeds:
    embeds, _, *pooled = pipeline.encode_prompt(
        prompts, device=pipeline.device, num_images_per_prompt=1, do_classifier_free_guidance=False
    )
    if not pooled:
        return PromptEmbeds(embeds)
    height, width = image_size(pipeline)
    time_ids = torch.tensor([[height, width, 0, 0, height, width]], dtype=embeds.dtype, device=embeds.device)
    return PromptEmbeds(embeds, pooled[0], time_ids.expand(len(prompts), -1))
