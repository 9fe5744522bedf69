import pytest
import torch
from tiny_models import psnr
from tiny_painter import tiny_painter

from editfoundry.synthesis.sampling import decode, denoise, encode_prompts, noise_for, record_generator


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


def test_a_batch_of_two_equals_two_single_samples(painter):
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


def test_equal_prompts_are_encoded_once_and_returned_in_order(painter):
    embeds = encode_prompts(painter, ["a cat", "a dog", "a cat"])
    assert embeds.shape == (3, 24, 16)
    assert torch.equal(embeds[0], embeds[2]) and not torch.equal(embeds[0], embeds[1])
