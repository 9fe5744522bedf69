import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn

from editfoundry.errors import BadInputError
from editfoundry.training.loss import denoising_loss, noise_scheduler, prediction_target

LATENTS, NOISE = torch.randn(2, 2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
TIMESTEPS = torch.tensor([100, 999])


def test_the_epsilon_target_is_the_noise() -> None:
    scheduler = noise_scheduler(DDIMScheduler(prediction_type="epsilon"))
    assert torch.equal(prediction_target(scheduler, LATENTS, NOISE, TIMESTEPS), NOISE)


def test_the_v_target_is_progressive_distillations_velocity() -> None:
    scheduler = noise_scheduler(DDIMScheduler(prediction_type="v_prediction"))
    alpha_bar = scheduler.alphas_cumprod[TIMESTEPS].view(-1, 1, 1, 1)
    expected = alpha_bar.sqrt() * NOISE - (1 - alpha_bar).sqrt() * LATENTS
    torch.testing.assert_close(prediction_target(scheduler, LATENTS, NOISE, TIMESTEPS), expected)


def test_a_zero_terminal_snr_schedule_is_trained_on_as_it_is_sampled_from() -> None:
    scheduler = noise_scheduler(DDIMScheduler(prediction_type="v_prediction", rescale_betas_zero_snr=True))
    assert float(scheduler.add_noise(LATENTS, NOISE, TIMESTEPS)[1].sub(NOISE[1]).abs().max()) < 1e-3


def test_an_editor_that_predicts_the_sample_is_refused() -> None:
    with pytest.raises(BadInputError, match="prediction_type 'sample'"):
        noise_scheduler(DDIMScheduler(prediction_type="sample"))


def test_the_loss_of_predicting_nothing_is_the_targets_mean_square() -> None:
    seen: list[Tensor] = []

    class Nothing(nn.Module):
        def forward(self, sample: Tensor, timesteps: Tensor, **conditions: object) -> tuple[Tensor]:
            seen.append(sample)
            return (torch.zeros_like(sample[:, :4]),)

    loss = denoising_loss(
        Nothing(), noise_scheduler(DDIMScheduler()), latents=LATENTS, image_latents=2 * LATENTS, noise=NOISE,
        timesteps=TIMESTEPS, prompt_embeds=torch.zeros(2, 1, 1),
    )  # fmt: skip
    torch.testing.assert_close(loss, NOISE.square().mean())
    assert torch.equal(seen[0][:, 4:], 2 * LATENTS)
