"""An MGIE editor as something to train, end to end: what is loaded, its loss, its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers import StableDiffusionInstructPix2PixPipeline
from PIL import Image
from torch import Tensor
from torch.nn.functional import mse_loss

from editfoundry.diffusion.time_condition import freeze_time_condition
from editfoundry.editors.editing_defaults import copy_editing_defaults
from editfoundry.editors.families.instruct_pix2pix.instruction_embeds import tokenize
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
from editfoundry.editors.triplet_training.triplet_data import Encoders, TripletData
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
from editfoundry.training.sharding import refuse_sharding
from editfoundry.training.trainee import Modules, TrainedPart
from editfoundry.training.validation import evaluating


@dataclass(frozen=True, kw_only=True)
class MgieTrainee(TripletTrainee):
    """An editor in training; see `training.trainee.Trainee`."""

    config: MgieTraining
    model: MgieModel
    """In float32; what is trained is on the device."""
    trained_mllm: ExpressiveMllm
    """Token embeddings and head of ``model.mllm``."""
    null_text_states: Tensor | None
    """``(1, L, D)``, the starting editor's text encoder's of no words; None where nothing is learnt from it."""

    @classmethod
    def load(cls, config: MgieTraining, accelerator: Accelerator) -> MgieTrainee:
        """Load all parts, and make or open the caches; the main process makes them while the others wait.

        Raises:
            BadInputError: a part or the data set cannot be used.
        """
        device = accelerator.device
        refuse_sharding(accelerator, "MGIE trains three models side by side")
        model, base = load_mgie_to_train(config, device)
        if config.mllm_precision != "float32":
            keep_frozen_in(model.mllm.model, getattr(torch, config.mllm_precision))
        pipeline = model.pipeline
        scheduler = forward_process(config, pipeline)
        pipeline.vae.requires_grad_(False)
        resolution, timesteps = training_resolution(config, pipeline), scheduler.config.num_train_timesteps
        encoders = _text_encoders(config, base, model) if config.text_loss_weight else None

        def opened(chosen: MgieTraining, dataset: Path, split: str) -> TripletData:
            parts = (pipeline, model.mllm, resolution, timesteps, split, encoders)
            return open_expressive_triplets(chosen, dataset, *parts)

        data, validated = open_both(config, accelerator, opened)
        if config.cache_latents:
            pipeline.vae.to("cpu")
        trained_mllm = _switch_on(model, config, device)
        return cls(
            config=config,
            model=model,
            trained_mllm=trained_mllm,
            null_text_states=None if encoders is None else _states_of_nothing(encoders, device),
            scheduler=scheduler,
            data=data,
            validated=validated,
            resolution=resolution,
            device=device,
        )

    @property
    def parts(self) -> list[TrainedPart]:
        """The edit head and, where they train, the UNet and, at a rate of its own, the language model's part."""
        rate = self.config.mllm_learning_rate / self.config.learning_rate
        unet = [TrainedPart(self.model.pipeline.unet)] if self.config.trains_unet else []
        mllm = [TrainedPart(self.trained_mllm, rate)] if self.config.trains_mllm else []
        return [*unet, TrainedPart(self.model.edit_head), *mllm]

    def loss_of(self, modules: Modules, batch: PairBatch, data: TripletData) -> Tensor:
        """Return the sum of the answers' cross-entropy and the weighted other losses (MGIE, eq. 6)."""
        config, trained = self.config, iter(modules)
        unet = next(trained) if config.trains_unet else self.model.pipeline.unet
        edit_head, mllm = next(trained), next(trained, self.trained_mllm)
        batch = batch.on(self.device)
        more = iter(batch.pictures)
        features = next(more) if config.sees_picture else None
        with torch.set_grad_enabled(config.trains_mllm and torch.is_grad_enabled()):
            told = mllm(batch.texts[:, 0], batch.texts[:, 1], features)
        if not config.edit_loss_reaches_mllm:
            told = Told(told.loss, told.states.detach(), told.token_embeds.detach())
        # One pass of the head gives the null condition beside the others.
        conditions = edit_head(torch.cat([told.states, torch.zeros_like(told.states[:1])]), told.token_embeds)
        is_null = batch.drop_text[:, None, None]
        prompt_embeds = torch.where(is_null, conditions[-1:], conditions[:-1])
        loss: Tensor = told.loss
        if self.null_text_states is not None:
            wanted = torch.where(is_null, self.null_text_states, next(more))
            loss = loss + config.text_loss_weight * mse_loss(prompt_embeds.float(), wanted)
        if config.edit_loss_weight:
            scaling_factor = self.model.pipeline.vae.config.scaling_factor
            edit_loss = self.denoising_loss(unet, batch, data, prompt_embeds, scaling_factor)
            loss = loss + config.edit_loss_weight * edit_loss
        return loss

    def write_samples(self, path: Path) -> None:
        """Edit the first triplets of the validation data, or else of the training data, and write the grid."""
        config, pipeline = self.config, self.model.pipeline

        def edit(images: list[Image.Image], instructions: list[str]) -> list[Image.Image]:
            is_mixed = config.mllm_precision != "float32"
            precision = torch.autocast(self.device.type, torch.bfloat16, enabled=is_mixed)
            # In training mode, checkpointed layers forget the tokens before the newest one.
            with evaluating([self.model.mllm.model]), precision:
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


