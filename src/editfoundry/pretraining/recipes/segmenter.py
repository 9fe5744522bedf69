"""The role ``segmenter``: segment-anything's own ``Sam``, tiny, trained on tinyworld's masks from single points."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from segment_anything.modeling import Sam
from torch import Tensor, nn
from transformers import SamConfig

from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.segmenter import build_sam, load_segmenter, save_sam
from editfoundry.pretraining.drawn_pictures import drawn_maps
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult, fit
from editfoundry.pretraining.recipes.vae import scene_pictures
from editfoundry.profiles import Profile
from editfoundry.tinyworld.scene import IMAGE_SIZE, object_masks, render
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene

NUM_PICTURES = 16_384
"""As many as the autoencoder's, whose cached pictures are used again."""
NUM_POINTS = 6
"""Prompts of a picture in a training step."""
BACKGROUND_SHARE = 0.15
"""Share of prompts that lie on no object; what they mean is everything but the objects."""
NOISE = 6.0
"""Largest standard deviation of noise on training pictures, of 255: sampled pictures are not as clean as drawn ones."""
FOCAL_WEIGHT = 20.0
"""Of the focal loss, where the dice loss has 1 (Kirillov et al. 2023, section 3)."""
MIN_PIXELS = 16
"""Objects of which less is seen are not measured."""
CONFIG = PretrainingConfig(num_steps=2500, batch_size=12, learning_rate=1.5e-3, ema_decay=0.995)
ON_GPU: dict[str, Any] = {}
NUM_MEASURED = 256


def segmenter_config() -> SamConfig:
    """Return the embedded SAM's size: 64 x 64 pixels, 16 x 16 embeddings."""
    return SamConfig(
        vision_config={
            "hidden_size": 96,
            "output_channels": 64,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "image_size": IMAGE_SIZE,
            "patch_size": 4,
            "window_size": 8,
            "global_attn_indexes": [1, 3],
            "mlp_dim": 192,
            "num_pos_feats": 32,
        },
        prompt_encoder_config={
            "hidden_size": 64,
            "image_size": IMAGE_SIZE,
            "patch_size": 4,
            "mask_input_channels": 8,
        },
        mask_decoder_config={
            "hidden_size": 64,
            "mlp_dim": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "iou_head_hidden_dim": 64,
        },
    )


