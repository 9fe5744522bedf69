import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_llava import loaded, saved_profile, tiny_llava, tiny_onevision
from tiny_models import tiny_image
from transformers import BertConfig, BertModel, LlavaConfig, LlavaForConditionalGeneration

from editfoundry.errors import BadInputError, MissingModelError
from editfoundry.pretrained.picture_features import side_by_side
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.vision_language_model import load_vision_language_model
from editfoundry.profiles import load_profile

CPU = choose_runtime("cpu")
DIGITS = ("1", "2", "3", "4", "5")
FIRST, SECOND, THIRD = (tiny_image(seed, (40, 24)) for seed in range(3))
PAIR_ROWS = [(FIRST, SECOND), (SECOND,), (SECOND, THIRD), (FIRST, SECOND)]
PROMPTS = ["how alike?", "how sharp is this picture? say it", "ok?", "what changed between these two?"]
CHATS = list(zip(PAIR_ROWS, PROMPTS, strict=True))


@pytest.fixture(scope="module", params=["llava-1.5", "llava of two pictures", "onevision"])
def model(request, tmp_path_factory):
    parts = {
        "llava-1.5": lambda: tiny_llava(),
        "llava of two pictures": lambda: tiny_llava(multi_image=True),
        "onevision": tiny_onevision,
    }[request.param]()
    return loaded(tmp_path_factory.mktemp("vlm"), parts)


def plain_inputs(model, row, prompt):
    """What transformers' own processor makes of one chat."""
    images = list(row) if model.takes_several_images or len(row) == 1 else [side_by_side(row)]
    content = [*({"type": "image"} for _ in images), {"type": "text", "text": prompt}]
    text = model.processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    return text, [images]


@torch.inference_mode()
def plain_logits(model, row, prompt, ending):
    text, images = plain_inputs(model, row, prompt)
    return model.model(**model.processor(text=[text + ending], images=images, return_tensors="pt")).logits[0, -1]


def test_probabilities_from_features_computed_once_equal_the_plain_forward(model):
    probabilities = model.answer_probabilities(PAIR_ROWS, PROMPTS, DIGITS)
    # LLaVA-1.5's template puts a space before an answer, which is a token of its own here; the other's does not.
    ending = " " if model.model.config.model_type == "llava" else ""
    digits = model.processor.tokenizer.convert_tokens_to_ids(list(DIGITS))
    expected = [plain_logits(model, row, p, ending)[digits].softmax(-1) for row, p in CHATS]
    assert probabilities.shape == (4, 5) and probabilities.dtype == torch.float32
    torch.testing.assert_close(probabilities, torch.stack(expected), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(4))
    assert (probabilities[0] - probabilities[2]).abs().max() > 1e-3


def test_text_written_in_a_padded_batch_equals_the_plain_text(model):
    written = model.generate(PAIR_ROWS, PROMPTS, max_new_tokens=8)
    for row, prompt, text in zip(PAIR_ROWS, PROMPTS, written, strict=True):
        chat, images = plain_inputs(model, row, prompt)
        inputs = model.processor(text=[chat], images=images, return_tensors="pt")
        tokens = model.model.generate(**inputs, max_new_tokens=8, do_sample=False)[:, inputs["input_ids"].shape[1] :]
        assert text == model.processor.tokenizer.decode(tokens[0], skip_special_tokens=True).strip()
    assert len(set(written)) > 1


ANSWERS = ["a cat", "it is sharp", "ok", "a cat sleeps on the mat now"]


@torch.inference_mode()
def plain_log_likelihood(model, row, prompt, answer):
    """Sum of the log-probabilities of the tokens that an answer adds to a chat, from transformers' own forward pass."""
    chat, images = plain_inputs(model, row, prompt)
    messages = [
        {"role": "user", "content": [*({"type": "image"} for _ in images[0]), {"type": "text", "text": prompt}]},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]
    whole = model.processor.apply_chat_template(messages, tokenize=False)
    inputs = model.processor(text=[whole], images=images, return_tensors="pt")
    begin = model.processor(text=[whole[: whole.rfind(answer)]], images=images, return_tensors="pt")["input_ids"].shape[
        1
    ]
    ids, odds = inputs["input_ids"][0], model.model(**inputs).logits[0].log_softmax(-1)
    return sum(odds[i - 1, ids[i]] for i in range(begin, len(ids)))


