"""A random editor of the real classes, small enough to run in milliseconds: 32 px images, 16 x 16 latents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    StableDiffusionInstructPix2PixPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from editfoundry.data.record import Triplet
from editfoundry.data.shards import write_triplets

IMAGE_SIZE = 32
"""Pixels."""
SCHEDULERS = {"ddim": DDIMScheduler, "euler-ancestral": EulerAncestralDiscreteScheduler}


def tiny_tokenizer() -> CLIPTokenizer:
    """A tokenizer of single letters."""
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    vocab = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocab, merges=[], model_max_length=24)


def tiny_unet(in_channels: int = 8, seed: int = 0) -> UNet2DConditionModel:
    """Two levels, cross-attention in both."""
    torch.manual_seed(seed)
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=in_channels,
        out_channels=4,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=8,
        cross_attention_dim=16,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )


def tiny_pipeline(
    scheduler: str = "ddim", prediction_type: str = "epsilon", in_channels: int = 8
) -> StableDiffusionInstructPix2PixPipeline:
    """An editor with random weights; v-prediction comes with a zero-terminal-SNR schedule."""
    torch.manual_seed(1)
    vae = AutoencoderKL(
        block_out_channels=(8, 16),
        norm_num_groups=8,
        latent_channels=4,
        sample_size=IMAGE_SIZE,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        scaling_factor=0.5,
    )
    tokenizer = tiny_tokenizer()
    text_config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=24,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    zero_snr = prediction_type == "v_prediction"
    pipeline = StableDiffusionInstructPix2PixPipeline(
        vae=vae.eval(),
        text_encoder=CLIPTextModel(text_config).eval(),
        tokenizer=tokenizer,
        unet=tiny_unet(in_channels).eval(),
        scheduler=SCHEDULERS[scheduler](
            prediction_type=prediction_type, rescale_betas_zero_snr=zero_snr, timestep_spacing="trailing"
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def tiny_image(seed: int, size: tuple[int, int] = (IMAGE_SIZE, IMAGE_SIZE)) -> Image.Image:
    """A random RGB image of (width, height) ``size``."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def tiny_triplets(count: int) -> Iterator[Triplet]:
    """Random pairs with three distinct instructions."""
    for number in range(count):
        yield Triplet(
            instruction=("melt it", "add a cat", "break the egg")[number % 3],
            input_image=tiny_image(2 * number),
            output_image=tiny_image(2 * number + 1),
        )


def write_dataset(folder: Path, counts: Iterable[int] = (5, 3)) -> Path:
    """Write one shard of random triplets for each count."""
    triplets = list(tiny_triplets(sum(counts)))
    for shard, count in enumerate(counts):
        write_triplets(folder / f"{shard:05}.tar", [triplets.pop(0) for _ in range(count)])
    return folder


def psnr(first: Image.Image, second: Image.Image) -> float:
    """Peak signal-to-noise ratio in dB of two 8-bit images; infinite where they are equal."""
    difference = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    mse = float((difference**2).mean())
    return float("inf") if mse == 0 else float(10 * np.log10(255**2 / mse))
