"""A language model learns rows through the project's loop: adapters, whole models, words it lacks, exact resumption."""

import json

import pytest
import torch
from accelerate import Accelerator
from tiny_llama import save_tiny_llama
from transformers import AutoModelForCausalLM, AutoTokenizer

from editfoundry.errors import BadInputError
from editfoundry.pretrained.chat import Request, Sampling
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.language_model import load_language_model
from editfoundry.profiles import EMBEDDED_FOLDER, load_profile
from editfoundry.synthesis.instructions.instruction_format import MARKS, STOP, completion, question, read_answer
from editfoundry.synthesis.instructions.instruction_rows import InstructionRow, write_instruction_rows
from editfoundry.synthesis.instructions.new_words import learn_words
from editfoundry.synthesis.instructions.train import instruction_training_config, train_instruction_model
from editfoundry.synthesis.instructions.trainee import IGNORED, InstructionTrainee, TokenizedRow, padded, tokenize_row
from editfoundry.tinyworld.plain_truth import plain_edit_rows
from editfoundry.training.failures import TrainingInterrupted

ROWS = [
    InstructionRow(input=f"a {word}", edit=f"Dye the {word}.", output=f"a red {word}") for word in ("cat", "dog", "ox")
]
FEW = {"num_steps": 6, "batch_size": 2, "learning_rate": 1e-2, "lora_rank": 2, "log_every": 1}
MARKS_LIKE = ('", "instruction": "', '", "output_caption": "', '", "keywords": ["')


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny_llama(tmp_path_factory.mktemp("base") / "llama")


@pytest.fixture
def profile(tmp_path, base):
    path = tmp_path / "mine.toml"
    path.write_text(f"[language_model]\nmodel = '{base}'\n")
    return path


def configured(tmp_path, profile, rows=ROWS, name="out", **settings):
    write_instruction_rows(tmp_path / "rows.jsonl", rows)
    return instruction_training_config(tmp_path / "rows.jsonl", tmp_path / name, str(profile), {**FEW, **settings})


def opened(tmp_path, folder):
    path = tmp_path / "trained.toml"
    path.write_text(f"[language_model]\nmodel = '{folder}'\n")
    return load_language_model(load_profile(path), "cpu"), load_profile(path)


def weights_of(config):
    [path] = config.output.glob("*.safetensors")
    return path.read_bytes()


def test_only_answers_and_their_end_are_learned(base):
    tokenizer = AutoTokenizer.from_pretrained(base)
    row = tokenize_row(tokenizer, ROWS[0])
    assert tokenizer.decode(row.prompt) == "<s><user>a cat\n##\n</s><assistant>"
    assert tokenizer.decode(row.answer) == completion(ROWS[0].edit, ROWS[0].output) + "</s>"
    ids, labels = padded([row, TokenizedRow((1,), (2, 3))], pad=0)
    end = len(row.prompt) + len(row.answer)
    assert ids[0].tolist() == [*row.prompt, *row.answer]
    assert labels[0, : len(row.prompt)].unique().tolist() == [IGNORED]
    assert labels[0, len(row.prompt) : end].tolist() == list(row.answer)
    assert ids[1].tolist() == [1, 2, 3, *[0] * (end - 3)]
    assert labels[1].tolist() == [IGNORED, 2, 3, *[IGNORED] * (end - 3)]


def test_the_loss_is_that_of_transformers_own_labels(tmp_path, profile, base):
    trainee = InstructionTrainee.load(configured(tmp_path, profile, lora_rank=0), Accelerator(cpu=True))
    batch = trainee.batch(0, slice(0, 1))
    expected = AutoModelForCausalLM.from_pretrained(base).eval()(input_ids=batch[0], labels=batch[1]).loss
    assert torch.isclose(trainee.loss([trainee.model], batch), expected, rtol=1e-5)


def test_an_edited_captions_tokens_count_more_where_they_shall(tmp_path, profile):
    plain, weighted = (
        InstructionTrainee.load(configured(tmp_path, profile, lora_rank=0, output_weight=w), Accelerator(cpu=True))
        for w in (1.0, 3.0)
    )
    ids, labels, weights = weighted.batch(0, slice(0, 1))
    row = weighted._row(0)
    first = len(row.prompt) + row.num_edit
    edited = weighted.tokenizer.decode(ids[0, first:])
    assert edited in {f"{known.output}\nEND</s>" for known in ROWS}
    assert weights[0].tolist() == [1.0] * first + [3.0] * (len(weights[0]) - first)
    edit, output = labels.clone(), labels.clone()
    edit[:, first:], output[:, :first] = IGNORED, IGNORED
    losses = [plain.loss([plain.model], (ids, part, torch.ones_like(weights))) for part in (edit, output)]
    counts = [int((part != IGNORED).sum()) for part in (edit, output)]
    expected = (losses[0] * counts[0] + 3 * losses[1] * counts[1]) / (counts[0] + 3 * counts[1])
    assert torch.isclose(weighted.loss([weighted.model], (ids, labels, weights)), expected)


