import copy

import pytest
import torch
from tiny_models import psnr
from tiny_painter import tiny_painter
from tiny_sdxl import tiny_sdxl

from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.diffusion.sampling import denoise, noise_for, record_generator
from editfoundry.diffusion.schedulers import scheduler_by_name, scheduler_names
from editfoundry.diffusion.seeded_noise import noise_like


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
        "a cat", num_inference_steps=5, guidance_scale=guidance_scale, latents=noise.latents, height=32, width=32
    ).images[0]
    actual = decode(painter, sample(painter, ["a cat"], [0], guidance_scale))[0]
    assert psnr(actual, expected) >= 40


@pytest.mark.parametrize("guidance_scale", [1.0, 5.0])
def test_a_sample_of_sdxl_equals_that_of_diffusers_own_pipeline(guidance_scale):
    painter = tiny_sdxl()
    noise = noise_for(painter, generators(0))
    settings = {"num_inference_steps": 5, "guidance_scale": guidance_scale, "height": 32, "width": 32}
    expected = painter("a cat", latents=noise.latents, output_type="latent", **settings).images
    torch.testing.assert_close(sample(painter, ["a cat"], [0], guidance_scale), expected, atol=1e-5, rtol=1e-5)
    picture = painter("a cat", latents=noise.latents, **settings).images[0]
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


def test_sdxl_is_told_the_size_that_is_painted_as_its_own_pipeline_is():
    painter = tiny_sdxl()
    noise = noise_like(torch.zeros(1, 4, 16, 24), generators(0))
    ours = denoise(painter, encode_prompts(painter, ["a cat"]), noise, 3, 5.0)
    settings = {"num_inference_steps": 3, "guidance_scale": 5.0, "height": 32, "width": 48, "output_type": "latent"}
    theirs = painter("a cat", latents=noise.latents, **settings).images
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_a_batch_of_three_equals_three_single_samples(either_painter):
    painter = either_painter
    names = ["a cat", "a dog", "a cup"]
    together = sample(painter, names, range(3))
    one_by_one = [sample(painter, [name], [number]) for number, name in enumerate(names)]
    torch.testing.assert_close(together, torch.cat(one_by_one), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", scheduler_names(tiny_painter().scheduler))
def test_with_any_scheduler_a_picture_is_the_same_alone_in_a_batch_and_twice(name):
    painter = tiny_painter("epsilon")
    painter.scheduler = scheduler_by_name(name, painter.scheduler)
    both = sample(painter, ["a cat", "a dog"], [0, 1])
    assert torch.equal(both, sample(painter, ["a cat", "a dog"], [0, 1]))
    one_by_one = [sample(painter, ["a cat"], [0]), sample(painter, ["a dog"], [1])]
    torch.testing.assert_close(both, torch.cat(one_by_one), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["euler-ancestral", "ddpm"])
def test_a_scheduler_that_adds_noise_draws_as_diffusers_own_pipeline_does(name):
    painter = tiny_painter("epsilon")
    painter.scheduler = scheduler_by_name(name, painter.scheduler)
    seed = record_generator(0, "record", "input", 0)
    settings = {"num_inference_steps": 5, "guidance_scale": 5.0, "height": 32, "width": 32, "output_type": "latent"}
    expected = painter("a cat", generator=seed, **settings).images
    torch.testing.assert_close(sample(painter, ["a cat"], [0]), expected, atol=1e-3, rtol=1e-3)


def test_painting_twice_from_one_noise_gives_one_picture():
    painter = tiny_painter("epsilon")
    painter.scheduler = scheduler_by_name("ddpm", painter.scheduler)
    noise, prompts = noise_for(painter, generators(0)), encode_prompts(painter, ["a cat"])
    assert torch.equal(denoise(painter, prompts, noise, 5, 5.0), denoise(painter, prompts, noise, 5, 5.0))


def test_sampling_twice_gives_the_same_bits(painter):
    assert torch.equal(sample(painter, ["a cat"], [0]), sample(painter, ["a cat"], [0]))


def test_after_each_step_the_latents_may_be_changed_and_the_next_timestep_is_told(painter):
    noise, told = noise_for(painter, generators(0)), []

    def wipe(latents, upcoming, scheduler):
        told.append(upcoming)
        assert upcoming is None or upcoming in scheduler.timesteps
        return torch.zeros_like(latents)

    assert not denoise(painter, encode_prompts(painter, ["a cat"]), noise, 3, 5.0, wipe).any()
    scheduler = copy.deepcopy(painter.scheduler)
    scheduler.set_timesteps(3)
    assert told == [*scheduler.timesteps[1:], None]


def test_a_thousand_candidates_have_seeds_of_their_own():
    assert len({record_generator(0, "record", "input", number).initial_seed() for number in range(1000)}) == 1000


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
