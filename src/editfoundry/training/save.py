"""The finished checkpoint: a complete pipeline in diffusers' layout and ``training.json``."""

from __future__ import annotations

import json
import shutil
from typing import Any

import torch
from accelerate import Accelerator
from diffusers import StableDiffusionInstructPix2PixPipeline, UNet2DConditionModel
from torch import nn

from editfoundry.data.atomic import atomic_folder
from editfoundry.training.adapters import LORA_FOLDER, merge_lora
from editfoundry.training.config import TrainingConfig
from editfoundry.training.fingerprint import dataset_hash, editor_hash
from editfoundry.training.finished import STAGE, SUMMARY_NAME
from editfoundry.training.history import History
from editfoundry.training.samples import FOLDER as SAMPLES_FOLDER


def save_checkpoint(
    pipeline: StableDiffusionInstructPix2PixPipeline, config: TrainingConfig, history: History, num_triplets: int,
    was_widened: bool = False,
) -> None:  # fmt: skip
    """Put the trained pipeline, with its summary, in the place of whatever an earlier run left in ``config.output``.

    LoRA updates are merged into the weights, and kept apart as well where they are all that was trained.
    """
    summary = training_summary(config, history, num_triplets)
    with atomic_folder(config.output, STAGE) as partial:
        if config.lora_rank:
            alone = not (was_widened or config.train_text_encoder)
            merge_lora(pipeline.unet, partial / LORA_FOLDER if alone else None)
        if (config.output / SAMPLES_FOLDER).is_dir():
            shutil.copytree(config.output / SAMPLES_FOLDER, partial / SAMPLES_FOLDER)
        pipeline.unet.to(memory_format=torch.contiguous_format)
        pipeline.save_pretrained(partial)
        (partial / SUMMARY_NAME).write_text(json.dumps(summary, indent=2) + "\n")


def whole_unet(accelerator: Accelerator, prepared: nn.Module, unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """Return the UNet with all its weights, which FSDP shares out among the processes; all of them call this."""
    if accelerator.distributed_type.value != "FSDP":
        return unet
    weights = accelerator.get_state_dict(prepared)
    if not accelerator.is_main_process:
        return unet
    whole: UNet2DConditionModel = UNet2DConditionModel.from_config(unet.config)
    whole.load_state_dict(weights)
    return whole


def training_summary(config: TrainingConfig, history: History, num_triplets: int) -> dict[str, Any]:
    """Return the content of ``training.json``."""
    return {
        "run_hash": history.run_hash,
        "dataset_hash": dataset_hash(config.dataset),
        "editor_hash": editor_hash(config.editor),
        "num_triplets": num_triplets,
        **history.summary(config.batch_size, config.log_every),
        "config": config.as_dict(),
    }
