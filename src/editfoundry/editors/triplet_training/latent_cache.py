"""What the frozen VAE says of every image pair, computed once per data set and kept in memory-mapped files.

The output image's posterior is kept whole, mean and log-variance, so that training still samples from it; of the input
image the mode is kept, which is what the editor is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from editfoundry.data.atomic import atomic_folder
from editfoundry.data.verify import verify_once
from editfoundry.editors.triplet_training.memory_maps import new_array
from editfoundry.editors.triplet_training.triplet_pixels import TripletPixels

STAGE = "latent cache"
VERIFIED = "verified.json"
"""Of which bytes of the data set's shards the cache was made."""
PAIRS_PER_STEP = 32
"""Pairs that go through the VAE at once."""


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
        rows = indices.numpy(), flips.numpy()
        return torch.from_numpy(self.input_modes[rows]), torch.from_numpy(self.output_moments[rows])

    def encode(self, pictures: tuple[Tensor, ...], noise: Tensor) -> tuple[Tensor, Tensor]:
        """See `PairLatents`."""
        modes, moments = pictures
        mean, log_variance = moments.chunk(2, dim=1)
        return modes, mean + (0.5 * log_variance.clamp(-30, 20)).exp() * noise


def latent_cache(
    folder: Path,
    dataset: Path,
    vae: AutoencoderKL,
    *,
    resolution: int,
    horizontal_flip: bool,
    split: str = "train",
) -> LatentCache:
    """Open the cache in ``folder``, first making it if it is not there; the folder's name says what it was made from.

    Args:
        folder: its name should contain the hashes of the data set's indexes and of the VAE.
        dataset: triplet shards.
        vae: on the device to encode on.
        resolution: side of the square images, pixels.
        horizontal_flip: keep the mirrored pairs as well.
        split: see `TripletPixels`.

    Raises:
        BadInputError: a shard does not hold the pictures that its index was written for.
    """
    if not folder.exists():
        variants = [
            TripletPixels(dataset, resolution, flip, split) for flip in ((False, True) if horizontal_flip else (False,))
        ]
        with atomic_folder(folder, STAGE) as partial:
            verify_once(dataset, partial / VERIFIED)
            _encode_all(partial, variants, vae)
    verify_once(dataset, folder / VERIFIED)
    return LatentCache(
        np.load(folder / "input_modes.npy", mmap_mode="r"), np.load(folder / "output_moments.npy", mmap_mode="r")
    )


@torch.no_grad()
def _encode_all(folder: Path, variants: list[TripletPixels], vae: AutoencoderKL) -> None:
    num_pairs, num_channels = len(variants[0]), vae.config.latent_channels
    side = variants[0].resolution // 2 ** (len(vae.config.block_out_channels) - 1)
    shape = (num_pairs, len(variants), num_channels, side, side)
    modes = new_array(folder / "input_modes.npy", shape)
    moments = new_array(folder / "output_moments.npy", (*shape[:2], 2 * num_channels, *shape[3:]))
    for flip, pixels in enumerate(variants):
        for start in range(0, num_pairs, PAIRS_PER_STEP):
            stop = min(start + PAIRS_PER_STEP, num_pairs)
            pairs = torch.stack([pixels[i] for i in range(start, stop)]).to(vae.device)
            modes[start:stop, flip] = vae.encode(pairs[:, 0]).latent_dist.mode().cpu().numpy()
            moments[start:stop, flip] = vae.encode(pairs[:, 1]).latent_dist.parameters.cpu().numpy()
    modes.flush()
    moments.flush()
