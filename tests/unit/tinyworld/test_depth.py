"""Inverse distances of scenes."""

from __future__ import annotations

import numpy as np
import pytest

from editfoundry.tinyworld.depth import FAR, nearness_at, nearness_map
from editfoundry.tinyworld.scene import depth_order, object_masks
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene


def test_the_ground_comes_nearer_line_by_line_and_the_sky_is_far() -> None:
    scene = sample_scene(random_stream("depth", 0))
    rows = nearness_map(scene)[:, 0]
    assert (np.diff(rows) >= 0).all() and rows[0] == pytest.approx(FAR) and rows[-1] > 0.95


def test_a_thing_is_as_near_as_the_ground_at_its_foot_and_a_nearer_one_hides_a_farther() -> None:
    scene = sample_scene(random_stream("depth", 1), num_objects=2)
    nearness, masks = nearness_map(scene), object_masks(scene)
    means = [nearness[mask].mean() for mask in masks]
    assert means == [pytest.approx(float(nearness_at(np.float64(thing.ground))), abs=1e-3) for thing in scene.objects]
    farthest, nearest = depth_order(scene)
    assert means[nearest] >= means[farthest]
