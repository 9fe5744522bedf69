"""On a GPU: training a UNet of Stable Diffusion 1.5's size at 512 px, bfloat16, batches of 16: speed, MFU, peak memory.

Weights are random, which changes no time. MFU counts what the model needs (three times the forward pass) against the
device's dense bfloat16 peak; what gradient checkpointing computes a second time does not count.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionInstructPix2PixPipeline, UNet2DConditionModel
from timing import record
from tiny_models import tiny_image, tiny_tokenizer
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPTextConfig, CLIPTextModel

from editfoundry.data.record import Triplet
from editfoundry.data.shards import write_triplets

NUM_STEPS, BATCH_SIZE, NUM_PAIRS = 20, 16, 64
PEAK_FLOPS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "4090": 165e12}
"""Dense bfloat16, per second, by a part of the device's name."""
UNET = {
    "sample_size": 64, "in_channels": 8, "out_channels": 4, "block_out_channels": (320, 640, 1280, 1280),
    "cross_attention_dim": 768, "attention_head_dim": 8,
}  # fmt: skip


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_training_at_full_size(tmp_path: Path) -> None:
    save_random_editor(tmp_path / "base")
    write_triplets(tmp_path / "data" / "00000.tar", [_triplet(number) for number in range(NUM_PAIRS)])
    flops = 3 * forward_flops()
    name = torch.cuda.get_device_name()
    peak = next((value for part, value in PEAK_FLOPS.items() if part in name), None)
    rows = []
    for kind in ("ours", "ours-in-parts", "ours-checkpointing"):
        found = _run(kind, tmp_path)
        share = "unknown" if peak is None else f"{found['samples_per_second'] * flops / peak:.2f}"
        rows.append([kind, f"{found['samples_per_second']:.1f}", share, f"{found['peak_bytes'] / 2**30:.1f}"])
    note = f"A UNet of Stable Diffusion 1.5's size, 512 px, bfloat16, batches of {BATCH_SIZE}, cached latents."
    record("Training on a GPU", note, ["loop", "samples/s", "MFU", "peak GiB"], rows)


def forward_flops() -> float:
    """Return the floating-point operations of one sample's forward pass."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(**UNET)
        inputs = torch.empty(1, 8, 64, 64), torch.empty(1), torch.empty(1, 77, 768)
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            unet(*inputs)
    return float(counter.get_total_flops())


def save_random_editor(folder: Path) -> None:
    """Write an editor of Stable Diffusion 1.5's sizes with random weights."""
    tokenizer = tiny_tokenizer()
    tokenizer.model_max_length = 77
    text = CLIPTextConfig(
        vocab_size=49_408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
    )
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
    StableDiffusionInstructPix2PixPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(**UNET),
        scheduler=DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def _triplet(number: int) -> Triplet:
    images = (tiny_image(2 * number + side, (512, 512)) for side in (0, 1))
    return Triplet(instruction="melt it", input_image=next(images), output_image=next(images))


def _run(kind: str, folder: Path) -> dict[str, float]:
    program = Path(__file__).with_name("training_loops.py")
    places = [str(folder / "base"), str(folder / "data"), str(folder)]
    command = [sys.executable, str(program), kind, *places, str(NUM_STEPS), str(BATCH_SIZE), "bf16"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
