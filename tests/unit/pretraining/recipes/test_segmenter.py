"""The embedded segmenter's recipe: its points, its loss, and that it learns."""

from pathlib import Path

import numpy as np
import pytest
import torch

from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.segmenter import build_sam
from editfoundry.pretraining.model_trainee import PretrainingConfig
from editfoundry.pretraining.recipes import segmenter
from editfoundry.pretraining.recipes.vae import scene_pictures
from editfoundry.profiles import ModelReference, Profile


def test_labels_are_the_objects_of_the_cached_pictures(tmp_path: Path) -> None:
    [picture] = scene_pictures(tmp_path, "train", 1)
    labels = segmenter.scene_labels(0, "train")
    assert labels.shape == picture.shape[:2] and 0 < (labels > 0).mean() < 0.9


def test_points_lie_in_what_they_mean_and_mostly_on_objects() -> None:
    labels = torch.from_numpy(np.stack([segmenter.scene_labels(i, "train") for i in range(4)]).astype(np.int64))
    points, masks = segmenter.draw_points(labels, 100, torch.Generator().manual_seed(0))
    assert (points.shape, masks.shape) == ((4, 100, 2), (4, 100, 64, 64))
    for picture, at, meant in zip(labels, points.long(), masks, strict=True):
        assert all(mask[y, x] for mask, (x, y) in zip(meant, at.tolist(), strict=True))
        numbers = torch.tensor([int(picture[y, x]) for x, y in at.tolist()])
        assert all(torch.equal(mask, picture == number) for mask, number in zip(meant, numbers, strict=True))
    share = torch.tensor([[int(labels[b, y, x]) == 0 for x, y in points[b].long().tolist()] for b in range(4)])
    assert share.float().mean() == pytest.approx(segmenter.BACKGROUND_SHARE, abs=4 * (0.15 * 0.85 / 400) ** 0.5)


def test_a_perfect_mask_has_almost_no_loss_and_a_wrong_one_much() -> None:
    meant = torch.zeros(1, 8, 8, dtype=torch.bool)
    meant[:, 2:6, 2:6] = True
    logits = torch.stack([meant * 40.0 - 20, -(meant * 40.0 - 20), torch.zeros(1, 8, 8)], dim=1)
    losses = segmenter._mask_losses(logits, meant)[0]
    assert losses[0] < 1e-3 and losses[1] > losses[2] > 0.5
    # A logit of zero counts as outside.
    assert segmenter._ious(logits, meant)[0].tolist() == [1, 0, 0]


def test_the_loss_reaches_what_one_point_uses() -> None:
    torch.manual_seed(0)
    sam = build_sam(segmenter.segmenter_config())
    assert sum(parameter.numel() for parameter in sam.parameters()) < 1_000_000
    points, masks = torch.rand(2, 3, 2) * 64, torch.rand(2, 3, 64, 64) < 0.3
    segmenter.segmentation_loss(sam, torch.rand(2, 3, 64, 64) * 255, points, masks).backward()
    # Boxes, masks and points outside are no prompts here, nor is the mask of many points.
    unused = ("mask_downscaling", "point_embeddings.0", "point_embeddings.2", "point_embeddings.3")
    without = [name for name, p in sam.named_parameters() if p.grad is None and not any(u in name for u in unused)]
    assert not without


def test_a_trained_segmenter_is_saved_and_measured(tmp_path: Path) -> None:
    config = PretrainingConfig(num_steps=2, batch_size=2, num_warmup_steps=1)
    model, result = segmenter.train_segmenter(tmp_path, torch.device("cpu"), config, num_pictures=4)
    assert result.num_steps == 2
    counts = segmenter.save_segmenter(model, tmp_path / "segmenter_shipped")
    assert (tmp_path / "segmenter_shipped/model.safetensors").stat().st_size < 2 * counts["model"] + 50_000
    reference = ModelReference(role="segmenter", source=str(tmp_path / "segmenter_shipped"))
    measured = segmenter.measure_segmenter(
        Profile(name="tiny", models={"segmenter": reference}), choose_runtime("cpu"), num_scenes=3
    )
    assert 0 <= measured["miou_from_one_point"] <= measured["miou_best_of_three"] <= 1
