"""The settings of a cascade's training, beside those of any training on captioned pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from editfoundry.editors.caption_training.caption_config import CaptionTraining
from editfoundry.editors.families.imagen_editor.options import DOWNSAMPLINGS
from editfoundry.editors.triplet_training.content_hashes import editor_hash
from editfoundry.profiles import ModelReference

STAGES = ("base", "super_resolution", "super_resolution_2")
"""By the order of the cascade's models."""


@dataclass(frozen=True, kw_only=True)
class ImagenEditorTraining(CaptionTraining):
    """Training of Imagen Editor's cascade; ``editor`` is a cascade, or the base of a text-to-image one (IFPipeline)."""

    super_resolution: tuple[str, ...] = ()
    """Where ``editor`` is an IFPipeline: its super-resolution models (IFSuperResolutionPipeline), smallest first."""
    stages: tuple[str, ...] = ()
    """Models to train: ``base``, ``super_resolution``, ``super_resolution_2``; by default all. One at a time where they
    do not fit into memory together: neither needs what the others learn."""
    downsampling: str = "learned"
    """How picture and mask reach a stage, where text-to-image models are widened: ``learned`` or ``bicubic``."""
    mask_channels: int = 16
    """Channels that they reach it in."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check(set(self.stages) <= set(STAGES), "stages", f"some of {', '.join(STAGES)}")
        self.check(self.downsampling in DOWNSAMPLINGS, "downsampling", f"one of {', '.join(DOWNSAMPLINGS)}")
        self.check(self.mask_channels >= 1, "mask_channels", "at least 1")
        self.check(len(self.super_resolution) <= 2, "super_resolution", "at most two models")

    def identity(self) -> dict[str, Any]:
        """Return the hashes of data set, detector and of all that training starts from."""
        more = [editor_hash(location) for location in self.super_resolution_locations]
        return {**super().identity(), **({"super_resolution": more} if more else {})}

    @property
    def starts_from(self) -> tuple[str, ...]:
        """The editor, and the super-resolution models that are named beside it."""
        return (*super().starts_from, *self.super_resolution_locations)

    @property
    def super_resolution_locations(self) -> list[str]:
        """What ``from_pretrained`` is called with."""
        return [ModelReference(role="inpainter", source=source).location for source in self.super_resolution]
