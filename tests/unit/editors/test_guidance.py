import torch

from editfoundry.editors.guidance import combine_guidance, uses_guidance

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
    assert [uses_guidance(*scales) for scales in ((7.5, 1.5), (1, 1.5), (7.5, 0.9), (7.5, 1))] == [
        True,
        False,
        False,
        True,
    ]
