import pytest
import torch
from tiny_models import tiny_unet

from editfoundry.editors.families.instruct_pix2pix.widen import untrained, widen_conv_in
from editfoundry.errors import BadInputError


def test_a_widened_unet_predicts_the_same_whatever_image_it_is_shown() -> None:
    narrow, wide = tiny_unet(4).eval(), widen_conv_in(tiny_unet(4)).eval()
    noisy, image, text = torch.randn(2, 4, 16, 16), torch.randn(2, 4, 16, 16), torch.randn(2, 24, 16)
    with torch.no_grad():
        expected = narrow(noisy, 7, encoder_hidden_states=text).sample
        found = wide(torch.cat([noisy, image], dim=1), 7, encoder_hidden_states=text).sample
    torch.testing.assert_close(found, expected)


def test_widening_keeps_old_weights_and_bias_and_starts_new_channels_at_zero() -> None:
    old, wide = tiny_unet(4).conv_in, widen_conv_in(tiny_unet(4))
    assert wide.config.in_channels == 8
    assert torch.equal(wide.conv_in.weight[:, :4], old.weight)
    assert torch.equal(wide.conv_in.bias, old.bias) and bool(old.bias.abs().sum() > 0)
    assert not wide.conv_in.weight[:, 4:].any()


def test_a_widened_unet_is_not_widened_again() -> None:
    with pytest.raises(BadInputError, match="takes 8 channels"):
        widen_conv_in(tiny_unet(8))


def test_new_channels_start_at_random_where_a_seed_is_given_and_old_ones_stay() -> None:
    old = tiny_unet(4).conv_in
    one, again, other = (widen_conv_in(tiny_unet(4), seed).conv_in.weight for seed in (3, 3, 4))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert torch.equal(one[:, :4], old.weight) and bool(one[:, 4:].ne(0).all())


def test_an_untrained_unet_has_the_same_shape_and_weights_of_its_seed() -> None:
    wide = widen_conv_in(tiny_unet(4))
    for given in (tiny_unet(4), wide):
        fresh, again = untrained(given, 5), untrained(given, 5)
        assert {n: p.shape for n, p in fresh.named_parameters()} == {n: p.shape for n, p in wide.named_parameters()}
        assert all(map(torch.equal, fresh.parameters(), again.parameters()))
        assert not torch.equal(fresh.conv_out.weight, wide.conv_out.weight)
