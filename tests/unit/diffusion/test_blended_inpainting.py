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


@pytest.mark.parametrize(("num_steps", "strength"), [(5, 1.0), (5, 0.6)])
def test_at_every_step_the_unet_sees_the_original_noised_to_that_step_outside_the_mask(painter, num_steps, strength):
    # q(z, t) = sqrt(a_t) z + sqrt(1 - a_t) noise (Ho et al. 2020, eq. 4).
    original, start = torch.randn(2, 1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    noise, mask = noise_like(original, seeded_generators([1])), torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    mask[:, :, 4:9, 2:12] = True
    seen = []
    painter.unet.register_forward_pre_hook(lambda _, args: seen.append((args[0].clone(), int(args[1]))))
    settings = {} if strength == 1 else {"start": start, "strength": strength}
    inpaint(painter, encode_prompts(painter, ["a cat"]), original, mask, noise, num_steps, 1.0, **settings)
    timesteps = [timestep for _, timestep in seen]
    assert timesteps == [999, 799, 599, 399, 199][-int(num_steps * strength) :]
    outside = ~mask.expand_as(original)
    for latents, timestep in seen[1:]:
        kept = painter.scheduler.alphas_cumprod[timestep]
        noised = kept.sqrt() * original + (1 - kept).sqrt() * noise.latents
        torch.testing.assert_close(latents[outside], noised[outside], atol=1e-5, rtol=1e-5)


def test_the_null_condition_the_conditions_and_the_start_reach_the_painter(painter):
    class Steering:
        """What steers the UNet, noted down."""

        def __init__(self):
            self.seen = []

        def residuals(self, latents, timestep, prompts, guided):
            self.seen.append(int(timestep))
            return {}

        def added_cond_kwargs(self, guided):
            return {}

    latents = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    noise, everything = noise_like(latents, seeded_generators([1])), torch.ones(1, 1, 16, 16, dtype=torch.bool)
    prompts, negative = (encode_prompts(painter, [text]) for text in ("a cat", "a dog"))
    steered = Steering(), Steering()
    settings = {"negative": negative, "start": latents, "strength": 0.6}
    painted = inpaint(painter, prompts, -latents, everything, noise, 5, 5.0, conditions=steered[0], **settings)
    expected = denoise(painter, prompts, noise, 5, 5.0, conditions=steered[1], **settings)
    assert torch.equal(painted, expected)
    assert steered[0].seen == steered[1].seen == [599, 399, 199]
    assert not torch.equal(painted, inpaint(painter, prompts, -latents, everything, noise, 5, 5.0))


def test_a_mask_between_nothing_and_all_mixes_and_each_picture_can_have_its_own_guidance(setting):
    painter, embeds, original, noise = setting
    soft = torch.zeros(2, 1, 16, 16)
    soft[:, :, :8], soft[:, :, 4:6] = 1.0, 0.25
    painted = inpaint(painter, embeds, original, soft, noise, 5, 5.0)
    assert torch.equal(painted[:, :, 8:], original[:, :, 8:])
    moved = (painted - original).abs().mean(dim=(0, 1, 3))
    assert 0 < moved[4:6].max() < moved[:4].min()
    own = torch.tensor([5.0, 2.0])[:, None, None, None]
    each = inpaint(painter, embeds, original, soft, noise, 5, own)
    torch.testing.assert_close(each[0], painted[0], atol=1e-4, rtol=1e-4)
    alone = inpaint(painter, embeds[1:], original[1:], soft[1:], noise[[1]], 5, 2.0)
    torch.testing.assert_close(each[1:], alone, atol=1e-4, rtol=1e-4)
