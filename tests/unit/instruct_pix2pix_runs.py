"""What tests of InstructPix2Pix's training share."""

import json
from collections.abc import Callable

import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from editfoundry.editors.editing_defaults import EditingDefaults
from editfoundry.editors.families.instruct_pix2pix.trainee import InstructPix2PixTrainee
from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining as Training

DEFAULTS = EditingDefaults(options={"num_inference_steps": 7}, made_for="drawings")
UNET_WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


def stop_after(num_steps: int) -> Callable[[], bool]:
    calls = iter(range(1, 1000))
    return lambda: next(calls) >= num_steps


def curve(config: Training) -> list[float]:
    summary = json.loads((config.output / "training.json").read_text())
    return [loss for _, loss in summary["loss_curve"]]


def unet_weights(config: Training) -> dict[str, torch.Tensor]:
    return load_file(config.output / UNET_WEIGHTS)


def loaded(config: Training) -> InstructPix2PixTrainee:
    return InstructPix2PixTrainee.load(config, Accelerator(cpu=True))
