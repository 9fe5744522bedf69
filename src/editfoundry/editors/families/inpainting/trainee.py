"""Stable Diffusion's inpainting model as something to train: a UNet of 9 channels, which diffusers opens as its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler, StableDiffusionInpaintPipeline, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, mse_loss

from editfoundry.diffusion.input_channels import add_input_channels
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.diffusion.time_condition import freeze_time_condition
from editfoundry.editors.caption_training.caption_batches import (
    CaptionedData,
    CaptionedSamples,
    open_captioned_data,
    step_generator,
)
from editfoundry.editors.caption_training.caption_trainee import CaptionTrainee
from editfoundry.editors.caption_training.painted_grid import write_painted_grid
from editfoundry.editors.editing_defaults import copy_editing_defaults
from editfoundry.editors.editor import EditRequest
from editfoundry.editors.families.inpainting.options import InpaintingOptions
from editfoundry.editors.families.inpainting.painting import paint_masked
from editfoundry.editors.families.inpainting.training_config import InpaintingTraining
from editfoundry.editors.triplet_training.denoising_loss import (
    noise_scheduler,
    prediction_target,
    sampling_scheduler,
    weighted_mean,
)
from editfoundry.editors.triplet_training.draws import normal_rows
from editfoundry.editors.triplet_training.sample_grid import to_image
from editfoundry.editors.working_size import native_size
from editfoundry.errors import BadInputError
from editfoundry.pretrained.diffusers_pipeline import open_pipeline, pipeline_class_name
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import ModelReference
from editfoundry.training.run_folder import writing
from editfoundry.training.trainee import Modules, TrainedPart

NUM_SAMPLE_STEPS = 20


@dataclass(frozen=True)
class InpaintingBatch:
    """Samples of a step and their random numbers."""

    samples: CaptionedSamples
    timesteps: Tensor
    """``(B,)`` int64."""
    noise: Tensor
    """``(B, 4, h, w)`` normal."""
    posterior_noise: Tensor
    """``(B, 8, h, w)`` normal: of the picture's latents, then of those of the picture with its hole."""


