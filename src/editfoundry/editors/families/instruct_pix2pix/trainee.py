"""InstructPix2Pix's editor as something to train: what is loaded, its loss, its checkpoint."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers import StableDiffusionInstructPix2PixPipeline, UNet2DConditionModel
from PIL import Image
from torch import Tensor

from editfoundry.diffusion.guidance import Denoiser
from editfoundry.diffusion.time_condition import freeze_time_condition
from editfoundry.editors.editing_defaults import (
    copy_editing_defaults,
    read_editing_defaults,
    write_editing_defaults,
)
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining
from editfoundry.editors.families.instruct_pix2pix.widen import untrained, widen_conv_in
from editfoundry.editors.triplet_training.lora import LORA_FOLDER, add_lora, merge_lora
from editfoundry.editors.triplet_training.pair_batches import PairBatch
from editfoundry.editors.triplet_training.sample_grid import write_sample_grid
from editfoundry.editors.triplet_training.text_cache import embedded
from editfoundry.editors.triplet_training.triplet_data import Encoders, TripletData, open_triplets
from editfoundry.editors.triplet_training.triplet_trainee import (
    TripletTrainee,
    forward_process,
    open_both,
    training_resolution,
)
from editfoundry.errors import BadInputError
from editfoundry.pretrained.activation_checkpointing import checkpoint_activations
from editfoundry.pretrained.diffusers_pipeline import open_pipeline
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import ModelReference
from editfoundry.training.sharding import refuse_sharding
from editfoundry.training.trainee import Modules, TrainedPart

NUM_SAMPLE_STEPS = 20
"""Sampler steps of a grid of sample edits."""


@dataclass(frozen=True, kw_only=True)
class InstructPix2PixTrainee(TripletTrainee):
    """An editor in training; see `training.trainee.Trainee`."""

    config: InstructPix2PixTraining
    pipeline: StableDiffusionInstructPix2PixPipeline
    """In float32; what is trained is on the device, the rest where it is needed."""
    was_widened: bool
    """The UNet saw no image before."""

    @classmethod
    def load(cls, config: InstructPix2PixTraining, accelerator: Accelerator) -> InstructPix2PixTrainee:
        """Load the editor, and make or open the caches; the main process makes them while the others wait.

        Raises:
            BadInputError: the editor or the data set cannot be used.
        """
        device = accelerator.device
        if config.train_text_encoder:
            refuse_sharding(accelerator, "train_text_encoder is on")
        pipeline, was_widened = _starting_editor(config)
        scheduler = forward_process(config, pipeline)
        pipeline.vae.requires_grad_(False)
        pipeline.text_encoder.requires_grad_(config.train_text_encoder)
        resolution = training_resolution(config, pipeline)
        parts = (pipeline.vae, pipeline.tokenizer, pipeline.text_encoder)
        encoders = Encoders(config.editor_location, *parts, revision=config.revision)
        timesteps = scheduler.config.num_train_timesteps

        def opened(chosen: InstructPix2PixTraining, dataset: Path, split: str) -> TripletData:
            return open_triplets(chosen, dataset, encoders, resolution, timesteps, device, split)

        data, validated = open_both(config, accelerator, opened)
        if config.cache_latents:
            pipeline.vae.to("cpu")
        pipeline.text_encoder.to(device).train(config.train_text_encoder)
        pipeline.unet.to(device, memory_format=torch.channels_last).train()
        switch_on(pipeline, config, was_widened)
        return cls(
            config=config,
            pipeline=pipeline,
            scheduler=scheduler,
            data=data,
            validated=validated,
            resolution=resolution,
            was_widened=was_widened,
            device=device,
        )

    @property
    def parts(self) -> list[TrainedPart]:
        """The UNet and, where it trains, the text encoder."""
        unet = TrainedPart(self.pipeline.unet)
        if not self.config.train_text_encoder:
            return [unet]
        return [unet, TrainedPart(self.pipeline.text_encoder, is_averaged=self.config.ema_text_encoder)]

    def loss_of(self, modules: Modules, batch: PairBatch, data: TripletData) -> Tensor:
        """Return the denoising loss (InstructPix2Pix, eq. 1)."""
        return self.pair_loss(modules[0], modules, batch, data)

    def write_samples(self, path: Path, denoiser: Callable[[list[str]], Denoiser] | None = None) -> None:
        """Edit the first triplets of the validation data, or else of the training data, and write the grid.

        Args:
            path: of the PNG file.
            denoiser: makes of the edits' tasks what is called in the place of the UNet; by default the UNet is.
        """
        config, pipeline = self.config, self.pipeline
        pixels = self.sample_pixels()

        def edit(images: list[Image.Image], instructions: list[str]) -> list[Image.Image]:
            seeds = [config.seed + number for number in range(len(images))]
            called = None if denoiser is None else denoiser(pixels.tasks()[: len(images)])
            steps = NUM_SAMPLE_STEPS
            return edit_images(pipeline, images, instructions, seeds=seeds, num_inference_steps=steps, denoiser=called)

        vae_was_on = pipeline.vae.device
        pipeline.to(pipeline.unet.device)
        write_sample_grid(pixels, config.num_samples, edit, path)
        pipeline.vae.to(vae_was_on)

    def save(self, folder: Path, whole: Sequence[Mapping[str, Tensor]] | None, has_trained_more: bool = False) -> None:
        """Write a complete pipeline in diffusers' layout.

        LoRA updates are merged into the weights, and kept apart as well where they are all that was trained.

        Args:
            folder: see `training.trainee.Trainee`.
            whole: the same.
            has_trained_more: whether the caller trained more of the editor than its `parts`.
        """
        config, pipeline = self.config, self.pipeline
        if whole is not None:
            pipeline.unet = UNet2DConditionModel.from_config(pipeline.unet.config)
            if config.lora_rank:
                add_lora(pipeline.unet, config.lora_rank, config.lora_scale)
            pipeline.unet.load_state_dict(whole[0])
        pipeline.to("cpu")
        trained = pipeline.unet
        try:
            if config.lora_rank:
                # Of a copy: where the disk is full, this is called again.
                pipeline.unet = copy.deepcopy(trained)
                alone = not (self.was_widened or config.train_text_encoder or has_trained_more)
                merge_lora(pipeline.unet, folder / LORA_FOLDER if alone else None)
            pipeline.unet.to(memory_format=torch.contiguous_format)
            pipeline.save_pretrained(folder)
        finally:
            pipeline.unet = trained
        copy_editing_defaults(Path(config.editor_location), folder)
        if config.aspect_ratios:
            defaults = replace(read_editing_defaults(folder), area_side=self.resolution)
            write_editing_defaults(folder, defaults)

    def pair_loss(self, denoiser: Denoiser, modules: Modules, batch: PairBatch, data: TripletData) -> Tensor:
        """Return the denoising loss of a batch of ``data``; ``denoiser`` is called in the place of the UNet."""
        trains, batch = self.config.train_text_encoder, batch.on(self.device)
        prompt_embeds = embedded(batch.texts, modules[1] if trains else self.pipeline.text_encoder, trains)
        return self.denoising_loss(denoiser, batch, data, prompt_embeds, self.pipeline.vae.config.scaling_factor)


def load_editor_to_train(
    editor: str, revision: str = "main", channels_seed: int | None = None
) -> tuple[StableDiffusionInstructPix2PixPipeline, bool]:
    """Load an editor in float32; a text-to-image model's UNet is widened, and the second value tells so.

    Args:
        editor: folder or hub id.
        revision: of a hub id.
        channels_seed: see `widen_conv_in`.

    Raises:
        BadInputError: the folder is missing or is not in diffusers' layout.
    """
    reference = ModelReference(role="editor_base", source=editor, revision=revision)
    in_memory = Runtime(torch.device("cpu"), torch.float32)
    pipeline = open_pipeline(StableDiffusionInstructPix2PixPipeline, reference, in_memory)
    is_narrow = pipeline.unet.config.in_channels == pipeline.unet.config.out_channels
    if is_narrow:
        widen_conv_in(pipeline.unet, channels_seed)
    return pipeline, is_narrow


def _starting_editor(config: InstructPix2PixTraining) -> tuple[StableDiffusionInstructPix2PixPipeline, bool]:
    is_random = config.image_channels == "random"
    seed = config.seed if is_random else None
    pipeline, was_widened = load_editor_to_train(config.editor_location, config.revision, seed)
    if is_random and not was_widened:
        raise BadInputError(f"image_channels is random, but {config.editor} sees pictures already: leave it at zero")
    if config.from_scratch:
        pipeline.unet = untrained(pipeline.unet, config.seed)
    return pipeline, was_widened


def switch_on(
    pipeline: StableDiffusionInstructPix2PixPipeline, config: InstructPix2PixTraining, was_widened: bool
) -> None:
    """Prepare the pipeline's UNet as ``config`` says; its text encoder's checkpointing follows the UNet's.

    Args:
        pipeline: the editor, in place.
        config: see its fields ``lora_rank``, ``gradient_checkpointing`` and ``compile_unet``.
        was_widened: the UNet got its image channels just now, so that LoRA leaves ``conv_in`` to be trained in full.
    """
    if config.lora_rank:
        add_lora(pipeline.unet, config.lora_rank, config.lora_scale)
        pipeline.unet.conv_in.requires_grad_(was_widened)
    freeze_time_condition(pipeline.unet)
    if config.gradient_checkpointing:
        pipeline.unet.enable_gradient_checkpointing()
        if config.train_text_encoder:
            checkpoint_activations(pipeline.text_encoder)
    if config.compile_unet:
        pipeline.unet.compile()
