"""The role ``dino``: embeds pictures by what is in them, without words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from editfoundry.pretrained.opening import opening
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import Profile


@dataclass(frozen=True)
class DinoEncoder:
    """A DINO or DINOv2 with its preprocessing."""

    name: str
    """Model @ revision, as provenance records it."""
    model: Any
    processor: Any
    runtime: Runtime
    batch_size: int = 64

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Image.Image]) -> Tensor:
        """Embed at least one RGB image by its class token; ``(N, D)`` float32 on the CPU, unit norm."""
        starts = range(0, len(images), self.batch_size)
        return torch.cat([self._batch(images[start : start + self.batch_size]) for start in starts])

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
        model: Any = AutoModel.from_pretrained(reference.location, dtype=runtime.dtype, **options)
        processor: Any = AutoImageProcessor.from_pretrained(reference.location, **options)
    return DinoEncoder(str(reference), model.to(runtime.device).eval(), processor, runtime)
