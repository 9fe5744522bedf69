import pytest
import torch
from tiny_models import psnr
from tiny_painter import tiny_painter
from tiny_sdxl import tiny_sdxl

from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.diffusion.sampling import denoise, noise_for, record_generator


def generators(*candidates):
    return [record_generator(0, "record", "input", number) for number in candidates]


def sample(painter, prompts, candidates, guidance_scale=5.0):
    noise = noise_for(painter, generators(*candidates))
    return denoise(painter, encode_prompts(painter, prompts), noise, 5, guidance_scale)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("guidance_scale", [1.0, 5.0])
def test_a_sample_equals_that_of_diffusers_own_pipeline(prediction_type, guidance_scale):
    painter = tiny_painter(prediction_type)
    noise = noise_for(painter, generators(0))
    expected = painter(
        "a cat", num_inference_steps=5, guidance_scale=guidance_scale, latents=noise, height=32, width=32
    ).images[0]
    actual = decode(painter, sample(painter, ["a cat"], [0], guidance_scale))[0]
    assert psnr(actual, expected) >= 40


@pytest.mark.parametrize("guidance_scale", [1.0, 5.0])
def test_a_sample_of_sdxl_equals_that_of_diffusers_own_pipeline(guidance_scale):
    painter = tiny_sdxl()
    noise = noise_for(painter, generators(0))
    settings = {"num_inference_steps": 5, "guidance_scale": guidance_scale, "height": 32, "width": 32}
    expected = painter("a cat", latents=noise, output_type="latent", **settings).images
    torch.testing.assert_close(sample(painter, ["a cat"], [0], guidance_scale), expected, atol=1e-5, rtol=1e-5)
    picture = painter("a cat", latents=noise, **settings).images[0]
    assert psnr(decode(painter, expected)[0], picture) >= 50


@pytest.mark.parametrize(("guidance_scale", "rows"), [(1.0, 2), (3.0, 4)])
def test_without_guidance_the_null_condition_is_not_computed(either_painter, guidance_scale, rows):
    seen = []
    either_painter.unet.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    sample(either_painter, ["a cat", "a dog"], [0, 1], guidance_scale)
    assert seen == [rows] * 5


def test_pictures_that_are_not_square_are_painted(either_painter):
    either_painter.unet.register_to_config(sample_size=(16, 24))
    latents = sample(either_painter, ["a cat"], [0])
    assert latents.shape == (1, 4, 16, 24)
    assert decode(either_painter, latents)[0].size == (48, 32)


def test_a_batch_of_two_equals_two_single_samples(either_painter):
    painter = either_painter
    both = sample(painter, ["a cat", "a dog"], [0, 1])
    one_by_one = [sample(painter, ["a cat"], [0]), sample(painter, ["a dog"], [1])]
    torch.testing.assert_close(both, torch.cat(one_by_one), atol=1e-4, rtol=1e-4)


def test_sampling_twice_gives_the_same_bits(painter):
    assert torch.equal(sample(painter, ["a cat"], [0]), sample(painter, ["a cat"], [0]))


def test_noise_differs_between_records_stages_candidates_and_seeds():
    keys = [
        (0, "a", "input", 0),
        (1, "a", "input", 0),
        (0, "b", "input", 0),
        (0, "a", "output", 0),
        (0, "a", "input", 1),
    ]
    draws = {torch.randn(1, generator=record_generator(*key)).item() for key in keys}
    assert len(draws) == len(keys)
