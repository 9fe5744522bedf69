"""Seeded scenes and the split that keeps some combinations from training."""

from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.scene import Scene
from editfoundry.tinyworld.scene_sampling import (
    held_out_place,
    held_out_position,
    is_held_out,
    random_stream,
    sample_scene,
)

NUM_SCENES = 400


def scenes(split: str) -> list[Scene]:
    return [sample_scene(random_stream("sampling test", i), split) for i in range(NUM_SCENES)]  # type: ignore[arg-type]


def test_train_scenes_show_no_held_out_combination() -> None:
    for scene in scenes("train"):
        for thing in scene.objects:
            assert scene.background.place != held_out_place(thing.kind)
            assert thing.position != held_out_position(thing.kind, thing.colour)


def test_every_test_scene_shows_a_held_out_combination() -> None:
    assert all(is_held_out(scene) for scene in scenes("test"))


def test_the_splits_share_no_caption() -> None:
    assert not {s.caption for s in scenes("train")} & {s.caption for s in scenes("test")}


def test_scenes_depend_on_nothing_but_the_key() -> None:
    assert scenes("train") == scenes("train")
    assert random_stream(1, "a").random() != random_stream(1, "b").random()


def test_every_kind_and_state_can_be_asked_for() -> None:
    for kind, description in KINDS.items():
        for state in description.states:
            scene = sample_scene(random_stream(kind, state), "test", kind=kind, state=state)
            assert (kind, state) in {(o.kind, o.state) for o in scene.objects}


def test_two_objects_stand_apart_and_are_of_different_kinds() -> None:
    for number in range(100):
        first, second = sample_scene(random_stream(number), num_objects=2).objects
        assert (first.position, second.position) == ("left", "right")
        assert first.kind != second.kind
