"""The role ``text_to_image``: a latent diffusion model in the layout of Stable Diffusion."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from torch import Tensor, nn
from transformers import CLIPTokenizer

from editfoundry.tinyworld.pretrain.diffusion import Denoiser, build_scheduler, build_unet, cached_latents, noised
from editfoundry.tinyworld.pretrain.loop import LoopConfig, LoopResult, Metric, fit
from editfoundry.tinyworld.pretrain.text import build_text_encoder, build_tokenizer, token_ids
from editfoundry.tinyworld.sampling import random_stream, sample_scene

NUM_SCENES = 24_576
CAPTION_DROPOUT = 0.1
CONFIG = LoopConfig(num_steps=6000, batch_size=32, learning_rate=1.5e-3, ema_decay=0.999, num_warmup_steps=200)


def train_text_to_image(
    work_dir: Path,
    vae: AutoencoderKL,
    device: torch.device,
    config: LoopConfig = CONFIG,
    log_metric: Metric | None = None,
) -> tuple[StableDiffusionPipeline, LoopResult]:
    """Train UNet and text encoder on captioned scenes of the training split."""
    scenes = [sample_scene(random_stream("pictures", "train", i)) for i in range(NUM_SCENES)]
    latents = cached_latents(work_dir / "data" / f"latents-{NUM_SCENES}.npy", scenes, vae, device)
    tokenizer = build_tokenizer(work_dir)
    captions = token_ids(tokenizer, [scene.caption for scene in scenes])
    model = build_denoiser(tokenizer, config.seed).to(device, memory_format=torch.channels_last)
    empty, scheduler = token_ids(tokenizer, [""]), build_scheduler()

    def step_loss(denoiser: nn.Module, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(NUM_SCENES, (config.batch_size,), generator=generator)
        clean = torch.from_numpy(latents[chosen.numpy()]).float() * vae.config.scaling_factor
        dropped = torch.rand(config.batch_size, 1, generator=generator) < CAPTION_DROPOUT
        noisy, timesteps, target = noised(scheduler, clean.to(device), generator)
        ids = torch.where(dropped, empty, captions[chosen]).to(device)
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        return nn.functional.mse_loss(denoiser(noisy, timesteps, ids), target)

    result = fit(model, step_loss, config, work_dir / "text_to_image", log_metric)
    return pipeline_of(model, vae, tokenizer), result


def build_denoiser(tokenizer: CLIPTokenizer, seed: int) -> Denoiser:
    """Return the untrained model, initialised from ``seed``."""
    torch.manual_seed(seed)
    return Denoiser(build_unet(), build_text_encoder(tokenizer))


def pipeline_of(model: Denoiser, vae: AutoencoderKL, tokenizer: CLIPTokenizer) -> StableDiffusionPipeline:
    """Put the parts together as diffusers' pipeline."""
    return StableDiffusionPipeline(
        vae=vae, text_encoder=model.text_encoder, tokenizer=tokenizer, unet=model.unet, scheduler=build_scheduler(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
