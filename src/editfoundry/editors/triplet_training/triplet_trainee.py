"""What the families' trainees share: samples of triplets, their denoising loss, their validation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler, DiffusionPipeline
from torch import Tensor

from editfoundry.diffusion.guidance import Denoiser
from editfoundry.editors.triplet_training.denoising_loss import denoising_loss, noise_scheduler, sampling_scheduler
from editfoundry.editors.triplet_training.pair_batches import PairBatch
from editfoundry.editors.triplet_training.triplet_config import TripletConfig
from editfoundry.editors.triplet_training.triplet_data import TripletData, training_pictures
from editfoundry.editors.triplet_training.triplet_pixels import TripletPixels
from editfoundry.editors.working_size import native_size
from editfoundry.errors import BadInputError
from editfoundry.training.run_folder import writing
from editfoundry.training.trainee import Modules, Validation

Config = TypeVar("Config", bound=TripletConfig)


@dataclass(frozen=True, kw_only=True)
class TripletTrainee(ABC):
    """A denoiser that learns edits from triplets; a family adds its modules, its condition and its checkpoint.

    See `training.trainee.Trainee`, whose methods these are.
    """

    config: TripletConfig
    scheduler: DDPMScheduler
    """Forward process."""
    data: TripletData
    validated: TripletData | None
    """What is only looked at, if anything."""
    resolution: int
    """Side of the training images in pixels, or of the square whose area they have."""
    device: torch.device

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
        return self._for_the_device(self.data.batch(step, part))

    def loss(self, modules: Modules, batch: PairBatch) -> Tensor:
        """Return the family's loss of triplets that are trained on."""
        return self.loss_of(modules, batch, self.data)

    def validation(self) -> list[Validation]:
        """Return the family's loss of triplets that are only looked at."""
        return self.validations(lambda pairs: pairs, self.loss_of)

    @abstractmethod
    def loss_of(self, modules: Modules, batch: PairBatch, data: TripletData) -> Tensor:
        """Return the mean loss of samples of ``data``, a scalar; the family's own."""

    def validations(
        self, of_pairs: Callable[[PairBatch], Any], loss: Callable[[Modules, Any, TripletData], Tensor]
    ) -> list[Validation]:
        """Return what to validate on, one for each size of the pictures.

        Args:
            of_pairs: makes of the samples that were read what ``loss`` takes.
            loss: of modules, samples and the data that they are of.
        """
        data = self.validated
        if data is None:
            return []

        def of_size(size: int, read: Callable[[slice], PairBatch]) -> Validation:
            return Validation(
                lambda part: of_pairs(self._for_the_device(read(part))),
                size,
                lambda modules, batch: loss(modules, batch, data),
            )

        return [of_size(*found) for found in data.validation()]

    def denoising_loss(
        self, denoiser: Denoiser, batch: PairBatch, data: TripletData, prompt_embeds: Tensor, scaling_factor: float
    ) -> Tensor:
        """Return the denoising loss (InstructPix2Pix, eq. 1) of samples that are on the device, as `config` weighs it.

        Args:
            denoiser: the widened UNet, or what is called in its place.
            batch: B samples.
            data: that they are of.
            prompt_embeds: ``(B, L, D)``.
            scaling_factor: the VAE's.
        """
        pairs = data.latent_pairs(batch, scaling_factor)
        extra = self.config.change_weight - 1
        return denoising_loss(
            denoiser,
            self.scheduler,
            latents=pairs.outputs,
            image_latents=pairs.inputs,
            noise=batch.noise,
            timesteps=batch.timesteps,
            prompt_embeds=prompt_embeds,
            snr_gamma=self.config.snr_gamma,
            weights=1 + extra * pairs.changed if extra else None,
        )

    def sample_pixels(self) -> TripletPixels:
        """Return the triplets of a grid of samples: the validation data's, or else the training data's.

        Of several sizes of pictures, those of the commonest one are taken.
        """
        validation = self.config.validation_dataset
        split = "train" if validation is None else "validation"
        return training_pictures(self.config, validation or self.config.dataset, self.resolution, split)[0][1]

    def facts(self) -> dict[str, Any]:
        """Return the hashes and the number of triplets."""
        hashes = {f"{name}_hash": value for name, value in self.config.identity().items()}
        return {**hashes, "num_triplets": len(self.data)}

    def _for_the_device(self, batch: PairBatch) -> PairBatch:
        """Return a batch in pinned memory where it will be copied to a GPU."""
        return batch.pinned() if self.device.type == "cuda" else batch


def forward_process(config: TripletConfig, pipeline: DiffusionPipeline) -> DDPMScheduler:
    """Return the process that ``config`` trains on, and let the pipeline sample from what it trains.

    Raises:
        BadInputError: see `noise_scheduler`.
    """
    scheduler = noise_scheduler(pipeline.scheduler, config.prediction_type, config.zero_terminal_snr)
    pipeline.scheduler = sampling_scheduler(pipeline.scheduler, scheduler)
    return scheduler


def training_resolution(config: TripletConfig, pipeline: DiffusionPipeline) -> int:
    """Return the side of the training images in pixels.

    Raises:
        BadInputError: the latents of such pictures have no whole sides.
    """
    resolution = config.resolution or native_size(pipeline)
    if resolution % pipeline.vae_scale_factor:
        raise BadInputError(f"resolution is {resolution}, but must be a multiple of {pipeline.vae_scale_factor} pixels")
    return resolution


def open_both(
    config: Config, accelerator: Accelerator, opened: Callable[[Config, Path, str], TripletData]
) -> tuple[TripletData, TripletData | None]:
    """Return the data that is trained on, and the validation data where ``config`` names some.

    The main process makes the caches while the others wait.

    Args:
        config: names both; of the validation data, no picture is mirrored.
        accelerator: of the training.
        opened: makes or opens the caches of a data set and a split of it, as a configuration says.

    Raises:
        BadInputError: a data set cannot be used, or a cache cannot be written.
    """
    with accelerator.main_process_first(), writing("a cache", config.work_dir, "no step was done yet", OSError):
        data = opened(config, config.dataset, "train")
        if config.validation_dataset is None:
            return data, None
        plain = replace(config, horizontal_flip=False, augment_apart=False)
        return data, opened(plain, config.validation_dataset, "validation")
