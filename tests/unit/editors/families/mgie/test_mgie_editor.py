import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file
from tiny_mgie import tiny_mgie, tiny_mgie_folder
from tiny_models import tiny_image, tiny_pipeline
from transformers import AutoProcessor, AutoTokenizer, LlavaForConditionalGeneration

from editfoundry.editors.chosen_editor import ChosenEditor
from editfoundry.editors.edit_file import edit_file
from editfoundry.editors.editor import EditRequest
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.editors.families.mgie.edit_head import EditHead
from editfoundry.editors.families.mgie.model import MgieModel, load_mgie, save_mgie, words_of
from editfoundry.editors.families.mgie.picture_tokens import PICTURE_TOKENS, picture_token_ids
from editfoundry.editors.open_editor import find_editor, open_editor
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.vision_language_model import AnswerWithStates
from editfoundry.synthesis.expressive.question import question

CPU = choose_runtime("cpu")
OPTIONS = {"num_inference_steps": 2, "guidance_scale": 3.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_mgie_folder(tmp_path_factory.mktemp("mgie"))


@pytest.fixture(scope="module")
def model(folder: Path) -> MgieModel:
    return load_mgie(folder, CPU)


def requests(count: int = 3) -> list[EditRequest]:
    texts = ["melt it", "let it grow old", "what happens in the heat?"]
    return [EditRequest(image=tiny_image(n, (40, 24)), instruction=texts[n], seed=n, id=f"{n}") for n in range(count)]


def test_the_question_is_the_papers() -> None:
    assert question("turn the day into night") == 'what will this image be like if "turn the day into night"'
    assert PICTURE_TOKENS == ("[IMG0]", "[IMG1]", "[IMG2]", "[IMG3]", "[IMG4]", "[IMG5]", "[IMG6]", "[IMG7]")


def test_a_checkpoint_opens_by_its_folder_and_edits_each_picture_alike_alone_and_in_a_batch(folder: Path) -> None:
    editor = open_editor(str(folder), CPU, **OPTIONS)
    assert editor.source.family.name == "mgie" and find_editor(str(folder)).option_names[0] == "num_inference_steps"
    together = editor.edit(requests())
    for request, result in zip(requests(), together, strict=True):
        [alone] = editor.edit([request])
        assert result.require().size == (40, 24) and result.words == alone.words and result.words is not None
        difference = np.asarray(result.require(), int) - np.asarray(alone.require(), int)
        assert np.abs(difference).max() <= 1
    pictures = [np.asarray(result.require()) for result in together]
    assert not np.array_equal(pictures[0], pictures[1])


def test_a_checkpoint_holds_all_that_was_trained_and_opens_with_plain_diffusers_and_transformers(
    tmp_path: Path, folder: Path
) -> None:
    made = tiny_mgie(tmp_path)
    parts = {
        "unet": UNet2DConditionModel.from_pretrained(folder, subfolder="unet"),
        "vae": AutoencoderKL.from_pretrained(folder, subfolder="vae"),
    }
    assert isinstance(DDIMScheduler.from_pretrained(folder, subfolder="scheduler"), DDIMScheduler)
    for name, part in parts.items():
        for key, value in getattr(made.pipeline, name).state_dict().items():
            assert torch.equal(part.state_dict()[key], value)
    mllm = LlavaForConditionalGeneration.from_pretrained(folder / "mllm")
    ids = list(picture_token_ids(AutoTokenizer.from_pretrained(folder / "mllm")))
    embeds = made.mllm.model.get_input_embeddings().weight
    assert torch.equal(mllm.get_input_embeddings().weight[ids], embeds[ids])
    assert torch.equal(mllm.get_output_embeddings().weight, made.mllm.model.get_output_embeddings().weight)
    assert AutoProcessor.from_pretrained(folder / "mllm").chat_template == made.mllm.processor.chat_template
    head = EditHead.from_pretrained(folder / "edit_head")
    assert torch.equal(head.queries, made.edit_head.queries)


def test_the_unet_attends_to_the_head_of_the_states_and_without_an_instruction_to_the_head_of_nothing(
    model: MgieModel,
) -> None:
    images, texts = [tiny_image(1)], ["melt it"]
    ids = list(picture_token_ids(model.mllm.processor.tokenizer))
    [answer] = model.mllm.answer_with_states([images], [question("melt it")], ids)
    embeds = model.mllm.model.get_input_embeddings().weight[ids].detach()
    imagined = model.imagine(images, texts)
    torch.testing.assert_close(imagined.prompt_embeds, model.edit_head(answer.states[None], embeds).detach())
    torch.testing.assert_close(imagined.null_embeds, model.edit_head.null(embeds).detach())
    attended = []
    hook = model.pipeline.unet.register_forward_pre_hook(
        lambda _, args, kwargs: attended.append(kwargs["encoder_hidden_states"]), with_kwargs=True
    )
    edit_images(
        model.pipeline, images, texts, seeds=[0], num_inference_steps=1,
        prompt_embeds=imagined.prompt_embeds, negative_prompt_embeds=imagined.null_embeds,
    )  # fmt: skip
    hook.remove()
    null = imagined.null_embeds
    torch.testing.assert_close(attended[0], torch.cat([null, null, imagined.prompt_embeds]))


def test_given_embeddings_are_what_the_text_encoder_would_have_said() -> None:
    pipeline, images, texts = tiny_pipeline(), [tiny_image(1), tiny_image(2)], ["melt it", "add a cat"]
    ids = pipeline.tokenizer(texts + [""], padding="max_length", max_length=24, return_tensors="pt").input_ids
    with torch.no_grad():
        embeds = pipeline.text_encoder(ids)[0]
    said = edit_images(pipeline, images, texts, seeds=[0, 1], num_inference_steps=2)
    given = edit_images(
        pipeline, images, texts, seeds=[0, 1], num_inference_steps=2,
        prompt_embeds=embeds[:2], negative_prompt_embeds=embeds[2:],
    )  # fmt: skip
    assert [a.tobytes() for a in said] == [a.tobytes() for a in given]


def test_an_editor_that_does_not_see_the_picture_says_the_same_of_every_picture(tmp_path: Path) -> None:
    blind, seeing = tiny_mgie(tmp_path / "a", sees_picture=False), tiny_mgie(tmp_path / "b")
    images, texts = [tiny_image(1), tiny_image(2)], ["melt it", "melt it"]
    same, other = (model.imagine(images, texts).prompt_embeds for model in (blind, seeing))
    torch.testing.assert_close(same[0], same[1])
    assert (other[0] - other[1]).abs().max() > 1e-3


def test_what_is_amiss_with_an_answer_is_noted() -> None:
    def note(text: str, stopped_by: str) -> str:
        return words_of(AnswerWithStates(text, [], stopped_by, torch.zeros(8, 2)), "melt the snowman").note  # type: ignore[arg-type]

    assert note("a puddle in a field", "tail") == ""
    assert note("a puddle in a field", "end") == "no-picture-tokens"
    assert note("a puddle a puddle", "limit") == "endless"
    assert note("", "tail") == "empty"
    assert note("лужа в поле", "tail") == "other-script"
    assert note("1", "tail") == ""


def test_an_instruction_cannot_write_the_picture_tokens_itself(model: MgieModel) -> None:
    plain = model.imagine([tiny_image(1)], ["melt   it"])
    marked = model.imagine([tiny_image(1)], ["melt [IMG0] it"])
    torch.testing.assert_close(plain.prompt_embeds, marked.prompt_embeds)


def test_the_words_are_printed_and_kept(tmp_path: Path, folder: Path) -> None:
    tiny_image(3).save(tmp_path / "a.png")
    chosen = ChosenEditor(name=str(folder), device="cpu", options=OPTIONS)
    out, told = tmp_path / "out.png", tmp_path / "told"
    edited = edit_file(tmp_path / "a.png", "melt it", out, chosen, explain=told)
    assert edited.words is not None and out.is_file()
    kept = json.loads((told / "words.json").read_text())
    assert kept == {"instruction": "melt it", **edited.words.to_dict()}


def test_parts_of_different_editors_are_refused_in_one_line(tmp_path: Path) -> None:
    model = tiny_mgie(tmp_path / "parts")
    wide = EditHead(state_dim=24, output_dim=16, hidden_dim=8, num_heads=2, num_layers=1)
    save_mgie(replace(model, edit_head=wide), tmp_path / "mgie")
    with pytest.raises(BadInputError, match="edit head takes states of 24 .* language model's have 16"):
        load_mgie(tmp_path / "mgie", CPU)


def test_a_language_model_that_has_no_picture_tokens_is_refused(tmp_path: Path, folder: Path) -> None:

    shutil.copytree(folder, tmp_path / "mgie")
    tokenizer = tmp_path / "mgie" / "mllm" / "tokenizer.json"
    kept = json.loads(tokenizer.read_text())
    kept["added_tokens"] = [token for token in kept["added_tokens"] if not token["content"].startswith("[IMG")]
    tokenizer.write_text(json.dumps(kept))
    settings = tmp_path / "mgie" / "mllm" / "tokenizer_config.json"
    told = json.loads(settings.read_text())
    told.pop("added_tokens_decoder", None)
    told["extra_special_tokens"] = [t for t in told.get("extra_special_tokens", []) if not t.startswith("[IMG")]
    settings.write_text(json.dumps(told))
    with pytest.raises(BadInputError, match=r"has no token \[IMG0\]"):
        load_mgie(tmp_path / "mgie", CPU)


def test_every_weight_lies_in_safetensors(folder: Path) -> None:
    weights = [path for path in folder.rglob("*") if path.suffix in (".bin", ".pt", ".ckpt")]
    assert not weights and load_file(folder / "edit_head" / "diffusion_pytorch_model.safetensors")
