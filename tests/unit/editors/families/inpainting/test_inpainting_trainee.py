"""A latent inpainter learns from captioned pictures; its checkpoint paints alike here and in plain diffusers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from diffusers import StableDiffusionInpaintPipeline, StableDiffusionPipeline
from function_editors import request
from PIL import Image, ImageDraw
from tiny_models import tiny_image, tiny_pipeline

from editfoundry.data.captioned_pictures import write_captioned_pictures
from editfoundry.editors.families.inpainting.trainee import InpaintingTrainee, load_inpainter_to_train
from editfoundry.editors.families.inpainting.training_config import InpaintingTraining
from editfoundry.editors.open_editor import open_editor
from editfoundry.editors.train import train_editor, training_config
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import choose_runtime

RUNTIME = choose_runtime("cpu")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> InpaintingTraining:
    folder = tmp_path_factory.mktemp("inpainting")
    parts = tiny_pipeline(in_channels=4).components
    StableDiffusionPipeline(**parts, requires_safety_checker=False).save_pretrained(folder / "painter")
    records = [(tiny_image(n, (40, 32)), f"a cup {n}", [[8.0, 8.0, 24.0, 24.0]]) for n in range(6)]
    write_captioned_pictures(folder / "data", records, 6)
    values = {
        "family": "inpainting", "editor": str(folder / "painter"), "dataset": str(folder / "data"),
        "output": str(folder / "out"), "num_steps": 3, "batch_size": 2, "boxes": "stored", "learning_rate": 1e-3,
        "work_dir": str(folder / "work"), "sample_every": 3,
    }  # fmt: skip
    made = training_config(values)
    assert isinstance(made, InpaintingTraining)
    return made


@pytest.fixture(scope="module")
def trained(config: InpaintingTraining) -> Path:
    train_editor(config)
    return config.output


def test_a_painter_is_widened_to_nine_channels_that_change_nothing_at_first(config: InpaintingTraining) -> None:
    painter = StableDiffusionPipeline.from_pretrained(config.editor).unet
    widened = load_inpainter_to_train(config.editor, "main", RUNTIME).unet
    assert (painter.config.in_channels, widened.config.in_channels) == (4, 9)
    latents, embeds, timestep = torch.randn(2, 9, 16, 16), torch.randn(2, 24, 16), torch.tensor(500)
    with torch.no_grad():
        own = widened(latents, timestep, embeds).sample
        assert torch.equal(own, painter(latents[:, :4], timestep, embeds).sample)


def test_the_checkpoint_gives_in_plain_diffusers_the_picture_that_it_gives_here(trained: Path) -> None:
    picture, mask = tiny_image(1, (32, 32)), Image.new("L", (32, 32))
    ImageDraw.Draw(mask).rectangle((8, 8, 23, 23), fill=255)
    ours = open_editor(str(trained), RUNTIME, num_inference_steps=5)
    edited = np.asarray(ours.edit([request(picture, "a red cup", mask=mask, seed=3)])[0].require(), dtype=float)
    plain = StableDiffusionInpaintPipeline.from_pretrained(trained, safety_checker=None)
    theirs = plain(
        "a red cup", image=picture, mask_image=mask, height=32, width=32, num_inference_steps=5, strength=1.0,
        generator=torch.Generator().manual_seed(3),
    ).images[0]  # fmt: skip
    inside = np.asarray(mask) > 0
    error = ((edited - np.asarray(theirs, dtype=float))[inside] ** 2).mean()
    assert 10 * np.log10(255**2 / max(error, 1e-9)) >= 40
    assert (edited[~inside] == np.asarray(picture)[~inside]).all()
    assert list((trained / "samples").glob("*.png"))


def test_training_reaches_the_new_channels_and_goes_on_from_an_inpainter(trained: Path, tmp_path: Path, config) -> None:
    unet = StableDiffusionInpaintPipeline.from_pretrained(trained, safety_checker=None).unet
    assert all(unet.conv_in.weight[:, channel].abs().max() > 0 for channel in range(4, 9))
    further = replace(config, editor=str(trained), output=tmp_path / "out", num_steps=1, sample_every=0)
    train_editor(further)
    assert (tmp_path / "out" / "model_index.json").is_file()


def test_only_the_named_parts_of_the_unet_are_trained(config: InpaintingTraining, tmp_path: Path) -> None:
    parts = ("conv_in", "up_blocks.1")
    train_editor(replace(config, unet_parts=parts, output=tmp_path / "out", sample_every=0))
    before = StableDiffusionPipeline.from_pretrained(config.editor).unet.state_dict()
    after = StableDiffusionInpaintPipeline.from_pretrained(tmp_path / "out", safety_checker=None).unet.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert all(any(name.startswith(f"{part}.") for name in changed) for part in parts)
    assert all(name.startswith(tuple(f"{part}." for part in parts)) for name in changed)
    for name in ("up_blocks.7", "conv_act"):
        message = rf"no part '{name}' with weights; among its parts are conv_in, .*up_blocks\.1[^.]*, conv_out$"
        with pytest.raises(BadInputError, match=message) as refused:
            train_editor(replace(config, unet_parts=(name,), output=tmp_path / "other"))
        assert ", conv_act" not in str(refused.value)


def test_holes_that_miss_the_latents_give_no_loss_where_what_is_known_does_not_count(config, tmp_path: Path) -> None:
    alone = dict.fromkeys(("object_and_random", "random_box", "strokes", "full"), 0.0)
    write_captioned_pictures(tmp_path / "data", [(tiny_image(0, (32, 32)), "a cup", [[9.1, 9.1, 9.2, 9.2]])], 1)
    summary = train_editor(
        replace(config, known_weight=0.0, dataset=tmp_path / "data", output=tmp_path / "out", **alone, sample_every=0)
    )
    assert summary["num_pictures"] == 1


def test_a_batch_s_loss_is_the_mean_of_its_halves_whatever_their_holes(config: InpaintingTraining) -> None:
    trainee = InpaintingTrainee.load(replace(config, batch_size=4, known_weight=0.1), Accelerator(cpu=True))
    whole = trainee.batch(0, slice(0, 4))
    assert len(set(whole.samples.holes.sum((1, 2, 3)).tolist())) > 1
    unet = [trainee.pipeline.unet]
    with torch.no_grad():
        halves = [trainee.loss(unet, trainee.batch(0, part)) for part in (slice(0, 2), slice(2, 4))]
        torch.testing.assert_close(trainee.loss(unet, whole), torch.stack(halves).mean())


def test_an_editor_of_another_kind_and_a_size_that_is_no_multiple_are_refused(config, tmp_path: Path) -> None:
    tiny_pipeline().save_pretrained(tmp_path / "other")
    with pytest.raises(BadInputError, match="training starts from a StableDiffusionInpaintPipeline or a"):
        train_editor(replace(config, editor=str(tmp_path / "other"), output=tmp_path / "out"))
    with pytest.raises(BadInputError, match="resolution is 33, but must be a multiple of 2"):
        train_editor(replace(config, resolution=33, output=tmp_path / "out"))
