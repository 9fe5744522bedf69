"""The role ``editor_base``: InstructPix2Pix's editor, trained on plain edits only.

It must not know the world's rules.
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import StableDiffusionInstructPix2PixPipeline, StableDiffusionPipeline
from torch import Tensor, nn

from editfoundry.editors.widen import widen_conv_in
from editfoundry.tinyworld.edits import sample_plain_edit
from editfoundry.tinyworld.pretrain.diffusion import Denoiser, build_scheduler, cached_latents, noised
from editfoundry.tinyworld.pretrain.loop import LoopConfig, LoopResult, Metric, fit
from editfoundry.tinyworld.pretrain.text import token_ids
from editfoundry.tinyworld.sampling import random_stream

NUM_EDITS = 20_480
CONDITIONING_DROPOUT = 0.05
CONFIG = LoopConfig(num_steps=4500, batch_size=32, learning_rate=1e-3, ema_decay=0.999, num_warmup_steps=200)


def train_editor_base(
    work_dir: Path,
    start: StableDiffusionPipeline,
    device: torch.device,
    config: LoopConfig = CONFIG,
    log_metric: Metric | None = None,
) -> tuple[StableDiffusionInstructPix2PixPipeline, LoopResult]:
    """Widen the text-to-image model and train it on add, change and remove."""
    edits = [sample_plain_edit(random_stream("plain", "train", i), "train") for i in range(NUM_EDITS)]
    data = work_dir / "data"
    inputs = cached_latents(data / f"edit-inputs-{NUM_EDITS}.npy", [e.before for e in edits], start.vae, device)
    outputs = cached_latents(data / f"edit-outputs-{NUM_EDITS}.npy", [e.after for e in edits], start.vae, device)
    instructions = token_ids(start.tokenizer, [edit.instruction for edit in edits])
    model = Denoiser(widen_conv_in(start.unet), start.text_encoder).to(device, memory_format=torch.channels_last)
    empty, scheduler, scale = token_ids(start.tokenizer, [""]), build_scheduler(), start.vae.config.scaling_factor

    def step_loss(denoiser: nn.Module, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(NUM_EDITS, (config.batch_size,), generator=generator)
        clean = torch.from_numpy(outputs[chosen.numpy()]).float() * scale
        image_latents = torch.from_numpy(inputs[chosen.numpy()]).float()
        draw = torch.rand(config.batch_size, generator=generator)
        no_text = draw < 2 * CONDITIONING_DROPOUT
        no_image = (draw >= CONDITIONING_DROPOUT) & (draw < 3 * CONDITIONING_DROPOUT)
        image_latents = image_latents * (~no_image)[:, None, None, None]
        noisy, timesteps, target = noised(scheduler, clean.to(device), generator)
        ids = torch.where(no_text[:, None], empty, instructions[chosen]).to(device)
        widened = torch.cat([noisy, image_latents.to(device)], dim=1).contiguous(memory_format=torch.channels_last)
        return nn.functional.mse_loss(denoiser(widened, timesteps, ids), target)

    result = fit(model, step_loss, config, work_dir / "editor_base", log_metric)
    return (
        StableDiffusionInstructPix2PixPipeline(
            vae=start.vae, text_encoder=model.text_encoder, tokenizer=start.tokenizer, unet=model.unet,
            scheduler=build_scheduler(), safety_checker=None, feature_extractor=None, requires_safety_checker=False,
        ),
        result,
    )  # fmt: skip
