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
from editfoundry.pretrained.checkpoint_configs import check_configs
from editfoundry.pretrained.diffusers_pipeline import open_pipeline
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import ModelReference, load_profile


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
