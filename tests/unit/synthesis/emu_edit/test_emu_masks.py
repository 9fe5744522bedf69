"""Masks before generation: what is found, outlined and masked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from editfoundry.pretrained.detector import FoundBox
from editfoundry.synthesis.emu_edit.masks import (
    background_mask,
    find_things,
    kept_things,
    latent_masks,
    mask_picture,
    region_masks,
    things_named,
)
from editfoundry.synthesis.emu_edit.task_settings import MASK_KINDS, MaskSettings

SETTINGS = MaskSettings()


def disc(radius: float, size: int = 64) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    return np.hypot(rows - 30, columns - 34) <= radius


def test_the_second_mask_holds_the_first_and_reaches_beyond_it_softly_and_the_third_is_its_box() -> None:
    masks = region_masks(disc(8), SETTINGS)
    assert tuple(masks) == MASK_KINDS and all(mask.dtype == np.float32 for mask in masks.values())
    assert np.array_equal(masks["precise"] == 1, disc(8))
    assert (masks["dilated"][disc(8)] == 1).all() and masks["dilated"][disc(11)].min() > 0.5
    assert not masks["dilated"][~disc(20)].any() and 0 < np.median(masks["dilated"][disc(13) & ~disc(12)]) < 1
    assert list(region_masks(disc(8), MaskSettings(kinds=("box",)))) == ["box"]
    assert masks["box"].sum() == 17 * 17 and (masks["box"][disc(8)] == 1).all()


def test_of_nothing_every_mask_is_empty() -> None:
    assert not any(mask.any() for mask in region_masks(np.zeros((16, 16), bool), SETTINGS).values())


def test_a_backgrounds_mask_keeps_away_from_all_things() -> None:
    other = np.roll(disc(5), 20, axis=1)
    mask = background_mask([disc(8), other], SETTINGS)
    assert not mask[disc(8) | other].any() and mask[disc(9)].max() < 0.3 and mask[0, 0] > 0.99
    assert 0 < mask[disc(11) & ~disc(10)].mean() < 0.9


def test_a_latent_pixel_may_change_as_far_as_any_pixel_within_it() -> None:
    mask = np.zeros((64, 64), np.float32)
    mask[5, 9] = 0.5
    masks = latent_masks([mask], torch.zeros(1, 4, 16, 16))
    assert masks.shape == (1, 1, 16, 16) and masks[0, 0, 1, 2] == 0.5 and masks.sum() == 0.5
    assert np.asarray(mask_picture(mask)).sum() == 255


def test_a_caption_names_what_stands_between_its_prepositions() -> None:
    before = "a red apple on the left and a cat in a kitchen"
    assert things_named(before) == ["a red apple", "the left", "a cat", "a kitchen"]
    assert kept_things(before, "a red apple on the left and a cat on a beach") == ["a red apple", "a cat"]


class Finder:
    """Finds what is called ``dot`` and nothing else, and counts the pictures that it looks at."""

    num_seen = 0

    def find(self, images: Sequence[Any], phrases: Sequence[Sequence[str]], threshold: float) -> list[Any]:
        self.num_seen += len(images)
        box = FoundBox((10, 10, 20, 20), 0.9)
        return [[[box] if phrase == "dot" else [] for phrase in said] for said in phrases]

    def outlines_in(self, image: Image.Image, boxes: Sequence[Any]) -> list[Any]:
        self.num_seen += 1
        return [(disc(4), 0.8) for _ in boxes]


def test_each_picture_is_looked_at_once_and_one_of_no_phrase_never() -> None:
    finder: Any = Finder()
    images = [Image.new("RGB", (64, 64))] * 3
    found = find_things(finder, finder, images, [["dot", "dash"], [], ["dash"]], SETTINGS)
    assert [[thing is not None for thing in own] for own in found] == [[True, False], [], [False]]
    assert finder.num_seen == 2 + 1 and found[0][0] is not None and found[0][0].fit == 0.8
