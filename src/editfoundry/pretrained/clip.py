"""The role ``clip``: embeds pictures and captions in one space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from PIL import Image
from torch import Tensor

from editfoundry.pretrained.opening import load_whole, opening
from editfoundry.pretrained.passes import PASS_SIZES, Passes
from editfoundry.pretrained.placement import place, with_model_at_work
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.tokenizer_check import check_tokenizer
from editfoundry.profiles import Profile

T = TypeVar("T")


@dataclass(frozen=True)
class ClipEncoder:
    """A CLIP with its preprocessing."""

    name: str
    """Model @ revision, as reports print it."""
    model: Any
    processor: Any
    runtime: Runtime
    batch_size: int = PASS_SIZES["clip"]
    """Pictures or texts that go through the model together."""

    @with_model_at_work
    @torch.inference_mode()
    def encode_images(self, images: Sequence[Image.Image]) -> Tensor:
        """Embed RGB images; ``(N, D)`` float32 on the CPU, unit norm."""
        return torch.cat(self._passes(images, self._image_batch))

    @with_model_at_work
    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Embed texts, truncated to the model's length; ``(N, D)`` float32 on the CPU, unit norm."""
        return torch.cat(self._passes(texts, self._text_batch))

    def _passes(self, items: Sequence[T], embed: Callable[[Sequence[T]], Tensor]) -> list[Tensor]:
        if not items:
            return [embed(items)]
        return Passes(self.batch_size).run(len(items), lambda part: embed(items[part]))

    def _image_batch(self, images: Sequence[Image.Image]) -> Tensor:
        if not images:
            return torch.empty(0, self.model.config.projection_dim)
        pixels = self.processor.image_processor(images=list(images), return_tensors="pt")["pixel_values"]
        vision = self.model.vision_model(pixel_values=pixels.to(self.runtime.device, self.runtime.dtype))
        return _unit(self.model.visual_projection(vision.pooler_output))

    def _text_batch(self, texts: Sequence[str]) -> Tensor:
        if not texts:
            return torch.empty(0, self.model.config.projection_dim)
        tokens = self.processor.tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        text = self.model.text_model(**{k: v.to(self.runtime.device) for k, v in tokens.items()})
        return _unit(self.model.text_projection(text.pooler_output))


def load_clip(profile: Profile, runtime: Runtime) -> ClipEncoder:
    """Load the profile's CLIP.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: its folder holds something that cannot be loaded.
    """
    from transformers import CLIPModel, CLIPProcessor

    reference = profile.model("clip")
    with opening(reference, "a CLIP") as options:
        model: Any = load_whole(CLIPModel, reference, dtype=runtime.dtype, **options)
        processor = CLIPProcessor.from_pretrained(reference.location, **options)
    check_tokenizer(processor.tokenizer, reference, most=model.config.text_config.max_position_embeddings)
    own, batch_size = runtime.of(reference), reference.max_pictures_per_pass or PASS_SIZES["clip"]
    return ClipEncoder(str(reference), place(model.eval(), own), processor, own, batch_size)


def _unit(embeds: Tensor) -> Tensor:
    return torch.nn.functional.normalize(embeds.float(), dim=-1).cpu()
