import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from tiny_models import tiny_tokenizer
from tiny_sdxl import sdxl_unet, tiny_sdxl

from editfoundry.diffusion import attention as attention_module
from editfoundry.diffusion.attention import (
    attention_mask,
    attention_probabilities,
    collected_attention,
    cross_attention_sizes,
    normalised_inputs,
)
from editfoundry.diffusion.keyword_tokens import keyword_token_weights
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.errors import BadInputError, Rejection

LENGTH = 24


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(4, 4, 16, 16, generator=generator)
    embeds = torch.randn(4, LENGTH, 16, generator=generator)
    return latents, torch.tensor(500), embeds


@torch.no_grad()
def attention_by_hooks(unet, inputs, resolution, **kwargs):
    """Recompute each cross-attention's probabilities from the inputs that hooks see: list of (B, heads, H*W, L)."""
    found = []

    def record(module, args, kwargs):
        hidden = args[0] if args else kwargs["hidden_states"]
        text = kwargs["encoder_hidden_states"]
        text = text[0] if isinstance(text, tuple) else text
        if hidden.shape[1] != (resolution**2 if isinstance(resolution, int) else resolution[0] * resolution[1]):
            return
        query = module.to_q(hidden).view(len(hidden), hidden.shape[1], module.heads, -1)
        key = module.to_k(text).view(len(hidden), text.shape[1], module.heads, -1)
        logits = torch.einsum("bqhd,bkhd->bhqk", query, key) / query.shape[-1] ** 0.5
        found.append(logits.softmax(-1))

    modules = [m for name, m in unet.named_modules() if name.endswith("attn2")]
    handles = [m.register_forward_pre_hook(record, with_kwargs=True) for m in modules]
    unet(*inputs, **kwargs)
    for handle in handles:
        handle.remove()
    return found


@torch.no_grad()
def test_collecting_attention_leaves_the_unets_output_as_it_was(painter, inputs):
    expected = painter.unet(*inputs)[0]
    weights = keyword_token_weights(tiny_tokenizer(), ["a cat", "a dog"], [["cat"], ["dog"]])
    with collected_attention(painter.unet, weights, 16):
        actual = painter.unet(*inputs)[0]
    assert torch.equal(actual, expected)


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


def test_a_resolution_that_the_unet_does_not_have_is_named_with_those_it_has(painter):
    message = "attention_resolution is 5, at which no cross-attention layer of this UNet works; use 8, 16"
    with pytest.raises(BadInputError, match=message), collected_attention(painter.unet, torch.ones(1, 1, LENGTH), 5):
        pass


@torch.no_grad()
@pytest.mark.parametrize("rows_at_once", [0, 1, 3])
def test_observing_a_few_rows_at_a_time_gives_the_same_maps(painter, inputs, monkeypatch, rows_at_once):
    weights = torch.rand(4, 2, LENGTH)
    with collected_attention(painter.unet, weights, 16) as whole:
        painter.unet(*inputs)
    heads = painter.unet.down_blocks[0].attentions[0].transformer_blocks[0].attn2.heads
    monkeypatch.setattr(attention_module, "_PROBABILITIES_AT_ONCE", rows_at_once * heads * 16 * 16 * LENGTH)
    seen = []

    def watched(layer, hidden_states, text):
        seen.append(len(hidden_states))
        return attention_probabilities(layer, hidden_states, text)

    monkeypatch.setattr(attention_module, "attention_probabilities", watched)
    with collected_attention(painter.unet, weights, 16) as chunked:
        painter.unet(*inputs)
    torch.testing.assert_close(chunked.maps(), whole.maps())
    assert max(seen) == max(1, rows_at_once)


@torch.no_grad()
def test_maps_of_sdxl_and_of_pictures_that_are_not_square_are_those_that_hooks_see():
    unet = sdxl_unet().eval()
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(2, 4, 14, 22, generator=generator), torch.tensor(500), torch.randn(2, LENGTH, 40)
    added = {"text_embeds": torch.randn(2, 24), "time_ids": torch.rand(2, 6)}
    weights = keyword_token_weights(tiny_tokenizer(), ["a cat", "a dog"], [["cat"], ["dog"]])
    with collected_attention(unet, weights, 7, (14, 22)) as attention:
        unet(*inputs, added_cond_kwargs=added)
    layers = attention_by_hooks(unet, inputs, (7, 11), added_cond_kwargs=added)
    expected = torch.stack(layers).mean((0, 2))[:, :, 2:5].mean(-1).view(2, 7, 11)
    assert len(layers) == 8
    torch.testing.assert_close(attention.maps(), expected)


