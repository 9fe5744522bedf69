"""An editor moved to another autoencoder, to be trained on there."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionInstructPix2PixPipeline, UNet2DConditionModel

from editfoundry.data.atomic import atomic_folder
from editfoundry.pretraining.diffusion import take_over_fitting
from editfoundry.pretraining.model_trainee import weights_hash

STAGE = "moved editor"
_COMPONENTS = frozenset({"vae", "unet", "text_encoder", "tokenizer", "scheduler", "model_index.json"})


def moved_editor(editor: Path, vae: AutoencoderKL, folder: Path) -> Path:
    """Return the folder of ``editor`` on the latents of ``vae``: the editor's own, where they are these.

    Layers of the UNet that see latents of another number of channels are at random; all others know what they knew.

    Args:
        editor: folder of an InstructPix2Pix editor, with whatever else its family keeps there.
        vae: the other autoencoder.
        folder: gets the moved editor, once.
    """
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(editor, torch_dtype=torch.float32)
    if weights_hash(pipeline.vae) == weights_hash(vae):
        return editor
    target = folder / f"{editor.name}-on-{weights_hash(vae)[:12]}"
    if target.exists():
        return target
    channels = vae.config.latent_channels
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = {**pipeline.unet.config, "in_channels": 2 * channels, "out_channels": channels}
        unet = UNet2DConditionModel.from_config(config)
    take_over_fitting(unet, pipeline.unet)
    pipeline.register_modules(unet=unet, vae=vae.cpu())
    with atomic_folder(target, STAGE) as partial:
        pipeline.save_pretrained(partial)
        for kept in editor.iterdir():
            if kept.name not in _COMPONENTS:
                (shutil.copytree if kept.is_dir() else shutil.copy2)(kept, partial / kept.name)
    return target
