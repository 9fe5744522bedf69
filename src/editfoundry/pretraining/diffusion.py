"""What the two diffusion models share: the network's size, the noise schedule, the loss and the cached latents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel

from editfoundry.pretraining.drawn_pictures import cached_array, to_pixels
from editfoundry.pretraining.text import HIDDEN_SIZE
from editfoundry.tinyworld.scene import Scene, render

LATENT_SHAPE = (4, 16, 16)


def build_unet() -> UNet2DConditionModel:
    """Return an untrained UNet of the embedded size: attention at 16 x 16 and 8 x 8."""
    return UNet2DConditionModel(
        sample_size=LATENT_SHAPE[1],
        in_channels=4,
        out_channels=4,
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
        """Predict v, ``(B, 4, 16, 16)``, from noisy latents (and image latents beside them) and ``(B, L)`` tokens."""
        prompt_embeds = self.text_encoder(input_ids)[0]
        return self.unet(latents, timesteps, encoder_hidden_states=prompt_embeds, return_dict=False)[0]


def noised(scheduler: DDIMScheduler, latents: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return noisy latents, their timesteps ``(B,)`` and the v they should be predicted as."""
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    timesteps = torch.randint(scheduler.config.num_train_timesteps, (len(latents),), generator=generator)
    timesteps = timesteps.to(latents.device)
    return (
        scheduler.add_noise(latents, noise, timesteps),
        timesteps,
        scheduler.get_velocity(latents, noise, timesteps),
    )


@torch.no_grad()
def cached_latents(
    path: Path, scenes: Sequence[Scene], vae: AutoencoderKL, device: torch.device, batch_size: int = 64
) -> np.ndarray:
    """Return ``(N, 4, 16, 16)`` float16: the unscaled posterior means of the scenes' pictures, computed once."""
    batch: dict[int, np.ndarray] = {}

    def row(index: int) -> np.ndarray:
        if index not in batch:
            batch.clear()
            stop = min(index + batch_size, len(scenes))
            pixels = to_pixels(np.stack([render(s) for s in scenes[index:stop]])).to(device)
            batch.update(zip(range(index, stop), vae.encode(pixels).latent_dist.mean.cpu().numpy(), strict=True))
        return batch[index]

    return cached_array(path, (len(scenes), *LATENT_SHAPE), "float16", row)