def train_segmenter(
    work_dir: Path,
    device: torch.device,
    config: PretrainingConfig = CONFIG,
    num_pictures: int = NUM_PICTURES,
) -> tuple[Sam, PretrainingResult]:
    """Train on points of scenes of the training split."""
    pictures = scene_pictures(work_dir / "data", "train", num_pictures)
    labels = training_labels(work_dir / "data", num_pictures)
    torch.manual_seed(config.seed)
    model = build_sam(segmenter_config()).to(device)

    def step_loss(sam: nn.Module, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(num_pictures, (config.batch_size,), generator=generator).numpy()
        pixels = torch.from_numpy(pictures[chosen]).permute(0, 3, 1, 2).float()
        noise = torch.randn(pixels.shape, generator=generator) * NOISE
        pixels = pixels + noise * torch.rand(len(pixels), 1, 1, 1, generator=generator)
        points, masks = draw_points(torch.from_numpy(labels[chosen].astype(np.int64)), NUM_POINTS, generator)
        return segmentation_loss(sam, pixels.to(device), points.to(device), masks.to(device))

    result = fit(model, step_loss, config, work_dir / "segmenter")
    return model, result


def save_segmenter(model: Sam, folder: Path) -> dict[str, int]:
    """Ship the model in half precision; return its parameter counts."""
    folder.mkdir(parents=True, exist_ok=True)
    save_sam(model, segmenter_config(), folder, torch.float16)
    return {"model": sum(parameter.numel() for parameter in model.parameters())}


def training_labels(folder: Path, count: int) -> np.ndarray:
    """Return `scene_labels` of the first scenes of the training split, ``(count, 64, 64)``, cached in ``folder``."""
    return drawn_maps(folder / f"labels-train-{count}.npy", count, partial(scene_labels, split="train"))


def scene_labels(index: int, split: Any) -> np.ndarray:
    """Return which object each pixel of a seeded scene shows, ``(64, 64)`` uint8 from 1, and 0 for none."""
    masks = object_masks(sample_scene(random_stream("pictures", split, index), split))
    labels = np.zeros((IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    for number, mask in enumerate(masks, start=1):
        labels[mask] = number
    return labels


def draw_points(labels: Tensor, num_points: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw points, and the masks that they mean.

    Args:
        labels: ``(B, H, W)`` int64, see `scene_labels`.
        num_points: of each picture.
        generator: on the CPU.

    Returns:
        ``(B, P, 2)`` float ``(x, y)`` in pixels, and ``(B, P, H, W)`` bool.
    """
    points, masks = [], []
    for picture in labels:
        present = [int(number) for number in picture.unique() if number]
        draws = torch.rand(num_points, 2, generator=generator)
        on_background = (draws[:, 0] < BACKGROUND_SHARE) if present else torch.ones(num_points, dtype=torch.bool)
        numbers = [
            0 if background else present[int(draw * len(present))]
            for background, draw in zip(on_background.tolist(), draws[:, 1].tolist(), strict=True)
        ]
        meant = torch.stack([picture == number for number in numbers])
        places = torch.multinomial(meant.flatten(1).float() + 1e-12, 1, generator=generator)[:, 0]
        width = picture.shape[1]
        points.append(torch.stack([places % width, places // width], dim=1).float())
        masks.append(meant)
    return torch.stack(points), torch.stack(masks)


def segmentation_loss(sam: Any, pixels: Tensor, points: Tensor, masks: Tensor) -> Tensor:
    """Return SAM's loss: focal and dice of the best of three masks, and the error of all three's predicted IoU.

    Args:
        sam: in training.
        pixels: ``(B, 3, H, W)`` float in [0, 255], RGB.
        points: ``(B, P, 2)`` in pixels.
        masks: ``(B, P, H, W)`` bool, what the points mean.
    """
    embeddings = sam.image_encoder(sam.preprocess(pixels))
    losses = []
    for embedding, at, meant in zip(embeddings, points, masks, strict=True):
        labels = torch.ones(len(at), 1, dtype=torch.int64, device=at.device)
        sparse, dense = sam.prompt_encoder(points=(at[:, None], labels), boxes=None, masks=None)
        logits, qualities = sam.mask_decoder(
            image_embeddings=embedding[None],
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
        )
        losses.append(_mask_losses(logits, meant).amin(1) + (qualities - _ious(logits, meant)).square().mean(1))
    return torch.cat(losses).mean()


def measure_segmenter(profile: Profile, runtime: Runtime, num_scenes: int = NUM_MEASURED) -> dict[str, float]:
    """Return the mean IoU of held-out objects, each segmented from one random point of it.

    ``miou_from_one_point`` takes the mask that SAM itself thinks best, ``miou_best_of_three`` the truly best.
    """
    segmenter = load_segmenter(profile, runtime)
    chosen, best = [], []
    for index in range(num_scenes):
        scene = sample_scene(random_stream("measure", "test", index), "test")
        seen = [mask for mask in object_masks(scene) if mask.sum() >= MIN_PIXELS]
        draws = random_stream("segmenter-points", index)
        points = [_point_of(mask, draws) for mask in seen]
        masks, qualities = segmenter.masks_at(Image.fromarray(render(scene)), points)
        for mask, found, quality in zip(seen, masks, qualities, strict=True):
            ious = [float((one & mask).sum() / (one | mask).sum()) for one in found]
            chosen.append(ious[int(quality.argmax())])
            best.append(max(ious))
    return {"miou_from_one_point": float(np.mean(chosen)), "miou_best_of_three": float(np.mean(best))}


def _point_of(mask: np.ndarray, draws: np.random.Generator) -> tuple[float, float]:
    ys, xs = np.nonzero(mask)
    place = int(draws.integers(len(ys)))
    return float(xs[place]), float(ys[place])


def _mask_losses(logits: Tensor, meant: Tensor) -> Tensor:
    """``(P, 3, H, W)`` logits and ``(P, H, W)`` bool to ``(P, 3)``."""
    target = meant[:, None].expand_as(logits).float()
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    probability = logits.sigmoid()
    missed = (probability - target).abs()
    weights = 0.25 * target + 0.75 * (1 - target)
    focal = (weights * missed.square() * entropy).mean(dim=(2, 3))
    shared = (probability * target).sum(dim=(2, 3))
    dice = 1 - (2 * shared + 1) / (probability.sum(dim=(2, 3)) + target.sum(dim=(2, 3)) + 1)
    return FOCAL_WEIGHT * focal + dice


@torch.no_grad()
def _ious(logits: Tensor, meant: Tensor) -> Tensor:
    found, target = logits > 0, meant[:, None]
    return (found & target).sum(dim=(2, 3)) / (found | target).sum(dim=(2, 3)).clamp(min=1)