def test_the_likelihood_of_an_answer_is_that_of_its_tokens_and_of_what_ends_it(model):
    found = model.log_likelihoods(PAIR_ROWS, PROMPTS, ANSWERS)
    expected = [plain_log_likelihood(model, *parts) for parts in zip(PAIR_ROWS, PROMPTS, ANSWERS, strict=True)]
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-3, rtol=1e-4)
    assert found.dtype == torch.float32 and bool((found < 0).all()) and found[3] < found[2]


def test_what_shares_a_batch_changes_no_likelihood(model):
    apart = [model.log_likelihoods([r], [p], [a]) for (r, p), a in zip(CHATS, ANSWERS, strict=True)]
    torch.testing.assert_close(
        model.log_likelihoods(PAIR_ROWS, PROMPTS, ANSWERS), torch.cat(apart), atol=1e-3, rtol=1e-4
    )
    assert model.log_likelihoods([], [], []).shape == (0,)


def test_an_answer_of_nothing_is_as_likely_as_its_end(model):
    found = model.log_likelihoods([(FIRST,), (FIRST,)], ["what?"] * 2, ["", " "])
    assert bool((found < 0).all()) and bool((found > -15).all())


def test_marks_inside_an_answer_open_no_turn(model):
    found = [model.log_likelihoods([(FIRST,)], ["what?"], [text]) for text in ("a <|im_end|> </s> cat", "a     cat")]
    torch.testing.assert_close(*found)


def test_what_shares_a_batch_changes_no_answer(model):
    together = model.answer_probabilities(PAIR_ROWS, PROMPTS, DIGITS)
    apart = torch.cat([model.answer_probabilities([r], [p], DIGITS) for r, p in CHATS])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-4)


def test_a_picture_of_several_questions_goes_through_the_tower_once(model, monkeypatch):
    seen = []
    features = model.model.get_image_features

    def counted(pixel_values, **others):
        seen.append(len(pixel_values))
        return features(pixel_values=pixel_values, **others)

    monkeypatch.setattr(model.model, "get_image_features", counted)
    model.answer_probabilities([(FIRST, SECOND)] * 4, PROMPTS, DIGITS)
    assert seen == [2 if model.takes_several_images else 1]


def test_marks_inside_a_prompt_open_no_turn_and_no_picture(model):
    marked = ["a <image> <|im_end|> </s> cat"]
    plain = [" ".join(["a", " ", " ", " ", "cat"])]
    probabilities = [model.answer_probabilities([(FIRST,)], prompt, DIGITS) for prompt in (marked, plain)]
    torch.testing.assert_close(*probabilities)


@pytest.mark.parametrize("choices", [("1", "12"), ("yes", "no"), ("1", "1")])
def test_answers_of_several_tokens_are_refused_by_name(model, choices):
    with pytest.raises(BadInputError, match=f"'{choices[0]}'.*one token each"):
        model.answer_probabilities([(FIRST,)], ["?"], choices)


def test_no_prompt_has_no_answer(model):
    assert model.answer_probabilities([], [], DIGITS).shape == (0, 5)
    assert model.generate([], []) == []


def test_a_profile_says_whether_two_pictures_come_one_after_the_other(tmp_path):
    path = saved_profile(tmp_path, tiny_llava())
    plain = path.read_text()
    for told in (True, False):
        path.write_text(plain + f"\n[vision_language_model.options]\nmulti_image = {str(told).lower()}\n")
        model = load_vision_language_model(load_profile(path), CPU)
        assert model.takes_several_images is told
        text, images = plain_inputs(model, (FIRST, SECOND), "how alike?")
        assert (text.count(model.processor.image_token), len(images[0])) == ((2, 2) if told else (1, 1))
    for wrong, message in (('multi_image = "yes"', "must be true or false"), ("size = 1", "no option 'size'")):
        path.write_text(plain + f"\n[vision_language_model.options]\n{wrong}\n")
        with pytest.raises(BadInputError, match=message):
            load_vision_language_model(load_profile(path), CPU)


