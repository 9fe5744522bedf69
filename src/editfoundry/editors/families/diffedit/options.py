"""Options of DiffEdit; light to import, since every command reads them."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.editors.option_values import check_num_steps
from editfoundry.errors import BadInputError


@dataclass(frozen=True, kw_only=True)
class DiffEditOptions:
    """The three steps of DiffEdit."""

    num_inference_steps: int = 50
    """DDIM steps of a whole run; ``encoding_ratio`` of them are inverted and decoded."""
    guidance_scale: float = 7.5
    """Weight of the output caption while decoding."""
    encoding_ratio: float = 0.8
    """Share of the way to noise that the picture is inverted (the paper's ``r``)."""
    mask_strength: float = 0.5
    """Noise level at which the two captions' predictions are compared, as a share of the timesteps."""
    num_maps: int = 10
    """Noises over which the difference is averaged."""
    mask_threshold: float = 0.5
    """Where the difference, scaled to [0, 1], is at least this, the picture may change."""
    outlier_ratio: float = 3.0
    """Differences above this many times the picture's mean are cut to it before scaling."""
    num_refinements: int = 0
    """Fixed-point iterations of each step of the inversion; the paper has none."""

    def __post_init__(self) -> None:
        for name in ("encoding_ratio", "mask_strength"):
            if not 0 < getattr(self, name) <= 1:
                raise BadInputError(f"{name} is {getattr(self, name)}, but must be in (0, 1]")
        if self.num_maps < 1:
            raise BadInputError(f"num_maps is {self.num_maps}, but must be at least 1")
        check_num_steps(self)
