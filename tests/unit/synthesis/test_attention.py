import pytest
import torch
from tiny_models import tiny_tokenizer

from editfoundry.errors import Rejection
from editfoundry.synthesis.attention import (
    KeywordAttention,
    attention_mask,
    collected_attention,
    keyword_token_weights,
)

LENGTH = 24


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(4, 4, 16, 16, generator=generator)
    embeds = torch.randn(4, LENGTH, 16, generator=generator)
    return latents, torch.tensor(500), embeds


@torch.no_grad()
def attention_by_hooks(unet, inputs, resolution):
    """Recompute each cross-attention's probabilities from the inputs that hooks see: list of (B, heads, H*W, L)."""
    found = []

    def record(module, args, kwargs):
        hidden = args[0] if args else kwargs["hidden_states"]
        text = kwargs["encoder_hidden_states"]
        if hidden.shape[1] != resolution**2:
            return
        query = module.to_q(hidden).view(len(hidden), hidden.shape[1], module.heads, -1)
        key = module.to_k(text).view(len(hidden), text.shape[1], module.heads, -1)
        logits = torch.einsum("bqhd,bkhd->bhqk", query, key) / query.shape[-1] ** 0.5
        found.append(logits.softmax(-1))

    modules = [m for name, m in unet.named_modules() if name.endswith("attn2")]
    handles = [m.register_forward_pre_hook(record, with_kwargs=True) for m in modules]
    unet(*inputs)
    for handle in handles:
        handle.remove()
    return found


@torch.no_grad()
def test_collecting_attention_leaves_the_unets_output_as_it_was(painter, inputs):
    expected = painter.unet(*inputs)[0]
    weights = keyword_token_weights(tiny_tokenizer(), ["a cat", "a dog"], [["cat"], ["dog"]])
    with collected_attention(painter.unet, weights, 16):
        actual = painter.unet(*inputs)[0]
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


def test_the_unet_has_its_own_attention_processors_back_afterwards(painter):
    before = dict(painter.unet.attn_processors)
    with pytest.raises(RuntimeError, match="stop"), collected_attention(painter.unet, torch.ones(1, 1, LENGTH), 16):
        raise RuntimeError("stop")
    assert painter.unet.attn_processors == before


@torch.no_grad()
@pytest.mark.parametrize("resolution", [16, 8])
def test_maps_are_the_prompted_halfs_mean_over_steps_layers_heads_tokens_and_keywords(painter, inputs, resolution):
    captions, keywords = ["a cat on sea", "dog"], [["cat", "sea"], ["dog"]]
    weights = keyword_token_weights(tiny_tokenizer(), captions, keywords)
    second = (inputs[0] * 0.5, torch.tensor(100), inputs[2])
    with collected_attention(painter.unet, weights, resolution) as attention:
        painter.unet(*inputs)
        painter.unet(*second)
    layers = attention_by_hooks(painter.unet, inputs, resolution) + attention_by_hooks(painter.unet, second, resolution)
    mean = torch.stack(layers).mean((0, 2))[2:]
    tokens = [[[2, 3, 4], [7, 8, 9]], [[1, 2, 3]]]
    for row in range(2):
        of_keywords = [mean[row][:, positions].mean(-1) for positions in tokens[row]]
        expected = torch.stack(of_keywords).mean(0).view(resolution, resolution)
        torch.testing.assert_close(attention.maps()[row], expected, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_memory_is_one_map_a_keyword_however_many_steps_there_are(painter, inputs):
    with collected_attention(painter.unet, torch.ones(2, 3, LENGTH), 16) as attention:
        for _ in range(3):
            painter.unet(*inputs)
    tensors = [value for value in vars(attention).values() if isinstance(value, torch.Tensor)]
    assert sorted(tuple(tensor.shape) for tensor in tensors) == [(2, 3, 16, 16), (2, 3, LENGTH)]


def test_a_resolution_that_the_unet_does_not_have_is_an_error():
    with pytest.raises(ValueError, match="no cross-attention layer of this UNet works at 5 x 5"):
        KeywordAttention(torch.ones(1, 1, LENGTH), 5).maps()


def test_a_keyword_is_found_at_all_its_tokens_and_all_its_places():
    weights = keyword_token_weights(tiny_tokenizer(), ["cat on cat"], [["cat"]])
    assert weights[0, 0].nonzero().flatten().tolist() == [1, 2, 3, 6, 7, 8]
    assert weights[0, 0].sum().item() == pytest.approx(1)


def test_a_keyword_is_not_found_inside_another_word():
    weights = keyword_token_weights(tiny_tokenizer(), ["cat at sea"], [["at"]])
    assert weights[0, 0].nonzero().flatten().tolist() == [4, 5]


@pytest.mark.parametrize("caption", ["a dog", "abc def ghi jkl mno pqr stu vwx cat"])
def test_a_keyword_that_is_missing_or_cut_off_with_the_captions_end_is_rejected(caption):
    with pytest.raises(Rejection, match="keyword not in caption: 'cat'"):
        keyword_token_weights(tiny_tokenizer(), [caption], [["cat"]])


def test_the_mask_is_where_the_map_reaches_tau_times_its_mean():
    # Mean 1, so the threshold is tau itself.
    values = torch.tensor([[[0.0, 0.8125], [0.8124, 2.3751]]])
    assert attention_mask(values, 0.8125).tolist() == [[[False, True], [False, True]]]


def test_an_even_map_lets_everything_change():
    assert attention_mask(torch.full((1, 4, 4), 0.25)).all()
