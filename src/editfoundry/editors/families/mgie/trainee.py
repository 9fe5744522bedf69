"""An MGIE editor as something to train, end to end: what is loaded, its loss, its checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler
from PIL import Image
from torch import Tensor

from editfoundry.editors.editing_defaults import copy_editing_defaults
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.editors.families.instruct_pix2pix.trainee import NUM_SAMPLE_STEPS, load_editor_to_train
from editfoundry.editors.families.mgie.edit_head import EditHead
from editfoundry.editors.families.mgie.expressive_mllm import ExpressiveMllm, Told
from editfoundry.editors.families.mgie.model import MLLM_FOLDER, MgieModel, check_widths, load_mgie, save_mgie
from editfoundry.editors.families.mgie.picture_tokens import add_picture_tokens
from editfoundry.editors.families.mgie.pipeline import MgiePipeline
from editfoundry.editors.families.mgie.training_config import MgieTraining
from editfoundry.editors.families.mgie.training_data import open_expressive_triplets
from editfoundry.editors.triplet_training.denoising_loss import denoising_loss, noise_scheduler, sampling_scheduler
from editfoundry.editors.triplet_training.pair_batches import PairBatch
from editfoundry.editors.triplet_training.sample_grid import write_sample_grid
from editfoundry.editors.triplet_training.triplet_data import TripletData
from editfoundry.editors.triplet_training.triplet_pixels import TripletPixels
from editfoundry.editors.working_size import native_size
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.vision_language_model import open_vision_language_model
from editfoundry.training.run_folder import writing
from editfoundry.training.trainee import Modules, TrainedPart, Validation


@dataclass(frozen=True)
class MgieTrainee:
    """An editor in training; see `training.trainee.Trainee`."""

    config: MgieTraining
    model: MgieModel
    """In float32; what is trained is on the device."""
    trained_mllm: ExpressiveMllm
    """Token embeddings and head of ``model.mllm``."""
    scheduler: DDPMScheduler
    """Forward process."""
    data: TripletData
    validated: TripletData | None
    resolution: int
    """Side of the training images in pixels."""
    device: torch.device

    @classmethod
    def load(cls, config: MgieTraining, accelerator: Accelerator) -> MgieTrainee:
        """Load all parts, and make or open the caches; the main process makes them while the others wait.

        Raises:
            BadInputError: a part or the data set cannot be used.
        """
        device = accelerator.device
        if accelerator.distributed_type.value in ("FSDP", "DEEPSPEED"):
            raise BadInputError("MGIE trains three models side by side, but FSDP and DeepSpeed one: leave them off")
        model = load_mgie_to_train(config, device)
        if config.mllm_precision != "float32":
            keep_frozen_in(model.mllm.model, getattr(torch, config.mllm_precision))
        pipeline = model.pipeline
        scheduler = noise_scheduler(pipeline.scheduler, config.prediction_type, config.zero_terminal_snr)
        pipeline.scheduler = sampling_scheduler(pipeline.scheduler, scheduler)
        pipeline.vae.requires_grad_(False)
        resolution = config.resolution or native_size(pipeline)
        timesteps, validated = scheduler.config.num_train_timesteps, None
        with accelerator.main_process_first(), writing("a cache", config.work_dir, "no step was done yet", OSError):
            data = open_expressive_triplets(config, config.dataset, pipeline, model.mllm, resolution, timesteps)
            if config.validation_dataset is not None:
                plain, dataset = replace(config, horizontal_flip=False), config.validation_dataset
                validated = open_expressive_triplets(
                    plain, dataset, pipeline, model.mllm, resolution, timesteps, "validation"
                )
        if config.cache_latents:
            pipeline.vae.to("cpu")
        trained_mllm = _switch_on(model, config, device)
        return cls(config, model, trained_mllm, scheduler, data, validated, resolution, device)

    @property
    def parts(self) -> list[TrainedPart]:
        """The UNet, the edit head and, at a rate of its own, what trains of the language model."""
        parts = [TrainedPart(self.model.pipeline.unet), TrainedPart(self.model.edit_head)]
        if self.config.trains_mllm:
            parts.append(TrainedPart(self.trained_mllm, self.config.mllm_learning_rate / self.config.learning_rate))
        return parts

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
        """Return the sum of the answers' cross-entropy and the weighted denoising loss (MGIE, eq. 6)."""
        return self._loss(modules, batch, self.data)

    def validation(self) -> list[Validation]:
        """Return the same loss of triplets that are only looked at."""
        data = self.validated
        return [] if data is None else [self._validation(data, *of_size) for of_size in data.validation()]

    def _validation(self, data: TripletData, size: int, read: Callable[[slice], PairBatch]) -> Validation:
        return Validation(
            lambda part: self._for_the_device(read(part)), size, lambda modules, batch: self._loss(modules, batch, data)
        )

    def write_samples(self, path: Path) -> None:
        """Edit the first triplets of the validation data, or else of the training data, and write the grid."""
        config, pipeline = self.config, self.model.pipeline
        split = "train" if config.validation_dataset is None else "validation"
        pixels = TripletPixels(config.validation_dataset or config.dataset, self.resolution, split=split)

        def edit(images: list[Image.Image], instructions: list[str]) -> list[Image.Image]:
            is_mixed = config.mllm_precision != "float32"
            with torch.autocast(self.device.type, torch.bfloat16, enabled=is_mixed):
                imagined = self.model.imagine(images, instructions)
            return edit_images(
                pipeline,
                images,
                instructions,
                seeds=[config.seed + number for number in range(len(images))],
                num_inference_steps=NUM_SAMPLE_STEPS,
                prompt_embeds=imagined.prompt_embeds.float(),
                negative_prompt_embeds=imagined.null_embeds.float(),
            )

        vae_was_on = pipeline.vae.device
        pipeline.vae.to(pipeline.unet.device)
        write_sample_grid(pixels, config.num_samples, edit, path)
        pipeline.vae.to(vae_was_on)

    def save(self, folder: Path, whole: Sequence[Mapping[str, Tensor]] | None) -> None:
        """Write a complete checkpoint, the language model included."""
        pipeline = self.model.pipeline
        pipeline.to("cpu")
        pipeline.unet.to(memory_format=torch.contiguous_format)
        self.model.mllm.model.gradient_checkpointing_disable()
        save_mgie(self.model, folder)
        copy_editing_defaults(Path(self.config.editor_location), folder)

    def facts(self) -> dict[str, Any]:
        """Return the hashes and the number of triplets."""
        hashes = {f"{name}_hash": value for name, value in self.config.identity().items()}
        return {**hashes, "num_triplets": len(self.data)}

    def _for_the_device(self, batch: PairBatch) -> PairBatch:
        return batch.pinned() if self.device.type == "cuda" else batch

    def _loss(self, modules: Modules, batch: PairBatch, data: TripletData) -> Tensor:
        config, (unet, edit_head, *trained) = self.config, modules
        batch = batch.on(self.device)
        pairs = data.latent_pairs(batch, self.model.pipeline.vae.config.scaling_factor)
        features = batch.pictures[0] if config.sees_picture else None
        with torch.set_grad_enabled(config.trains_mllm and torch.is_grad_enabled()):
            mllm = trained[0] if trained else self.trained_mllm
            told = mllm(batch.texts[:, 0], batch.texts[:, 1], features)
        if not config.edit_loss_reaches_mllm:
            told = Told(told.loss, told.states.detach(), told.token_embeds.detach())
        # One pass of the head gives the null condition beside the others.
        conditions = edit_head(torch.cat([told.states, torch.zeros_like(told.states[:1])]), told.token_embeds)
        extra = config.change_weight - 1
        edit_loss = denoising_loss(
            unet,
            self.scheduler,
            latents=pairs.outputs,
            image_latents=pairs.inputs,
            noise=batch.noise,
            timesteps=batch.timesteps,
            prompt_embeds=torch.where(batch.drop_text[:, None, None], conditions[-1:], conditions[:-1]),
            snr_gamma=config.snr_gamma,
            weights=1 + extra * pairs.changed if extra else None,
        )
        loss: Tensor = told.loss + config.edit_loss_weight * edit_loss
        return loss


