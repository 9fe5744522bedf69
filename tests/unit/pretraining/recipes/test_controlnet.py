"""The embedded ControlNet's recipe."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.pretraining.model_trainee import PretrainingResult
from editfoundry.pretraining.recipes.controlnet import (
    CONFIG,
    build_controlnet,
    edge_agreement,
    measure_controlnet,
    steered_loss,
    train_controlnet,
)
from editfoundry.pretraining.text import token_ids
from editfoundry.profiles import load_profile

FEW = replace(CONFIG, num_steps=2, batch_size=2, num_warmup_steps=1, checkpoint_every_seconds=0.0)


@pytest.fixture(scope="module")
def painter() -> Any:
    return load_text_to_image(load_profile("embedded"), choose_runtime("cpu"))


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def trained(painter: Any, work_dir: Path) -> tuple[Any, PretrainingResult]:
    return train_controlnet(work_dir, painter, torch.device("cpu"), FEW, num_scenes=6)


def test_it_takes_64_pixel_edges_and_fits_in_its_share_of_the_package(painter: Any) -> None:
    controlnet = build_controlnet(painter.unet)
    assert sum(p.numel() for p in controlnet.parameters()) * 2 <= 2.8 * 2**20
    embedded = controlnet.controlnet_cond_embedding(torch.zeros(1, 3, 64, 64))
    assert embedded.shape[-2:] == (16, 16)


def test_untrained_it_leaves_the_painters_prediction_as_it_is(painter: Any) -> None:
    controlnet = build_controlnet(painter.unet)
    latents, ids = torch.randn(2, painter.unet.config.in_channels, 16, 16), token_ids(painter.tokenizer, ["an egg", ""])
    blank, edges = torch.zeros(2, 3, 64, 64), torch.ones(2, 3, 64, 64)
    with torch.no_grad():
        losses = [
            steered_loss(controlnet, painter, latents, ids, control, torch.Generator().manual_seed(0))
            for control in (blank, edges)
        ]
    assert losses[0] == losses[1]


def test_a_few_steps_change_it_and_not_the_painter(painter: Any, trained: tuple[Any, PretrainingResult]) -> None:
    controlnet, result = trained
    before = load_text_to_image(load_profile("embedded"), choose_runtime("cpu")).unet.state_dict()
    assert all(torch.equal(before[name], value) for name, value in painter.unet.state_dict().items())
    assert controlnet.controlnet_mid_block.weight.abs().sum() > 0
    assert result.num_steps == 2 and np.isfinite(result.final_loss)


def test_training_resumes_from_its_checkpoint(
    painter: Any, work_dir: Path, trained: tuple[Any, PretrainingResult]
) -> None:
    again, _ = train_controlnet(work_dir, painter, torch.device("cpu"), FEW, num_scenes=6)
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), trained[0].parameters(), strict=True))


def test_saved_it_is_a_role_that_can_be_measured(trained: tuple[Any, PretrainingResult], tmp_path: Path) -> None:
    trained[0].save_pretrained(tmp_path / "controlnet")
    (tmp_path / "mine.toml").write_text(
        f'[text_to_image]\nmodel = "package:text_to_image"\n[controlnet_canny]\nmodel = "{tmp_path}/controlnet"\n'
    )
    measures = measure_controlnet(load_profile(tmp_path / "mine.toml"), choose_runtime("cpu"), num_scenes=2)
    assert set(measures) == {"edge_agreement", "edge_agreement_without"}
    assert all(0 <= value <= 1 for value in measures.values())


def test_edges_agree_with_themselves_and_one_pixel_beside_and_not_elsewhere() -> None:
    def square(left: int) -> Image.Image:
        pixels = np.zeros((64, 64, 3), dtype=np.uint8)
        pixels[10:30, left : left + 20] = 255
        return Image.fromarray(pixels)

    flat = Image.new("RGB", (64, 64))
    assert edge_agreement(square(10), square(10)) == edge_agreement(square(10), square(11)) == 1
    assert edge_agreement(square(10), square(14)) < 0.7
    assert edge_agreement(flat, flat) == 1 and edge_agreement(flat, square(10)) == 0
