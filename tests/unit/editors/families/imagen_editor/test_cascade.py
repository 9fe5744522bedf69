"""The cascade: what a stage sees, what it was before it was trained, how it paints, and how its folder opens."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from function_editors import request
from PIL import Image, ImageDraw
from tiny_cascade import SIDES, tiny_cascade, tiny_pixel_unet
from tiny_models import tiny_image

from editfoundry.editors.families.imagen_editor import painting
from editfoundry.editors.families.imagen_editor.checkpoint import cascade_of
from editfoundry.editors.families.imagen_editor.masked_picture import MaskedPictureEncoder, masked_picture
from editfoundry.editors.families.imagen_editor.options import MOST_NOISE_LEVEL, ImagenEditorOptions
from editfoundry.editors.families.imagen_editor.sampling import paint_holes
from editfoundry.editors.families.imagen_editor.stage import (
    CascadeStage,
    StageDraws,
    noise_levels,
    shrink,
    stage_loss,
    stage_of,
)
from editfoundry.editors.open_editor import open_editor
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import choose_runtime

SIZES = [(16, 16), (70, 31), (9, 40), (5, 7)]
FEW: dict[str, Any] = {"num_inference_steps": 3, "super_resolution_steps": 2, "guidance_scale": 3.0}


def middle(size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rectangle((size[0] // 3, size[1] // 3, 2 * size[0] // 3, 2 * size[1] // 3), fill=255)
    return mask


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cascade")
    tiny_cascade().save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def editor(folder: Path) -> Any:
    return open_editor(str(folder), choose_runtime("cpu"), **FEW)


@pytest.mark.parametrize(("side", "channels"), [(8, 3), (16, 6)])
@pytest.mark.parametrize("downsampling", ["learned", "bicubic"])
def test_before_it_is_trained_a_stage_predicts_what_the_text_to_image_model_did(
    side: int, channels: int, downsampling: str
) -> None:
    plain = tiny_pixel_unet(side, in_channels=channels)
    encoder = MaskedPictureEncoder(1 if side == 8 else 0, 4, downsampling)
    stage = stage_of(tiny_pixel_unet(side, in_channels=channels), encoder)
    noisy, embeds, timesteps = torch.randn(2, 3, side, side), torch.randn(2, 5, 16), torch.tensor([10, 900])
    smaller = torch.randn(2, 3, side, side) if channels == 6 else None
    level = torch.tensor([0, 100]) if channels == 6 else None
    with torch.no_grad():
        own = stage(noisy, torch.randn(2, 4, 16, 16), smaller, timesteps, embeds, level)
        seen = noisy if smaller is None else torch.cat([noisy, smaller], 1)
        assert torch.equal(own, plain(seen, timesteps, embeds, class_labels=level).sample)
    assert stage.enlarges is (channels == 6)


def test_the_hole_is_hidden_and_marked_and_learned_convolutions_see_every_pixel_of_the_mask() -> None:
    pictures, holes = torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    holes[..., 5, 9] = 1
    seen = masked_picture(pictures, holes)
    assert (seen[:, :, 5, 9] == torch.tensor([0.0, 0, 0, 1])).all()
    assert torch.equal(seen[:, :3, 0], pictures[:, :, 0])
    torch.manual_seed(0)
    encoder = MaskedPictureEncoder(1, 4)
    with torch.no_grad():
        changed = (encoder(seen) != encoder(masked_picture(pictures, torch.zeros_like(holes)))).any(1)
    assert changed.shape == (1, 8, 8) and bool(changed.any())


def test_an_unknown_downsampling_and_a_unet_of_latents_are_refused_in_one_line() -> None:
    with pytest.raises(BadInputError, match="downsampling is 'nearest', but must be one of learned, bicubic"):
        MaskedPictureEncoder(1, 4, "nearest")
    with pytest.raises(BadInputError, match="the UNet takes 4 channels"):
        stage_of(tiny_pixel_unet(8, in_channels=4), MaskedPictureEncoder(1, 4))


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (((8, 3), (32, 6), (16, 6)), r"the cascade: its sides are \[8, 32, 16\]: each stage must be larger than"),
        (((16, 3), (16, 6)), r"its sides are \[16, 16\]: each stage must be larger"),
        (((6, 3), (16, 6)), r"its sides are \[6, 16\]: 6 must be the last one halved 1 times"),
        (((8, 6), (16, 6)), "its UNet of 8 pixels takes 10 channels, but the base takes 7"),
        (((8, 3), (16, 3)), "its UNet of 16 pixels takes 7 channels, but super-resolution takes 10"),
    ],
)
def test_models_that_make_no_cascade_are_refused(stages: tuple[tuple[int, int], ...], message: str) -> None:
    unets = [tiny_pixel_unet(side, in_channels=channels) for side, channels in stages]
    with pytest.raises(BadInputError, match=message):
        cascade_of(None, None, DDIMScheduler(), unets, mask_channels=4)


def test_a_folder_whose_encoder_is_of_another_side_is_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "cascade"
    shutil.copytree(folder, other)
    MaskedPictureEncoder(2, 4).save_pretrained(other / "mask_encoder")
    with pytest.raises(BadInputError, match=r"cascade: its sides are \[8, 16\]: 8 must be the last one halved 2 times"):
        open_editor(str(other), choose_runtime("cpu"))


def test_smaller_pictures_are_noised_in_training_by_every_level_that_the_option_may_have() -> None:
    levels = noise_levels(10_000, torch.Generator().manual_seed(0))
    assert (int(levels.min()), int(levels.max())) == (0, MOST_NOISE_LEVEL)
    assert ImagenEditorOptions(noise_level=MOST_NOISE_LEVEL).noise_level == 300


def test_guidance_is_high_at_first_and_then_high_and_low_in_turns() -> None:
    options = ImagenEditorOptions(num_inference_steps=8, guidance_scale=30.0, constant_share=0.25)
    assert options.base_guidance() == [30, 30, 1, 30, 1, 30, 1, 30]
    constant = ImagenEditorOptions(num_inference_steps=3, guidance_scale=5.0, low_guidance_scale=5.0)
    assert constant.base_guidance() == [5, 5, 5]


@pytest.mark.parametrize(
    "option", [{"constant_share": 2.0}, {"noise_level": -1}, {"noise_level": 301}, {"num_inference_steps": 0}]
)
def test_an_option_out_of_range_is_named(option: dict[str, Any]) -> None:
    with pytest.raises(BadInputError, match=f"{next(iter(option))} is"):
        ImagenEditorOptions(**option)


@pytest.mark.parametrize("size", SIZES)
def test_outside_the_mask_every_pixel_is_the_input_s_and_inside_it_is_painted(
    editor: Any, size: tuple[int, int]
) -> None:
    picture, mask = tiny_image(1, size), middle(size)
    edited = np.asarray(editor.edit([request(picture, "a red cup", mask=mask)])[0].require())
    inside = np.asarray(mask) > 0
    assert (edited[~inside] == np.asarray(picture)[~inside]).all()
    assert (edited[inside] != np.asarray(picture)[inside]).any()


def test_a_thin_line_is_in_the_hole_that_the_cascade_sees(monkeypatch: pytest.MonkeyPatch, editor: Any) -> None:
    seen: list[torch.Tensor] = []
    real = painting.paint_holes
    monkeypatch.setattr(painting, "paint_holes", lambda *a: (seen.append(a[3]), real(*a))[1])
    mask = Image.new("L", (160, 100))
    ImageDraw.Draw(mask).line((10, 50, 150, 50), fill=255)
    editor.edit([request(tiny_image(1, (160, 100)), "a cup", mask=mask)])[0].require()
    assert int(seen[0].any(-2).sum()) >= 14


def test_a_batch_of_all_sizes_gives_what_each_gives_alone(editor: Any) -> None:
    asked = [request(tiny_image(n, size), "a red cup", mask=middle(size), seed=n) for n, size in enumerate(SIZES)]
    together = [edit.require() for edit in editor.edit(asked)]
    for alone, shared in zip(asked, together, strict=True):
        difference = np.asarray(editor.edit([alone])[0].require(), dtype=int) - np.asarray(shared)
        assert np.abs(difference).max() <= 1


def test_prompt_seed_picture_and_mask_all_matter(editor: Any) -> None:
    size = (16, 16)
    first = {"image": tiny_image(1, size), "instruction": "a cup", "mask": middle(size), "seed": 0}
    others = {"instruction": "a dog", "seed": 1, "image": tiny_image(2, size), "mask": Image.new("L", size, 255)}
    asked = [first, *({**first, name: value} for name, value in others.items())]
    made = [
        np.asarray(editor.edit([request(a["image"], a["instruction"], mask=a["mask"], seed=a["seed"])])[0].require())
        for a in asked
    ]
    inside = np.asarray(middle(size)) > 0
    assert all((made[0][inside] != other[inside]).any() for other in made[1:])


def test_a_cascade_whose_numbers_are_not_finite_makes_no_edit(folder: Path) -> None:
    broken = open_editor(str(folder), choose_runtime("cpu"), **FEW)
    torch.nn.init.constant_(broken.model.unet_2.conv_out.bias, torch.nan)
    [made] = broken.edit([request(tiny_image(1), "a cup", mask=middle(tiny_image(1).size))])
    assert made.image is None and made.failure == "not-finite"


def test_the_loss_sees_the_hole_s_error_first_and_reaches_every_weight() -> None:
    pipeline = tiny_cascade()
    pictures, holes = torch.rand(2, 3, 16, 16) * 2 - 1, torch.zeros(2, 1, 16, 16)
    holes[..., 4:12, 4:12] = 1
    embeds = torch.randn(2, 5, 16)
    for number, stage in enumerate(pipeline.stages):
        side, timesteps = SIDES[number], torch.tensor([100, 900])
        smaller = (torch.randn(2, 3, side, side), torch.tensor([5, 50])) if number else (None, None)
        draws = StageDraws(torch.randn(2, 3, side, side), timesteps, *smaller)
        known = (pipeline.scheduler, pictures, holes, embeds, draws, SIDES[0] if number else None)
        stage_loss(stage, *known).backward()
        unreached = [name for name, weight in stage.named_parameters() if weight.grad is None]
        assert not unreached
        inside = _error_weight(stage, known, known_weight=0.0, place=(side // 2, side // 2))
        outside = _error_weight(stage, known, known_weight=0.0, place=(0, 0))
        assert inside > 0 and outside == 0


def _error_weight(stage: CascadeStage, known: Any, known_weight: float, place: tuple[int, int]) -> float:
    """Return how the loss changes where the prediction is off at one pixel."""

    def off(*given: Any) -> torch.Tensor:
        predicted = stage(*given).detach().clone()
        predicted[..., place[0], place[1]] += 10
        return predicted

    plain = stage_loss(stage, *known, known_weight=known_weight)
    return abs(float((stage_loss(off, *known, known_weight=known_weight) - plain).detach()))


def test_a_batch_s_loss_is_the_mean_of_its_halves_whatever_their_holes() -> None:
    pipeline = tiny_cascade()
    pictures, holes, embeds = torch.rand(2, 3, 16, 16) * 2 - 1, torch.zeros(2, 1, 16, 16), torch.randn(2, 5, 16)
    holes[0, :, :4, :4] = holes[1] = 1
    noise, timesteps = torch.randn(2, 3, 8, 8), torch.tensor([100, 900])

    def loss(part: slice) -> torch.Tensor:
        draws = StageDraws(noise[part], timesteps[part])
        known = (pipeline.scheduler, pictures[part], holes[part], embeds[part], draws, None)
        return stage_loss(pipeline.stages[0], *known, known_weight=0.2)

    halves = (loss(slice(0, 1)) + loss(slice(1, 2))) / 2
    torch.testing.assert_close(loss(slice(0, 2)), halves)


class Oracle(torch.nn.Module):
    """A UNet that knows the pictures, and tells the velocity to them."""

    def __init__(self, unet: Any, answers: torch.Tensor, scheduler: Any) -> None:
        super().__init__()
        self.config, self.dtype, self.device = unet.config, torch.float32, torch.device("cpu")
        self.answers, self.scheduler = answers, scheduler

    def forward(self, seen: torch.Tensor, timestep: Any, embeds: Any, **_: Any) -> tuple[torch.Tensor]:
        signal = self.scheduler.alphas_cumprod[timestep].double()
        noisy, clean = seen[:, :3].double(), shrink(self.answers, seen.shape[-1]).double()
        clean = clean.repeat(len(seen) // len(clean), 1, 1, 1)
        noise = (noisy - signal.sqrt() * clean) / (1 - signal).sqrt()
        return ((signal.sqrt() * noise - (1 - signal).sqrt() * clean).float(),)


def test_models_that_know_the_picture_paint_it() -> None:
    pipeline = tiny_cascade()
    answers = torch.rand(2, 3, 16, 16) * 1.8 - 0.9
    stages = [
        CascadeStage(Oracle(stage.unet, answers, pipeline.scheduler), stage.mask_encoder)  # type: ignore[arg-type]
        for stage in pipeline.stages
    ]
    known = SimpleNamespace(stages=stages, embed=pipeline.embed, scheduler=pipeline.scheduler, unet=stages[0].unet)
    options = ImagenEditorOptions(num_inference_steps=10, super_resolution_steps=5, guidance_scale=5.0)
    holes = torch.ones(2, 1, 16, 16, dtype=torch.bool)
    painted = paint_holes(known, ["a cup", "a dog"], answers, holes, [0, 1], options)  # type: ignore[arg-type]
    assert (painted - answers).abs().max() < 1e-3


def test_a_step_without_guidance_asks_for_no_null_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, rows = tiny_cascade(), []
    real = CascadeStage.predict
    monkeypatch.setattr(CascadeStage, "predict", lambda self, *a: (rows.append(len(a[0])), real(self, *a))[1])
    options = ImagenEditorOptions(num_inference_steps=4, super_resolution_steps=1, constant_share=0.5)
    picture, hole = torch.zeros(1, 3, 16, 16), torch.ones(1, 1, 16, 16, dtype=torch.bool)
    paint_holes(pipeline, ["a cup"], picture, hole, [0], options)
    assert rows == [2, 2, 1, 2, 2]