def test_an_epoch_shows_each_row_once_and_the_next_one_in_another_order(tmp_path, profile):
    rows = [InstructionRow(input=f"a {n}", edit="x", output=f"b {n}") for n in range(12)]
    trainee = InstructionTrainee.load(configured(tmp_path, profile, rows, batch_size=4), Accelerator(cpu=True))
    parts = [trainee.batch(step, part)[0] for step in range(6) for part in (slice(0, 2), slice(2, 4))]
    shown = [trainee.tokenizer.decode(row).split("\n##")[0] for ids in parts for row in ids]
    assert sorted(shown[:12]) == sorted(shown[12:]) and len(set(shown[:12])) == 12
    assert shown[:12] != shown[12:]


def test_an_adapter_is_trained_and_opened_with_its_base(tmp_path, profile, base):
    config = configured(tmp_path, profile, num_steps=12)
    summary = train_instruction_model(config)
    assert {p.name for p in config.output.glob("*.safetensors")} == {"adapter_model.safetensors"}
    assert summary["loss_curve"][-1][1] < summary["loss_curve"][0][1]
    assert (summary["num_rows"], summary["num_new_words"]) == (3, 0)
    told = json.loads((config.output / "adapter_config.json").read_text())
    assert told["base_model_name_or_path"] == str(base)
    model, trained = opened(tmp_path, config.output)
    trainee = InstructionTrainee.load(config, Accelerator(cpu=True))
    ids, *_ = trainee.batch(0, slice(0, 2))
    before = trainee.model(input_ids=ids).logits
    from peft import PeftModel

    adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), config.output)
    after = model.model(input_ids=ids).logits
    assert torch.allclose(after, adapted(input_ids=ids).logits, atol=1e-4)
    assert not torch.allclose(after, before, atol=1e-2)
    # Who asks whether the model is still the same looks at the base, too.
    own = model_identity(trained, "language_model")
    expected = model_identity(load_profile(profile), "language_model")
    assert own[-len(expected) :] == expected and len(own) > len(expected)


def test_a_whole_model_is_trained_where_no_rank_is_given(tmp_path, profile):
    config = configured(tmp_path, profile, lora_rank=0)
    train_instruction_model(config)
    assert (config.output / "model.safetensors").is_file() and not (config.output / "adapter_config.json").exists()
    assert opened(tmp_path, config.output)[0].answer([Request(chat=question("a cat"), seed=0)], Sampling(max_tokens=3))


@pytest.mark.parametrize("lora_rank", [0, 2])
def test_a_training_that_was_stopped_gives_the_same_bytes(tmp_path, profile, lora_rank):
    whole = configured(tmp_path, profile, name="whole", lora_rank=lora_rank)
    train_instruction_model(whole)
    stopped = configured(tmp_path, profile, name="stopped", lora_rank=lora_rank)
    asked = iter([False, False, True])
    with pytest.raises(TrainingInterrupted, match="after step 3 of 6"):
        train_instruction_model(stopped, lambda: next(asked))
    train_instruction_model(stopped)
    assert weights_of(stopped) == weights_of(whole)
    again = train_instruction_model(stopped, lambda: pytest.fail("it is trained already"))
    assert again["num_steps"] == 6


def test_the_released_layout_teaches_the_same(tmp_path, profile):
    own = configured(tmp_path, profile, name="own")
    train_instruction_model(own)
    lines = [json.dumps({"prompt": f"{r.input}\n##\n", "completion": f" {r.edit}\n%%\n{r.output}\nEND"}) for r in ROWS]
    (tmp_path / "released.jsonl").write_text("\n".join(lines))
    released = instruction_training_config(tmp_path / "released.jsonl", tmp_path / "released", str(profile), FEW)
    train_instruction_model(released)
    assert weights_of(released) == weights_of(own)


def test_recombined_rows_differ_from_the_rows_and_are_the_same_at_every_run(tmp_path, profile):
    rows = [InstructionRow(**row) for row in plain_edit_rows(30)]
    config = configured(tmp_path, profile, rows, recombined_share=1.0, batch_size=10)
    first, second = (InstructionTrainee.load(config, Accelerator(cpu=True)) for _ in range(2))
    ids = first.batch(1, slice(0, 10))[0]
    assert torch.equal(ids, second.batch(1, slice(0, 10))[0])
    alone = first.batch(1, slice(3, 4))[0][0]
    assert torch.equal(alone, ids[3][: len(alone)])
    shown = {first.tokenizer.decode(row).split("\n##")[0].removeprefix("<s><user>") for row in ids}
    assert len(shown - {row.input for row in rows}) > 3


