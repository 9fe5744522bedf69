"""Which models can be pretrained, which of the shipped ones trained on, and how they are saved."""

import inspect
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, DiffusionPipeline
from PIL import Image
from safetensors.torch import load_file
from tiny_models import tiny_pipeline

from editfoundry.editors.editing_defaults import read_editing_defaults
from editfoundry.errors import BadInputError
from editfoundry.pretraining import card
from editfoundry.pretraining.all_pretrainings import PRETRAININGS
from editfoundry.pretraining.card import read_card
from editfoundry.pretraining.measure import EDITING
from editfoundry.pretraining.pretrain import pretrain
from editfoundry.pretraining.shipping import give_autoencoder, saver
from editfoundry.profiles import EMBEDDED_FOLDER


def test_only_some_models_are_continued_from_what_is_shipped(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="^clip: only vae, diffusion, language_model, detector, depth, editworld"):
        pretrain("clip", tmp_path, 1, "cpu", continue_shipped=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["detector", "depth"])
def test_a_model_that_is_continued_starts_as_it_was_shipped_and_draws_anew(tmp_path: Path, name: str) -> None:
    out, few = tmp_path / "out", {"num_steps": 1, "num_examples": 4, "is_tracked": False}
    pretrain(name, tmp_path / "first", device="cpu", out=out, **few)
    before, shipped = read_card(out / name)["training"], load_file(out / name / "model.safetensors")
    # A rate of next to nothing leaves the weights as they were.
    still = {"learning_rate": 1e-12}
    pretrain(name, tmp_path / "second", device="cpu", out=out, continue_shipped=True, settings=still, **few)
    after, weights = read_card(out / name)["training"], load_file(out / name / "model.safetensors")
    assert all(torch.allclose(weights[key].float(), value.float(), atol=1e-4) for key, value in shipped.items())
    assert after["continued_from"] == before and after["seed"] == before["seed"] + 1


def test_the_inpainter_is_trained_on_with_other_pictures(tmp_path: Path) -> None:
    few = {"num_steps": 1, "num_examples": 4, "is_tracked": False, "continue_shipped": True}
    settings = {"learning_rate": 1e-12, "batch_size": 2, "num_warmup_steps": 0}
    pretrain("inpainter", tmp_path / "work", device="cpu", out=tmp_path / "out", settings=settings, **few)
    shipped = EMBEDDED_FOLDER / "inpainter"
    weights, shards = (
        sorted((folder / "unet").glob("*.safetensors")) for folder in (tmp_path / "out" / "inpainter", shipped)
    )
    assert len(weights) == len(shards)
    for own, other in zip(weights, shards, strict=True):
        tensors, others = load_file(own), load_file(other)
        assert all(torch.allclose(tensors[key].float(), value.float(), atol=1e-4) for key, value in others.items())
    before = read_card(shipped)
    assert read_card(tmp_path / "out" / "inpainter")["training"]["continued_from"] == before["training"]
    assert (tmp_path / "work" / "data" / f"captioned-4-{card.steps_of(before)}").is_dir()


def test_a_share_of_the_weights_of_before_is_kept(tmp_path: Path) -> None:
    few = {"num_steps": 2, "num_examples": 4, "is_tracked": False, "continue_shipped": True}
    settings = {"learning_rate": 2.0}
    shipped = load_file(EMBEDDED_FOLDER / "depth" / "model.safetensors")
    for share in (0.0, 0.25):
        out = tmp_path / f"out{share}"
        pretrain("depth", tmp_path / f"w{share}", device="cpu", out=out, settings=settings, kept_share=share, **few)
    trained, kept = (load_file(tmp_path / f"out{share}" / "depth" / "model.safetensors") for share in (0.0, 0.25))
    assert any((trained[key] - shipped[key]).abs().max() > 0.01 for key in shipped)
    for key, value in kept.items():
        expected = 0.75 * trained[key].float() + 0.25 * shipped[key].float()
        assert torch.allclose(value.float(), expected, atol=2e-3, rtol=2e-3) and value.dtype == shipped[key].dtype
    assert read_card(tmp_path / "out0.25" / "depth")["training"]["kept_share"] == 0.25
    assert "kept_share" not in read_card(tmp_path / "out0.0" / "depth")["training"]