@torch.no_grad()
@pytest.mark.parametrize("size", [(16, 16), (13, 22)])
def test_every_layers_resolution_is_known_before_anything_is_painted(painter, size):
    seen = {}
    for name, module in painter.unet.named_modules():
        if name.endswith("attn2"):
            module.register_forward_pre_hook(
                lambda _, args, name=name: seen.update({name: args[0].shape[1]}), with_kwargs=False
            )
    painter.unet(torch.randn(1, 4, *size), torch.tensor(500), torch.randn(1, LENGTH, 16))
    assert {name: h * w for name, (h, w) in cross_attention_sizes(painter.unet, size).items()} == seen


@torch.no_grad()
@pytest.mark.parametrize("change", ["group_norm", "norm_cross", "residual_connection"])
def test_layers_with_norms_and_residuals_are_observed_and_computed_as_diffusers_does(painter, inputs, change):
    layers = [m for name, m in painter.unet.named_modules() if name.endswith("attn2")]
    for layer in layers:
        if change == "group_norm":
            layer.group_norm = torch.nn.GroupNorm(4, layer.query_dim)
            layer.group_norm.weight.data.uniform_(0.5, 3)
        elif change == "norm_cross":
            layer.norm_cross = torch.nn.LayerNorm(16)
            layer.norm_cross.weight.data.uniform_(0.5, 3)
        else:
            layer.residual_connection, layer.rescale_output_factor = True, 2.0
    expected, queries, keys = painter.unet(*inputs)[0], [], []
    hooks = [
        layer.register_forward_hook(lambda _, __, output, seen=seen: seen.append(output))
        for layer, seen in ((layers[0].to_q, queries), (layers[0].to_k, keys))
    ]
    with collected_attention(painter.unet, torch.ones(4, 1, LENGTH), 16):
        assert torch.equal(painter.unet(*inputs)[0], expected)
    for hook in hooks:
        hook.remove()
    # What is observed and what makes the output are the same queries and keys.
    for projected in (queries, keys):
        assert len(projected) == 2 and torch.equal(*projected)


def test_sdxls_two_tokenizers_put_keywords_at_the_same_places():
    painter = tiny_sdxl()
    captions, keywords = ["cat on cat", "a dog"], [["cat"], ["dog", "a"]]
    first, second = (keyword_token_weights(t, captions, keywords) for t in (painter.tokenizer, painter.tokenizer_2))
    assert torch.equal(first, second)
    padded = [t(captions, padding="max_length")["input_ids"] for t in (painter.tokenizer, painter.tokenizer_2)]
    assert padded[0] != padded[1]
    assert encode_prompts(painter, captions).prompt_embeds.shape == (2, LENGTH, 40)


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


def test_each_map_of_a_batch_is_measured_by_its_own_mean():
    faint = torch.tensor([[0.0, 0.01], [0.03, 0.04]])
    for bright in (faint * 100, faint + 0.5):
        both = attention_mask(torch.stack([faint, bright]), 0.85)
        assert torch.equal(both, torch.cat([attention_mask(one[None], 0.85) for one in (faint, bright)]))
    assert both[0].tolist() == [[False, False], [True, True]]


def test_an_even_map_lets_everything_change():
    assert attention_mask(torch.full((1, 4, 4), 0.25), 0.8125).all()


@torch.no_grad()
@pytest.mark.parametrize("qk_norm", [None, "layer_norm"])
@pytest.mark.parametrize("cross", [True, False])
def test_a_layers_attention_of_a_map_computed_by_hand_is_its_own_processors(cross, qk_norm):
    torch.manual_seed(0)
    width = 12 if cross else None
    layer = Attention(32, width, heads=2, dim_head=16, norm_num_groups=4, spatial_norm_dim=3, qk_norm=qk_norm)
    layer.set_processor(AttnProcessor2_0())
    layer.group_norm.weight.data.uniform_(0.5, 3)
    pixels, temb = torch.randn(2, 32, 5, 4), torch.randn(2, 3, 5, 4)
    text = torch.randn(2, 7, 12) if cross else None
    expected = layer(pixels, encoder_hidden_states=text, temb=temb)
    queries, context = normalised_inputs(layer, pixels, text, temb)
    probabilities = attention_probabilities(layer, queries, context)
    assert probabilities.shape == (2, 2, 20, 7 if cross else 20) and probabilities.dtype == torch.float32
    values = layer.to_v(context).unflatten(-1, (2, 16)).transpose(1, 2)
    attended = layer.to_out[0]((probabilities @ values).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attended.transpose(1, 2).reshape(2, 32, 5, 4), expected, atol=1e-5, rtol=1e-5)
