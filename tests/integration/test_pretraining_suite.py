"""Every pretraining, one after the other, tiny, as on a GPU: in bfloat16, from each other's models, by the clock."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from accelerate.state import AcceleratorState
from diffusers import DiffusionPipeline
from PIL import Image

from editfoundry.editors.editor import EditRequest
from editfoundry.editors.open_editor import find_editor, open_editor
from editfoundry.pretrained.controlnet_canny import load_controlnet_canny
from editfoundry.pretrained.ip_adapter import load_ip_adapter
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.pretraining import pretrain as pretraining
from editfoundry.pretraining.card import CONTROLS, RECIPES, read_card
from editfoundry.pretraining.recipes.vae import LATENT_CHANNELS
from editfoundry.pretraining.shared_files import share_equal_files

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work, out = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        for name, recipe in pretraining.PRETRAININGS.items():
            settings = {**recipe.on_gpu, "batch_size": 4, "num_warmup_steps": 1}
            config = replace(recipe.config, **settings)
            patch.setitem(pretraining.PRETRAININGS, name, replace(recipe, config=config))
            # Each has a process of its own otherwise, whose precision is settled once.
            AcceleratorState._reset_state(reset_partial_state=True)
            pretraining.pretrain(
                name,
                work,
                2,
                "cpu",
                continue_shipped=recipe.can_warm_start,
                out=out,
                ends_at=time.time() + 86_400,
                is_tracked=False,
                shares=False,
                num_examples=12,
            )
    AcceleratorState._reset_state(reset_partial_state=True)
    share_equal_files(out)
    return out


def test_every_model_is_there_with_a_card(models: Path) -> None:
    assert {path.name for path in models.iterdir()} == {*RECIPES, *CONTROLS}
    assert all(read_card(models / role)["training"]["steps"] == 2 for role in (*RECIPES, *CONTROLS))


def test_painter_and_editors_share_an_autoencoder_and_open_in_plain_diffusers(models: Path) -> None:
    weights = [models / role / "vae" / "diffusion_pytorch_model.safetensors" for role in ("editworld", "text_to_image")]
    assert all(path.is_symlink() for path in weights)
    for role in ("text_to_image", "editor_base", "editworld"):
        pipeline = DiffusionPipeline.from_pretrained(models / role)
        assert pipeline.unet.config.out_channels == pipeline.vae.config.latent_channels == LATENT_CHANNELS
    assert find_editor(str(models / "editworld")).defaults.side == 64


@pytest.mark.parametrize("name", ["mgie", *CONTROLS])
def test_the_language_models_editor_and_what_it_is_compared_with_edit(models: Path, name: str) -> None:
    editor = open_editor(str(models / name), choose_runtime("cpu"), num_inference_steps=1)
    edited = editor.edit([EditRequest(image=Image.new("RGB", (64, 64)), instruction="It gets old.", seed=0)])
    assert edited[0].require().size == (64, 64)
    assert (models / name / "vae" / "diffusion_pytorch_model.safetensors").is_symlink()


def test_what_steers_the_painter_fits_it(models: Path) -> None:
    profile, runtime = pretraining.models_in(models), choose_runtime("cpu", "float32")
    painter = load_text_to_image(profile, runtime)
    load_controlnet_canny(profile, runtime, painter.unet)
    load_ip_adapter(profile, runtime, painter)
