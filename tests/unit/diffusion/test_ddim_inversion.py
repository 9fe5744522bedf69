import pytest
import torch
from diffusers import DDIMScheduler
from PIL import Image
from tiny_models import psnr
from tiny_painter import tiny_painter

from editfoundry.diffusion.ddim_inversion import DdimSchedule, invert, predictor, sample
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.encoding import encode
from editfoundry.diffusion.prompt_embeds import encode_empty_prompt, encode_prompts
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.profiles import load_profile
from editfoundry.tinyworld.benchmark import plain_cases


@pytest.fixture(params=["epsilon", "v_prediction"])
def setting(request):
    painter = tiny_painter(request.param)
    latents = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    return painter, DdimSchedule.of(painter, 5), encode_prompts(painter, ["a cat", "a dog"]), latents


@torch.no_grad()
def test_sampling_equals_diffusers_ddim(setting):
    painter, schedule, prompts, latents = setting
    scheduler = DDIMScheduler.from_config(painter.scheduler.config, clip_sample=False)
    scheduler.set_timesteps(5)
    expected = latents
    empty = encode_empty_prompt(painter).expanded(2)
    guided = predictor(painter, schedule, prompts, 3.0, empty)
    for index, timestep in enumerate(scheduler.timesteps):
        expected = scheduler.step(guided(expected, index), timestep, expected).prev_sample
    torch.testing.assert_close(sample(schedule, guided, latents), expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_refined_inversion_is_retraced_by_sampling(setting):
    painter, schedule, prompts, latents = setting
    # A trained UNet's predictions change little from step to step; a random one's do when they are small.
    painter.unet.conv_out.weight *= 0.02
    predict = predictor(painter, schedule, prompts)
    errors = []
    for num_refinements in (0, 4):
        trajectory = invert(schedule, predict, latents, first=1, num_refinements=num_refinements)
        assert len(trajectory) == len(schedule)
        errors.append(float((sample(schedule, predict, trajectory[0], first=1) - latents).abs().mean()))
    assert errors[1] < 2e-3
    assert errors[1] < errors[0] / 10


@torch.no_grad()
def test_the_embedded_painters_inversion_goes_round():
    embedded = load_text_to_image(load_profile("embedded"), choose_runtime("cpu"))
    change = next(case for case in plain_cases(3, seed=0) if case.category == "change")
    latents = encode(embedded, [Image.fromarray(change.input_image)])
    schedule = DdimSchedule.of(embedded, 10)
    predict = predictor(embedded, schedule, encode_prompts(embedded, [change.input_caption]))
    (expected,) = decode(embedded, latents)
    found = []
    for num_refinements in (0, 1):
        start = invert(schedule, predict, latents, 0, num_refinements)[0]
        found.append(psnr(decode(embedded, sample(schedule, predict, start))[0], expected))
    assert found[0] > 33
    assert found[1] > found[0]
