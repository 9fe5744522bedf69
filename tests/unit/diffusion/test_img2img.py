import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionXLImg2ImgPipeline

from editfoundry.diffusion.img2img import img2img
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.diffusion.sampling import denoise
from editfoundry.diffusion.seeded_noise import noise_like, seeded_generators


@pytest.fixture
def setting(either_painter):
    generator = torch.Generator().manual_seed(0)
    original = torch.randn(2, 4, 16, 16, generator=generator)
    noise = noise_like(original, seeded_generators([1, 2]))
    return either_painter, encode_prompts(either_painter, ["a cat", "a dog"]), original, noise


@pytest.mark.parametrize(("strength", "steps"), [(0.5, 3), (1.0, 6), (0.2, 1)])
def test_the_strength_is_the_share_of_steps_that_is_done(setting, strength, steps):
    painter, prompts, original, noise = setting
    seen = []
    painter.unet.register_forward_pre_hook(lambda *_: seen.append(1))
    img2img(painter, prompts, original, noise, 6, 3.0, strength)
    assert len(seen) == steps


def test_a_strength_below_one_step_leaves_the_picture_as_it_is(setting):
    painter, prompts, original, noise = setting
    assert torch.equal(img2img(painter, prompts, original, noise, 4, 3.0, 0.1), original)


def test_a_pass_of_zero_strength_is_no_pass_and_a_stronger_one_moves_farther(setting):
    painter, prompts, original, noise = setting
    moved = [(img2img(painter, prompts, original, noise, 8, 1.0, s) - original).abs().mean() for s in (0.25, 0.75)]
    assert 0 < moved[0] < moved[1]


def test_the_pass_equals_that_of_diffusers_own_pipelines(setting):
    painter, prompts, original, _ = setting
    is_xl = hasattr(painter, "text_encoder_2")
    parts = dict(painter.components)
    if is_xl:
        theirs = StableDiffusionXLImg2ImgPipeline(**parts, add_watermarker=False)
    else:
        theirs = StableDiffusionImg2ImgPipeline(**parts, requires_safety_checker=False)
    theirs.set_progress_bar_config(disable=True)
    noise = noise_like(original[:1], seeded_generators([3]))
    size = {"original_size": (32, 32), "target_size": (32, 32)} if is_xl else {}
    expected = theirs(
        "a cat",
        image=original[:1],
        strength=0.5,
        num_inference_steps=6,
        guidance_scale=3.0,
        output_type="latent",
        generator=torch.Generator().manual_seed(3),
        **size,
    ).images
    ours = img2img(painter, prompts[:1], original[:1], noise, 6, 3.0, 0.5)
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)


def test_at_full_strength_the_noise_decides_but_for_what_the_schedule_keeps(setting):
    painter, prompts, original, noise = setting
    full = img2img(painter, prompts, original, noise, 6, 3.0, 1.0)
    plain = denoise(painter, prompts, noise, 6, 3.0)
    assert (full - plain).abs().mean() < (full - original).abs().mean()
