import json

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, EulerDiscreteScheduler, PNDMScheduler

from editfoundry.diffusion.schedulers import on_schedule_of, scheduler_by_name

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
