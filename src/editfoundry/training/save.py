"""The finished checkpoint: a complete pipeline in diffusers' layout and ``training.json``."""

from __future__ import annotations

import json
from typing import Any

import torch
from diffusers import StableDiffusionInstructPix2PixPipeline

from editfoundry.data.atomic import atomic_folder
from editfoundry.training.config import TrainingConfig
from editfoundry.training.fingerprint import dataset_hash, editor_hash
from editfoundry.training.finished import STAGE, SUMMARY_NAME
from editfoundry.training.history import History


def save_checkpoint(
    pipeline: StableDiffusionInstructPix2PixPipeline, config: TrainingConfig, history: History, num_triplets: int
) -> None:
    """Put the trained pipeline, with its summary, in the place of whatever an earlier run left in ``config.output``."""
    summary = training_summary(config, history, num_triplets)
    with atomic_folder(config.output, STAGE) as partial:
        pipeline.unet.to(memory_format=torch.contiguous_format)
        pipeline.save_pretrained(partial)
        (partial / SUMMARY_NAME).write_text(json.dumps(summary, indent=2) + "\n")


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
