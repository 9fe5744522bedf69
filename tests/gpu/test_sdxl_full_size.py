"""SDXL at full size with random weights, on a GPU: shapes, memory and speed of our sampling and attention maps.

Run with: python -m pytest tests/gpu -s --override-ini norecursedirs=
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

UNIT = Path(__file__).parents[1] / "unit"
sys.path.insert(0, str(UNIT))

from diffusers import (  # noqa: E402
    AutoencoderKL,
    ControlNetModel,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from tiny_models import tiny_tokenizer  # noqa: E402

from editfoundry.diffusion.attention import attention_mask, collected_attention  # noqa: E402
from editfoundry.diffusion.blended_inpainting import inpaint  # noqa: E402
from editfoundry.diffusion.decoding import decode  # noqa: E402
from editfoundry.diffusion.image_conditions import ImageConditions  # noqa: E402
from editfoundry.diffusion.prompt_embeds import PromptEmbeds, image_size  # noqa: E402
from editfoundry.diffusion.sampling import denoise, noise_for, record_generator  # noqa: E402
from editfoundry.diffusion.seeded_noise import SeededNoise  # noqa: E402

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
PUBLISHED = UNIT / "pretrained" / "published"
NUM_PICTURES = 4
NUM_STEPS = 10
NUM_TOKENS = 77


def built(kind: type[Any], name: str) -> Any:
    """Return a model of the published size with random half-precision weights, made on the GPU."""
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("cuda"):
            return kind.from_config(json.loads((PUBLISHED / f"{name}.json").read_text())).eval()
    finally:
        torch.set_default_dtype(before)


@pytest.fixture(scope="module")
def painter() -> StableDiffusionXLPipeline:
    """SDXL without text encoders: prompts are random embeddings of their size."""
    pipeline = StableDiffusionXLPipeline(
        vae=built(AutoencoderKL, "sdxl_vae"),
        unet=built(UNet2DConditionModel, "sdxl_unet"),
        scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
        text_encoder=None,
        text_encoder_2=None,
        tokenizer=tiny_tokenizer(),
        tokenizer_2=tiny_tokenizer(),
        add_watermarker=False,
    )
    return pipeline


def prompts(count: int, seed: int) -> PromptEmbeds:
    generator = torch.Generator().manual_seed(seed)
    drawn = (torch.randn(count, *shape, generator=generator) for shape in ((NUM_TOKENS, 2048), (1280,)))
    embeds, pooled = (part.to("cuda", torch.bfloat16) for part in drawn)
    sizes = torch.tensor([[1024, 1024, 0, 0, 1024, 1024]], device="cuda", dtype=torch.bfloat16)
    return PromptEmbeds(embeds, pooled, sizes.expand(count, -1))


def noise(painter: StableDiffusionXLPipeline) -> SeededNoise:
    return noise_for(painter, [record_generator(0, str(i), "gpu", 0) for i in range(NUM_PICTURES)])


def report(what: str, seconds: float) -> None:
    gib = torch.cuda.max_memory_allocated() / 2**30
    print(f"{what}: {NUM_PICTURES / seconds:.2f} pictures/s, {NUM_STEPS} steps, peak {gib:.1f} GiB")


def paint(painter: StableDiffusionXLPipeline, **options: Any) -> tuple[torch.Tensor, float]:
    torch.cuda.reset_peak_memory_stats()
    torch.cuda.synchronize()
    started = time.perf_counter()
    latents = denoise(
        painter, prompts(NUM_PICTURES, 1), noise(painter), NUM_STEPS, 5.0, negative=prompts(1, 2), **options
    )
    torch.cuda.synchronize()
    return latents, time.perf_counter() - started


def test_collecting_attention_changes_no_bit_and_costs_little(painter: StableDiffusionXLPipeline) -> None:
    paint(painter)
    plain, plain_seconds = paint(painter)
    plain_peak = torch.cuda.max_memory_allocated()
    report("painting", plain_seconds)
    weights = torch.zeros(NUM_PICTURES, 3, NUM_TOKENS)
    weights[:, :, 2:5] = torch.eye(3)
    with collected_attention(painter.unet, weights, 32) as attention:
        collected, seconds = paint(painter)
    report("painting with attention maps", seconds)
    assert torch.equal(plain, collected)
    assert seconds < 1.25 * plain_seconds
    assert torch.cuda.max_memory_allocated() - plain_peak < 2**30
    maps = attention.maps()
    assert maps.shape == (NUM_PICTURES, 32, 32) and torch.isfinite(maps).all()


def test_blended_inpainting_and_decoding_keep_what_the_mask_keeps(painter: StableDiffusionXLPipeline) -> None:
    original, _ = paint(painter)
    mask = attention_mask(torch.rand(NUM_PICTURES, 128, 128, device="cuda"), 0.8125)[:, None]
    latents = inpaint(
        painter, prompts(NUM_PICTURES, 3), original, mask, noise(painter), NUM_STEPS, 5.0, negative=prompts(1, 2)
    )
    kept = ~mask.expand_as(latents)
    assert torch.equal(latents[kept], original[kept])
    images = decode(painter, latents)
    assert [image.size for image in images] == [image_size(painter)[::-1]] * NUM_PICTURES == [(1024, 1024)] * 4


def test_a_full_size_controlnet_steers_the_unet(painter: StableDiffusionXLPipeline) -> None:
    controlnet = built(ControlNetModel, "sdxl_controlnet_canny")
    for block in (*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block):
        torch.nn.init.normal_(block.weight, std=0.01)
    torch.nn.init.normal_(controlnet.controlnet_cond_embedding.conv_out.weight, std=0.1)
    edges = (torch.rand(NUM_PICTURES, 3, 1024, 1024, device="cuda") > 0.9).bfloat16()
    plain, _ = paint(painter)
    steered, seconds = paint(painter, conditions=ImageConditions(controlnet=controlnet, control_images=edges))
    report("refinement with ControlNet", seconds)
    assert steered.shape == plain.shape == (NUM_PICTURES, 4, 128, 128)
    assert not torch.equal(plain, steered)
