"""Folders that ask for models which cannot be are refused before anything is built, and broken ones in one line."""

from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path

import pytest
from diffusers import StableDiffusionInstructPix2PixPipeline

from editfoundry.errors import BadInputError
from editfoundry.pretrained.causal_lm import load_causal_lm
from editfoundry.pretrained.checkpoint_configs import check_configs
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.diffusers_pipeline import open_pipeline
from editfoundry.pretrained.ip_adapter import load_image_encoder
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.segmenter import load_segmenter
from editfoundry.pretrained.video_language_model import load_video_language_model
from editfoundry.pretrained.vision_language_model import load_vision_language_model
from editfoundry.profiles import ModelReference, Profile, load_profile

CPU = choose_runtime("cpu")
LOADERS = {
    "clip": load_clip,
    "language_model": lambda profile, runtime: load_causal_lm(profile.model("language_model"), runtime),
    "vision_language_model": load_vision_language_model,
    "video_language_model": load_video_language_model,
    "segmenter": load_segmenter,
    "ip_adapter": lambda profile, runtime: load_image_encoder(profile.model("ip_adapter"), runtime),
}
"""Role -> what opens a folder of transformers' layout for it."""
TAKEN_FROM = {"ip_adapter": "clip"}


@pytest.fixture(scope="module")
def shipped():
    embedded = load_profile("embedded")
    return {role: Path(embedded.model(TAKEN_FROM.get(role, role)).location) for role in LOADERS}


def open_role(role: str, folder: Path) -> object:
    profile = Profile(name="mine", models={role: ModelReference(role=role, source=str(folder))})
    return LOADERS[role](profile, CPU)


@pytest.fixture
def editor(tmp_path):
    shipped = Path(load_profile("embedded").model("editor_base").location)
    return Path(shutil.copytree(shipped, tmp_path / "editor"))


def load(folder: Path) -> StableDiffusionInstructPix2PixPipeline:
    reference = ModelReference(role="editor_base", source=str(folder))
    return open_pipeline(StableDiffusionInstructPix2PixPipeline, reference, choose_runtime("cpu"))


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_every_model_of_the_embedded_profile_is_let_through():
    folders = {path.parent for path in Path(load_profile("embedded").model("clip").location).parent.rglob("*.json")}
    assert len(folders) > 10
    for folder in folders:
        check_configs(folder)


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("unet/config.json", {"layers_per_block": 10**6}),
        ("unet/config.json", {"layers_per_block": [1, 10**6]}),
        ("unet/config.json", {"block_out_channels": [10**9]}),
        ("unet/config.json", {"cross_attention_dim": 10**8}),
        ("text_encoder/config.json", {"num_hidden_layers": 10**6}),
        ("text_encoder/config.json", {"vocab_size": 10**9}),
        ("vae/config.json", {"latent_channels": -(10**7)}),
    ],
)
def test_a_size_that_no_model_has_is_refused_before_it_is_built(file, values, editor):
    change(editor / file, **values)
    started = time.process_time()
    with pytest.raises(BadInputError, match=f"{file}: {next(iter(values))} is -?10+"):
        load(editor)
    assert time.process_time() - started < 20


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 10_000 + "]" * 10_000, "9" * 5000, '{"a": "\\ud800"}'])
@pytest.mark.parametrize("file", ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json"])
def test_a_configuration_that_is_no_json_object_is_one_clear_line(content, file, editor):
    (editor / file).write_text(content)
    with pytest.raises(BadInputError, match=file) as caught:
        load(editor)
    assert "\n" not in str(caught.value)


def test_configurations_with_missing_or_other_values_end_in_one_line_or_load(editor):
    rng = random.Random(0)
    for path in sorted(editor.glob("*/*config.json")):
        whole = path.read_text()
        values = json.loads(whole)
        name = rng.choice(sorted(values))
        path.write_text(json.dumps({**values, name: rng.choice([None, "x", [], {}, -1, 0.5])}))
        try:
            assert isinstance(load(editor), StableDiffusionInstructPix2PixPipeline)
        except BadInputError as error:
            assert "\n" not in str(error)
        path.write_text(whole)


@pytest.mark.parametrize("role", LOADERS)
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "not readable as JSON"),
        ("[" * 10_000 + "]" * 10_000, "not readable as JSON"),
        ('{"vision_config": {"num_hidden_layers": 1000000}}', "num_hidden_layers is 1000000"),
        ('{"text_config": {"max_position_embeddings": 1000000000}}', "max_position_embeddings is 1000000000"),
        ('{"vision_config": {"image_size": 10000000}}', "image_size is 10000000"),
    ],
)
def test_every_role_looks_at_configurations_before_it_builds_anything(role, content, complaint, tmp_path):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(BadInputError, match=f"config.json: .*{complaint}") as caught:
        open_role(role, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("role", LOADERS)
def test_damage_anywhere_in_a_folder_of_transformers_is_one_line(role, shipped, tmp_path):
    rng = random.Random(0)
    folder = Path(shutil.copytree(shipped[role], tmp_path / "model"))
    (folder / "card.json").unlink()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".json", ".safetensors", ".jinja")):
        whole = path.read_bytes()
        damages = [whole[: len(whole) // 2], b"[]"]
        if path.suffix == ".json" and isinstance(values := json.loads(whole), dict):
            name = rng.choice(sorted(values))
            damages += [json.dumps({**values, name: odd}).encode() for odd in (None, "x", -1)]
        for damage in damages:
            path.write_bytes(damage)
            try:
                open_role(role, folder)
            except BadInputError as error:
                assert "\n" not in str(error)
        path.write_bytes(whole)


@pytest.mark.parametrize("size", [10**5, 2**20])
def test_a_sam_whose_weights_have_another_size_is_refused_before_memory_is_taken(size, shipped, tmp_path):
    folder = Path(shutil.copytree(shipped["segmenter"], tmp_path / "sam"))
    values = json.loads((folder / "config.json").read_text())
    change(folder / "config.json", vision_config={**values["vision_config"], "mlp_dim": size, "hidden_size": size})
    started = time.process_time()
    with pytest.raises(BadInputError, match="do not fit its config.json"):
        open_role("segmenter", folder)
    assert time.process_time() - started < 5