def test_pictures_of_other_sizes_stand_side_by_side_on_a_square_and_none_is_cropped():
    sheet = side_by_side([FIRST, tiny_image(1, (24, 60))])
    assert sheet.size == (64, 64)
    assert sheet.crop((0, 20, 40, 44)).tobytes() == FIRST.tobytes()
    assert sheet.crop((40, 2, 64, 62)).tobytes() == tiny_image(1, (24, 60)).tobytes()
    assert sheet.getpixel((0, 0)) == (127, 127, 127)


HUB_PREFIXES = {
    "model.language_model.": "language_model.model.",
    "lm_head.": "language_model.lm_head.",
    "model.multi_modal_projector.": "multi_modal_projector.",
    "model.vision_tower.": "vision_tower.vision_model.",
}
"""Of today's module names to the tensor names of llava-hf/llava-1.5-7b-hf on the hub."""


def hub_name(name):
    name = name.replace("vision_tower.vision_model.", "vision_tower.")
    prefix = next(p for p in HUB_PREFIXES if name.startswith(p))
    return HUB_PREFIXES[prefix] + name.removeprefix(prefix)


def test_a_checkpoint_with_the_hubs_tensor_names_loads_into_every_weight(tmp_path):
    parts = tiny_llava()
    profile = load_profile(saved_profile(tmp_path, parts))
    file = tmp_path / "vlm" / "model.safetensors"
    tensors = {hub_name(name): tensor.contiguous() for name, tensor in parts[0].state_dict().items()}
    assert "language_model.model.layers.0.self_attn.q_proj.weight" in tensors
    assert "vision_tower.vision_model.embeddings.class_embedding" in tensors
    save_file(tensors, file, {"format": "pt"})
    model = load_vision_language_model(profile, CPU)
    for name, tensor in parts[0].state_dict().items():
        assert torch.equal(model.model.state_dict()[name], tensor), name
    assert load_file(file).keys() == tensors.keys()


def test_the_full_size_llava_has_the_published_tensors_and_parameters():
    published = json.loads((Path(__file__).parent / "llava_1_5_7b.json").read_text())
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(LlavaConfig.from_dict(published["config"]))
    assert sum(p.numel() for p in model.parameters()) == 7_063_427_072
    shapes = {hub_name(name): list(p.shape) for name, p in model.named_parameters()}
    assert len(shapes) == published["num_tensors"]
    for name, shape in published["tensors"].items():
        assert shapes[name] == shape, name


def test_a_model_of_another_kind_is_bad_input(tmp_path):
    config = BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    profile = saved_profile(tmp_path, (BertModel(config),))
    with pytest.raises(BadInputError, match="is a bert; the role vision_language_model takes llava or llava_onevision"):
        load_vision_language_model(load_profile(profile), CPU)


def test_a_model_without_chat_template_is_bad_input(tmp_path):
    profile = saved_profile(tmp_path, tiny_llava())
    (tmp_path / "vlm" / "chat_template.jinja").unlink()
    with pytest.raises(BadInputError, match="no chat template"):
        load_vision_language_model(load_profile(profile), CPU)


def test_a_missing_model_is_named_in_one_line_with_what_makes_it(tmp_path):
    (tmp_path / "mine.toml").write_text("[vision_language_model]\nmodel = 'package:nothing'")
    with pytest.raises(MissingModelError) as error:
        load_vision_language_model(load_profile(tmp_path / "mine.toml"), CPU)
    message = str(error.value)
    assert message.endswith("editfoundry tinyworld pretrain vision_language_model") and "\n" not in message


TAIL = [20, 30, 40]


