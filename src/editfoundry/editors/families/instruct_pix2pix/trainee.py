"""InstructPix2Pix's editor as something to train: what is loaded, its loss, its checkpoint."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler, StableDiffusionInstructPix2PixPipeline, UNet2DConditionModel
from PIL import Image
from torch import Tensor

from editfoundry.diffusion.guidance import Denoiser
from editfoundry.editors.editing_defaults import (
    copy_editing_defaults,
    read_editing_defaults,
    write_editing_defaults,
)
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining
from editfoundry.editors.families.instruct_pix2pix.widen import widen_conv_in
from editfoundry.editors.triplet_training.denoising_loss import denoising_loss, noise_scheduler, sampling_scheduler
from editfoundry.editors.triplet_training.lora import LORA_FOLDER, add_lora, merge_lora
from editfoundry.editors.triplet_training.pair_batches import PairBatch
from editfoundry.editors.triplet_training.sample_grid import write_sample_grid
from editfoundry.editors.triplet_training.text_cache import embedded
from editfoundry.editors.triplet_training.triplet_data import Encoders, TripletData, open_triplets, training_pictures
from editfoundry.editors.working_size import native_size
from editfoundry.errors import BadInputError
from editfoundry.pretrained.diffusers_pipeline import open_pipeline
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import ModelReference
from editfoundry.training.run_folder import writing
from editfoundry.training.trainee import Modules, TrainedPart, Validation

NUM_SAMPLE_STEPS = 20
"""Sampler steps of a grid of sample edits."""


@dataclass(frozen=True)
class InstructPix2PixTrainee:
    """An editor in training; see `training.trainee.Trainee`."""

    config: InstructPix2PixTraining
    pipeline: StableDiffusionInstructPix2PixPipeline
    """In float32; what is trained is on the device, the rest where it is needed."""
    scheduler: DDPMScheduler
    """Forward process."""
    data: TripletData
    validated: TripletData | None
    resolution: int
    """Side of the training images in pixels, or of the square whose area they have."""
    was_widened: bool
    """The UNet saw no image before."""
    device: torch.device

    @classmethod
    def load(cls, config: InstructPix2PixTraining, accelerator: Accelerator) -> InstructPix2PixTrainee:
        """Load the editor, and make or open the caches; the main process makes them while the others wait.

        Raises:
            BadInputError: the editor or the data set cannot be used.
        """
        device = accelerator.device
        if config.train_text_encoder and accelerator.distributed_type.value in ("FSDP", "DEEPSPEED"):
            raise BadInputError("train_text_encoder is on, but FSDP and DeepSpeed train one model: turn it off there")
        pipeline, was_widened = load_editor_to_train(config.editor_location, config.revision)
        scheduler = noise_scheduler(pipeline.scheduler, config.prediction_type, config.zero_terminal_snr)
        pipeline.scheduler = sampling_scheduler(pipeline.scheduler, scheduler)
        pipeline.vae.requires_grad_(False)
        pipeline.text_encoder.requires_grad_(config.train_text_encoder)
        resolution = _resolution(config, pipeline)
        parts = (pipeline.vae, pipeline.tokenizer, pipeline.text_encoder)
        encoders = Encoders(config.editor_location, *parts, revision=config.revision)
        validated = None
        with accelerator.main_process_first(), writing("a cache", config.work_dir, "no step was done yet", OSError):
            timesteps = scheduler.config.num_train_timesteps
            data = open_triplets(config, config.dataset, encoders, resolution, timesteps, device)
            if config.validation_dataset is not None:
                plain = replace(config, horizontal_flip=False)
                dataset = config.validation_dataset
                validated = open_triplets(plain, dataset, encoders, resolution, timesteps, device, "validation")
        if config.cache_latents:
            pipeline.vae.to("cpu")
        pipeline.text_encoder.to(device).train(config.train_text_encoder)
        pipeline.unet.to(device, memory_format=torch.channels_last).train()
        switch_on(pipeline, config, was_widened)
        return cls(config, pipeline, scheduler, data, validated, resolution, was_widened, device)

    @property
    def parts(self) -> list[TrainedPart]:
        """The UNet and, where it trains, the text encoder."""
        unet = TrainedPart(self.pipeline.unet)
        if not self.config.train_text_encoder:
            return [unet]
        return [unet, TrainedPart(self.pipeline.text_encoder, is_averaged=self.config.ema_text_encoder)]

    @property
    def data_description(self) -> str:
        """For a log line."""
        return f"{len(self.data)} triplets"

    @property
    def likely_fault(self) -> str:
        """What spoils a loss."""
        return f"broken images in {self.config.dataset}"

    def batch(self, step: int, part: slice) -> PairBatch:
        """Draw and read some of a step's samples."""
        return self.for_the_device(self.data.batch(step, part))

    def loss(self, modules: Modules, batch: PairBatch) -> Tensor:
        """Return the denoising loss (InstructPix2Pix, eq. 1) of triplets that are trained on."""
        return self.pair_loss(modules[0], modules, batch, self.data)

    def validation(self) -> list[Validation]:
        """Return the denoising loss of triplets that are only looked at."""
        data = self.validated
        return [] if data is None else [self._validation(data, *of_size) for of_size in data.validation()]

    def _validation(self, data: TripletData, size: int, read: Callable[[slice], PairBatch]) -> Validation:
        return Validation(
            lambda part: self.for_the_device(read(part)),
            size,
            lambda modules, batch: self.pair_loss(modules[0], modules, batch, data),
        )

    def write_samples(self, path: Path, denoiser: Callable[[list[str]], Denoiser] | None = None) -> None:
        """Edit the first triplets of the validation data, or else of the training data, and write the grid.

        Of several sizes of pictures, those of the commonest one are taken.

        Args:
            path: of the PNG file.
            denoiser: makes of the edits' tasks what is called in the place of the UNet; by default the UNet is.
        """
        config, pipeline = self.config, self.pipeline
        split = "train" if config.validation_dataset is None else "validation"
        _, pixels = training_pictures(config, config.validation_dataset or config.dataset, self.resolution, split)[0]

        def edit(images: list[Image.Image], instructions: list[str]) -> list[Image.Image]:
            seeds = [config.seed + number for number in range(len(images))]
            called = None if denoiser is None else denoiser(pixels.tasks()[: len(images)])
            steps = NUM_SAMPLE_STEPS
            return edit_images(pipeline, images, instructions, seeds=seeds, num_inference_steps=steps, denoiser=called)

        vae_was_on = pipeline.vae.device
        pipeline.to(pipeline.unet.device)
        write_sample_grid(pixels, config.num_samples, edit, path)
        pipeline.vae.to(vae_was_on)

    def save(self, folder: Path, whole: Sequence[Mapping[str, Tensor]] | None) -> None:
        """Write a complete pipeline in diffusers' layout.

        LoRA updates are merged into the weights, and kept apart as well where they are all that was trained.
        """
        config, pipeline = self.config, self.pipeline
        if whole is not None:
            pipeline.unet = UNet2DConditionModel.from_config(pipeline.unet.config)
            pipeline.unet.load_state_dict(whole[0])
        pipeline.to("cpu")
        trained = pipeline.unet
        try:
            if config.lora_rank:
                # Of a copy: where the disk is full, this is called again.
                pipeline.unet = copy.deepcopy(trained)
                alone = not (self.was_widened or config.train_text_encoder)
                merge_lora(pipeline.unet, folder / LORA_FOLDER if alone else None)
            pipeline.unet.to(memory_format=torch.contiguous_format)
            pipeline.save_pretrained(folder)
        finally:
            pipeline.unet = trained
        copy_editing_defaults(Path(config.editor_location), folder)
        if config.aspect_ratios:
            defaults = replace(read_editing_defaults(folder), area_side=self.resolution)
            write_editing_defaults(folder, defaults)

    def facts(self) -> dict[str, Any]:
        """Return the hashes and the number of triplets."""
        hashes = {f"{name}_hash": value for name, value in self.config.identity().items()}
        return {**hashes, "num_triplets": len(self.data)}

    def for_the_device(self, batch: PairBatch) -> PairBatch:
        """Return a batch in pinned memory where it will be copied to a GPU."""
        return batch.pinned() if self.device.type == "cuda" else batch

    def pair_loss(self, denoiser: Denoiser, modules: Modules, batch: PairBatch, data: TripletData) -> Tensor:
        """Return the denoising loss of a batch of ``data``; ``denoiser`` is called in the place of the UNet."""
        config, trains = self.config, self.config.train_text_encoder
        batch = batch.on(self.device)
        pairs = data.latent_pairs(batch, self.pipeline.vae.config.scaling_factor)
        extra = config.change_weight - 1
        return denoising_loss(
            denoiser,
            self.scheduler,
            latents=pairs.outputs,
            image_latents=pairs.inputs,
            noise=batch.noise,
            timesteps=batch.timesteps,
            prompt_embeds=embedded(batch.texts, modules[1] if trains else self.pipeline.text_encoder, trains),
            snr_gamma=config.snr_gamma,
            weights=1 + extra * pairs.changed if extra else None,
        )


