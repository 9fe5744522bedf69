"""Grids of edits while an editor trains: input, edit and target, with the same noise every time."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import StableDiffusionInstructPix2PixPipeline
from PIL import Image

from editfoundry.data.atomic import atomic_file
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.training.config import TrainingConfig
from editfoundry.training.data import TripletPixels

FOLDER = "samples"
NUM_INFERENCE_STEPS = 20


def sample_path(config: TrainingConfig, step: int) -> Path:
    """Return where the grid of a step lies."""
    return config.output / FOLDER / f"step-{step:08}.png"


def write_samples(
    pipeline: StableDiffusionInstructPix2PixPipeline, config: TrainingConfig, resolution: int, step: int
) -> None:
    """Edit the first triplets of the validation data, or else of the training data, and write the grid.

    Args:
        pipeline: the editor with the weights to look at; its parts may lie on several devices.
        config: says how many, and where the grid goes.
        resolution: side of the square images, pixels.
        step: optimizer steps done.
    """
    split = "train" if config.validation_dataset is None else "validation"
    pixels = TripletPixels(config.validation_dataset or config.dataset, resolution, split=split)
    numbers = range(min(config.num_samples, len(pixels)))
    pairs = [[_to_image(image) for image in pixels[number]] for number in numbers]
    instructions = pixels.instructions()[: len(numbers)]
    vae_was_on = pipeline.vae.device
    pipeline.to(pipeline.unet.device)
    edits = edit_images(
        pipeline, [pair[0] for pair in pairs], instructions, seeds=[config.seed + number for number in numbers],
        num_inference_steps=NUM_INFERENCE_STEPS,
    )  # fmt: skip
    pipeline.vae.to(vae_was_on)
    sheet = Image.new("RGB", (3 * resolution, len(pairs) * resolution))
    for row, ((before, after), edit) in enumerate(zip(pairs, edits, strict=True)):
        for column, image in enumerate((before, edit, after)):
            sheet.paste(image, (column * resolution, row * resolution))
    with atomic_file(sample_path(config, step)) as file:
        sheet.save(file, "PNG")


def _to_image(pixels: torch.Tensor) -> Image.Image:
    values = ((pixels + 1) * 127.5).round().clamp(0, 255).byte()
    return Image.fromarray(values.permute(1, 2, 0).numpy())