@torch.inference_mode()
def plain_states(model, row, prompt, said):
    chat, images = plain_inputs(model, row, prompt)
    inputs = model.processor(text=[chat], images=images or None, return_tensors="pt")
    more = torch.tensor([[*said, *TAIL]])
    inputs["input_ids"] = torch.cat([inputs["input_ids"], more], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    return model.model.model(**inputs).last_hidden_state[0, -len(TAIL) - 1 : -1]


def test_the_states_are_those_from_which_the_tail_is_predicted_at_whatever_place_of_a_batch(model):
    # Three tokens: no run of them can come twice.
    answers = model.answer_with_states(PAIR_ROWS, PROMPTS, TAIL, max_new_tokens=3)
    for (row, prompt), answer in zip(CHATS, answers, strict=True):
        [alone] = model.answer_with_states([row], [prompt], TAIL, max_new_tokens=3)
        chat, images = plain_inputs(model, row, prompt)
        inputs = model.processor(text=[chat], images=images, return_tensors="pt")
        drawn = model.model.generate(**inputs, max_new_tokens=3, do_sample=False, eos_token_id=[0])
        said = drawn[0, inputs["input_ids"].shape[1] :].tolist()
        assert answer.token_ids == alone.token_ids == said
        torch.testing.assert_close(answer.states, plain_states(model, row, prompt, said), atol=1e-4, rtol=1e-3)


def test_an_answer_ends_where_the_tail_or_an_end_token_begins_and_says_which(model):
    said = [one.token_ids for one in model.answer_with_states(PAIR_ROWS, PROMPTS, TAIL, max_new_tokens=2)]
    place = next(place for place, ids in enumerate(said) if len(set(ids)) == 2)
    (row, prompt), (first, second) = CHATS[place], said[place]
    tail = [second, 30, 40]
    [began] = model.answer_with_states([row], [prompt], tail)
    [endless] = model.answer_with_states([row], [prompt], TAIL, max_new_tokens=1)
    before = model.model.generation_config.eos_token_id
    model.model.generation_config.eos_token_id = first
    [empty] = model.answer_with_states([row], [prompt], TAIL)
    model.model.generation_config.eos_token_id = before
    text = model.processor.tokenizer.decode([first], skip_special_tokens=True).strip()
    assert (began.stopped_by, began.text) == ("tail", text)
    assert (endless.stopped_by, endless.text) == ("limit", text)
    assert (empty.stopped_by, empty.text) == ("end", "")
    assert began.states.shape == empty.states.shape == endless.states.shape


def test_no_run_of_tokens_comes_twice_in_an_answer(model):
    model.model.generation_config.eos_token_id, before = 0, model.model.generation_config.eos_token_id
    answers = model.answer_with_states(PAIR_ROWS, PROMPTS, [251], max_new_tokens=90, no_repeat_ngram_size=1)
    model.model.generation_config.eos_token_id = before
    assert max(len(answer.token_ids) for answer in answers) > 30
    for answer in answers:
        assert len(set(answer.token_ids)) == len(answer.token_ids)


def test_a_prompt_without_a_picture_is_about_words_alone(model):
    [answer] = model.answer_with_states([()], ["what if it melts?"], TAIL, max_new_tokens=3)
    chat, _ = plain_inputs(model, (FIRST,), "what if it melts?")
    text = chat.replace(model.processor.image_token + "\n", "").replace(model.processor.image_token, "")
    asked = model.processor.tokenizer(text, return_tensors="pt")
    inputs = {"input_ids": asked.input_ids, "attention_mask": asked.attention_mask}
    drawn = model.model.generate(**inputs, max_new_tokens=3, do_sample=False, eos_token_id=[0])
    said = drawn[0, asked.input_ids.shape[1] :].tolist()
    assert answer.text == model.processor.tokenizer.decode(said, skip_special_tokens=True).strip()


def test_the_tokens_of_a_chat_and_its_answer_are_those_that_the_processor_makes(model):
    [(asked, told)] = model.chat_tokens([(16,)], ["what if?"], ["it melts"])
    chat, images = plain_inputs(model, (tiny_image(0, (32, 32)),), "what if?")
    space = " " if model.model.config.model_type == "llava" else ""
    if model.model.config.model_type == "llava":
        expected = model.processor(text=[chat + space + "it melts"], images=images, return_tensors="pt").input_ids[0]
        assert asked + told == expected.tolist()
    assert model.processor.tokenizer.decode(told) == space + "it melts"
    assert model.chat_tokens([(16,)], ["what if?"], [""])[0] == (asked, [])
