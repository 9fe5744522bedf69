"""Guesses: pictures made without reading the instruction. A case that many of them answer tells nothing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from PIL import Image, ImageFilter

from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.outcome import RIGHT_ERROR, changed_region, judge_outcome, meant_outcomes
from editfoundry.tinyworld.scene import render
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene

NUM_GUESSED_SCENES = 60
MAX_GUESSED_SHARE = 0.05
"""Share of random scenes that may answer a case rightly, for example because what is removed stood on plain grass."""
_BLUR_RADIUS = 8


def is_guessed(case: EditCase) -> bool:
    """Whether too many random scenes answer the case, or grey, the mean scene, or the input inverted or wiped out.

    Such a case is drawn anew in tinyworld's benchmarks: being near its truth takes no knowledge of what was asked.
    """
    scenes = _random_scenes()
    mean = scenes.mean(axis=0).round().astype(np.uint8)
    blurred = np.asarray(Image.fromarray(case.input_image).filter(ImageFilter.GaussianBlur(_BLUR_RADIUS)))
    wiped = np.stack([np.full_like(mean, 128), mean, 255 - case.input_image, blurred])
    if any(_answers(wiped, case)):
        return True
    return sum(_answers(scenes, case)) > MAX_GUESSED_SHARE * len(scenes)


def _answers(guesses: np.ndarray, case: EditCase) -> Iterator[bool]:
    """Yield whether each guess is right; wrong outcomes are looked at only where it comes near enough to the truth."""
    truths, before = meant_outcomes(guesses, case).astype(np.int32), case.input_image
    region = changed_region(before, truths)
    error, undone = (_squared_error(truths - picture, region) for picture in (guesses, before))
    is_near = error < RIGHT_ERROR * undone
    for guess, near in zip(guesses, is_near, strict=True):
        yield bool(near) and judge_outcome(guess, case).right


def _squared_error(difference: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return ``(N,)`` sums over a region of ``(N, H, W, 3)`` differences squared."""
    summed: np.ndarray = np.einsum("nhwc,nhwc,nhw->n", difference, difference, region, optimize=False)
    return summed


@cache
def _random_scenes() -> np.ndarray:
    """Return ``(NUM_GUESSED_SCENES, 64, 64, 3)`` uint8 pictures of training scenes."""
    return np.stack([render(sample_scene(random_stream("guesses", i))) for i in range(NUM_GUESSED_SCENES)])
