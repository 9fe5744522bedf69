"""What cannot work is refused before anything is loaded, from the profile and from configuration files alone."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
from tiny_painter import save_models
from tiny_sdxl import save_branch, tiny_sdxl

from editfoundry.errors import BadInputError, problems_of
from editfoundry.lineage.params import Params, load_params
from editfoundry.lineage.stages import STAGES, check_params, stage_named


def problems(params: Params, root, *names: str) -> tuple[str, ...]:
    with pytest.raises(BadInputError) as error:
        check_params(params, root, None, [stage_named(name) for name in names] or STAGES)
    assert all("\n" not in problem for problem in problems_of(error.value))
    return problems_of(error.value)


def changed(params: Params, section: str, **values: object) -> Params:
    return dataclasses.replace(params, **{section: dataclasses.replace(getattr(params, section), **values)})


@pytest.mark.parametrize("profile", ["paper", "modern"])
def test_of_a_shipped_profile_only_the_sources_are_asked_for(tmp_path, profile):
    found = problems(load_params(None, profile), tmp_path)
    nameless = ("captions.table", "clips.videos", "captioned_pictures.pictures")
    assert len(found) == 3 and all(f"{n} names nothing" in line for n, line in zip(nameless, found, strict=True))


def test_every_wrong_thing_is_told_in_a_line_of_its_own(tmp_path):
    params = changed(load_params(None, "paper"), "editworld_text", attention_resolution=16)
    params = changed(params, "dataset", thresholds=load_params(None).dataset.thresholds)
    found = problems(params, tmp_path, "editworld_text", "dataset")
    assert found[0].endswith("works; use 32 or 64") and "attention_resolution is 16" in found[0]
    assert "thresholds.clip_input is 0.6, but pictures and their captions have 0.2 to 0.32" in found[1]
    assert "thresholds.clip_output is 0.7" in found[2] and len(found) == 3


def test_a_missing_role_a_foreign_class_and_a_foreign_controlnet_are_told(tmp_path):
    branch = save_branch(tmp_path / "branch", tiny_sdxl())
    mixed = tmp_path / "mixed.toml"
    mixed.write_text(branch.read_text().replace(f"{tmp_path}/branch/painter", "timbrooks/instruct-pix2pix"))
    params = changed(load_params(None, str(mixed)), "editworld_text", num_refined_candidates=1, judge=True)
    missing, foreign, geometry = problems(params, tmp_path, "editworld_text")
    assert "names no model for the role 'vision_language_model'" in missing
    assert "is a StableDiffusionInstructPix2PixPipeline; name one that is a StableDiffusionPipeline or a" in foreign
    assert "'controlnet_canny'" in geometry and "in_channels 4 and the text_to_image model 8" in geometry


def test_a_threshold_of_another_clip_is_refused_for_one_recipe_too(tmp_path):
    params = load_params(None, "modern")
    params = changed(params, "dataset", recipe_thresholds={"editworld-video": {"clip_output": 0.7}})
    [found] = problems(params, tmp_path, "dataset")
    assert "recipe_thresholds.editworld-video.clip_output is 0.7" in found


def test_a_post_edit_without_its_models_is_refused(tmp_path):
    profile = save_models(tmp_path)
    params = changed(load_params(None, str(profile)), "editworld_report", post_edit={})
    found = problems(params, tmp_path, "editworld_report")
    for role, line in zip(("segmenter", "controlnet_canny", "ip_adapter"), found, strict=True):
        assert f"names no model for the role '{role}'" in line


def test_a_model_that_nothing_is_known_of_is_taken_on_trust(tmp_path):
    (tmp_path / "mine.toml").write_text(
        "".join(f"[{role}]\nmodel = 'owner/{role}'\n" for role in ("text_to_image", "clip"))
    )
    params = load_params(None, str(tmp_path / "mine.toml"))
    check_params(params, tmp_path, None, [stage_named("editworld_text"), stage_named("dataset")])


def test_the_check_loads_no_library_of_models(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from editfoundry.lineage.params import load_params; from editfoundry.lineage.stages import *\n"
        "names = [stage.name for stage in STAGES if stage.name not in ('captions', 'clips', 'captioned_pictures')]\n"
        "check_params(load_params(None, 'paper'), Path('.'), None, [stage_named(n) for n in names])\n"
        "print([name for name in ('torch', 'diffusers', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]"
