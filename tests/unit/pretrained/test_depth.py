"""The role depth, with tiny random models of both classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import tiny_image
from transformers import AutoModelForDepthEstimation, DepthAnythingConfig, Dinov2Config, DPTImageProcessor

from editfoundry.errors import BadInputError
from editfoundry.pretrained.depth import load_depth
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretraining.recipes.depth import build_depth, build_image_processor
from editfoundry.profiles import ModelReference, Profile

RUNTIME = choose_runtime("cpu")


def profile_of(folder: Path) -> Profile:
    return Profile(name="tiny", models={"depth": ModelReference(role="depth", source=str(folder))})


def save_depth_anything(folder: Path, **changes: Any) -> None:
    backbone = Dinov2Config(
        image_size=28, patch_size=14, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        out_features=["stage1", "stage1", "stage2", "stage2"][::2], reshape_hidden_states=False,
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=16, reassemble_factors=[2, 1], neck_hidden_sizes=[8, 8],
        fusion_hidden_size=8, head_hidden_size=8, **changes,
    )  # fmt: skip
    AutoModelForDepthEstimation.from_config(config).save_pretrained(folder)
    DPTImageProcessor(size={"height": 28, "width": 28}, keep_aspect_ratio=True, ensure_multiple_of=14).save_pretrained(
        folder
    )


def test_pictures_of_any_sizes_get_maps_of_theirs_alone_and_together(tmp_path: Path) -> None:
    torch.manual_seed(0)
    build_depth().save_pretrained(tmp_path)
    build_image_processor().save_pretrained(tmp_path)
    depth = load_depth(profile_of(tmp_path), RUNTIME)
    images = [tiny_image(0, (40, 24)), tiny_image(1, (64, 64))]
    maps = depth.nearness(images)
    assert [one.shape for one in maps] == [(24, 40), (64, 64)] and depth.nearness([]) == []
    np.testing.assert_allclose(depth.nearness(images[1:])[0], maps[1], atol=1e-5)


def test_a_depth_anything_keeps_the_shape_of_each_picture(tmp_path: Path) -> None:
    save_depth_anything(tmp_path)
    depth, seen = load_depth(profile_of(tmp_path), RUNTIME), []
    depth.model.register_forward_pre_hook(
        lambda _, __, kwargs: seen.append(kwargs["pixel_values"].shape), with_kwargs=True
    )
    maps = depth.nearness([tiny_image(0, (64, 32)), tiny_image(1, (32, 32))])
    assert [one.shape for one in maps] == [(32, 64), (32, 32)] and len({tuple(shape[2:]) for shape in seen}) == 2


def test_a_model_of_metres_is_refused(tmp_path: Path) -> None:
    save_depth_anything(tmp_path, depth_estimation_type="metric", max_depth=20)
    with pytest.raises(BadInputError, match="metres"):
        load_depth(profile_of(tmp_path), RUNTIME)
