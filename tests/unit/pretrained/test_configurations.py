"""Configurations are found without weights: in a folder, in the cache, or as the package has them."""

from __future__ import annotations

import json
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from diffusers import UNet2DConditionModel

from editfoundry.diffusion.attention import cross_attention_sizes
from editfoundry.diffusion.prompt_embeds import latent_size
from editfoundry.pretrained.configurations import attention_sides, find_file, native_side, read_configuration
from editfoundry.profiles import ModelReference, load_profile


@pytest.mark.parametrize("name", ["embedded", "paper", "modern"])
@pytest.mark.parametrize("role", ["text_to_image", "editor_base"])
def test_attention_sides_are_those_of_the_built_unet(name, role):
    reference = load_profile(name).model(role)
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(read_configuration(reference, "unet/config.json"))
    sizes = cross_attention_sizes(unet, latent_size(unet))
    assert attention_sides(reference) == sorted({height for height, _ in sizes.values()})


@pytest.mark.parametrize(("name", "sides"), [("embedded", [64, 64]), ("paper", [1024, 512]), ("modern", [1024, 512])])
def test_pipelines_have_the_pictures_that_they_were_made_for(name, sides):
    profile = load_profile(name)
    assert [native_side(profile.model(role)) for role in ("text_to_image", "editor_base")] == sides


def test_a_cached_configuration_of_the_pinned_revision_comes_before_the_published_one(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--openai--clip-vit-large-patch14"
    for commit, revision in (("a" * 40, "main"), ("b" * 40, "v2")):
        (repository / "snapshots" / commit).mkdir(parents=True)
        (repository / "snapshots" / commit / "config.json").write_text(json.dumps({"commit": revision}))
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / revision).write_text(commit)
    for revision in ("main", "v2"):
        reference = ModelReference(role="clip", source="openai/clip-vit-large-patch14", revision=revision)
        found = find_file(reference, "config.json")
        assert found is not None and read_configuration(reference, "config.json") == {"commit": revision}
        assert find_file(reference, "model.safetensors") is None


def test_of_a_model_that_is_nowhere_there_is_nothing(tmp_path):
    nowhere = ModelReference(role="text_to_image", source="owner/name")
    assert read_configuration(nowhere, "unet/config.json") is None
    assert native_side(nowhere) is attention_sides(nowhere) is None
    assert find_file(ModelReference(role="clip", source=str(tmp_path)), "config.json") is None
    assert not Path("owner").exists()
