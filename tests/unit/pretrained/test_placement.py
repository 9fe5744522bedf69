import pytest
import torch
from tiny_llama import save_tiny_llama

from editfoundry.errors import BadInputError
from editfoundry.pretrained.causal_lm import load_causal_lm
from editfoundry.pretrained.chat import Message, Request, Sampling
from editfoundry.pretrained.placement import at_work, device_of, place, with_model_at_work
from editfoundry.pretrained.runtime import Runtime, choose_runtime
from editfoundry.profiles import ModelReference, load_profile

GPU = torch.device("cpu")
"""Stands for a GPU: what is elsewhere is on the meta device."""


class Travelling:
    """A model that notes where it goes; it starts away from `GPU`."""

    def __init__(self) -> None:
        self.went: list[str] = []
        self.where = torch.device("meta")

    def parameters(self):
        return iter([torch.empty(1, device=self.where)])

    def to(self, device):
        self.went.append("back" if device == "cpu" and self.where == GPU else "there")
        self.where = torch.device("meta") if self.went[-1] == "back" else GPU
        return self


def test_an_offloaded_model_is_there_while_it_works_and_only_then():
    runtime, model = Runtime(GPU, torch.float32, "cpu"), Travelling()
    assert place(model, runtime).went == []
    with at_work(runtime, model):
        assert model.where == GPU
        with at_work(runtime, model):
            pass
        assert model.where == GPU
    assert model.went == ["there", "back"]


def test_it_goes_back_when_its_work_fails():
    class Role:
        model, runtime = Travelling(), Runtime(GPU, torch.float32, "cpu")

        @with_model_at_work
        def answer(self, question: str) -> str:
            raise ValueError(question)

    with pytest.raises(ValueError, match="why"):
        Role().answer("why")
    assert Role.model.went == ["there", "back"]


def test_a_model_without_offload_is_put_on_its_device_once():
    runtime, model = Runtime(GPU, torch.float32), Travelling()
    place(model, runtime)
    with at_work(runtime, model):
        pass
    assert model.went == ["there"]


def test_layer_by_layer_a_language_model_answers_the_same(tmp_path):
    save_tiny_llama(tmp_path)
    model = load_causal_lm(ModelReference(role="language_model", source=str(tmp_path)), choose_runtime("cpu"))
    requests = [Request(chat=(Message("user", text),), seed=1) for text in ("one", "two")]
    before = model.answer(requests, Sampling(max_tokens=8))
    place(model.model, Runtime(GPU, torch.float32, "sequential"))
    assert next(model.model.parameters()).device.type == "meta" and device_of(model.model) == GPU
    model.prefixes.forget()
    assert [a.text for a in model.answer(requests, Sampling(max_tokens=8))] == [a.text for a in before]


def test_a_role_has_its_own_device_and_offload_and_on_a_cpu_nothing_waits():
    gpu = Runtime(torch.device("cuda:0"), torch.bfloat16)
    reference = ModelReference(role="clip", source="x", offload="cpu")
    assert gpu.of(reference) == Runtime(torch.device("cuda:0"), torch.bfloat16, "cpu")
    assert gpu.of(ModelReference(role="clip", source="x", device="cpu", offload="cpu")) == choose_runtime("cpu")
    assert choose_runtime("cpu").of(reference) == choose_runtime("cpu")
    assert gpu.of(reference).staying() == gpu


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("offload = 'disk'", "role 'clip': offload is 'disk'; use cpu or sequential"),
        ("max_pictures_per_pass = 0", "max_pictures_per_pass is 0; it must be a number from 1"),
        ("stored = 'int8'", "stored is 'int8'; use float32"),
        ("caption_similarity = 0.3", "caption_similarity is 0.3"),
    ],
)
def test_a_wrong_placement_is_bad_input_that_names_role_and_file(tmp_path, line, message):
    (tmp_path / "mine.toml").write_text(f"[clip]\nmodel = 'x'\n{line}\n")
    with pytest.raises(BadInputError, match=message):
        load_profile(tmp_path / "mine.toml")
    (tmp_path / "mine.toml").write_text("[text_to_image]\nmodel = 'x'\noffload = 'sequential'\n")
    with pytest.raises(BadInputError, match="'sequential', which is for language_model"):
        load_profile(tmp_path / "mine.toml")


def test_a_batch_size_of_the_profile_reaches_the_model(tmp_path):
    save_tiny_llama(tmp_path)
    reference = ModelReference(role="language_model", source=str(tmp_path), max_pictures_per_pass=3)
    assert load_causal_lm(reference, choose_runtime("cpu")).batch_size == 3