def load_editor_to_train(editor: str, revision: str = "main") -> tuple[StableDiffusionInstructPix2PixPipeline, bool]:
    """Load an editor in float32; a text-to-image model's UNet is widened, and the second value tells so.

    Raises:
        BadInputError: the folder is missing or is not in diffusers' layout.
    """
    reference = ModelReference(role="editor_base", source=editor, revision=revision)
    in_memory = Runtime(torch.device("cpu"), torch.float32)
    pipeline = open_pipeline(StableDiffusionInstructPix2PixPipeline, reference, in_memory)
    is_narrow = pipeline.unet.config.in_channels == pipeline.unet.config.out_channels
    if is_narrow:
        widen_conv_in(pipeline.unet)
    return pipeline, is_narrow


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
        add_lora(pipeline.unet, config.lora_rank, config.lora_alpha or config.lora_rank)
        pipeline.unet.conv_in.requires_grad_(was_widened)
    if config.gradient_checkpointing:
        pipeline.unet.enable_gradient_checkpointing()
        if config.train_text_encoder:
            pipeline.text_encoder.gradient_checkpointing_enable()
    if config.compile_unet:
        pipeline.unet.compile()


def _resolution(config: InstructPix2PixTraining, pipeline: StableDiffusionInstructPix2PixPipeline) -> int:
    resolution = config.resolution or native_size(pipeline)
    if resolution % pipeline.vae_scale_factor:
        raise BadInputError(f"resolution is {resolution}, but must be a multiple of {pipeline.vae_scale_factor} pixels")
    return resolution
