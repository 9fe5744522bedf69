import pytest
import torch
from diffusers import DDIMScheduler
from tiny_painter import tiny_painter

from editfoundry.diffusion.ddim_inversion import DdimSchedule, invert, predictor, sample
from editfoundry.diffusion.prompt_embeds import encode_empty_prompt, encode_prompts


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
