"""One diffusion model of the cascade, and its loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn.functional import interpolate

from editfoundry.diffusion.input_channels import add_input_channels
from editfoundry.editors.families.imagen_editor.masked_picture import MaskedPictureEncoder, masked_picture
from editfoundry.editors.families.imagen_editor.options import MOST_NOISE_LEVEL
from editfoundry.editors.triplet_training.denoising_loss import prediction_target, weighted_mean
from editfoundry.errors import BadInputError

RGB_CHANNELS = 3


class CascadeStage(nn.Module):
    """A pixel-space UNet and what brings the masked picture to its size.

    The UNet takes noisy pixels, of super-resolution then the smaller picture, enlarged, and then what the encoder
    returns; super-resolution is told the noise on the smaller picture as a second timestep (``class_labels``).
    """

    def __init__(self, unet: UNet2DConditionModel, mask_encoder: MaskedPictureEncoder) -> None:
        super().__init__()
        self.unet: Any = unet
        self.mask_encoder: Any = mask_encoder

    @property
    def side(self) -> int:
        """Side of its pictures in pixels."""
        return int(self.unet.config.sample_size)

    @property
    def enlarges(self) -> bool:
        """Whether it is super-resolution, which sees a smaller picture."""
        return self.unet.config.in_channels > RGB_CHANNELS + self.mask_encoder.config.channels

    def known(self, seen: Tensor, smaller: Tensor | None) -> Tensor:
        """Return the channels beside the noisy pixels, ``(B, C, s, s)``, the same at every timestep.

        Args:
            seen: ``(B, 4, S, S)`` of `masked_picture`, at the cascade's resolution.
            smaller: ``(B, 3, s, s)``, the smaller picture enlarged and noised; None for the base model.
        """
        encoded: Tensor = self.mask_encoder(seen)
        return encoded if smaller is None else torch.cat([smaller.to(encoded.dtype), encoded], 1)

    def predict(self, noisy: Tensor, known: Tensor, timesteps: Tensor, embeds: Tensor, level: Tensor | None) -> Tensor:
        """Return the prediction, ``(B, 3, s, s)``; of models that predict a variance too, without it.

        Args:
            noisy: ``(B, 3, s, s)``.
            known: of `known`.
            timesteps: ``(B,)`` or a scalar.
            embeds: ``(B, L, D)`` of the prompts.
            level: ``(B,)``, the timestep whose noise the smaller picture has; None for the base model.
        """
        seen = torch.cat([noisy, known], 1)
        output: Tensor = self.unet(seen, timesteps, embeds, class_labels=level, return_dict=False)[0]
        return output[:, :RGB_CHANNELS]

    def forward(
        self,
        noisy: Tensor,
        seen: Tensor,
        smaller: Tensor | None,
        timesteps: Tensor,
        embeds: Tensor,
        level: Tensor | None,
    ) -> Tensor:
        """Return the prediction; see `known` and `predict`."""
        return self.predict(noisy, self.known(seen, smaller), timesteps, embeds, level)


def stage_of(unet: UNet2DConditionModel, mask_encoder: MaskedPictureEncoder) -> CascadeStage:
    """Return a stage made of a text-to-image or super-resolution UNet, whose output is at first what the UNet's was.

    Raises:
        BadInputError: the UNet takes neither noisy pixels alone nor those and a smaller picture.
    """
    channels = unet.config.in_channels
    if channels not in (RGB_CHANNELS, 2 * RGB_CHANNELS):
        raise BadInputError(f"the UNet takes {channels} channels: 3 of a pixel-space model, or 6 of super-resolution")
    return CascadeStage(add_input_channels(unet, mask_encoder.config.channels), mask_encoder)


@dataclass(frozen=True)
class StageDraws:
    """The random numbers of one stage's loss."""

    noise: Tensor
    """``(B, 3, s, s)`` standard normal, of the stage's side."""
    timesteps: Tensor
    """``(B,)`` int64."""
    smaller_noise: Tensor | None = None
    """The same as ``noise``, for the smaller picture of super-resolution."""
    level: Tensor | None = None
    """``(B,)`` int64, timesteps of the noise on the smaller picture."""

    def on(self, device: torch.device) -> StageDraws:
        """Return them on ``device``."""
        return StageDraws(*(None if part is None else part.to(device) for part in vars(self).values()))  # type: ignore[arg-type]


def noise_levels(size: int, generator: torch.Generator) -> Tensor:
    """Draw the timesteps whose noise smaller pictures are given in training, ``(size,)`` int64."""
    return torch.randint(MOST_NOISE_LEVEL + 1, (size,), generator=generator)


def stage_loss(
    stage: Any,
    scheduler: Any,
    pictures: Tensor,
    holes: Tensor,
    embeds: Tensor,
    draws: StageDraws,
    smaller_side: int | None,
    known_weight: float = 1.0,
) -> Tensor:
    """Return the squared error of one denoising step of one stage, see `weighted_mean`; a scalar.

    Args:
        stage: a `CascadeStage`, or what wraps one.
        scheduler: says what is predicted and how noise is added.
        pictures: ``(B, 3, S, S)`` float in [-1, 1], at the cascade's resolution.
        holes: ``(B, 1, S, S)``, True or 1 where to paint.
        embeds: ``(B, L, D)`` of the prompts, those that are dropped empty.
        draws: the random numbers.
        smaller_side: side of the stage before; None for the base model.
        known_weight: of the error outside the hole, where that in it weighs 1.
    """
    side = draws.noise.shape[-1]
    targets = shrink(pictures, side)
    smaller = None
    if smaller_side is not None:
        smaller = enlarge(shrink(pictures, smaller_side), side)
        smaller = scheduler.add_noise(smaller, draws.smaller_noise, draws.level)
    noisy = scheduler.add_noise(targets, draws.noise, draws.timesteps)
    predicted = stage(noisy, masked_picture(pictures, holes), smaller, draws.timesteps, embeds, draws.level)
    errors = (predicted.float() - prediction_target(scheduler, targets, draws.noise, draws.timesteps)).square()
    weights = known_weight + (1 - known_weight) * shrink(holes.float(), side)
    return weighted_mean(errors.mean(1, keepdim=True), weights)


def shrink(pictures: Tensor, side: int) -> Tensor:
    """Return ``(B, C, S, S)`` pictures at an earlier stage's side: means of their pixels."""
    return pictures if pictures.shape[-1] == side else interpolate(pictures, (side, side), mode="area")


def enlarge(pictures: Tensor, side: int) -> Tensor:
    """Return ``(B, 3, s, s)`` pictures at a later stage's side, bilinear."""
    return interpolate(pictures.float(), (side, side), mode="bilinear", align_corners=False)
