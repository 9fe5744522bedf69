"""Where a batch's latents come from: the cache, or the VAE at every step."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from editfoundry.editors.triplet_training.aspect_ratios import Size
from editfoundry.editors.triplet_training.triplet_pixels import TripletPixels

_NUM_READERS = 8
"""Threads that read and decode images."""


class PairLatents(Protocol):
    """The latents of a data set's image pairs."""

    def __len__(self) -> int: ...

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Channels, height, width."""

    def read(self, indices: Tensor, flips: Tensor, crops: Tensor) -> tuple[Tensor, ...]:
        """Return what `encode` makes latents of, on the CPU; called in a thread of its own.

        Args:
            indices: ``(B,)`` int64 triplets.
            flips: ``(B, 2)`` int64, 1 where the input image, and where the output image, is mirrored.
            crops: ``(B, 2, 3)`` float, of input and output image, see `triplet_pixels.Crop`.
        """

    def encode(self, pictures: tuple[Tensor, ...], noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the latents of pairs, not scaled, on the device of both arguments.

        Args:
            pictures: what `read` gave.
            noise: ``(B, C, h, w)`` normal.

        Returns:
            The modes of the input images' posteriors, and a draw from each output image's, ``(B, C, h, w)`` both.
        """


def latent_shape(vae: AutoencoderKL, size: Size) -> tuple[int, int, int]:
    """Return channels, height and width of the latents of pictures of ``size``."""
    width, height = (side // 2 ** (len(vae.config.block_out_channels) - 1) for side in size)
    return vae.config.latent_channels, height, width


@dataclass(frozen=True)
class EncodedPairs:
    """Pairs that go through the VAE whenever they are asked for: no disk, any crop."""

    pixels: TripletPixels
    vae: AutoencoderKL
    """On the device to encode on."""

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Channels, height, width."""
        return latent_shape(self.vae, self.pixels.size)

    def read(self, indices: Tensor, flips: Tensor, crops: Tensor) -> tuple[Tensor, ...]:
        """Return the pixels, ``(2B, 3, H, W)`` in [-1, 1]: all input images, then all output images."""
        views = [list(zip(*both, strict=True)) for both in zip(flips.bool().tolist(), crops.tolist(), strict=True)]
        wanted = zip(indices.tolist(), views, strict=True)
        with ThreadPoolExecutor(_NUM_READERS) as readers:
            pairs = torch.stack(list(readers.map(lambda pair: self.pixels.pair_as(*pair), wanted)))
        return (pairs.transpose(0, 1).flatten(0, 1),)

    @torch.no_grad()
    def encode(self, pictures: tuple[Tensor, ...], noise: Tensor) -> tuple[Tensor, Tensor]:
        """See `PairLatents`; both images of all pairs go through the VAE at once."""
        posterior = self.vae.encode(pictures[0]).latent_dist
        inputs, means = posterior.mean.chunk(2)
        return inputs, means + posterior.std.chunk(2)[1] * noise.to(means)