def load_mgie_to_train(config: MgieTraining, device: torch.device) -> MgieModel:
    """Load all parts in float32, the language model on ``device``; what an editor lacks of them is made anew.

    Raises:
        BadInputError: a part cannot be loaded, or the language model is named twice or not at all.
    """
    on_device = Runtime(device, torch.float32)
    if (Path(config.editor_location) / MLLM_FOLDER).is_dir():
        if config.mllm:
            raise BadInputError(
                f"mllm is {config.mllm!r}, but {config.editor} is an MGIE editor with its own: leave it"
            )
        found = load_mgie(Path(config.editor_location), on_device)
        found.pipeline.register_to_config(sees_picture=config.sees_picture)
        return found
    if not config.mllm:
        raise BadInputError(f"mllm names no language model, and {config.editor} is no MGIE editor that has one")
    base, _ = load_editor_to_train(config.editor_location, config.revision)
    mllm = open_vision_language_model(config.mllm_reference, on_device)
    add_picture_tokens(mllm.model, mllm.processor, config.seed)
    edit_head = EditHead(
        state_dim=mllm.model.get_input_embeddings().weight.shape[1],
        hidden_dim=config.head_dim,
        num_layers=config.head_layers,
        num_heads=config.head_heads,
        feedforward_dim=config.head_feedforward_dim,
        num_queries=config.num_queries,
        output_dim=base.unet.config.cross_attention_dim,
    )
    pipeline = MgiePipeline(base.vae, base.unet, base.scheduler, sees_picture=config.sees_picture)
    check_widths(config.editor, pipeline, mllm, edit_head)
    return MgieModel(pipeline, mllm, edit_head)


def keep_frozen_in(model: Any, dtype: torch.dtype) -> None:
    """Put what is never trained of a LLaVA into a precision: all its weights but token embeddings and head."""
    trained = (model.get_input_embeddings().weight, model.get_output_embeddings().weight)
    for weight in model.parameters():
        if all(weight is not one for one in trained):
            weight.data = weight.data.to(dtype)


def _switch_on(model: MgieModel, config: MgieTraining, device: torch.device) -> ExpressiveMllm:
    """Put what trains on the device; return the language model's part of it."""
    unet, llava, tokenizer = model.pipeline.unet, model.mllm.model, model.mllm.processor.tokenizer
    unet.to(device, memory_format=torch.channels_last).train()
    model.edit_head.to(device).train()
    ids = add_picture_tokens(llava, model.mllm.processor)
    trained = ExpressiveMllm(llava, ids, tokenizer.pad_token_id, config.trains_mllm)
    if config.gradient_checkpointing:
        unet.enable_gradient_checkpointing()
        # Only a model in training mode keeps less; it has no dropout that this would switch on.
        llava.train()
        llava.gradient_checkpointing_enable({"use_reentrant": False})
    return trained
