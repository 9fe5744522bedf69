"""An MGIE editor as something to train, end to end: what is loaded, its loss, its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
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
from editfoundry.editors.triplet_training.pair_batches import PairBatch
from editfoundry.editors.triplet_training.sample_grid import write_sample_grid
from editfoundry.editors.triplet_training.triplet_data import TripletData
from editfoundry.editors.triplet_training.triplet_trainee import (
    TripletTrainee,
    forward_process,
    open_both,
    training_resolution,
)
from editfoundry.errors import BadInputError
from editfoundry.pretrained.activation_checkpointing import checkpoint_activations
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.vision_language_model import open_vision_language_model
from editfoundry.training.trainee import Modules, TrainedPart


@dataclass(frozen=True, kw_only=True)
class MgieTrainee(TripletTrainee):
    """An editor in training; see `training.trainee.Trainee`."""

    config: MgieTraining
    model: MgieModel
    """In float32; what is trained is on the device."""
    trained_mllm: ExpressiveMllm
    """Token embeddings and head of ``model.mllm``."""

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
        scheduler = forward_process(config, pipeline)
        pipeline.vae.requires_grad_(False)
        resolution, timesteps = training_resolution(config, pipeline), scheduler.config.num_train_timesteps

        def opened(chosen: MgieTraining, dataset: Path, split: str) -> TripletData:
            return open_expressive_triplets(chosen, dataset, pipeline, model.mllm, resolution, timesteps, split)

        data, validated = open_both(config, accelerator, opened)
        if config.cache_latents:
            pipeline.vae.to("cpu")
        trained_mllm = _switch_on(model, config, device)
        return cls(
            config=config,
            model=model,
            trained_mllm=trained_mllm,
            scheduler=scheduler,
            data=data,
            validated=validated,
            resolution=resolution,
            device=device,
        )

    @property
    def parts(self) -> list[TrainedPart]:
        """The UNet, the edit head and, at a rate of its own, what trains of the language model."""
        parts = [TrainedPart(self.model.pipeline.unet), TrainedPart(self.model.edit_head)]
        if self.config.trains_mllm:
            parts.append(TrainedPart(self.trained_mllm, self.config.mllm_learning_rate / self.config.learning_rate))
        return parts

    def loss_of(self, modules: Modules, batch: PairBatch, data: TripletData) -> Tensor:
        """Return the sum of the answers' cross-entropy and the weighted denoising loss (MGIE, eq. 6)."""
        config, (unet, edit_head, *trained) = self.config, modules
        batch = batch.on(self.device)
        features = batch.pictures[0] if config.sees_picture else None
        with torch.set_grad_enabled(config.trains_mllm and torch.is_grad_enabled()):
            mllm = trained[0] if trained else self.trained_mllm
            told = mllm(batch.texts[:, 0], batch.texts[:, 1], features)
        if not config.edit_loss_reaches_mllm:
            told = Told(told.loss, told.states.detach(), told.token_embeds.detach())
        # One pass of the head gives the null condition beside the others.
        conditions = edit_head(torch.cat([told.states, torch.zeros_like(told.states[:1])]), told.token_embeds)
        prompt_embeds = torch.where(batch.drop_text[:, None, None], conditions[-1:], conditions[:-1])
        scaling_factor = self.model.pipeline.vae.config.scaling_factor
        edit_loss = self.denoising_loss(unet, batch, data, prompt_embeds, scaling_factor)
        loss: Tensor = told.loss + config.edit_loss_weight * edit_loss
        return loss

    def write_samples(self, path: Path) -> None:
        """Edit the first triplets of the validation data, or else of the training data, and write the grid."""
        config, pipeline = self.config, self.model.pipeline

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
        write_sample_grid(self.sample_pixels(), config.num_samples, edit, path)
        pipeline.vae.to(vae_was_on)

    def save(self, folder: Path, whole: Sequence[Mapping[str, Tensor]] | None) -> None:
        """Write a complete checkpoint, the language model included."""
        pipeline = self.model.pipeline
        pipeline.to("cpu")
        pipeline.unet.to(memory_format=torch.contiguous_format)
        checkpoint_activations(self.model.mllm.model, on=False)
        save_mgie(self.model, folder)
        copy_editing_defaults(Path(self.config.editor_location), folder)


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
        checkpoint_activations(llava, use_reentrant=False)
    return trained
