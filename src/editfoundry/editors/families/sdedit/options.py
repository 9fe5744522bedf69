"""Options of SDEdit; light to import, since every command reads them."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.editors.option_values import check_num_steps
from editfoundry.errors import BadInputError


@dataclass(frozen=True, kw_only=True)
class SdeditOptions:
    """Sampling of SDEdit."""

    num_inference_steps: int = 50
    guidance_scale: float = 7.5
    """Weight of the output caption."""
    strength: float = 0.6
    """Share in (0, 1] of the way to noise: more follows the caption better and keeps less of the picture."""

    def __post_init__(self) -> None:
        check_num_steps(self)
        if not 0 < self.strength <= 1:
            raise BadInputError(f"strength is {self.strength}, but must be in (0, 1]")
