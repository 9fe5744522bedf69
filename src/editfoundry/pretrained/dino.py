"""The role ``dino``: embeds pictures by what is in them, without words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from editfoundry.pretrained.opening import load_whole, opening
from editfoundry.pretrained.passes import PASS_SIZES, Passes
from editfoundry.pretrained.placement import place, with_model_at_work
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import Profile

_UNUSED = ("pooler.",)
"""DINO was published without the pooler that transformers' class has; the class token is taken before it."""


@dataclass(frozen=True)
class DinoEncoder:
    """A DINO or DINOv2 with its preprocessing."""

    name: str
    """Model @ revision, as provenance records it."""
    model: Any
    processor: Any
    runtime: Runtime
    batch_size: int = PASS_SIZES["dino"]
    """Pictures that go through the model together."""

    @with_model_at_work
    @torch.inference_mode()
    def encode_images(self, images: Sequence[Image.Image]) -> Tensor:
        """Embed at least one RGB image by its class token; ``(N, D)`` float32 on the CPU, unit norm."""
        return torch.cat(Passes(self.batch_size).run(len(images), lambda part: self._batch(images[part])))

    def _batch(self, images: Sequence[Image.Image]) -> Tensor:
        pixels = self.processor(images=list(images), return_tensors="pt")["pixel_values"]
        states = self.model(pixel_values=pixels.to(self.runtime.device, self.runtime.dtype)).last_hidden_state
        return torch.nn.functional.normalize(states[:, 0].float(), dim=-1).cpu()


def load_dino(profile: Profile, runtime: Runtime) -> DinoEncoder:
    """Load the profile's DINO.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: its folder holds something that cannot be loaded.
    """
    from transformers import AutoImageProcessor, AutoModel

    reference = profile.model("dino")
    with opening(reference, "a DINO") as options:
        model: Any = load_whole(AutoModel, reference, _UNUSED, dtype=runtime.dtype, **options)
        processor: Any = AutoImageProcessor.from_pretrained(reference.location, **options)
    own, batch_size = runtime.of(reference), reference.max_pictures_per_pass or PASS_SIZES["dino"]
    return DinoEncoder(str(reference), place(model.eval(), own), processor, own, batch_size)
