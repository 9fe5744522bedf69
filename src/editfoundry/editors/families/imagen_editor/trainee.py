"""Imagen Editor's cascade as something to train: what is loaded, its loss, its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler, UNet2DConditionModel
from PIL import Image
from torch import Tensor

from editfoundry.editors.caption_training.caption_batches import (
    CaptionedData,
    CaptionedSamples,
    open_captioned_data,
    step_generator,
)
from editfoundry.editors.caption_training.caption_trainee import CaptionTrainee
from editfoundry.editors.caption_training.painted_grid import write_painted_grid
from editfoundry.editors.editing_defaults import copy_editing_defaults
from editfoundry.editors.families.imagen_editor.checkpoint import load_cascade_to_train
from editfoundry.editors.families.imagen_editor.masked_picture import MaskedPictureEncoder
from editfoundry.editors.families.imagen_editor.options import ImagenEditorOptions
from editfoundry.editors.families.imagen_editor.pipeline import ImagenEditorPipeline
from editfoundry.editors.families.imagen_editor.sampling import paint_holes
from editfoundry.editors.families.imagen_editor.stage import (
    RGB_CHANNELS,
    CascadeStage,
    StageDraws,
    noise_levels,
    stage_loss,
)
from editfoundry.editors.families.imagen_editor.training_config import STAGES, ImagenEditorTraining
from editfoundry.editors.triplet_training.denoising_loss import noise_scheduler, sampling_scheduler
from editfoundry.editors.triplet_training.draws import normal_rows
from editfoundry.editors.triplet_training.sample_grid import to_image
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import Runtime
from editfoundry.training.run_folder import writing
from editfoundry.training.sharding import refuse_sharding
from editfoundry.training.trainee import Modules, TrainedPart

_SAMPLING = ImagenEditorOptions(num_inference_steps=20, super_resolution_steps=10, guidance_scale=6.0)
"""Of a grid of samples."""


@dataclass(frozen=True)
class CascadeBatch:
    """Samples of a step, and the random numbers of each trained stage."""

    samples: CaptionedSamples
    draws: tuple[StageDraws, ...]


@dataclass(frozen=True)
class ImagenEditorTrainee(CaptionTrainee):
    """A cascade in training; see `training.trainee.Trainee`."""

    config: ImagenEditorTraining
    pipeline: ImagenEditorPipeline
    """In float32, on the device."""
    stages: Sequence[CascadeStage]
    """All of them."""
    trained: Sequence[int]
    """Numbers of those that train."""
    scheduler: DDPMScheduler
    """Forward process of all stages."""
    data: CaptionedData
    device: torch.device

    @classmethod
    def load(cls, config: ImagenEditorTraining, accelerator: Accelerator) -> ImagenEditorTrainee:
        """Load the cascade and open the data; the main process searches for boxes while the others wait.

        Raises:
            BadInputError: the cascade, the data set or the detector cannot be used.
        """
        runtime = Runtime(accelerator.device, torch.float32)
        pipeline = load_cascade_to_train(
            config.editor_location,
            config.revision,
            config.super_resolution_locations,
            runtime,
            config.downsampling,
            config.mask_channels,
        )
        stages = pipeline.stages
        trained = _numbers(config, len(stages))
        if len(trained) > 1:
            refuse_sharding(accelerator, "stages has several models (name one of them)")
        pipeline.text_encoder.requires_grad_(False)
        for number, stage in enumerate(stages):
            stage.requires_grad_(number in trained).train(number in trained)
            if config.gradient_checkpointing:
                stage.unet.enable_gradient_checkpointing()
        scheduler = noise_scheduler(pipeline.scheduler)
        pipeline.scheduler = sampling_scheduler(pipeline.scheduler, scheduler)
        with accelerator.main_process_first(), writing("a cache", config.work_dir, "no step was done yet", OSError):
            data = open_captioned_data(config, pipeline.side, runtime)
        return cls(config, pipeline, stages, trained, scheduler, data, accelerator.device)

    @property
    def parts(self) -> list[TrainedPart]:
        """The stages that train."""
        return [TrainedPart(self.stages[number]) for number in self.trained]

    def batch(self, step: int, part: slice) -> CascadeBatch:
        """Draw and read some of a step's samples."""
        generator = step_generator(self.config, step)
        samples = self.data.samples(step, part, generator)
        return CascadeBatch(samples, tuple(self._draws(number, part, generator) for number in self.trained))

    def _draws(self, number: int, part: slice, generator: torch.Generator) -> StageDraws:
        size, side = self.config.batch_size, self.stages[number].side
        shape = (RGB_CHANNELS, side, side)
        timesteps = torch.randint(self.scheduler.config.num_train_timesteps, (size,), generator=generator)[part]
        noise = normal_rows(size, shape, part, generator)
        if number == 0:
            return StageDraws(noise, timesteps)
        level = noise_levels(size, generator)[part]
        return StageDraws(noise, timesteps, normal_rows(size, shape, part, generator), level)

    def loss(self, modules: Modules, batch: CascadeBatch) -> Tensor:
        """Return the mean of the stages' losses."""
        samples = batch.samples
        pictures, holes = samples.pictures.to(self.device), samples.holes.to(self.device)
        embeds = self.pipeline.embed(samples.captions)
        losses = []
        for number, module, draws in zip(self.trained, modules, batch.draws, strict=True):
            smaller = self.stages[number - 1].side if number else None
            known = (self.scheduler, pictures, holes, embeds, draws.on(self.device), smaller)
            losses.append(stage_loss(module, *known, known_weight=self.config.known_weight))
        return torch.stack(losses).mean()

    def write_samples(self, path: Path) -> None:
        """Paint some pictures' holes."""

        def paint(samples: CaptionedSamples) -> list[Image.Image]:
            seeds = list(range(len(samples.captions)))
            given = (samples.captions, samples.pictures.to(self.device), samples.holes.to(self.device), seeds)
            return [to_image(pixels) for pixels in paint_holes(self.pipeline, *given, _SAMPLING).cpu()]

        write_painted_grid(self.data, self.config.num_samples, paint, path)

    def save(self, folder: Path, whole: Sequence[Mapping[str, Tensor]] | None) -> None:
        """Write the whole cascade in diffusers' layout."""
        if whole is not None:
            [number] = self.trained
            self._put_in_place(number, whole[0])
        self.pipeline.to("cpu")
        self.pipeline.save_pretrained(folder)
        copy_editing_defaults(Path(self.config.editor_location), folder)

    def _put_in_place(self, number: int, weights: Mapping[str, Tensor]) -> None:
        """Give the pipeline a stage with these weights, in the place of one that is spread over processes."""
        old = self.stages[number]
        new = CascadeStage(
            UNet2DConditionModel.from_config(old.unet.config), MaskedPictureEncoder.from_config(old.mask_encoder.config)
        )
        new.load_state_dict(weights)
        ending = f"_{number + 1}" if number else ""
        self.pipeline.register_modules(**{f"unet{ending}": new.unet, f"mask_encoder{ending}": new.mask_encoder})

    def facts(self) -> dict[str, Any]:
        """Return the hashes and the number of pictures."""
        hashes = {f"{name}_hash": value for name, value in self.config.identity().items()}
        return {**hashes, "num_pictures": len(self.data), "num_passed_over": self.data.pictures.num_passed_over}


def _numbers(config: ImagenEditorTraining, num_stages: int) -> list[int]:
    """Return the numbers of the stages that train.

    Raises:
        BadInputError: the cascade has no such stage.
    """
    wanted = config.stages or STAGES[:num_stages]
    missing = [name for name in wanted if STAGES.index(name) >= num_stages]
    if missing:
        raise BadInputError(f"stages names {missing[0]}, but the cascade has {', '.join(STAGES[:num_stages])}")
    return sorted(STAGES.index(name) for name in set(wanted))