@pytest.mark.parametrize(("name", "continues"), [("depth", False), ("vae", True)])
def test_a_share_is_kept_only_of_what_is_continued(tmp_path: Path, name: str, continues: bool) -> None:
    with pytest.raises(BadInputError, match=f"^{name}: a share of the earlier weights is kept"):
        pretrain(name, tmp_path, 1, "cpu", continue_shipped=continues, kept_share=0.5)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [name for name, recipe in PRETRAININGS.items() if recipe.draw is not None])
def test_what_is_drawn_ahead_can_be_told_how_many_examples_there_are(name: str) -> None:
    recipe = PRETRAININGS[name]
    assert recipe.examples_on_gpu
    assert {*recipe.examples_on_gpu} <= {*inspect.signature(recipe.draw).parameters}


@pytest.mark.parametrize("role", ["editor_base", "editworld"])
def test_a_shipped_editor_is_sampled_as_its_card_was_measured(role: str) -> None:
    assert read_editing_defaults(EMBEDDED_FOLDER / role) == EDITING


@pytest.mark.parametrize("role", ["text_to_image", "editor_base", "editworld"])
def test_a_shipped_pipeline_paints_in_plain_diffusers_without_a_precision_being_named(role: str) -> None:
    pipeline = DiffusionPipeline.from_pretrained(EMBEDDED_FOLDER / role)
    pipeline.set_progress_bar_config(disable=True)
    shown = {} if role == "text_to_image" else {"image": Image.new("RGB", (64, 64))}
    assert pipeline("an egg", num_inference_steps=1, **shown).images[0].size == (64, 64)


def test_a_pipeline_saved_to_be_shipped_is_half_the_size_and_opens_in_full_precision(tmp_path: Path) -> None:
    saver(tiny_pipeline())(tmp_path)
    stored = load_file(tmp_path / "text_encoder" / "model.safetensors")
    opened = DiffusionPipeline.from_pretrained(tmp_path)
    assert {weight.dtype for weight in stored.values()} == {torch.float16}
    assert {opened.text_encoder.dtype, opened.unet.dtype, opened.vae.dtype} == {torch.float32}


def test_a_better_decoder_goes_to_all_models_with_these_latents_and_to_no_other(tmp_path: Path) -> None:
    models = tmp_path / "models"
    for name in ("painter", "editor", "stranger"):
        pipeline = tiny_pipeline()
        if name == "stranger":
            torch.nn.init.zeros_(pipeline.vae.encoder.conv_in.weight)
        saver(pipeline)(models / name)
    vae = AutoencoderKL.from_pretrained(models / "painter" / "vae", torch_dtype=torch.float32)
    torch.nn.init.ones_(vae.decoder.conv_out.bias)
    saver(vae)(tmp_path / "better")
    assert give_autoencoder(models, tmp_path / "better") == ["editor", "painter"]
    assert AutoencoderKL.load_config(models / "painter" / "vae")["_name_or_path"] == ""
    biases = {
        name: AutoencoderKL.from_pretrained(models / name / "vae").decoder.conv_out.bias.tolist()
        for name in ("painter", "editor", "stranger")
    }
    assert biases["painter"] == biases["editor"] == [1, 1, 1] != biases["stranger"]


def test_an_unknown_model_is_one_line_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no pretraining 'gan': they are vae, vae_decoder, clip, diffusion"):
        pretrain("gan", tmp_path, 1, "cpu")
    assert set(PRETRAININGS) == set(card.PRETRAININGS)
    assert {name for name, recipe in PRETRAININGS.items() if recipe.is_only_named} == {*card.CONTROLS, "vae_decoder"}
