"""What the frozen VAE says of every image pair, computed once per data set and kept in memory-mapped files.

The output image's posterior is kept whole, mean and log-variance, so that training still samples from it; of the input
image the mode is kept, which is what the editor is shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from editfoundry.data.atomic import atomic_folder
from editfoundry.data.verify import verify_once
from editfoundry.editors.triplet_training.memory_maps import new_array
from editfoundry.editors.triplet_training.pair_latents import latent_shape
from editfoundry.editors.triplet_training.pair_reading import pairs_in_order
from editfoundry.editors.triplet_training.triplet_pixels import TripletPixels

STAGE = "latent cache"
VERIFIED = "verified.json"
"""Of which bytes of the data set's shards the cache was made."""
PAIRS_PER_STEP = 32
"""Pairs that go through the VAE at once; on a GPU more, while they have no more pixels than the next."""
PIXELS_PER_STEP = 2**20


@dataclass(frozen=True)
class LatentCache:
    """Latents of all pairs; axis 1 is 0 for the pair as it is and, where flips are on, 1 for its mirror image."""

    input_modes: np.ndarray
    """``(N, F, C, h, w)`` float32, unscaled, memory-mapped."""
    output_moments: np.ndarray
    """``(N, F, 2C, h, w)`` float32, unscaled mean and log-variance, memory-mapped."""

    def __len__(self) -> int:
        return len(self.input_modes)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Channels, height, width."""
        return tuple(self.input_modes.shape[2:])

    def read(self, indices: Tensor, flips: Tensor, crops: Tensor) -> tuple[Tensor, ...]:
        """Return the input images' modes and the output images' moments; the crop is always the centred one."""
        rows, (inputs, outputs) = indices.numpy(), flips.T.numpy()
        return torch.from_numpy(self.input_modes[rows, inputs]), torch.from_numpy(self.output_moments[rows, outputs])

    def encode(self, pictures: tuple[Tensor, ...], noise: Tensor) -> tuple[Tensor, Tensor]:
        """See `PairLatents`."""
        modes, moments = pictures
        mean, log_variance = moments.chunk(2, dim=1)
        return modes, mean + (0.5 * log_variance.clamp(-30, 20)).exp() * noise


def latent_caches(
    folder: Path, dataset: Path, vae: AutoencoderKL, groups: Sequence[TripletPixels], *, horizontal_flip: bool
) -> list[LatentCache]:
    """Open the caches in ``folder``, one for each group, first making them if they are not there.

    Args:
        folder: its name should contain the hashes of the data set's indexes and of the VAE, and what the groups are.
        dataset: triplet shards.
        vae: on the device to encode on.
        groups: the data set's pictures, those of each size.
        horizontal_flip: keep the mirrored pairs as well.

    Raises:
        BadInputError: a shard does not hold the pictures that its index was written for.
    """
    if not folder.exists():
        with atomic_folder(folder, STAGE) as partial:
            verify_once(dataset, partial / VERIFIED)
            for place, pixels in zip(_places(partial, groups), groups, strict=True):
                place.mkdir(exist_ok=True)
                _encode_all(place, pixels, vae, 2 if horizontal_flip else 1)
    verify_once(dataset, folder / VERIFIED)
    return [
        LatentCache(
            np.load(place / "input_modes.npy", mmap_mode="r"), np.load(place / "output_moments.npy", mmap_mode="r")
        )
        for place in _places(folder, groups)
    ]


def _places(folder: Path, groups: Sequence[TripletPixels]) -> list[Path]:
    if len(groups) == 1:
        return [folder]
    return [folder / f"{width}x{height}" for width, height in (pixels.size for pixels in groups)]


@torch.no_grad()
def _encode_all(folder: Path, pixels: TripletPixels, vae: AutoencoderKL, num_flips: int) -> None:
    num_channels, *sides = latent_shape(vae, pixels.size)
    modes = new_array(folder / "input_modes.npy", (len(pixels), num_flips, num_channels, *sides))
    moments = new_array(folder / "output_moments.npy", (len(pixels), num_flips, 2 * num_channels, *sides))
    at_once = PAIRS_PER_STEP
    if vae.device.type == "cuda":
        at_once = max(at_once, PIXELS_PER_STEP // math.prod(pixels.size))
    for flip in range(num_flips):
        for start, read in pairs_in_order(pixels, bool(flip), at_once, vae.device):
            pairs, stop = read.to(vae.device), start + len(read)
            modes[start:stop, flip] = vae.encode(pairs[:, 0]).latent_dist.mode().cpu().numpy()
            moments[start:stop, flip] = vae.encode(pairs[:, 1]).latent_dist.parameters.cpu().numpy()
    modes.flush()
    moments.flush()