@dataclass(frozen=True)
class InpaintingTrainee(CaptionTrainee):
    """A latent inpainter in training; see `training.trainee.Trainee`."""

    config: InpaintingTraining
    pipeline: StableDiffusionInpaintPipeline
    """In float32, on the device."""
    scheduler: DDPMScheduler
    """Forward process."""
    data: CaptionedData
    device: torch.device

    @classmethod
    def load(cls, config: InpaintingTraining, accelerator: Accelerator) -> InpaintingTrainee:
        """Load the model and open the data; the main process searches for boxes while the others wait.

        Raises:
            BadInputError: the model, the data set or the detector cannot be used.
        """
        runtime = Runtime(accelerator.device, torch.float32)
        pipeline = load_inpainter_to_train(config.editor_location, config.revision, runtime)
        scheduler = noise_scheduler(pipeline.scheduler, config.prediction_type)
        pipeline.scheduler = sampling_scheduler(pipeline.scheduler, scheduler)
        for frozen in (pipeline.vae, pipeline.text_encoder):
            frozen.requires_grad_(False)
        switch_on_parts(pipeline.unet.train(), config.unet_parts)
        freeze_time_condition(pipeline.unet)
        if config.gradient_checkpointing:
            pipeline.unet.enable_gradient_checkpointing()
        side = config.resolution or native_size(pipeline)
        if side % pipeline.vae_scale_factor:
            raise BadInputError(f"resolution is {side}, but must be a multiple of {pipeline.vae_scale_factor} pixels")
        with accelerator.main_process_first(), writing("a cache", config.work_dir, "no step was done yet", OSError):
            data = open_captioned_data(config, side, runtime)
        return cls(config, pipeline, scheduler, data, accelerator.device)

    @property
    def parts(self) -> list[TrainedPart]:
        """The UNet."""
        return [TrainedPart(self.pipeline.unet)]

    def batch(self, step: int, part: slice) -> InpaintingBatch:
        """Draw and read some of a step's samples."""
        generator, size = step_generator(self.config, step), self.config.batch_size
        samples = self.data.samples(step, part, generator)
        timesteps = torch.randint(self.scheduler.config.num_train_timesteps, (size,), generator=generator)[part]
        side = self.data.side // self.pipeline.vae_scale_factor
        channels = self.pipeline.vae.config.latent_channels
        noise = normal_rows(size, (channels, side, side), part, generator)
        posterior = normal_rows(size, (2 * channels, side, side), part, generator)
        return InpaintingBatch(samples, timesteps, noise, posterior)

    def loss(self, modules: Modules, batch: InpaintingBatch) -> Tensor:
        """Return the denoising loss by the places' weights, see `weighted_mean`."""
        samples, device = batch.samples, self.device
        pictures, holes = samples.pictures.to(device), samples.holes.to(device).float()
        noise, timesteps = batch.noise.to(device), batch.timesteps.to(device)
        with torch.no_grad():
            # What the samplers see: the hole is grey, and the mask the nearest pixel's.
            own, holed = batch.posterior_noise.to(device).chunk(2, dim=1)
            latents = self._latents(pictures, own)
            known = self._latents(pictures * (1 - holes), holed)
            embeds = encode_prompts(self.pipeline, samples.captions).prompt_embeds.clone()
        mask = interpolate(holes, latents.shape[-2:])
        noisy = self.scheduler.add_noise(latents, noise, timesteps)
        seen = torch.cat([noisy, mask, known], dim=1)
        predicted = modules[0](seen, timesteps, embeds, return_dict=False)[0]
        target = prediction_target(self.scheduler, latents, noise, timesteps)
        errors = mse_loss(predicted.float(), target.float(), reduction="none").mean(1, keepdim=True)
        weights = self.config.known_weight + (1 - self.config.known_weight) * mask
        return weighted_mean(errors, weights)

    def _latents(self, pictures: Tensor, noise: Tensor) -> Tensor:
        """Return scaled latents, ``(B, C, h, w)``, drawn from the posterior by given noise."""
        posterior = self.pipeline.vae.encode(pictures).latent_dist
        latents: Tensor = (posterior.mean + posterior.std * noise) * self.pipeline.vae.config.scaling_factor
        return latents

    def write_samples(self, path: Path) -> None:
        """Paint some pictures' holes."""

        def paint(samples: CaptionedSamples) -> list[Image.Image]:
            pictures = [to_image(pixels) for pixels in samples.pictures]
            masks = [Image.fromarray(hole[0].numpy()).convert("L") for hole in samples.holes]
            options = InpaintingOptions(num_inference_steps=NUM_SAMPLE_STEPS)
            requests = [
                EditRequest(image=image, instruction=caption, mask=mask, seed=seed, id=str(seed))
                for seed, (image, caption, mask) in enumerate(zip(pictures, samples.captions, masks, strict=True))
            ]
            return paint_masked(self.pipeline, options, requests)

        write_painted_grid(self.data, self.config.num_samples, paint, path)

    def save(self, folder: Path, whole: Sequence[Mapping[str, Tensor]] | None) -> None:
        """Write a complete StableDiffusionInpaintPipeline."""
        if whole is not None:
            self.pipeline.unet = UNet2DConditionModel.from_config(self.pipeline.unet.config)
            self.pipeline.unet.load_state_dict(whole[0])
        self.pipeline.to("cpu")
        self.pipeline.save_pretrained(folder)
        copy_editing_defaults(Path(self.config.editor_location), folder)

    def facts(self) -> dict[str, Any]:
        """Return the hashes and the number of pictures."""
        hashes = {f"{name}_hash": value for name, value in self.config.identity().items()}
        return {**hashes, "num_pictures": len(self.data), "num_passed_over": self.data.pictures.num_passed_over}


def switch_on_parts(unet: Any, names: Sequence[str]) -> None:
    """Let these parts of a UNet train and no others; with no names, all of them.

    Raises:
        BadInputError: it has no part of such a name with weights.
    """
    modules = {name: module for name, module in unet.named_modules() if next(module.parameters(), None) is not None}
    unknown = next((name for name in names if name not in modules), None)
    if unknown is not None:
        tops = [name for name in modules if name and name.count(".") == name.startswith(("down_", "up_"))]
        raise BadInputError(
            f"unet_parts: the UNet has no part {unknown!r} with weights; among its parts are {', '.join(tops)}"
        )
    unet.requires_grad_(not names)
    for name in names:
        modules[name].requires_grad_(True)


def load_inpainter_to_train(editor: str, revision: str, runtime: Runtime) -> StableDiffusionInpaintPipeline:
    """Load an inpainting model; of a text-to-image model the UNet is widened by channels of zero weight.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: it is neither.
    """
    reference = ModelReference(role="inpainter", source=editor, revision=revision)
    kind = pipeline_class_name(reference)
    if kind == StableDiffusionInpaintPipeline.__name__:
        return open_pipeline(StableDiffusionInpaintPipeline, reference, runtime)
    if kind != StableDiffusionPipeline.__name__:
        raise BadInputError(
            f"{editor} ({kind}): training starts from a StableDiffusionInpaintPipeline or a StableDiffusionPipeline"
        )
    painter = open_pipeline(StableDiffusionPipeline, reference, runtime)
    # The mask, and the latents of the picture with its hole.
    add_input_channels(painter.unet, 1 + painter.vae.config.latent_channels)
    pipeline = StableDiffusionInpaintPipeline(**painter.components, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
