"""Guesses: pictures made without reading the instruction. A case that many of them answer tells nothing."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image, ImageFilter

from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.outcome import RIGHT_ERROR, changed_region, judge_outcome
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
    if any(_answers(guess, case) for guess in (np.full_like(mean, 128), mean, 255 - case.input_image, blurred)):
        return True
    return sum(_answers(scene, case) for scene in scenes) > MAX_GUESSED_SHARE * len(scenes)


def _answers(guess: np.ndarray, case: EditCase) -> bool:
    """Whether the guess is right; the wrong outcomes are looked at only where it comes near enough to the truth."""
    if case.open_outputs is not None:
        return judge_outcome(guess, case).right
    region = changed_region(case.input_image, case.true_output)
    truth = case.true_output[region].astype(np.float64)
    allowed = RIGHT_ERROR * np.square(truth - case.input_image[region]).sum()
    return bool(np.square(truth - guess[region]).sum() < allowed) and judge_outcome(guess, case).right


@cache
def _random_scenes() -> np.ndarray:
    """Return ``(NUM_GUESSED_SCENES, 64, 64, 3)`` uint8 pictures of training scenes."""
    return np.stack([render(sample_scene(random_stream("guesses", i))) for i in range(NUM_GUESSED_SCENES)])
