import pytest
import torch

from editfoundry.diffusion.blended_inpainting import inpaint
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.diffusion.sampling import denoise
from editfoundry.diffusion.seeded_noise import noise_like, seeded_generators


@pytest.fixture
def setting(either_painter):
    painter = either_painter
    generator = torch.Generator().manual_seed(0)
    original = torch.randn(2, 4, 16, 16, generator=generator)
    noise = noise_like(original, seeded_generators([1, 2]))
    return painter, encode_prompts(painter, ["a cat", "a dog"]), original, noise


def test_outside_the_mask_the_latents_are_exactly_the_originals_and_inside_they_are_not(setting):
    painter, embeds, original, noise = setting
    mask = torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    mask[0, :, 2:9, 3:7] = mask[1, :, 10:] = True
    painted = inpaint(painter, embeds, original, mask, noise, 5, 5.0)
    everywhere = mask.expand_as(painted)
    assert torch.equal(painted[~everywhere], original[~everywhere])
    assert (painted[everywhere] - original[everywhere]).abs().mean() > 0.1


def test_with_everything_masked_it_is_plain_sampling(setting):
    painter, embeds, original, noise = setting
    everything = torch.ones(2, 1, 16, 16, dtype=torch.bool)
    assert torch.equal(
        inpaint(painter, embeds, original, everything, noise, 5, 5.0), denoise(painter, embeds, noise, 5, 5.0)
    )
