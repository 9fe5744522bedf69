"""The autoencoder of the embedded models: 64 x 64 pixels to a 16 x 16 x 4 latent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from editfoundry.pretraining.drawn_pictures import rendered, to_pixels
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult, fit
from editfoundry.tinyworld.scene import IMAGE_SIZE
from editfoundry.tinyworld.scene_sampling import Split, random_stream, sample_scene

NUM_PICTURES = 16_384
KL_WEIGHT = 1e-5
CONFIG = PretrainingConfig(num_steps=3000, batch_size=16, learning_rate=2e-3, weight_decay=0.0, ema_decay=0.995)
DECODER_CONFIG = replace(CONFIG, num_steps=1000, learning_rate=1e-3, ema_decay=0.99, seed=1)
PixelLoss = Callable[[Any, Tensor, torch.Generator], Tensor]


def build_vae() -> AutoencoderKL:
    """Return an untrained autoencoder of the embedded size."""
    return AutoencoderKL(
        latent_channels=4,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        sample_size=IMAGE_SIZE,
    )


def train_vae(
    work_dir: Path, device: torch.device, config: PretrainingConfig = CONFIG
) -> tuple[AutoencoderKL, PretrainingResult]:
    """Train the autoencoder on rendered scenes of the training split, then its decoder alone."""
    pictures = scene_pictures(work_dir / "data", "train", NUM_PICTURES)
    torch.manual_seed(config.seed)
    vae: Any = build_vae()
    vae.to(device, memory_format=torch.channels_last)
    result = fit(vae, _loss_on(pictures, config, device, vae_loss), config, work_dir / "vae")
    set_scaling_factor(vae, pictures, device)
    return polish_decoder(work_dir, vae, device), result


def polish_decoder(
    work_dir: Path, vae: AutoencoderKL, device: torch.device, config: PretrainingConfig = DECODER_CONFIG
) -> AutoencoderKL:
    """Train the decoder on for PSNR, the encoder frozen; latents, and whatever was trained on them, stay valid."""
    pictures = scene_pictures(work_dir / "data", "train", NUM_PICTURES)
    vae.encoder.requires_grad_(False)
    vae.quant_conv.requires_grad_(False)
    fit(vae, _loss_on(pictures, config, device, decoder_loss), config, work_dir / "vae_decoder")
    return vae.requires_grad_(True)


def _loss_on(
    pictures: np.ndarray, config: PretrainingConfig, device: torch.device, loss: PixelLoss
) -> Callable[[nn.Module, torch.Generator], Tensor]:
    def step_loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(pictures), (config.batch_size,), generator=generator).sort().values.numpy()
        pixels = to_pixels(pictures[chosen]).to(device, memory_format=torch.channels_last)
        return loss(model, pixels, generator)

    return step_loss


def scene_pictures(folder: Path, split: Split, count: int) -> np.ndarray:
    """Return ``(count, 64, 64, 3)`` uint8 pictures of seeded scenes, cached in ``folder``."""
    scenes = [sample_scene(random_stream("pictures", split, i), split) for i in range(count)]
    return rendered(folder / f"pictures-{split}-{count}.npy", scenes)


def vae_loss(vae: Any, pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Reconstruction (L1 and L2) plus the KL term; ``pixels`` is ``(B, 3, H, W)`` float in [-1, 1]."""
    posterior = vae.encode(pixels).latent_dist
    noise = torch.randn(posterior.mean.shape, generator=generator).to(pixels.device)
    reconstruction = vae.decode(posterior.mean + posterior.std * noise).sample
    error = reconstruction - pixels
    kl = 0.5 * (posterior.mean.square() + posterior.var - 1 - posterior.logvar).mean()
    return error.abs().mean() + 2 * error.square().mean() + KL_WEIGHT * kl


def decoder_loss(vae: Any, pixels: Tensor, _: torch.Generator) -> Tensor:
    """Mean over pictures of the log of the squared error, which is PSNR but for a factor; no noise on the latents."""
    with torch.no_grad():
        latents = vae.encode(pixels).latent_dist.mode()
    error = vae.decode(latents).sample - pixels
    return error.square().mean(dim=(1, 2, 3)).log().mean()


@torch.no_grad()
def set_scaling_factor(vae: AutoencoderKL, pictures: np.ndarray, device: torch.device) -> None:
    """Set the factor that gives latents unit variance, as latent diffusion prescribes."""
    latents = vae.encode(to_pixels(pictures[:512]).to(device)).latent_dist.mean
    vae.register_to_config(scaling_factor=round(1 / float(latents.std()), 4))


@torch.no_grad()
def reconstruction_psnr(vae: AutoencoderKL, pictures: np.ndarray, device: torch.device) -> float:
    """Mean PSNR in dB of ``pictures``, ``(N, H, W, 3)`` uint8, against their reconstructions."""
    scores = []
    for start in range(0, len(pictures), 64):
        pixels = to_pixels(pictures[start : start + 64]).to(device)
        decoded = vae.decode(vae.encode(pixels).latent_dist.mode()).sample.clamp(-1, 1)
        mse = ((decoded - pixels) / 2).square().mean(dim=(1, 2, 3))
        scores.append(-10 * torch.log10(mse))
    return float(torch.cat(scores).mean())
