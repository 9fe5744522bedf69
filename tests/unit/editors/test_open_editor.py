import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from function_editors import request
from PIL import Image
from tiny_flux import tiny_kontext
from tiny_models import psnr, tiny_image, tiny_pipeline
from tiny_painter import tiny_painter
from tiny_qwen_image import tiny_qwen_image_edit

from editfoundry.editors.chosen_editor import ChosenEditor
from editfoundry.editors.edit_file import edit_file, sweep_file
from editfoundry.editors.editor import Editor, EditRequest
from editfoundry.editors.editor_family import EditorFamily, EditorSource
from editfoundry.editors.families.diffusers_pipeline.family import DIFFUSERS_PIPELINE
from editfoundry.editors.families.instruct_pix2pix.family import INSTRUCT_PIX2PIX
from editfoundry.editors.guidance_sweep import sweep_guidance
from editfoundry.editors.open_editor import editor_folder, find_editor, open_editor
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.tracking.mlflow_client import default_tracking_uri
from editfoundry.tracking.registered_models import is_registered_reference, registered_folder

RUNTIME = choose_runtime("cpu")
SMALL = {"height": 32, "width": 32, "max_area": 32 * 32, "_auto_resize": False, "max_sequence_length": 24}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("editors")
    tiny_pipeline().save_pretrained(folder / "instruct")
    tiny_kontext().save_pretrained(folder / "kontext")
    StableDiffusionImg2ImgPipeline(**_parts(), requires_safety_checker=False).save_pretrained(folder / "img2img")
    return folder


def edit(editor: Editor, photo: Image.Image, seed: int = 0, **options: Any) -> Image.Image:
    return editor.with_options(**options).edit([request(photo, seed=seed)])[0].require()


def _parts() -> dict[str, object]:
    return {**tiny_painter().components, "safety_checker": None}


def test_an_instruct_pix2pix_folder_is_sampled_by_our_own_code(folders: Path) -> None:
    editor = open_editor(str(folders / "instruct"), RUNTIME)
    edited = edit(editor, tiny_image(0, (50, 40)), num_inference_steps=2, scheduler="euler")
    assert editor.source.family is INSTRUCT_PIX2PIX and edited.size == (50, 40)


def test_a_shipped_editor_is_opened_by_its_name_in_the_package() -> None:
    assert open_editor("package:editor_base", RUNTIME).source.family is INSTRUCT_PIX2PIX
    with pytest.raises(BadInputError, match="package:nobody: no editor here"):
        open_editor("package:nobody", RUNTIME)


def test_flux_kontext_is_loaded_by_its_class_and_edits_with_its_own_defaults(folders: Path) -> None:
    editor, photo = open_editor(str(folders / "kontext"), RUNTIME), tiny_image(0, (32, 32))
    options = {**SMALL, "num_inference_steps": 2}
    edited = edit(editor, photo, seed=3, **options)
    expected = editor.model(
        image=photo, prompt="melt it", num_inference_steps=2, generator=torch.Generator().manual_seed(3), **SMALL
    ).images[0]
    assert edited.size == (32, 32) and psnr(edited, expected) >= 40
    again = edit(editor, photo, seed=4, **options)
    assert psnr(edited, again) < 40


def test_qwen_image_edit_is_guided_by_the_same_option_as_others(tmp_path: Path) -> None:
    tiny_qwen_image_edit().save_pretrained(tmp_path)
    editor, photo = open_editor(str(tmp_path), RUNTIME), tiny_image(0, (40, 32))
    options = {"height": 32, "width": 32, "num_inference_steps": 1}
    guided = edit(editor, photo, guidance_scale=4.0, **options)
    plain = edit(editor, photo, guidance_scale=1.0, **options)
    assert guided.size == (40, 32) and guided.tobytes() != plain.tobytes()


def test_any_pipeline_of_an_image_and_a_prompt_edits_and_keeps_the_photographs_size(folders: Path) -> None:
    editor = open_editor(str(folders / "img2img"), RUNTIME)
    edited = edit(editor, tiny_image(0, (48, 32)), num_inference_steps=4, guidance_scale=2.0)
    assert editor.source.family is DIFFUSERS_PIPELINE and edited.size == (48, 32)
    assert editor.options.strength == 0.8
    with pytest.raises(BadInputError, match="StableDiffusionImg2ImgPipeline.* has no option image-guidance-scale"):
        edit(editor, tiny_image(0), image_guidance_scale=2.0)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"_class_name": "StableDiffusionPipeline"}, "takes no image; an editor takes an image and a prompt"),
        ({"_class_name": "StableDiffusion3InpaintPipeline"}, "needs mask_image too"),
        ({"_class_name": "Nonesuch"}, "'Nonesuch' is no pipeline of diffusers"),
        ({"_class_name": ["code.py", "Mine"]}, "is no pipeline of diffusers"),
        ({}, "names no pipeline class"),
    ],
)
def test_a_folder_of_another_pipeline_is_refused(tmp_path: Path, index: dict[str, object], message: str) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(BadInputError, match=message):
        open_editor(str(tmp_path), RUNTIME)


