"""Normal maps: unit vectors that point out of things, up from the ground, and at the viewer elsewhere."""

import numpy as np
import pytest

from editfoundry.tinyworld.backgrounds import Background
from editfoundry.tinyworld.normal_map import FACING, GROUND, normal_map
from editfoundry.tinyworld.scene import Scene, SceneObject, object_boxes

SCENE = Scene(background=Background("meadow"), objects=(SceneObject(kind="apple", state="whole", colour="red"),))


def test_all_normals_are_of_unit_length_and_none_points_away_from_the_viewer() -> None:
    normals = normal_map(SCENE)
    assert np.linalg.norm(normals, axis=-1) == pytest.approx(1, abs=1e-4)
    assert normals[..., 2].min() >= 0


def test_the_ground_faces_up_and_the_sky_faces_the_viewer() -> None:
    normals = normal_map(SCENE)
    assert normals[-1, 0] == pytest.approx(GROUND, abs=1e-5) and normals[0, 0] == pytest.approx(FACING, abs=1e-5)


def test_a_thing_faces_left_at_its_left_side_and_right_at_its_right() -> None:
    x0, y0, x1, y1 = object_boxes(SCENE)[0] or (0, 0, 0, 0)
    row = normal_map(SCENE)[(y0 + y1) // 2]
    assert row[x0 + 1, 0] < -0.5 and row[x1 - 2, 0] > 0.5
    assert np.abs(row[x0 + (x1 - x0) // 2]).argmax() == 2
