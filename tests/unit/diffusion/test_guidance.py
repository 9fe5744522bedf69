import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

from editfoundry.diffusion.guidance import combine_guidance, rescale_guidance, uses_guidance

FULL, IMAGE, NULL = (torch.full((1, 4, 2, 2), value) for value in (7.0, 3.0, 1.0))


def guided(guidance_scale: float, image_guidance_scale: float) -> float:
    result = combine_guidance(
        FULL, IMAGE, NULL, guidance_scale=guidance_scale, image_guidance_scale=image_guidance_scale
    )
    assert result.shape == FULL.shape
    return float(result.mean())


def test_scales_of_one_give_the_fully_conditional_prediction() -> None:
    assert guided(1, 1) == 7


def test_a_text_scale_of_zero_leaves_only_the_image_condition() -> None:
    assert guided(0, 1) == 3


def test_both_scales_of_zero_give_the_unconditional_prediction() -> None:
    assert guided(0, 0) == 1


def test_each_scale_multiplies_its_own_difference_as_in_equation_3() -> None:
    assert guided(7.5, 1.5) == 1 + 1.5 * (3 - 1) + 7.5 * (7 - 3)


def test_guidance_is_off_where_diffusers_switches_it_off() -> None:
    scales = {(7.5, 1.5): True, (1.01, 1): True, (7.5, 1): True, (1, 1.5): False, (7.5, 0.99): False}
    assert {pair: uses_guidance(*pair) for pair in scales} == scales


@pytest.mark.parametrize("rescale", [0.0, 0.3, 1.0])
def test_rescaled_guidance_is_that_of_lin_et_al_as_diffusers_has_it(rescale: float) -> None:
    full, image, null = torch.randn(3, 2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    scales = {"guidance_scale": 6.0, "image_guidance_scale": 1.4}
    expected = rescale_noise_cfg(combine_guidance(full, image, null, **scales), full, rescale)
    found = combine_guidance(full, image, null, **scales, guidance_rescale=rescale)
    torch.testing.assert_close(found, expected)
    spreads = [eps.std(dim=(1, 2, 3)) for eps in (rescale_guidance(found, full, 1.0), full)]
    torch.testing.assert_close(*spreads)


def test_scales_may_differ_from_sample_to_sample() -> None:
    full, image, null = torch.randn(3, 2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    text_scales, image_scales = torch.tensor([2.0, 7.5]), torch.tensor([1.0, 1.5])
    both = combine_guidance(
        full,
        image,
        null,
        guidance_scale=text_scales.view(2, 1, 1, 1),
        image_guidance_scale=image_scales.view(2, 1, 1, 1),
    )
    for i in range(2):
        scales = {"guidance_scale": float(text_scales[i]), "image_guidance_scale": float(image_scales[i])}
        torch.testing.assert_close(both[i], combine_guidance(full[i], image[i], null[i], **scales))
