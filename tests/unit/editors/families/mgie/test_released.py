"""The public checkpoint's names and shapes, in a file that the test writes at narrow width."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny_mgie import released_mllm
from torch import Tensor, nn

from editfoundry.editors.families.mgie.released import read_released_mllm
from editfoundry.errors import BadInputError


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_the_released_names_are_read(tmp_path: Path, suffix: str) -> None:
    tensors, path = released_mllm(), tmp_path / f"mllm{suffix}"
    if suffix == ".pt":
        torch.save(tensors, path)
    else:
        save_file(tensors, path)
    found = read_released_mllm(path)
    assert torch.equal(found.embeddings[-8:], tensors["emb"][0])
    assert torch.equal(found.embeddings[:-8], tensors["model.embed_tokens.weight"][:-8])
    assert torch.equal(found.lm_head, tensors["lm_head.weight"])
    assert torch.equal(found.edit_head.queries, tensors["edit_head.query"][0])
    peer = nn.Transformer(8, 4, 2, 2, 16, dropout=0.0, batch_first=True, norm_first=True).eval()
    prefix = "edit_head.mapper."
    peer.load_state_dict({name.removeprefix(prefix): v for name, v in tensors.items() if name.startswith(prefix)})
    states = torch.randn(2, 8, 12)
    read = states + tensors["emb"]
    hidden = nn.functional.linear(read, tensors["edit_head.llm2hid.weight"], tensors["edit_head.llm2hid.bias"])
    written = peer(hidden, tensors["edit_head.query"].repeat(2, 1, 1))
    expected = nn.functional.linear(written, tensors["edit_head.hid2feat.weight"], tensors["edit_head.hid2feat.bias"])
    torch.testing.assert_close(found.edit_head(states, found.embeddings[-8:]), expected)


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("unpickled",)


def test_nothing_but_tensors_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({**released_mllm(), "trap": Trap()}, tmp_path / "mllm.pt")
    with pytest.raises(BadInputError, match="not a file of tensors"):
        read_released_mllm(tmp_path / "mllm.pt")
    assert "unpickled" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lm_head.weight": None}, "has no tensor lm_head.weight"),
        ({"lm_head.weight": torch.zeros(3, 12)}, "not of one shape"),
        ({"emb": torch.zeros(1, 7, 12)}, r"emb is \(1, 7, 12\), not 8 tokens of 12 numbers"),
        ({"emb": torch.zeros(8, 13)}, r"emb is \(8, 13\), not 8 tokens"),
        ({"emb": torch.zeros(())}, r"emb is \(\), not 8 tokens"),
        ({"emb": torch.full((1, 8, 12), torch.nan)}, "mllm.pt: emb has numbers that are not finite"),
        ({"lm_head.weight": torch.full((20, 12), torch.inf)}, "lm_head.weight has numbers that are not finite"),
        (
            {"model.embed_tokens.weight": torch.zeros(8, 12), "lm_head.weight": torch.zeros(8, 12)},
            "model.embed_tokens.weight has 8 rows, and 8 of them are picture tokens",
        ),
        (
            {"model.embed_tokens.weight": torch.zeros(3, 12), "lm_head.weight": torch.zeros(3, 12)},
            "model.embed_tokens.weight has 3 rows",
        ),
        ({"edit_head.hid2feat.weight": torch.zeros(())}, "its edit head is not MGIE's"),
        ({"edit_head.query": None}, "its edit head is not MGIE's"),
        ({"edit_head.more": torch.zeros(1)}, "its edit head is not MGIE's"),
        ({"edit_head.hid2feat.bias": torch.zeros(9)}, "its edit head is not MGIE's"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, change: dict[str, Tensor | None], message: str) -> None:
    tensors = {name: value for name, value in {**released_mllm(), **change}.items() if value is not None}
    torch.save(tensors, tmp_path / "mllm.pt")
    with pytest.raises(BadInputError, match=message) as raised:
        read_released_mllm(tmp_path / "mllm.pt")
    assert "\n" not in str(raised.value)
    with pytest.raises(BadInputError, match="no such file"):
        read_released_mllm(tmp_path / "none.pt")
