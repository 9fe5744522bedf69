from pathlib import Path

import torch
from torch import nn

from editfoundry.editors.families.mgie.edit_head import EditHead

NARROW = {"state_dim": 12, "hidden_dim": 8, "num_heads": 2, "feedforward_dim": 16, "num_queries": 5, "output_dim": 6}


def narrow_head() -> EditHead:
    torch.manual_seed(0)
    return EditHead(**NARROW).eval()


def test_the_head_is_a_projection_a_pre_norm_transformer_over_learned_queries_and_a_projection() -> None:
    head, states, embeds = narrow_head(), torch.randn(3, 8, 12), torch.randn(8, 12)
    encoder_layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, norm_first=True, batch_first=True)
    decoder_layer = nn.TransformerDecoderLayer(8, 2, 16, 0.0, norm_first=True, batch_first=True)
    encoder = nn.TransformerEncoder(encoder_layer, 4, nn.LayerNorm(8), enable_nested_tensor=False).eval()
    decoder = nn.TransformerDecoder(decoder_layer, 4, nn.LayerNorm(8)).eval()
    encoder.load_state_dict(head.transformer.encoder.state_dict())
    decoder.load_state_dict(head.transformer.decoder.state_dict())
    memory = encoder(nn.functional.linear(states + embeds, head.project_in.weight, head.project_in.bias))
    read = decoder(torch.stack([head.queries] * 3), memory)
    torch.testing.assert_close(head(states, embeds), head.project_out(read))


def test_nothing_is_the_head_of_zeros_and_the_tokens_embeddings() -> None:
    head, embeds = narrow_head(), torch.randn(8, 12)
    torch.testing.assert_close(head.null(embeds), head(torch.zeros(1, 8, 12), embeds))
    assert not torch.allclose(head.null(embeds), head.null(torch.zeros(8, 12)))


def test_the_papers_sizes_are_the_defaults() -> None:
    with torch.device("meta"):
        head = EditHead()
    shapes = {name: tuple(value.shape) for name, value in head.state_dict().items()}
    assert shapes["project_in.weight"] == (512, 4096) and shapes["project_out.weight"] == (768, 512)
    assert shapes["queries"] == (77, 512) and shapes["transformer.encoder.layers.0.linear1.weight"] == (2048, 512)
    assert len(head.transformer.encoder.layers) == len(head.transformer.decoder.layers) == 4
    assert {m.p for m in head.modules() if isinstance(m, nn.Dropout)} == {0.0}


def test_a_saved_head_is_the_same_and_lies_in_safetensors(tmp_path: Path) -> None:
    head, states, embeds = narrow_head(), torch.randn(2, 8, 12), torch.randn(8, 12)
    head.save_pretrained(tmp_path)
    assert torch.equal(EditHead.from_pretrained(tmp_path)(states, embeds), head(states, embeds))
    assert [path.suffix for path in tmp_path.iterdir() if "model" in path.name] == [".safetensors"]
