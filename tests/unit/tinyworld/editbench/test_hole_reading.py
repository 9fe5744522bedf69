"""What stands in a hole is read from the picture: what was painted, in which colour, how many and where."""

from dataclasses import replace

import numpy as np
import pytest

from editfoundry.tinyworld.editbench.hole import Hole
from editfoundry.tinyworld.editbench.hole_reading import read_hole
from editfoundry.tinyworld.editbench.thing_layers import FOOT, thing_layers
from editfoundry.tinyworld.scene import IMAGE_SIZE, Scene, SceneObject, render
from editfoundry.tinyworld.scene_sampling import random_background, random_stream

EVERYTHING = ("object", "colour", "shape", "size", "position", "count")
APPLE = SceneObject(kind="apple", state="bitten", colour="red", position="left", size="small")
BOAT = SceneObject(kind="boat", state="near", colour="blue", position="right")
BACKGROUNDS = [random_background(random_stream("holes", number)) for number in range(4)]


def hole_for(*things, background=BACKGROUNDS[0], asked=EVERYTHING):
    mask = np.ones((IMAGE_SIZE, IMAGE_SIZE), dtype=bool)
    mask[:8] = False
    return Hole(around=Scene(background=background), things=things, asked=asked, mask=mask)


def painted(hole, *things, side=IMAGE_SIZE):
    return render(hole.scene_with(things), side)


def facts(things):
    return sorted((t.kind, t.state, t.colour, t.size, t.position) for t in things)


@pytest.mark.parametrize("background", BACKGROUNDS, ids=lambda background: background.phrase)
@pytest.mark.parametrize("things", [(), (APPLE,), (BOAT,), (APPLE, BOAT)], ids=["nothing", "apple", "boat", "both"])
def test_things_are_read_wherever_they_stand_in_a_wide_hole(background, things):
    hole = hole_for(APPLE, BOAT, background=background)
    moved = [replace(thing, dx=0.03, ground=0.12) for thing in things]
    assert facts(read_hole(painted(hole, *moved), hole).things) == facts(things)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"kind": "balloon", "state": "inflated"}, {"object"}),
        ({"colour": "green"}, {"colour"}),
        ({"state": "whole"}, {"shape"}),
        ({"size": "large"}, {"size"}),
        ({"position": "right"}, {"position"}),
    ],
)
def test_a_thing_that_differs_in_one_attribute_is_wrong_in_that_alone(change, wrong):
    hole = hole_for(APPLE)
    found = hole.rights(read_hole(painted(hole, replace(APPLE, **change)), hole).things)
    asked_of_others = {"shape"} if "kind" in change else set()
    assert {name for name, right in found.items() if not right} - asked_of_others == wrong


def test_a_second_thing_and_a_missing_one_are_wrong_in_count():
    one, two = hole_for(APPLE), hole_for(APPLE, BOAT)
    assert one.rights(read_hole(painted(one, APPLE, BOAT), one).things) == dict.fromkeys(EVERYTHING, True) | {
        "count": False
    }
    missing = two.rights(read_hole(painted(two, APPLE), two).things)
    assert not missing["count"] and not missing["object"]


def test_a_red_and_a_blue_thing_that_changed_colours_are_two_things_of_wrong_colours():
    hole = hole_for(SceneObject(kind="cup", state="upright", colour="red", position="left"), BOAT)
    cup, boat = hole.things
    changed = painted(hole, replace(cup, colour="blue"), replace(boat, colour="red"))
    found = hole.rights(read_hole(changed, hole).things)
    assert found["object"] and found["count"] and not found["colour"]


def test_what_was_painted_outside_the_hole_is_not_looked_at():
    hole = hole_for(APPLE)
    picture = painted(hole, APPLE)
    spoilt = np.where(hole.mask[..., None], picture, 255 - picture)
    assert facts(read_hole(spoilt, hole).things) == facts([APPLE])


def test_a_larger_picture_is_read_as_one_of_64_pixels():
    hole = hole_for(APPLE)
    assert facts(read_hole(painted(hole, APPLE, side=192), hole).things) == facts([APPLE])


def test_a_layer_laid_over_a_background_is_what_the_scene_draws():
    layers = thing_layers()
    alone = SceneObject(kind="car", state="side", colour="yellow")
    scene = Scene(background=BACKGROUNDS[1], objects=(replace(alone, ground=(IMAGE_SIZE - FOOT[1]) / IMAGE_SIZE),))
    empty = render(Scene(background=BACKGROUNDS[1])).astype(np.float32)
    laid = layers.laid(layers.things.index(alone), FOOT, empty)
    assert np.abs(laid - render(scene)).mean() < 1
