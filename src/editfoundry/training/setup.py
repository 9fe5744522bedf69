"""Loads the editor and opens the caches that one run reads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler, StableDiffusionInstructPix2PixPipeline

from editfoundry.data.hashing import input_hash
from editfoundry.editors.instruct_pix2pix import native_size
from editfoundry.editors.widen import widen_conv_in
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import quiet_libraries
from editfoundry.training.config import TrainingConfig
from editfoundry.training.data import TripletPixels
from editfoundry.training.fingerprint import dataset_hash, editor_hash
from editfoundry.training.latents import LatentCache, latent_cache
from editfoundry.training.loss import noise_scheduler
from editfoundry.training.texts import TextCache, text_cache


@dataclass(frozen=True)
class Materials:
    """What training works with."""

    pipeline: StableDiffusionInstructPix2PixPipeline
    """In float32; its UNet is on the device, the rest where it is needed."""
    scheduler: DDPMScheduler
    """Forward process."""
    latents: LatentCache
    texts: TextCache

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Channels, height, width."""
        return tuple(self.latents.input_modes.shape[2:])


def load_editor_to_train(editor: str) -> StableDiffusionInstructPix2PixPipeline:
    """Load an editor in float32; a text-to-image model's UNet is widened.

    Raises:
        BadInputError: the folder is missing or is not in diffusers' layout.
    """
    quiet_libraries()
    try:
        pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(
            editor, dtype=torch.float32, safety_checker=None, requires_safety_checker=False
        )
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInputError(f"{editor}: cannot be loaded as an editor to start from: {reason}") from error
    if pipeline.unet.config.in_channels == pipeline.unet.config.out_channels:
        widen_conv_in(pipeline.unet)
    return pipeline


def prepare_materials(config: TrainingConfig, accelerator: Accelerator) -> Materials:
    """Load the editor, and make or open the caches; the main process makes them while the others wait.

    Raises:
        BadInputError: the editor or the data set cannot be used.
    """
    pipeline = load_editor_to_train(config.editor)
    scheduler = noise_scheduler(pipeline.scheduler)
    pipeline.vae.requires_grad_(False)
    pipeline.text_encoder.requires_grad_(config.train_text_encoder)
    with accelerator.main_process_first():
        latents, texts = _caches(config, pipeline, accelerator.device)
    if len(latents) == 0:
        raise BadInputError(f"{config.dataset}: there is no triplet to train on")
    pipeline.unet.to(accelerator.device, memory_format=torch.channels_last).train()
    return Materials(pipeline, scheduler, latents, texts)


def _caches(
    config: TrainingConfig, pipeline: StableDiffusionInstructPix2PixPipeline, device: torch.device
) -> tuple[LatentCache, TextCache]:
    data = dataset_hash(config.dataset)
    resolution = config.resolution or native_size(pipeline)
    if resolution % pipeline.vae_scale_factor:
        raise BadInputError(f"resolution is {resolution}, but must be a multiple of {pipeline.vae_scale_factor} pixels")
    latents_key = input_hash(data, editor_hash(config.editor, ["vae"]), resolution, config.horizontal_flip)
    latents = latent_cache(
        config.work_dir / f"latents-{latents_key[:16]}",
        config.dataset,
        pipeline.vae.to(device),
        resolution=resolution,
        horizontal_flip=config.horizontal_flip,
    )
    embed = config.cache_text_embeddings and not config.train_text_encoder
    texts_key = input_hash(data, editor_hash(config.editor, ["text_encoder", "tokenizer"]), embed)
    texts = text_cache(
        config.work_dir / f"texts-{texts_key[:16]}",
        TripletPixels(config.dataset, resolution).instructions(),
        pipeline.tokenizer,
        pipeline.text_encoder.to(device),
        embed=embed,
    )
    pipeline.vae.to("cpu")
    return latents, texts
