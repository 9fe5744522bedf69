"""The embedded depth model's recipe: its loss, its measure, and that it learns."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretraining.model_trainee import PretrainingConfig
from editfoundry.pretraining.recipes import depth
from editfoundry.pretraining.shipping import saver
from editfoundry.profiles import ModelReference, Profile


def test_the_loss_is_the_distance_of_logarithms_and_pulls_at_zero_too() -> None:
    truth = torch.full((1, 4, 4), 0.5)
    assert depth.depth_loss(truth * 1.25, truth).item() == pytest.approx(math.log(1.25), rel=1e-5)
    nothing = torch.zeros(1, 4, 4, requires_grad=True)
    depth.depth_loss(nothing, truth).backward()
    assert nothing.grad is not None and bool((nothing.grad < 0).all())


def test_a_pixel_is_within_by_its_ratio_whatever_the_unit() -> None:
    truth = np.array([[0.2, 0.4, 0.8]], dtype=np.float32)
    assert depth._share_within([truth * 7], [truth]) == 1
    assert depth._share_within([np.array([[0.3, 0.4, 0.8]])], [truth]) == pytest.approx(2 / 3)
    assert depth._share_within([np.array([[0.3, 0.4, 0.8]])], [truth], [np.array([[True, True, False]])]) == 0.5


def test_a_trained_depth_model_is_saved_and_measured(tmp_path: Path) -> None:
    config = PretrainingConfig(num_steps=2, batch_size=2, num_warmup_steps=1)
    model, processor, result = depth.train_depth(tmp_path, torch.device("cpu"), config, num_pictures=4)
    assert math.isfinite(result.final_loss)
    saver(model, processor)(tmp_path / "shipped")
    assert (tmp_path / "shipped/model.safetensors").stat().st_size < 1.5 * 2**20
    profile = Profile(name="tiny", models={"depth": ModelReference(role="depth", source=str(tmp_path / "shipped"))})
    measured = depth.measure_depth(profile, choose_runtime("cpu"), num_scenes=2)
    assert all(0 <= value <= 1 for value in measured.values()) and "delta_1_25_without_looking" in measured
