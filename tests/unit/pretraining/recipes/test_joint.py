"""What the loss of the joint training weighs."""

from typing import Any

import pytest
import torch
from transformers import CLIPTokenizer

from editfoundry.pretraining.recipes.joint import (
    OBJECT_WEIGHT,
    build_denoiser,
    object_weights,
    take_over,
    weighted_loss,
)
from editfoundry.profiles import EMBEDDED_FOLDER


def test_places_that_differ_from_the_reference_weigh_more() -> None:
    reference = torch.zeros(1, 4, 2, 2)
    latents = reference.clone()
    latents[0, :, 1, 0] = 1.0
    assert object_weights(latents, reference).tolist() == [[[[1, 1], [OBJECT_WEIGHT, 1]]]]


def test_a_difference_too_small_to_be_an_object_weighs_nothing() -> None:
    reference = torch.zeros(1, 4, 2, 2)
    assert torch.equal(object_weights(reference + 0.1, reference), torch.ones(1, 1, 2, 2))


def test_equal_weights_give_the_mean_squared_error() -> None:
    error = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    weights = torch.full((3, 1, 5, 5), 2.5)
    assert float(weighted_loss(error, weights)) == pytest.approx(float(error.square().mean()), rel=1e-5)


def test_an_error_where_the_weight_is_double_counts_double() -> None:
    weights = torch.tensor([[[[2.0, 1.0]]]])
    left, right = torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 1, 2)
    left[..., 0], right[..., 1] = 1.0, 1.0
    assert float(weighted_loss(left, weights)) == pytest.approx(2 * float(weighted_loss(right, weights)))


def test_a_denoiser_of_other_latents_takes_over_all_but_the_layers_that_see_them() -> None:
    tokenizer = CLIPTokenizer.from_pretrained(EMBEDDED_FOLDER / "text_to_image" / "tokenizer")
    old: Any = build_denoiser(tokenizer, 4, seed=0)
    new: Any = build_denoiser(tokenizer, 6, seed=1)
    before = {name: value.clone() for name, value in new.state_dict().items()}
    take_over(new, old)
    taken = {name for name, value in new.state_dict().items() if not torch.equal(value, before[name])}
    known = old.state_dict()
    assert all(torch.equal(new.state_dict()[name], known[name]) for name in taken)
    assert "unet.mid_block.attentions.0.proj_in.weight" in taken
    unlike = {name for name, value in before.items() if value.shape != known[name].shape}
    assert unlike == {"unet.conv_in.weight", "unet.conv_out.weight", "unet.conv_out.bias"}
    assert not unlike & taken
