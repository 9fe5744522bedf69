"""Rendering: deterministic, at any size, with exact masks, boxes and depth."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from editfoundry.tinyworld.backgrounds import Background, all_backgrounds
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.scene import (
    Morph,
    Scene,
    SceneObject,
    depth_order,
    object_boxes,
    object_masks,
    paint,
    render,
    scene_from_dict,
)
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene

SCENES = [sample_scene(random_stream("scene test", i), num_objects=2) for i in range(25)]
BEHIND = SceneObject(kind="house", state="new", colour="red", ground=0.20)
BEFORE = SceneObject(kind="egg", state="whole", colour="white", ground=0.10)


def test_rendering_is_deterministic_uint8_rgb() -> None:
    for scene in SCENES:
        image = render(scene)
        assert (image.shape, image.dtype) == ((64, 64, 3), np.uint8)
        assert np.array_equal(image, render(scene))


def test_a_thing_looks_the_same_drawn_by_itself_first_and_drawn_in_its_place() -> None:
    ground, seen = all_backgrounds()[3], 0
    for kind in KINDS.values():
        for state in kind.states:
            for colour in kind.colours:
                scene = replace(SCENES[0], background=ground).with_object(1, kind=kind.name, state=state, colour=colour)
                in_its_place = Morph(index=1, state=state, progress=0.0)
                assert np.array_equal(paint(scene), paint(scene, morph=in_its_place)), (kind.name, state, colour)
                seen += 1
    assert seen > 100


def test_a_scene_at_128_pixels_looks_like_the_one_at_64() -> None:
    for scene in SCENES[:10]:
        large = render(scene, size=128)
        assert large.shape == (128, 128, 3)
        halved = np.asarray(Image.fromarray(large).reduce(2)).astype(int)
        assert np.abs(halved - render(scene)).mean() < 4


def test_all_39_backgrounds_differ_in_picture_and_phrase() -> None:
    backgrounds = all_backgrounds()
    pictures = {render(Scene(background=b)).tobytes() for b in backgrounds}
    assert len(backgrounds) == len(pictures) == len({b.phrase for b in backgrounds}) == 39


def test_a_background_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no such background: winter kitchen"):
        Background("kitchen", season="winter")


def test_masks_are_disjoint_and_fill_their_boxes() -> None:
    for scene in SCENES:
        masks, boxes = object_masks(scene), object_boxes(scene)
        assert masks.sum(axis=0).max() <= 1
        for mask, box in zip(masks, boxes, strict=True):
            assert box is not None
            x0, y0, x1, y1 = box
            assert mask[y0:y1, x0:x1].sum() == mask.sum() > 0
            assert mask[y0].any() and mask[y1 - 1].any() and mask[:, x0].any() and mask[:, x1 - 1].any()


def test_a_mask_covers_what_its_object_paints() -> None:
    for scene in SCENES:
        without = replace(scene, objects=scene.objects[1:])
        painted = np.abs(render(scene).astype(int) - render(without)).max(axis=-1) > 0
        assert not (object_masks(scene)[0] & ~painted).sum() > 0.1 * painted.sum()


def test_the_lower_object_stands_in_front() -> None:
    scene = Scene(background=Background("meadow"), objects=(BEFORE, BEHIND))
    assert depth_order(scene) == [1, 0]
    swapped = Scene(background=Background("meadow"), objects=(BEHIND, BEFORE))
    assert np.array_equal(render(scene), render(swapped))
    alone = object_masks(Scene(background=Background("meadow"), objects=(BEFORE,)))[0]
    assert np.array_equal(object_masks(scene)[0], alone)


def test_an_object_that_is_wholly_hidden_has_no_box() -> None:
    hidden = replace(BEFORE, size="small", ground=0.2)
    scene = Scene(background=Background("meadow"), objects=(hidden, replace(BEHIND, ground=0.15)))
    assert object_boxes(scene)[0] is None
    assert not object_masks(scene)[0].any()


def test_a_scene_survives_a_round_trip_through_plain_data() -> None:
    for scene in SCENES:
        assert scene_from_dict(scene.to_dict()) == scene


def test_changing_one_object_leaves_the_others() -> None:
    scene = Scene(background=Background("meadow"), objects=(BEFORE, BEHIND))
    changed = scene.with_object(0, state="fried")
    assert changed.objects == (replace(BEFORE, state="fried"), BEHIND)
    assert scene.objects[0].state == "whole"
