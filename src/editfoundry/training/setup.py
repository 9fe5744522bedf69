"""Loads the editor and opens the caches that one run reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler, StableDiffusionInstructPix2PixPipeline

from editfoundry.data.hashing import input_hash
from editfoundry.editors.families.instruct_pix2pix.sampling import native_size
from editfoundry.editors.families.instruct_pix2pix.widen import widen_conv_in
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import quiet_libraries
from editfoundry.training.config import TrainingConfig
from editfoundry.training.data import TripletPixels
from editfoundry.training.fingerprint import dataset_hash, editor_hash
from editfoundry.training.latents import latent_cache
from editfoundry.training.loss import noise_scheduler, sampling_scheduler
from editfoundry.training.pair_latents import EncodedPairs, PairLatents
from editfoundry.training.run_folder import writing
from editfoundry.training.texts import TextCache, text_cache
from editfoundry.training.validation import ValidationData


@dataclass(frozen=True)
class Materials:
    """What training works with."""

    pipeline: StableDiffusionInstructPix2PixPipeline
    """In float32; its UNet is on the device, the rest where it is needed."""
    scheduler: DDPMScheduler
    """Forward process."""
    latents: PairLatents
    texts: TextCache
    resolution: int
    """Side of the training images, pixels."""
    was_widened: bool
    """The UNet saw no image before."""
    validation: ValidationData | None = None


def load_editor_to_train(editor: str) -> tuple[StableDiffusionInstructPix2PixPipeline, bool]:
    """Load an editor in float32; a text-to-image model's UNet is widened, and the second value tells so.

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
    is_narrow = pipeline.unet.config.in_channels == pipeline.unet.config.out_channels
    if is_narrow:
        widen_conv_in(pipeline.unet)
    return pipeline, is_narrow


def prepare_materials(config: TrainingConfig, accelerator: Accelerator) -> Materials:
    """Load the editor, and make or open the caches; the main process makes them while the others wait.

    Raises:
        BadInputError: the editor or the data set cannot be used.
    """
    pipeline, was_widened = load_editor_to_train(config.editor)
    scheduler = noise_scheduler(pipeline.scheduler, config.prediction_type, config.zero_terminal_snr)
    pipeline.scheduler = sampling_scheduler(pipeline.scheduler, scheduler)
    pipeline.vae.requires_grad_(False)
    pipeline.text_encoder.requires_grad_(config.train_text_encoder)
    resolution = _resolution(config, pipeline)
    validation = None
    with accelerator.main_process_first(), writing("a cache", config.work_dir, "no step was done yet", OSError):
        latents, texts = _opened(config, config.dataset, pipeline, accelerator.device)
        if config.validation_dataset is not None:
            plain = replace(config, horizontal_flip=False)
            opened = _opened(plain, config.validation_dataset, pipeline, accelerator.device, "validation")
            validation = ValidationData(*opened)
    validated = None if validation is None else validation.latents
    for folder, found in ((config.dataset, latents), (config.validation_dataset, validated)):
        if found is not None and len(found) == 0:
            raise BadInputError(f"{folder}: there is no triplet to train on")
    if config.cache_latents:
        pipeline.vae.to("cpu")
    pipeline.unet.to(accelerator.device, memory_format=torch.channels_last).train()
    return Materials(pipeline, scheduler, latents, texts, resolution, was_widened, validation)


def _resolution(config: TrainingConfig, pipeline: StableDiffusionInstructPix2PixPipeline) -> int:
    resolution = config.resolution or native_size(pipeline)
    if resolution % pipeline.vae_scale_factor:
        raise BadInputError(f"resolution is {resolution}, but must be a multiple of {pipeline.vae_scale_factor} pixels")
    return resolution


def _opened(
    config: TrainingConfig,
    dataset: Path,
    pipeline: StableDiffusionInstructPix2PixPipeline,
    device: torch.device,
    split: str = "train",
) -> tuple[PairLatents, TextCache]:
    data, resolution = dataset_hash(dataset), _resolution(config, pipeline)
    if split != "train":
        data = input_hash(data, split)
    vae, pixels = pipeline.vae.to(device), TripletPixels(dataset, resolution, split=split)
    latents: PairLatents = EncodedPairs(pixels, vae)
    if config.cache_latents:
        key = input_hash(data, editor_hash(config.editor, ["vae"]), resolution, config.horizontal_flip)
        folder, flip = config.work_dir / f"latents-{key[:16]}", config.horizontal_flip
        latents = latent_cache(folder, dataset, vae, resolution=resolution, horizontal_flip=flip, split=split)
    embed = config.cache_text_embeddings and not config.train_text_encoder
    key = input_hash(data, editor_hash(config.editor, ["text_encoder", "tokenizer"]), embed)
    text_encoder = pipeline.text_encoder.to(device)
    folder = config.work_dir / f"texts-{key[:16]}"
    texts = text_cache(folder, pixels.instructions(), pipeline.tokenizer, text_encoder, embed=embed)
    return latents, texts