def test_a_registered_model_is_opened_by_its_alias(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = default_tracking_uri(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment("training", artifact_location=(tmp_path / "runs of mine").as_uri())
    run = client.create_run(experiment)
    client.log_artifacts(run.info.run_id, str(folders / "instruct"), "checkpoint")
    client.create_registered_model("editworld")
    source = f"{run.info.artifact_uri}/checkpoint"
    version = client.create_model_version("editworld", source, run.info.run_id)
    client.set_registered_model_alias("editworld", "champion", version.version)
    for name in ("editworld@champion", "models:/editworld@champion", f"models:/editworld/{version.version}"):
        assert open_editor(name, RUNTIME).source.family is INSTRUCT_PIX2PIX
    assert registered_folder("editworld@champion", tmp_path / "cache").name == "checkpoint"
    with pytest.raises(BadInputError, match="editworld@nobody: not in the registry"):
        open_editor("editworld@nobody", RUNTIME)


def test_a_folder_is_no_registered_model(tmp_path: Path) -> None:
    (tmp_path / "a@b").mkdir()
    names = ("a@b", "models:/a@b", "models:/a/3", "checkpoints/editworld", str(tmp_path / "a@b"))
    assert [is_registered_reference(name) for name in names] == [True, True, True, False, False]


def test_a_registered_model_whose_files_lie_deeper_is_found_and_one_with_several_editors_is_not(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files_of(reference: str, cache: Path, uri: str | None) -> Path:
        return tmp_path / reference.partition("@")[0]

    monkeypatch.setattr("editfoundry.editors.open_editor.registered_folder", files_of)
    for place in ("one/artifacts/artifacts/checkpoint", "two/a", "two/b"):
        shutil.copytree(folders / "instruct", tmp_path / place)
    assert editor_folder("one@champion") == tmp_path / "one/artifacts/artifacts/checkpoint"
    with pytest.raises(BadInputError, match="two@champion: 2 editors among its files"):
        editor_folder("two@champion")


def test_what_needs_attention_or_two_scales_refuses_other_editors(folders: Path, tmp_path: Path) -> None:
    picture, out = tmp_path / "a.png", tmp_path / "b.png"
    tiny_image(0).save(picture)
    other = ChosenEditor(name=str(folders / "img2img"), device="cpu")
    with pytest.raises(BadInputError, match="the post-edit collects the instruction's attention, which editors of the"):
        edit_file(picture, "melt it", out, other, post_edit=True)
    scales = {"guidance_scales": [7.5], "image_guidance_scales": [1.5, 2.0]}
    with pytest.raises(BadInputError, match="a sweep has two guidance scales"):
        sweep_file(picture, "melt it", out, other, **scales)
    sweep_file(
        picture,
        "melt it",
        out,
        ChosenEditor(name=str(folders / "instruct"), device="cpu", options={"num_inference_steps": 2}),
        **scales,
    )
    with Image.open(out) as sheet:
        assert sheet.size == (44 + 2 * 128, 44 + 128)


def test_a_sweep_of_an_editor_that_is_not_batched_goes_pair_by_pair() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Scales:
        guidance_scale: float = 1.0
        image_guidance_scale: float = 1.0

    def paint(editor: Editor, requests: Sequence[EditRequest]) -> list[Image.Image]:
        shade = round(10 * editor.options.guidance_scale), round(10 * editor.options.image_guidance_scale), 0
        return [Image.new("RGB", r.image.size, shade) for r in requests]

    family = EditorFamily(name="shades", edit=paint, options_class=Scales)
    editor = Editor(source=EditorSource(name="shades", family=family), options=Scales())
    edits = sweep_guidance(editor, request(tiny_image(0)), [2.0, 3.0], [1.0, 1.5]).edits
    assert [[edit.getpixel((0, 0)) for edit in row] for row in edits] == [
        [(20, 10, 0), (20, 15, 0)],
        [(30, 10, 0), (30, 15, 0)],
    ]


def test_an_editors_folder_may_say_at_what_area_it_edits(folders: Path, tmp_path: Path) -> None:
    shutil.copytree(folders / "instruct", tmp_path / "wide")
    plain = find_editor(str(tmp_path / "wide")).identity
    (tmp_path / "wide" / "editing.json").write_text(json.dumps({"area_side": 48}))
    editor = open_editor(str(tmp_path / "wide"), RUNTIME, num_inference_steps=1)
    sizes: list[tuple[int, ...]] = []
    editor.model.unet.register_forward_pre_hook(lambda _, args: sizes.append(tuple(args[0].shape[-2:])))
    [edit] = editor.edit([request(Image.new("RGB", (90, 40)))])
    assert edit.require().size == (90, 40) and sizes == [(16, 36)]
    assert editor.source.identity != plain
    (tmp_path / "wide" / "editing.json").write_text('{"area_side": "large"}')
    with pytest.raises(BadInputError, match="area_side numbers"):
        _ = find_editor(str(tmp_path / "wide")).defaults


def test_an_editors_folder_brings_its_own_options_which_what_is_asked_for_replaces(
    folders: Path, tmp_path: Path
) -> None:
    shutil.copytree(folders / "instruct", tmp_path / "own")
    (tmp_path / "own" / "editing.json").write_text(json.dumps({"options": {"num_inference_steps": 7, "strength": 1}}))
    source = find_editor(str(tmp_path / "own"))
    assert source.options({}).num_inference_steps == 7
    assert source.options({"num_inference_steps": 3}).num_inference_steps == 3
    assert find_editor(str(folders / "instruct")).options({}).num_inference_steps == 100
    for wrong in ("[]", "{", '{"options": {"a": []}}', '{"steps": 3}', '{"options": {"num_inference_steps": 0}}'):
        (tmp_path / "own" / "editing.json").write_text(wrong)
        with pytest.raises(BadInputError, match=r"editing\.json|num_inference_steps is 0"):
            find_editor(str(tmp_path / "own")).options({})
