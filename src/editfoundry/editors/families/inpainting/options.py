"""Options of inpainting; light to import, since every command reads them."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.editors.option_values import check_num_steps
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
        check_num_steps(self)
        if self.context < 0:
            raise BadInputError(f"context is {self.context}, but must be at least 0")
