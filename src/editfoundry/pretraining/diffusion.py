"""What the two diffusion models share: the network's size, the noise schedule, the loss and the cached latents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel

from editfoundry.pretraining.drawn_pictures import cached_array, rendered, to_pixels
from editfoundry.pretraining.model_trainee import weights_hash
from editfoundry.pretraining.parallel_drawing import drawn
from editfoundry.pretraining.text import HIDDEN_SIZE
from editfoundry.tinyworld.scene import Scene, render

ENCODED_AT_ONCE = 512
"""Pictures, of those that are drawn already."""
LATENT_SIZE = 16
"""Side of the latents of 64 x 64 pixels."""


def build_unet(latent_channels: int) -> UNet2DConditionModel:
    """Return an untrained UNet of the embedded size: attention at 16 x 16 and 8 x 8."""
    return UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=(48, 72, 96),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=HIDDEN_SIZE,
        attention_head_dim=(2, 3, 4),
        norm_num_groups=8,
    )


def build_scheduler() -> DDIMScheduler:
    """Return the noise schedule: v-prediction with zero terminal SNR (Lin et al. 2023)."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


class Denoiser(nn.Module):
    """A UNet and the text encoder that is trained with it."""

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel) -> None:
        super().__init__()
        self.unet = unet
        self.text_encoder = text_encoder

    def forward(self, latents: Tensor, timesteps: Tensor, input_ids: Tensor) -> Tensor:
        """Predict v, ``(B, C, 16, 16)``, from noisy latents (and image latents beside them) and ``(B, L)`` tokens."""
        prompt_embeds = self.text_encoder(input_ids)[0]
        return self.unet(latents, timesteps, encoder_hidden_states=prompt_embeds, return_dict=False)[0]


def take_over_fitting(model: nn.Module, old: nn.Module) -> None:
    """Give ``model`` the weights of ``old``, but those that have another shape there."""
    weights = model.state_dict()
    fitting = {name: value for name, value in old.state_dict().items() if value.shape == weights[name].shape}
    model.load_state_dict({**weights, **fitting})


def noised(scheduler: DDIMScheduler, latents: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return noisy latents, their timesteps ``(B,)`` and the v they should be predicted as."""
    noise = normal_noise(latents, generator)
    timesteps = torch.randint(scheduler.config.num_train_timesteps, (len(latents),), generator=generator)
    timesteps = timesteps.to(latents.device)
    return (
        scheduler.add_noise(latents, noise, timesteps),
        timesteps,
        scheduler.get_velocity(latents, noise, timesteps),
    )


def normal_noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Return unit Gaussian noise of a tensor's shape, drawn where the tensor is, as ``generator``, of the CPU, says."""
    if like.device.type == "cpu":
        return torch.randn(like.shape, generator=generator, dtype=like.dtype)
    seed = int(torch.randint(2**62, (), generator=generator))
    there = torch.Generator(like.device).manual_seed(seed)
    return torch.randn(like.shape, generator=there, dtype=like.dtype, device=like.device)


@torch.no_grad()
def cached_latents(
    folder: Path, name: str, scenes: Sequence[Scene], vae: AutoencoderKL, device: torch.device
) -> np.ndarray:
    """Return ``(N, C, 16, 16)`` float16: the unscaled posterior means of the scenes' pictures, computed once.

    Args:
        folder: of the cache; a file there is ``name`` with the number of scenes and the autoencoder's hash.
        name: says which scenes they are.
        scenes: the ``N`` scenes, seeded.
        vae: on ``device``.
        device: to encode on.
    """
    path = folder / f"{name}-{len(scenes)}-{weights_hash(vae)[:12]}.npy"
    shape = (len(scenes), vae.config.latent_channels, LATENT_SIZE, LATENT_SIZE)
    ahead = _ahead_path(folder, name, len(scenes))
    pictures = partial(_blocks, ahead) if ahead.exists() else partial(drawn, render, scenes)
    return cached_array(path, shape, "float16", lambda: (_means(vae, block, device) for block in pictures()))


def draw_ahead(folder: Path, name: str, scenes: Sequence[Scene]) -> None:
    """Draw the pictures that `cached_latents` will encode, while there is no autoencoder yet."""
    rendered(_ahead_path(folder, name, len(scenes)), scenes)


def _ahead_path(folder: Path, name: str, count: int) -> Path:
    return folder / f"{name}-{count}-pictures.npy"


def _blocks(path: Path) -> Iterator[np.ndarray]:
    pictures = np.load(path, mmap_mode="r")
    return (pictures[start : start + ENCODED_AT_ONCE] for start in range(0, len(pictures), ENCODED_AT_ONCE))


def _means(vae: Any, pictures: np.ndarray, device: torch.device) -> np.ndarray:
    means: Tensor = vae.encode(to_pixels(pictures).to(device)).latent_dist.mean
    return means.cpu().numpy()
