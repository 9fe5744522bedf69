import json

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    PNDMScheduler,
)

from editfoundry.diffusion.schedulers import on_schedule_of, scheduler_by_name, scheduler_names, scheduler_step
from editfoundry.errors import BadInputError

STABLE_DIFFUSION = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "skip_prk_steps": True}


@pytest.mark.parametrize("scheduler_class", [DDIMScheduler, DDPMScheduler])
def test_pndm_turned_into_a_scheduler_that_may_clip_does_not_clip(scheduler_class) -> None:
    turned = on_schedule_of(PNDMScheduler(**STABLE_DIFFUSION), scheduler_class)
    assert (turned.config.clip_sample, turned.config.thresholding) == (False, False)
    assert not scheduler_by_name(scheduler_class.__name__, PNDMScheduler()).config.clip_sample


def test_ddim_from_pndm_reaches_a_latent_far_outside_of_minus_one_to_one() -> None:
    turned = on_schedule_of(PNDMScheduler(**STABLE_DIFFUSION), DDIMScheduler)
    turned.set_timesteps(10)
    clean, noise = torch.full((1, 4, 8, 8), 5.0), torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    latents = turned.add_noise(clean, noise, turned.timesteps[:1])
    for timestep in turned.timesteps:
        alpha = turned.alphas_cumprod[timestep]
        predicted = (latents - alpha.sqrt() * clean) / (1 - alpha).sqrt()
        latents = turned.step(predicted, timestep, latents).prev_sample
    torch.testing.assert_close(latents, clean, atol=0.2, rtol=0.1)


@pytest.mark.parametrize(
    ("left_out", "target"),
    [
        ("set_alpha_to_one", DDIMScheduler),
        ("steps_offset", DDIMScheduler),
        ("timestep_spacing", EulerDiscreteScheduler),
        ("clip_sample", DDPMScheduler),
    ],
)
def test_what_a_configuration_leaves_out_stays_what_its_own_scheduler_takes_for_it(left_out, target, tmp_path) -> None:
    source = DDIMScheduler if target is not DDIMScheduler else PNDMScheduler
    source(**{key: value for key, value in STABLE_DIFFUSION.items() if "prk" not in key}).save_pretrained(tmp_path)
    path = tmp_path / "scheduler_config.json"
    values = json.loads(path.read_text())
    del values[left_out]
    path.write_text(json.dumps(values))
    current = source.from_pretrained(tmp_path)
    assert on_schedule_of(current, target).config[left_out] == current.config[left_out]


def test_a_setting_that_is_written_down_is_kept_and_a_change_wins() -> None:
    current = DDIMScheduler(clip_sample=True, timestep_spacing="trailing")
    assert on_schedule_of(current, DDPMScheduler).config.clip_sample
    turned = on_schedule_of(current, DDPMScheduler, clip_sample=False, prediction_type="v_prediction")
    assert (turned.config.clip_sample, turned.config.prediction_type) == (False, "v_prediction")
    assert turned.config.timestep_spacing == current.config.timestep_spacing


def test_only_schedulers_that_sample_from_the_same_model_and_draw_by_seed_can_take_its_place() -> None:
    names = scheduler_names(DDIMScheduler())
    assert {"DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "EulerAncestralDiscreteScheduler"} <= set(names)
    # EDM's names DDIM no stand-in of its own, and the SDE solver takes no generator.
    assert not {"EDMEulerScheduler", "DPMSolverSDEScheduler", "FlowMatchEulerDiscreteScheduler"} & set(names)
    assert scheduler_names(FlowMatchEulerDiscreteScheduler()) == ["FlowMatchEulerDiscreteScheduler"]


@pytest.mark.parametrize("name", ["EulerAncestralDiscreteScheduler", "euler-ancestral", "Euler Ancestral"])
def test_a_scheduler_is_found_in_any_spelling(name) -> None:
    assert type(scheduler_by_name(name, DDIMScheduler())).__name__ == "EulerAncestralDiscreteScheduler"


def test_a_scheduler_that_is_not_there_or_cannot_sample_from_the_model_is_named() -> None:
    with pytest.raises(BadInputError, match="no scheduler 'flux' for this editor; use one of ddim, ddpm, "):
        scheduler_by_name("flux", DDIMScheduler())
    with pytest.raises(BadInputError, match="no scheduler 'ddim' for this editor; use one of flowmatcheuler"):
        scheduler_by_name("ddim", FlowMatchEulerDiscreteScheduler())


def test_a_zero_terminal_snr_schedule_needs_a_scheduler_that_knows_it() -> None:
    current = DDIMScheduler(rescale_betas_zero_snr=True, prediction_type="v_prediction")
    for name, message in (("pndm", "'pndm' has no zero-terminal-SNR schedule, "), ("flux", "no scheduler 'flux' for")):
        with pytest.raises(BadInputError, match=message) as refused:
            scheduler_by_name(name, current)
        proposed = str(refused.value).partition("; use one of ")[2].split(", ")
        assert "ddim" in proposed and "pndm" not in proposed
        assert all(scheduler_by_name(one, current).config.rescale_betas_zero_snr for one in proposed)
    turned = scheduler_by_name("ddpm", current)
    assert turned.config.rescale_betas_zero_snr and turned.alphas_cumprod[-1] == pytest.approx(0, abs=1e-6)
    assert isinstance(scheduler_by_name("pndm", DDIMScheduler()), PNDMScheduler)


def test_the_noise_of_a_step_is_drawn_of_each_pictures_generator_and_none_where_none_is_added() -> None:
    """A DDPM step from the same output and latents differs by its noise alone: sigma (n1 - n2)."""
    scheduler = DDPMScheduler(clip_sample=False, variance_type="fixed_large")
    scheduler.set_timesteps(1000)
    timestep, zeros = scheduler.timesteps[500], torch.zeros(2, 4, 8, 8)
    stepped = scheduler_step(scheduler, zeros, timestep, zeros, [torch.Generator().manual_seed(n) for n in (1, 2)])
    # Of zeros the mean is zero, and with this variance the step's noise has deviation sqrt(beta).
    noise = torch.cat([torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(n)) for n in (1, 2)])
    torch.testing.assert_close(stepped, scheduler.betas[timestep].sqrt() * noise)
    ddim = DDIMScheduler(clip_sample=False)
    ddim.set_timesteps(10)
    assert not scheduler_step(ddim, zeros, ddim.timesteps[0], zeros, []).any()
