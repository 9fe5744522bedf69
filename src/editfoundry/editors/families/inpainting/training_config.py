"""The settings of a latent inpainter's training, beside those of any training on captioned pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from editfoundry.diffusion.schedulers import PREDICTION_TYPES
from editfoundry.editors.caption_training.caption_config import CaptionTraining


@dataclass(frozen=True, kw_only=True)
class InpaintingTraining(CaptionTraining):
    """Training of Stable Diffusion's inpainting model; ``editor`` is one, or a text-to-image model to widen."""

    resolution: int | None = None
    """Side of the square training pictures in pixels; by default the model's own."""
    prediction_type: str | None = None
    """What the denoiser learns to predict, ``epsilon`` or ``v_prediction``; by default what the model did."""
    unet_parts: tuple[str, ...] = ()
    """Parts of the UNet that train, by the names of their modules, such as ``conv_in`` or ``up_blocks.2``; by default
    all. What stays as it is, an inpainter and its painter can have together."""

    UNTOLD_AT_DEFAULT: ClassVar[frozenset[str]] = CaptionTraining.UNTOLD_AT_DEFAULT | {"unet_parts"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check(self.resolution is None or self.resolution >= 8, "resolution", "at least 8 pixels")
        kinds = (None, *PREDICTION_TYPES)
        self.check(self.prediction_type in kinds, "prediction_type", f"one of {', '.join(PREDICTION_TYPES)}")
