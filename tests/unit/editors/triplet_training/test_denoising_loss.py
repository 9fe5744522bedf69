import pytest
import torch
from diffusers import DDIMScheduler, EulerAncestralDiscreteScheduler, PNDMScheduler
from diffusers.training_utils import compute_snr
from torch import Tensor, nn

from editfoundry.editors.triplet_training.denoising_loss import (
    denoising_loss,
    min_snr_weights,
    noise_scheduler,
    prediction_target,
    sampling_scheduler,
)
from editfoundry.errors import BadInputError

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


def test_an_editor_of_epsilon_learns_v_on_a_schedule_that_ends_in_noise_and_samples_from_it() -> None:
    for own in (DDIMScheduler(), EulerAncestralDiscreteScheduler(), PNDMScheduler()):
        forward = noise_scheduler(own, "v_prediction", zero_terminal_snr=True)
        assert float(forward.alphas_cumprod[-1]) < 1e-6
        config = sampling_scheduler(own, forward).config
        assert (config.prediction_type, config.rescale_betas_zero_snr) == ("v_prediction", True)
        assert config.timestep_spacing == "trailing"
    assert type(sampling_scheduler(EulerAncestralDiscreteScheduler(), forward)) is EulerAncestralDiscreteScheduler
    assert type(sampling_scheduler(PNDMScheduler(), forward)) is DDIMScheduler


def test_epsilon_on_a_schedule_that_ends_in_noise_is_refused() -> None:
    with pytest.raises(BadInputError, match="set prediction_type to v_prediction"):
        noise_scheduler(DDIMScheduler(), zero_terminal_snr=True)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_min_snr_weights_are_those_of_diffusers_training_script(prediction_type: str) -> None:
    scheduler = noise_scheduler(DDIMScheduler(prediction_type=prediction_type))
    timesteps = torch.tensor([0, 10, 100, 500, 900, 999])
    snr = compute_snr(scheduler, timesteps)
    expected = torch.stack([snr, torch.full_like(snr, 5.0)]).amin(0) / (snr + (prediction_type == "v_prediction"))
    torch.testing.assert_close(min_snr_weights(scheduler, timesteps, 5.0), expected, rtol=1e-4, atol=1e-6)


def test_pure_noise_weighs_nothing_under_min_snr() -> None:
    scheduler = noise_scheduler(DDIMScheduler(prediction_type="v_prediction"), zero_terminal_snr=True)
    assert float(min_snr_weights(scheduler, torch.tensor([999]), 5.0)) < 1e-6


def test_an_editor_that_predicts_the_sample_is_refused() -> None:
    with pytest.raises(BadInputError, match="prediction_type 'sample'"):
        noise_scheduler(DDIMScheduler(prediction_type="sample"))


def test_the_loss_of_predicting_nothing_is_the_targets_mean_square() -> None:
    seen: list[Tensor] = []
    told: list[tuple[Tensor, object]] = []

    class Nothing(nn.Module):
        def forward(self, sample: Tensor, timesteps: Tensor, **conditions: object) -> tuple[Tensor]:
            seen.append(sample)
            told.append((timesteps, conditions["encoder_hidden_states"]))
            return (torch.zeros_like(sample[:, :4]),)

    prompt_embeds = torch.ones(2, 1, 1)
    loss = denoising_loss(
        Nothing(),
        noise_scheduler(DDIMScheduler()),
        latents=LATENTS,
        image_latents=2 * LATENTS,
        noise=NOISE,
        timesteps=TIMESTEPS,
        prompt_embeds=prompt_embeds,
    )
    torch.testing.assert_close(loss, NOISE.square().mean())
    assert told[0][0] is TIMESTEPS and told[0][1] is prompt_embeds
    scheduler = noise_scheduler(DDIMScheduler())
    weighted = denoising_loss(
        Nothing(),
        scheduler,
        latents=LATENTS,
        image_latents=2 * LATENTS,
        noise=NOISE,
        timesteps=TIMESTEPS,
        prompt_embeds=prompt_embeds,
        snr_gamma=5.0,
    )
    places = torch.ones(2, 1, 3, 3)
    places[:, :, 1:] = 4.0
    placed = denoising_loss(
        Nothing(),
        scheduler,
        latents=LATENTS,
        image_latents=2 * LATENTS,
        noise=NOISE,
        timesteps=TIMESTEPS,
        prompt_embeds=prompt_embeds,
        weights=places,
    )
    torch.testing.assert_close(placed, (NOISE.square() * places).mean())
    weights = min_snr_weights(scheduler, TIMESTEPS, 5.0)
    torch.testing.assert_close(weighted, (NOISE.square().mean(dim=(1, 2, 3)) * weights).mean())
    assert torch.equal(seen[0][:, 4:], 2 * LATENTS)
