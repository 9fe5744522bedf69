"""A checkpoint that lacks weights, or whose configuration is another model's, is refused and not filled up."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file
from tiny_llava import saved_profile, tiny_llava
from tiny_models import tiny_pipeline
from tiny_sdxl import tiny_sdxl

from editfoundry.editors.families.instruct_pix2pix.trainee import load_editor_to_train
from editfoundry.errors import BadInputError
from editfoundry.pretrained.causal_lm import load_causal_lm
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.controlnet_canny import load_controlnet_canny
from editfoundry.pretrained.detector import load_detector
from editfoundry.pretrained.dino import load_dino
from editfoundry.pretrained.editor_base import load_editor_base
from editfoundry.pretrained.ip_adapter import load_image_encoder
from editfoundry.pretrained.runtime import Runtime, choose_runtime
from editfoundry.pretrained.segmenter import load_segmenter
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.pretrained.tokenizer_check import check_text_length
from editfoundry.pretrained.video_language_model import load_video_language_model
from editfoundry.pretrained.vision_language_model import load_vision_language_model
from editfoundry.profiles import ModelReference, Profile, load_profile

CPU = choose_runtime("cpu")
EMBEDDED = load_profile("embedded")


def controlnet(profile: Profile, runtime: Runtime) -> object:
    return load_controlnet_canny(profile, runtime, load_text_to_image(EMBEDDED, runtime).unet)


LOADERS: dict[str, tuple[str, Callable[[Profile, Runtime], object]]] = {
    "clip": ("", load_clip),
    "language_model": ("", lambda profile, runtime: load_causal_lm(profile.model("language_model"), runtime)),
    "vision_language_model": ("", load_vision_language_model),
    "video_language_model": ("", load_video_language_model),
    "segmenter": ("", load_segmenter),
    "controlnet_canny": ("", controlnet),
    "text_to_image": ("unet", load_text_to_image),
    "editor_base": ("text_encoder", load_editor_base),
}
"""Role -> folder of the weights that are damaged, and what opens the model."""


def without_a_tensor(weights: Path) -> str:
    """Take the last tensor that has several rows out of a file; return its name."""
    with safe_open(weights, "pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}
    name = [name for name, tensor in tensors.items() if tensor.ndim > 1][-1]
    del tensors[name]
    save_file(tensors, weights, metadata={"format": "pt"})
    return name


def profile_of(role: str, folder: Path) -> Profile:
    return Profile(name="mine", models={role: ModelReference(role=role, source=str(folder))})


@pytest.mark.parametrize("role", LOADERS)
def test_a_checkpoint_that_lacks_a_tensor_is_refused_with_its_name(role, tmp_path):
    part, load = LOADERS[role]
    folder = Path(shutil.copytree(EMBEDDED.model(role).location, tmp_path / role))
    # The last of several shards has most of the tensors.
    weights = max((folder / part).glob("*.safetensors"))
    name = without_a_tensor(weights)
    with pytest.raises(BadInputError, match=f"role '{role}'.* weight") as caught:
        load(profile_of(role, folder), CPU)
    # Transformers' own names may have another beginning than the file's.
    assert name.split(".")[-2] in str(caught.value) and "\n" not in str(caught.value)


def test_an_image_encoder_and_an_editor_to_train_are_looked_at_too(tmp_path):
    encoder = Path(shutil.copytree(EMBEDDED.model("clip").location, tmp_path / "clip"))
    [weights] = encoder.glob("*.safetensors")
    with safe_open(weights, "pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}
    del tensors["visual_projection.weight"]
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(BadInputError, match="visual_projection.weight"):
        load_image_encoder(ModelReference(role="ip_adapter", source=str(encoder)), CPU)

    editor = Path(shutil.copytree(EMBEDDED.model("editor_base").location, tmp_path / "editor"))
    [weights] = (editor / "vae").glob("*.safetensors")
    name = without_a_tensor(weights)
    with pytest.raises(BadInputError, match=f"editor/vae: lacks 1 of the weights of its AutoencoderKL: {name}"):
        load_editor_to_train(str(editor))


def test_both_text_encoders_of_sdxl_are_looked_at(tmp_path):
    tiny_sdxl().save_pretrained(tmp_path / "painter")
    [weights] = (tmp_path / "painter" / "text_encoder_2").glob("*.safetensors")
    without_a_tensor(weights)
    with pytest.raises(BadInputError, match="painter/text_encoder_2: lacks 1"):
        load_text_to_image(profile_of("text_to_image", tmp_path / "painter"), CPU)


@pytest.mark.parametrize("removed", ["tokenizer/tokenizer.json", "tokenizer"])
def test_an_editor_whose_tokenizer_reads_no_words_is_refused(removed, tmp_path):
    editor = Path(shutil.copytree(EMBEDDED.model("editor_base").location, tmp_path / "editor"))
    path = editor / removed
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(BadInputError, match="editor/tokenizer: its tokenizer has no words: tokenizer.json, or vocab"):
        load_editor_base(profile_of("editor_base", editor), CPU)


@pytest.mark.parametrize("config", [None, "{}"])
def test_a_tokenizer_that_does_not_say_how_long_a_text_may_be_is_told_by_its_text_encoder(config, tmp_path):
    editor = Path(shutil.copytree(EMBEDDED.model("editor_base").location, tmp_path / "editor"))
    path = editor / "tokenizer" / "tokenizer_config.json"
    path.unlink() if config is None else path.write_text(config)
    assert load_editor_base(profile_of("editor_base", editor), CPU).tokenizer.model_max_length == 40


def test_a_tokenizer_of_a_vocabulary_and_merges_as_stable_diffusion_s_is_read(tmp_path):
    tiny_pipeline().save_pretrained(tmp_path)
    path = tmp_path / "tokenizer" / "tokenizer.json"
    model = json.loads(path.read_text())["model"]
    path.unlink()
    (path.parent / "vocab.json").write_text(json.dumps(model["vocab"]))
    (path.parent / "merges.txt").write_text("#version: 0.2\n")
    loaded = load_editor_base(profile_of("editor_base", tmp_path), CPU)
    assert len(loaded.tokenizer) == len(model["vocab"])


@pytest.mark.parametrize("role", ["vision_language_model", "video_language_model", "clip", "detector"])
def test_a_model_whose_tokenizer_lacks_its_files_is_refused_in_one_line(role, tmp_path):
    folder = Path(shutil.copytree(EMBEDDED.model(role).location, tmp_path / role))
    is_llava = role.endswith("language_model")
    (folder / ("tokenizer_config.json" if is_llava else "tokenizer.json")).unlink()
    load = load_detector if role == "detector" else LOADERS[role][1]
    message = (
        "has neither a padding token nor an end token: tokenizer_config" if is_llava else "has no words: tokenizer"
    )
    with pytest.raises(BadInputError, match=f"role '{role}': .*{role}: its tokenizer {message}"):
        load(profile_of(role, folder), CPU)


def test_a_text_encoder_without_a_limit_of_its_own_needs_one_of_its_tokenizer():
    reference = EMBEDDED.model("summarizer")
    tokenizer = transformers.AutoTokenizer.from_pretrained(reference.location)
    check_text_length(tokenizer, reference)
    tokenizer.model_max_length = int(1e30)
    with pytest.raises(BadInputError, match="summarizer/tokenizer: its tokenizer_config.json is missing, or"):
        check_text_length(tokenizer, reference)


def test_a_dino_is_published_without_the_pooler_that_nothing_reads(tmp_path):
    config = transformers.ViTConfig(
        hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32
    )
    transformers.ViTModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    transformers.ViTImageProcessor(size=32).save_pretrained(tmp_path)
    assert load_dino(profile_of("dino", tmp_path), CPU).model.config.hidden_size == 12
    without_a_tensor(tmp_path / "model.safetensors")
    with pytest.raises(BadInputError, match="lacks 1 of the weights of its ViTModel"):
        load_dino(profile_of("dino", tmp_path), CPU)


@pytest.mark.parametrize("text_config", [None, {}, {"model_type": "llama"}, {"model_type": "llama", "vocab_size": 270}])
def test_a_language_model_of_defaults_is_refused_before_it_is_built(text_config, tmp_path, monkeypatch):
    """What a configuration leaves out is Llama's of seven billion numbers."""
    profile = load_profile(saved_profile(tmp_path, tiny_llava()))
    path = tmp_path / "vlm" / "config.json"
    values: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "text_config": text_config}))

    def build(*_: object, **__: object) -> None:
        raise AssertionError("the model is built")

    monkeypatch.setattr(transformers.AutoModelForImageTextToText, "from_pretrained", build)
    with pytest.raises(BadInputError, match=r"config.json asks for a model of 6,\d{3},\d{3},\d{3} numbers, but"):
        load_vision_language_model(profile, CPU)


def test_tied_weights_are_no_missing_ones(tmp_path):
    config = transformers.LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        tie_word_embeddings=True,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path)
    shutil.copy(Path(EMBEDDED.model("language_model").location) / "tokenizer.json", tmp_path)
    shutil.copy(Path(EMBEDDED.model("language_model").location) / "tokenizer_config.json", tmp_path)
    loaded = load_causal_lm(ModelReference(role="language_model", source=str(tmp_path)), CPU)
    assert torch.equal(loaded.model.lm_head.weight, loaded.model.model.embed_tokens.weight)