def load_mgie_to_train(
    config: MgieTraining, device: torch.device
) -> tuple[MgieModel, StableDiffusionInstructPix2PixPipeline | None]:
    """Load all parts in float32, the language model on ``device``; what an editor lacks of them is made anew.

    The second value is the editor whose text encoder can be learnt from, if there is one.

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
        return found, load_editor_to_train(config.text_loss_location)[0] if config.text_loss_editor else None
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
    if config.text_loss_editor:
        base, _ = load_editor_to_train(config.text_loss_location)
    return MgieModel(pipeline, mllm, edit_head), base


def _text_encoders(
    config: MgieTraining, base: StableDiffusionInstructPix2PixPipeline | None, model: MgieModel
) -> Encoders:
    if base is None:
        raise BadInputError(
            f"text_loss_weight is on, but {config.editor} is an MGIE editor and has no text encoder: name the editor "
            "that has it as text_loss_editor"
        )
    given, wanted = model.edit_head.config.num_queries, base.tokenizer.model_max_length
    if given != wanted:
        raise BadInputError(
            f"num_queries is {given}, but must be {wanted} where text_loss_weight is on: the tokens that the text "
            f"encoder of {config.text_loss_editor or config.editor} gives"
        )
    out = base.text_encoder.config.hidden_size
    if out != model.edit_head.config.output_dim:
        raise BadInputError(
            f"the text encoder of {config.text_loss_location} gives {out} numbers a token, but the UNet of "
            f"{config.editor} reads {model.edit_head.config.output_dim}: name an editor of the same UNet"
        )
    encoder = base.text_encoder.requires_grad_(False).eval()
    revision = "main" if config.text_loss_editor else config.revision
    return Encoders(config.text_loss_location, base.vae, base.tokenizer, encoder, revision=revision)


@torch.no_grad()
def _states_of_nothing(encoders: Encoders, device: torch.device) -> Tensor:
    encoder = encoders.text_encoder.to(device)
    states: Tensor = encoder(tokenize(encoders.tokenizer, [""]).to(device))[0].float()
    encoder.to("cpu")
    return states


def keep_frozen_in(model: Any, dtype: torch.dtype) -> None:
    """Put what is never trained of a LLaVA into a precision: all its weights but token embeddings and head."""
    trained = (model.get_input_embeddings().weight, model.get_output_embeddings().weight)
    for weight in model.parameters():
        if all(weight is not one for one in trained):
            weight.data = weight.data.to(dtype)


def _switch_on(model: MgieModel, config: MgieTraining, device: torch.device) -> ExpressiveMllm:
    """Put what trains on the device; return the language model's part of it."""
    unet, llava, tokenizer = model.pipeline.unet, model.mllm.model, model.mllm.processor.tokenizer
    unet.to(device, memory_format=torch.channels_last).train().requires_grad_(config.trains_unet)
    freeze_time_condition(unet)
    model.edit_head.to(device).train()
    ids = add_picture_tokens(llava, model.mllm.processor)
    trained = ExpressiveMllm(llava, ids, tokenizer.pad_token_id, config.trains_mllm, config.trains_mllm_blocks)
    if config.gradient_checkpointing:
        unet.enable_gradient_checkpointing()
        # Only a model in training mode keeps less; it has no dropout that this would switch on.
        llava.train()
        checkpoint_activations(llava, use_reentrant=False)
    return trained
