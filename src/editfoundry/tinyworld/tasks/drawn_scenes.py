"""Scenes of a split to make task edits of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from editfoundry.tinyworld.scene import Scene
from editfoundry.tinyworld.scene_sampling import Split, is_held_out

Option = TypeVar("Option")


def pick(random: np.random.Generator, options: Sequence[Option]) -> Option:
    """Draw one of the options."""
    return options[int(random.integers(len(options)))]


def are_of_split(split: Split, *scenes: Scene) -> bool:
    """Whether scenes may be shown in a split: none is held out in training, one at least is in a test."""
    held_out = [is_held_out(scene) for scene in scenes]
    return any(held_out) if split == "test" else not any(held_out)
