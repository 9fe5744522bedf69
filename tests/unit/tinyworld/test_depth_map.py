"""Depth maps: a flat ground in perspective, and things as near as where they stand."""

import numpy as np
import pytest

from editfoundry.tinyworld.backgrounds import Background
from editfoundry.tinyworld.depth_map import FAR, SKY, WALL, depth_map
from editfoundry.tinyworld.scene import Scene, SceneObject, object_masks

HOUSE = SceneObject(kind="house", state="new", colour="red", ground=0.20)
EGG = SceneObject(kind="egg", state="whole", colour="white", ground=0.10)


def test_the_inverse_depth_of_the_ground_rises_evenly_towards_the_viewer() -> None:
    column = depth_map(Scene(background=Background("meadow")))[39:, 0]
    assert np.diff(column) == pytest.approx(np.diff(column).mean(), abs=1e-4)
    assert column[-1] == pytest.approx(1, abs=0.02)
    assert column[0] == pytest.approx(1 - (1 - FAR) * (24.5 / 64) / 0.40, abs=1e-3)


def test_the_sky_is_endlessly_far_and_a_wall_is_near_as_the_end_of_the_floor() -> None:
    assert depth_map(Scene(background=Background("beach")))[0].max() == SKY
    assert depth_map(Scene(background=Background("kitchen")))[:38] == pytest.approx(WALL)


def test_a_thing_is_as_near_as_its_foot_and_the_nearer_one_hides_the_other() -> None:
    scene = Scene(background=Background("meadow"), objects=(HOUSE, EGG))
    depths, masks = depth_map(scene), object_masks(scene)
    house, egg = (float(np.median(depths[mask])) for mask in masks)
    assert house == pytest.approx(1 - 0.9 * 0.20 / 0.40, abs=1e-3)
    assert egg == pytest.approx(1 - 0.9 * 0.10 / 0.40, abs=1e-3)


def test_the_hills_stand_before_the_sky() -> None:
    depths = depth_map(Scene(background=Background("street")))
    assert depths[34] == pytest.approx(FAR)
