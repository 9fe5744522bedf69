"""The role ``depth``: a small DPT, trained on the exact inverse distances of tinyworld's scenes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessor

from editfoundry.pretrained.depth import load_depth
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretraining.drawn_pictures import drawn_maps, noisy_pixels
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult, fit, start_from
from editfoundry.pretraining.recipes.vae import scene_pictures
from editfoundry.profiles import Profile
from editfoundry.tinyworld.depth_map import depth_map
from editfoundry.tinyworld.scene import IMAGE_SIZE, object_masks, render
from editfoundry.tinyworld.scene_sampling import Split, random_stream, sample_scene

NUM_PICTURES = 16_384
"""As many as the autoencoder's, whose cached pictures are used again."""
STEPS = 250
"""Of a cached inverse distance between 0 and 1: it is kept in a byte."""
NEARLY_NOTHING = 0.05
"""Inverse distances below it are one: the sky's is zero, of which nothing is a share."""
RATIO = 1.25
"""Of the measure delta: a pixel is right whose inverse distance is off by less than this factor."""
CONFIG = PretrainingConfig(num_steps=2500, batch_size=16, learning_rate=1e-3, ema_decay=0.995)
ON_GPU: dict[str, Any] = {"batch_size": 64}
NUM_MEASURED = 256


def depth_config() -> DPTConfig:
    """Return the embedded DPT's size: 64 x 64 pixels in, 64 x 64 out."""
    return DPTConfig(
        image_size=IMAGE_SIZE,
        patch_size=4,
        hidden_size=96,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=192,
        backbone_out_indices=[0, 1, 2, 3],
        # Sixteen patches a side, doubled twice by the fusion and its head, are the picture's own pixels.
        reassemble_factors=[1, 0.5, 0.25, 0.125],
        neck_hidden_sizes=[32, 48, 64, 64],
        fusion_hidden_size=32,
        use_auxiliary_head=False,
    )


def train_depth(
    work_dir: Path,
    device: torch.device,
    config: PretrainingConfig = CONFIG,
    num_pictures: int = NUM_PICTURES,
    shipped: Path | None = None,
) -> tuple[DPTForDepthEstimation, DPTImageProcessor, PretrainingResult]:
    """Train on scenes of the training split; ``shipped`` is an estimator to train on."""
    pictures = scene_pictures(work_dir / "data", "train", num_pictures)
    path = work_dir / "data" / f"nearness-train-{num_pictures}.npy"
    truths = drawn_maps(path, num_pictures, partial(scene_nearness, split="train"))
    torch.manual_seed(config.seed)
    model = build_depth()
    if shipped is not None:
        start_from(model, shipped)
    model.to(device)

    def step_loss(dpt: nn.Module, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(num_pictures, (config.batch_size,), generator=generator).numpy()
        pixels = noisy_pixels(pictures[chosen], generator)
        truth = torch.from_numpy(truths[chosen]).float() / STEPS
        return depth_loss(dpt(pixel_values=pixels.to(device)).predicted_depth, truth.to(device))

    result = fit(model, step_loss, config, work_dir / "depth")
    return model, build_image_processor(), result


def build_depth() -> DPTForDepthEstimation:
    """Return an untrained DPT of the embedded size."""
    model: Any = DPTForDepthEstimation(depth_config())
    # The head ends with a ReLU; a model that says zero everywhere would learn nothing.
    last = [module for module in model.head.modules() if isinstance(module, nn.Conv2d)][-1]
    assert last.bias is not None
    nn.init.constant_(last.bias, 0.5)
    return model


def build_image_processor() -> DPTImageProcessor:
    """Return what makes pictures 64 x 64, values in [-1, 1]."""
    return DPTImageProcessor(
        size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )


def scene_nearness(index: int, split: Split) -> np.ndarray:
    """Return a seeded scene's inverse distances, ``(64, 64)`` uint8, ``STEPS`` to one."""
    scene = sample_scene(random_stream("pictures", split, index), split)
    return (depth_map(scene) * STEPS).round().astype(np.uint8)


def depth_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """Return the mean distance of logarithms, which is what delta counts.

    Args:
        predicted: ``(B, H, W)`` inverse distances, from 0.
        truth: ``(B, H, W)`` in [0, 1].
    """
    # Linear below it, where a logarithm would run away.
    small = predicted < NEARLY_NOTHING
    logarithm = torch.where(
        small, predicted / NEARLY_NOTHING - 1 + np.log(NEARLY_NOTHING), predicted.clamp(min=NEARLY_NOTHING).log()
    )
    return (logarithm - truth.clamp(min=NEARLY_NOTHING).log()).abs().mean()


def measure_depth(profile: Profile, runtime: Runtime, num_scenes: int = NUM_MEASURED) -> dict[str, float]:
    """Return the share of held-out pixels within a factor of 1.25, overall and on objects, beside two controls.

    ``_without_looking`` has the mean map of training scenes in the place of an estimate, ``_of_another`` the estimate
    of another scene. Every estimate is first brought to the truth's scale by one factor, that of their means.
    """
    scenes = [sample_scene(random_stream("measure", "test", index), "test") for index in range(num_scenes)]
    found = load_depth(profile, runtime).nearness([Image.fromarray(render(scene)) for scene in scenes])
    truths = [depth_map(scene) for scene in scenes]
    things: list[np.ndarray] = [np.asarray(object_masks(scene).any(axis=0)) for scene in scenes]
    others = [depth_map(sample_scene(random_stream("depth control", i), "train")) for i in range(num_scenes)]
    mean = [np.mean(others, axis=0)] * num_scenes
    return {
        "delta_1_25": _share_within(found, truths),
        "delta_1_25_on_objects": _share_within(found, truths, things),
        "delta_1_25_without_looking": _share_within(mean, truths),
        "delta_1_25_on_objects_without_looking": _share_within(mean, truths, things),
        "delta_1_25_on_objects_of_another": _share_within([*found[1:], found[0]], truths, things),
    }


def _share_within(
    found: Sequence[np.ndarray], truths: Sequence[np.ndarray], where: Sequence[np.ndarray] | None = None
) -> float:
    """Return the share of all pixels, or of those in ``where``, that are within ``RATIO`` of the truth."""
    right = []
    for number, (estimate, truth) in enumerate(zip(found, truths, strict=True)):
        scale = np.mean(truth) / max(float(np.mean(estimate)), 1e-6)
        own, true = np.maximum(estimate * scale, NEARLY_NOTHING), np.maximum(truth, NEARLY_NOTHING)
        within = np.maximum(own / true, true / own) < RATIO
        right.append(within.ravel() if where is None else within[where[number]])
    return float(np.concatenate(right).mean())
