"""A release at narrow width becomes an editor here, by the command that a person types."""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tiny_llava import saved_profile, tiny_llava
from tiny_mgie import released_mllm
from tiny_models import tiny_pipeline
from torch import Tensor

from editfoundry.cli import main
from editfoundry.editors.editor import EditRequest
from editfoundry.editors.families.mgie.importing import CHAT_TEMPLATE, import_mgie
from editfoundry.editors.families.mgie.model import load_mgie
from editfoundry.editors.families.mgie.picture_tokens import picture_token_ids
from editfoundry.editors.open_editor import open_editor
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import choose_runtime

CPU = choose_runtime("cpu")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA whose tokenizer has the release's marks around a picture, an editor, and a release trained from both."""
    folder = tmp_path_factory.mktemp("models")
    llava, processor = tiny_llava()
    processor.tokenizer.add_special_tokens({"additional_special_tokens": ["<im_start>", "<im_end>"]})
    llava.resize_token_embeddings(len(processor.tokenizer), mean_resizing=False)
    saved_profile(folder, (llava, processor))
    tiny_pipeline().save_pretrained(folder / "base")
    release = folder / "release"
    release.mkdir()
    torch.save(release_of(llava, len(processor.tokenizer)), release / "mllm.pt")
    unet = {name: value + 0.5 for name, value in tiny_pipeline().unet.state_dict().items()}
    torch.save(unet, release / "unet.pt")
    return folder


def release_of(llava: Any, num_words: int) -> dict[str, Tensor]:
    """The language model's tables a little moved, eight rows behind them, and an edit head as the release names it."""
    tensors = {**released_mllm(16, num_words + 8), "edit_head.hid2feat.weight": torch.randn(16, 8)}
    tensors["edit_head.hid2feat.bias"] = torch.randn(16)
    tables = {
        "model.embed_tokens.weight": llava.get_input_embeddings(),
        "lm_head.weight": llava.get_output_embeddings(),
    }
    for name, layer in tables.items():
        tensors[name][:num_words] = layer.weight.detach() * 1.01
    return tensors


def typed(*words: object) -> int:
    """Run the command line in this process; return its exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["editfoundry", "import", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


def imported(models: Path, folder: Path) -> Path:
    options = ("--mllm", models / "vlm", "--editor", models / "base")
    assert typed("mgie", models / "release", folder / "mgie", *options) == 0
    return folder / "mgie"


def test_every_released_tensor_is_where_it_belongs_and_the_editor_edits(models: Path, tmp_path: Path) -> None:
    folder = imported(models, tmp_path)
    found, told = load_mgie(folder, CPU), torch.load(models / "release" / "mllm.pt", weights_only=True)
    ids = list(picture_token_ids(found.mllm.processor.tokenizer))
    num_words = len(told["lm_head.weight"]) - 8
    half = {name: value.half().float() for name, value in told.items()}
    embeddings, head = found.mllm.model.get_input_embeddings().weight, found.mllm.model.get_output_embeddings().weight
    assert torch.equal(embeddings[:num_words].float(), half["model.embed_tokens.weight"][:num_words])
    assert torch.equal(embeddings[ids].float(), half["emb"][0])
    assert torch.equal(head[ids].float(), half["lm_head.weight"][-8:])
    assert torch.equal(found.edit_head.queries, told["edit_head.query"][0])
    unet = torch.load(models / "release" / "unet.pt", weights_only=True)
    assert all(torch.equal(value, unet[name]) for name, value in found.pipeline.unet.state_dict().items())
    editor = open_editor(str(folder), CPU, num_inference_steps=1)
    [edited] = editor.edit([EditRequest(image=Image.new("RGB", (32, 32)), instruction="melt it", seed=0)])
    assert edited.require().size == (32, 32)


def test_the_imported_language_model_is_asked_as_the_release_asks(models: Path, tmp_path: Path) -> None:
    processor = load_mgie(imported(models, tmp_path), CPU).mllm.processor
    assert processor.chat_template == CHAT_TEMPLATE
    content = [{"type": "image"}, {"type": "text", "text": "what will it be like"}]
    asked = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    assert asked.endswith(
        "questions. USER: what will it be like\n<im_start><image><im_end> ASSISTANT:"
    ) and asked.startswith("A chat between a curious user")


def test_a_language_model_that_the_release_was_not_trained_from_is_refused(models: Path, tmp_path: Path) -> None:
    llava, processor = tiny_llava()
    saved_profile(tmp_path / "other", (llava, processor))
    with pytest.raises(BadInputError, match=r"has 263 tokens of 16 numbers, but the release .* of 265 tokens"):
        import_mgie(models / "release", tmp_path / "mgie", str(tmp_path / "other" / "vlm"), str(models / "base"))
    release = tmp_path / "release"
    release.mkdir()
    torch.save({**release_of(llava, 263), "model.embed_tokens.weight": torch.randn(271, 16)}, release / "mllm.pt")
    (release / "unet.pt").write_bytes((models / "release" / "unet.pt").read_bytes())
    with pytest.raises(BadInputError, match="its words are not the release's"):
        import_mgie(release, tmp_path / "mgie", str(tmp_path / "other" / "vlm"), str(models / "base"))
    tables = ("model.embed_tokens.weight", "lm_head.weight")
    few = {name: value[:11] if name in tables else value for name, value in release_of(llava, 263).items()}
    torch.save(few, release / "mllm.pt")
    with pytest.raises(BadInputError, match="but the release was trained from a LLaVA of 3 tokens"):
        import_mgie(release, tmp_path / "mgie", str(tmp_path / "other" / "vlm"), str(models / "base"))
    assert not (tmp_path / "mgie").exists()


def test_a_unet_with_numbers_that_are_not_finite_is_refused(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "release", tmp_path / "release")
    unet = torch.load(models / "release" / "unet.pt", weights_only=True)
    unet["conv_in.weight"][0, 0] = torch.nan
    torch.save(unet, tmp_path / "release" / "unet.pt")
    with pytest.raises(BadInputError, match="unet.pt: conv_in.weight has numbers that are not finite"):
        import_mgie(tmp_path / "release", tmp_path / "mgie", str(models / "vlm"), str(models / "base"))


def test_missing_files_and_options_are_one_line(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadInputError, match=re.escape(f"{tmp_path}: has no mllm.pt")):
        import_mgie(tmp_path, tmp_path / "out", "", "")
    torch.save({"conv_in.weight": torch.zeros(1)}, tmp_path / "unet.pt")
    (tmp_path / "mllm.pt").write_bytes((models / "release" / "mllm.pt").read_bytes())
    with pytest.raises(BadInputError, match="is no UNet like that of"):
        import_mgie(tmp_path, tmp_path / "out", str(models / "vlm"), str(models / "base"))
    for words, told in ((["mgie", "a", "b"], "needs --mllm"), (["editworld", "a", "b", "--mllm", "c"], "alone")):
        assert typed(*words) == 2
        assert told in capsys.readouterr().err
