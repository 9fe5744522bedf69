"""Picture and mask on their way into a stage of the cascade (Imagen Editor, section 3.3)."""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn.functional import interpolate, silu

from editfoundry.editors.families.imagen_editor.options import DOWNSAMPLINGS
from editfoundry.errors import BadInputError

NUM_SEEN = 4
"""Channels of a masked picture: RGB, and the mask."""


class MaskedPictureEncoder(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Brings a masked picture from the cascade's full resolution to a stage's own.

    Args:
        num_halvings: times that the stage's side is half of the cascade's; at 0, one convolution without a stride.
        channels: that it returns.
        downsampling: ``learned``, a strided convolution for each halving; or ``bicubic`` and then one without a stride,
            the paper's baseline, which blurs the mask's border and leaves seams there.
    """

    @register_to_config
    def __init__(self, num_halvings: int = 0, channels: int = 16, downsampling: str = "learned") -> None:
        super().__init__()
        if downsampling not in DOWNSAMPLINGS:
            raise BadInputError(f"downsampling is {downsampling!r}, but must be one of {', '.join(DOWNSAMPLINGS)}")
        strides = [2] * num_halvings if num_halvings and downsampling == "learned" else [1]
        self.factor = 2**num_halvings if strides == [1] else 1
        widths = [NUM_SEEN, *[channels] * len(strides)]
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride, padding=1)
            for before, after, stride in zip(widths, widths[1:], strides, strict=False)
        )

    def forward(self, seen: Tensor) -> Tensor:
        """Return ``(B, channels, H / 2**n, W / 2**n)``.

        Args:
            seen: ``(B, 4, H, W)`` of `masked_picture`.
        """
        if self.factor > 1:
            size = (seen.shape[-2] // self.factor, seen.shape[-1] // self.factor)
            seen = interpolate(seen.float(), size, mode="bicubic", antialias=True).to(seen.dtype)
        for number, conv in enumerate(self.convs):
            seen = conv(silu(seen) if number else seen)
        return seen


def masked_picture(pictures: Tensor, holes: Tensor) -> Tensor:
    """Return what a stage sees of pictures: ``(B, 4, H, W)``, RGB in [-1, 1] with 0 in the hole, and the hole as 1.

    Args:
        pictures: ``(B, 3, H, W)`` float in [-1, 1].
        holes: ``(B, 1, H, W)``, 1 or True where to paint.
    """
    painted = holes.to(pictures.dtype)
    return torch.cat([pictures * (1 - painted), painted], dim=1)
