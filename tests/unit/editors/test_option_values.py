"""Options' values are of the kinds that the options have, whoever gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from function_editors import request
from PIL import Image
from tiny_models import tiny_pipeline

from editfoundry.editors.editor_family import EditorSource
from editfoundry.editors.families.diffusers_pipeline.family import DIFFUSERS_PIPELINE
from editfoundry.editors.families.instruct_pix2pix.family import editor_of_pipeline
from editfoundry.editors.open_editor import find_editor
from editfoundry.errors import BadInputError
from editfoundry.evaluation.contestants_by_name import EditorOptions, contestants_by_name
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile


def source_of(name: str) -> EditorSource:
    """Return a family's own or shipped editor, or by the name of a class one of diffusers."""
    if name.endswith("Pipeline"):
        return EditorSource(name=name, family=DIFFUSERS_PIPELINE, folder=Path(), pipeline_class=name)
    return find_editor(name, load_profile("embedded"))


@pytest.mark.parametrize(
    ("name", "option", "value", "meant"),
    [
        ("base", "num_inference_steps", "abc", "a whole number"),
        ("base", "num_inference_steps", 2.5, "a whole number"),
        ("base", "num_inference_steps", True, "a whole number"),
        ("base", "num_inference_steps", 1001, "in 1 to 1000"),
        ("base", "guidance_scale", "abc", "a finite number"),
        ("base", "image_guidance_scale", float("nan"), "a finite number"),
        ("base", "guidance_rescale", 10**400, "a finite number"),
        ("base", "scheduler", 3, "a word"),
        ("package:emu_edit", "task", 3, "a word"),
        ("sdedit", "strength", "abc", "a finite number"),
        ("sdedit", "num_inference_steps", 5000, "in 1 to 1000"),
        ("inpainter", "context", "abc", "a finite number"),
        ("prompt-to-prompt", "control", 2, "a word"),
        ("FluxKontextPipeline", "num_inference_steps", "abc", "a whole number"),
        ("FluxKontextPipeline", "height", "tall", "a whole number"),
        ("FluxKontextPipeline", "guidance_scale", "abc", "a finite number"),
        ("FluxKontextPipeline", "_auto_resize", "false", "0 or 1"),
        ("FluxKontextPipeline", "latents", 3, "neither a number nor a word"),
        ("StableDiffusionImg2ImgPipeline", "strength", float("inf"), "a finite number"),
    ],
)
def test_a_value_of_another_kind_is_refused(name: str, option: str, value: Any, meant: str) -> None:
    with pytest.raises(BadInputError, match=f"{option} is .*, but must be {meant}"):
        source_of(name).options({option: value})


def test_a_whole_number_is_a_number_and_what_words_cannot_give_is_left_to_the_pipeline() -> None:
    assert source_of("base").options({"guidance_scale": 3, "scheduler": "euler-ancestral"}).guidance_scale == 3
    given = {"_auto_resize": False, "height": 32, "negative_prompt": "snow", "sigmas": [1.0, 0.5], "max_area": 64}
    options = source_of("FluxKontextPipeline").options({**given, "latents": torch.zeros(1)})
    assert options.height == 32 and options.sigmas == [1.0, 0.5]


def test_values_of_the_checkpoint_s_own_file_are_of_the_options_kinds(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionInstructPix2PixPipeline"}')
    for value in ("abc", True, float("nan")):
        (tmp_path / "editing.json").write_text(json.dumps({"options": {"guidance_scale": value}}))
        with pytest.raises(BadInputError, match=r"editing\.json: guidance_scale is .*, but must be a finite number"):
            find_editor(str(tmp_path)).options({})


def test_a_scheduler_that_is_none_is_refused_before_the_model_is_loaded(tmp_path: Path) -> None:
    profile, runtime = load_profile("embedded"), choose_runtime("cpu")
    with pytest.raises(BadInputError, match="base: no scheduler 'foo' for this editor; use one of ddim"):
        contestants_by_name(["base"], profile, runtime, EditorOptions(given={"scheduler": "foo"}))
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionInstructPix2PixPipeline"}')
    with pytest.raises(BadInputError, match="diffusers has no scheduler 'foo'"):
        find_editor(str(tmp_path)).options({"scheduler": "foo"})
    assert find_editor(str(tmp_path)).options({"scheduler": "ddim"}).scheduler == "ddim"


def test_an_option_of_one_request_is_of_its_kind_too() -> None:
    editor = editor_of_pipeline(tiny_pipeline(), num_inference_steps=1)
    asked = request(Image.new("RGB", (32, 32)), options={"guidance_scale": float("nan")})
    with pytest.raises(BadInputError, match="guidance_scale is nan, but must be a finite number"):
        editor.edit([asked])
