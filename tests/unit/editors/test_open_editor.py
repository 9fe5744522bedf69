import json
from pathlib import Path

import mlflow
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from tiny_flux import tiny_kontext
from tiny_models import psnr, tiny_image, tiny_pipeline
from tiny_painter import tiny_painter
from tiny_qwen_image import tiny_qwen_image_edit

from editfoundry.editors.edit_file import edit_file, sweep_file
from editfoundry.editors.open_editor import edit_photo_with, open_editor
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


def _parts() -> dict[str, object]:
    return {**tiny_painter().components, "safety_checker": None}


def test_an_instruct_pix2pix_folder_is_sampled_by_our_own_code(folders: Path) -> None:
    editor = open_editor(str(folders / "instruct"), RUNTIME)
    edited = edit_photo_with(editor, tiny_image(0, (50, 40)), "melt it", num_inference_steps=2, scheduler="euler")
    assert editor.is_instruct_pix2pix and edited.size == (50, 40)


def test_a_shipped_editor_is_opened_by_its_name_in_the_package() -> None:
    assert open_editor("package:editor_base", RUNTIME).is_instruct_pix2pix
    with pytest.raises(BadInputError, match="package:nobody: no editor here"):
        open_editor("package:nobody", RUNTIME)


def test_flux_kontext_is_loaded_by_its_class_and_edits_with_its_own_defaults(folders: Path) -> None:
    editor, photo = open_editor(str(folders / "kontext"), RUNTIME), tiny_image(0, (32, 32))
    options = {**SMALL, "num_inference_steps": 2, "guidance_scale": None, "image_guidance_scale": None}
    edited = edit_photo_with(editor, photo, "melt it", seed=3, **options)
    expected = editor.pipeline(
        image=photo, prompt="melt it", num_inference_steps=2, generator=torch.Generator().manual_seed(3), **SMALL
    ).images[0]
    assert edited.size == (32, 32) and psnr(edited, expected) >= 40
    again = edit_photo_with(editor, photo, "melt it", seed=4, **options)
    assert psnr(edited, again) < 40


def test_qwen_image_edit_is_guided_by_the_same_option_as_others(tmp_path: Path) -> None:
    tiny_qwen_image_edit().save_pretrained(tmp_path)
    editor, photo = open_editor(str(tmp_path), RUNTIME), tiny_image(0, (40, 32))
    options = {"height": 32, "width": 32, "num_inference_steps": 1}
    guided = edit_photo_with(editor, photo, "melt it", guidance_scale=4.0, **options)
    plain = edit_photo_with(editor, photo, "melt it", guidance_scale=1.0, **options)
    assert guided.size == (40, 32) and guided.tobytes() != plain.tobytes()


def test_any_pipeline_of_an_image_and_a_prompt_edits_and_keeps_the_photographs_size(folders: Path) -> None:
    editor = open_editor(str(folders / "img2img"), RUNTIME)
    edited = edit_photo_with(editor, tiny_image(0, (48, 32)), "melt it", num_inference_steps=4, guidance_scale=2.0)
    assert edited.size == (48, 32)
    with pytest.raises(BadInputError, match="StableDiffusionImg2ImgPipeline has no option image-guidance-scale"):
        edit_photo_with(editor, tiny_image(0), "melt it", image_guidance_scale=2.0)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"_class_name": "StableDiffusionPipeline"}, "takes no image; an editor takes an image and a prompt"),
        ({"_class_name": "StableDiffusionInpaintPipeline"}, "needs mask_image too"),
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
        assert open_editor(name, RUNTIME).is_instruct_pix2pix
    assert registered_folder("editworld@champion", tmp_path / "cache").name == "checkpoint"
    with pytest.raises(BadInputError, match="editworld@nobody: not in the registry"):
        open_editor("editworld@nobody", RUNTIME)


def test_a_folder_is_no_registered_model(tmp_path: Path) -> None:
    (tmp_path / "a@b").mkdir()
    names = ("a@b", "models:/a@b", "models:/a/3", "checkpoints/editworld", str(tmp_path / "a@b"))
    assert [is_registered_reference(name) for name in names] == [True, True, True, False, False]


def test_what_needs_attention_or_two_scales_refuses_other_editors(folders: Path, tmp_path: Path) -> None:
    tiny_image(0).save(tmp_path / "a.png")
    common = {"editor": str(folders / "img2img"), "profile": "embedded", "device": "cpu", "seed": 0}
    with pytest.raises(BadInputError, match="the post-edit collects attention, which takes an InstructPix2Pix editor"):
        edit_file(tmp_path / "a.png", "melt it", tmp_path / "b.png", post_edit=True, **common)
    scales = {"guidance_scales": [7.5], "image_guidance_scales": [1.5, 2.0], "num_inference_steps": 2}
    with pytest.raises(BadInputError, match="a sweep has two guidance scales"):
        sweep_file(tmp_path / "a.png", "melt it", tmp_path / "b.png", **common, **scales)
    sweep_file(
        tmp_path / "a.png", "melt it", tmp_path / "b.png", **{**common, "editor": str(folders / "instruct")}, **scales
    )
    assert (tmp_path / "b.png").is_file()
