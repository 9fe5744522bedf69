"""Options of inpainting; light to import, since every command reads them."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.errors import BadInputError


@dataclass(frozen=True, kw_only=True)
class InpaintingOptions:
    """Sampling of inpainting."""

    num_inference_steps: int = 50
    guidance_scale: float = 7.5
    """Weight of the prompt."""
    context: float = 0.5
    """What is seen of the picture on each side of the mask's box, as a share of the box's longer side."""

    def __post_init__(self) -> None:
        if self.num_inference_steps < 1:
            raise BadInputError(f"num_inference_steps is {self.num_inference_steps}, but must be at least 1")
        if self.context < 0:
            raise BadInputError(f"context is {self.context}, but must be at least 0")