def test_without_steps_each_row_is_read_once(tmp_path, profile):
    write_instruction_rows(tmp_path / "rows.jsonl", ROWS)
    config = instruction_training_config(tmp_path / "rows.jsonl", tmp_path / "out", str(profile), {"batch_size": 2})
    assert config.num_steps == 2


def test_the_embedded_tokenizer_learns_words_and_marks_and_forgets_none():
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED_FOLDER / "language_model")
    before, rows = tokenizer.get_vocab(), list(plain_edit_rows(300))
    texts = [text for row in rows for text in row.values()]
    new = learn_words(tokenizer, texts)
    assert {token: number for token, number in tokenizer.get_vocab().items() if token in before} == before
    assert new == list(range(len(before), len(tokenizer))) and set(MARKS) <= set(tokenizer.get_vocab())
    for row in rows:
        text = completion(row["edit"], row["output"])
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids).replace("\n%%\n ", "\n%%\n") == text
    assert learn_words(tokenizer, texts) == []


def test_the_embedded_model_learns_new_words_in_an_adapter(tmp_path):
    rows = [InstructionRow(**row) for row in plain_edit_rows(4)]
    settings = {"num_steps": 40, "batch_size": 4, "lora_rank": 8, "marks_like": list(MARKS_LIKE), "num_warmup_steps": 0}
    config = configured(tmp_path, "embedded", rows, **settings)
    summary = train_instruction_model(config)
    assert summary["num_new_words"] > 3 and summary["final_loss"] < 0.3
    told = json.loads((config.output / "adapter_config.json").read_text())
    assert told["base_model_name_or_path"] == "package:language_model"
    assert (config.output / "adapter_model.safetensors").stat().st_size < 2**18
    model, _ = opened(tmp_path, config.output)
    sampling = Sampling(temperature=0.0, frequency_penalty=0.0, stop=(STOP,))
    answers = model.answer([Request(chat=question(row.input), seed=0) for row in rows], sampling)
    assert [read_answer(answer) for answer in answers] == [(row.edit, row.output) for row in rows]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"lora_rank": -1}, "lora_rank is -1"),
        ({"marks_like": ["a"]}, "marks_like is .'a',., but must be 3 tokens, or none"),
        ({"marks_like": "abc"}, "marks_like is 'abc', which is not of type"),
        ({"nothing": 1}, "unknown setting 'nothing'"),
    ],
)
def test_settings_that_make_no_sense_are_told(tmp_path, profile, settings, told):
    with pytest.raises(BadInputError, match=told):
        configured(tmp_path, profile, **settings)


def test_marks_start_like_tokens_that_there_are(tmp_path):
    rows = [InstructionRow(**row) for row in plain_edit_rows(4)]
    with pytest.raises(BadInputError, match="marks_like holds 'nothing'"):
        train_instruction_model(configured(tmp_path, "embedded", rows, marks_like=["nothing", "b", "c"]))


def test_a_row_longer_than_the_model_takes_is_told(tmp_path, profile):
    rows = [*ROWS, InstructionRow(input="a cat " * 100, edit="x", output="y")]
    with pytest.raises(BadInputError, match="rows.jsonl: row 4 has .* tokens, and the model takes 512"):
        train_instruction_model(configured(tmp_path, profile, rows))


def test_an_endpoint_and_an_adapter_are_not_trained_here(tmp_path, profile):
    (tmp_path / "far.toml").write_text('[language_model]\nmodel = "endpoint:tiny"\n')
    with pytest.raises(BadInputError, match="is an endpoint, which is fine-tuned where it runs.* --write-jsonl"):
        train_instruction_model(configured(tmp_path, tmp_path / "far.toml"))
    config = configured(tmp_path, profile)
    train_instruction_model(config)
    (tmp_path / "adapted.toml").write_text(f"[language_model]\nmodel = '{config.output}'\n")
    with pytest.raises(BadInputError, match="LoRA starts from a whole model; set lora_rank to 0"):
        train_instruction_model(configured(tmp_path, tmp_path / "adapted.toml", name="twice"))


def test_an_adapter_whose_weights_are_missing_is_told(tmp_path, profile):
    config = configured(tmp_path, profile)
    train_instruction_model(config)
    (config.output / "adapter_model.safetensors").unlink()
    with pytest.raises(BadInputError, match="has no adapter_model.safetensors"):
        opened(tmp_path, config.output)
