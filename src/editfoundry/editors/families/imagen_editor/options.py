"""Options of the cascade's sampling; light to import, since every command reads them."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.editors.option_values import check_num_steps
from editfoundry.errors import BadInputError

DOWNSAMPLINGS = ("learned", "bicubic")
"""How picture and mask reach a stage's resolution; see `MaskedPictureEncoder`."""

MOST_NOISE_LEVEL = 300
"""Timesteps up to whose noise the smaller picture is given in training (Imagen's noise conditioning augmentation)."""


@dataclass(frozen=True, kw_only=True)
class ImagenEditorOptions:
    """Sampling of Imagen Editor's cascade."""

    num_inference_steps: int = 100
    """Of the base model."""
    super_resolution_steps: int = 50
    """Of each super-resolution model."""
    guidance_scale: float = 30.0
    """Weight of the prompt in the base model: in all steps at first, then in every other one."""
    low_guidance_scale: float = 1.0
    """That of the steps between; as high as ``guidance_scale``, guidance does not oscillate."""
    constant_share: float = 0.25
    """Share of the steps, from the first, before guidance oscillates. The paper's is unpublished."""
    super_resolution_guidance: float = 4.0
    """Weight of the prompt in super-resolution, the same in every step."""
    noise_level: int = 100
    """Timestep, up to 300, whose noise a smaller picture is given before super-resolution sees it."""
    context: float = 0.5
    """What is seen of the picture on each side of the mask's box, as a share of the box's longer side."""

    def __post_init__(self) -> None:
        for name in ("num_inference_steps", "super_resolution_steps"):
            check_num_steps(self, name)
        if not 0 <= self.constant_share <= 1:
            raise BadInputError(f"constant_share is {self.constant_share}, but must be in [0, 1]")
        if not 0 <= self.noise_level <= MOST_NOISE_LEVEL:
            raise BadInputError(f"noise_level is {self.noise_level}, but must be in 0 to {MOST_NOISE_LEVEL}")
        if self.context < 0:
            raise BadInputError(f"context is {self.context}, but must be at least 0")

    def base_guidance(self) -> list[float]:
        """Return the base model's guidance scale of each step: constant at first, then high and low in turns.

        Imagen Video's oscillation (Ho et al. 2022, section 2.6), which Imagen Editor takes over.
        """
        constant = round(self.constant_share * self.num_inference_steps)
        return [
            self.guidance_scale if step < constant or (step - constant) % 2 else self.low_guidance_scale
            for step in range(self.num_inference_steps)
        ]
