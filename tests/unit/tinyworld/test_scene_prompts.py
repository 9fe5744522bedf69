"""What may be asked for in a scene, and captioned scenes that ask for it."""

from editfoundry.data.captioned_pictures import open_captioned_pictures
from editfoundry.tinyworld.captioned_scenes import write_captioned_scenes
from editfoundry.tinyworld.scene import object_boxes
from editfoundry.tinyworld.scene_prompts import scene_prompts, thing_prompts
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene


def test_the_whole_caption_comes_first_and_each_prompt_has_the_boxes_of_what_it_names():
    scene = sample_scene(random_stream("prompts", 3), num_objects=2)
    boxes = object_boxes(scene)
    prompts = scene_prompts(scene, boxes)
    assert prompts[0] == (scene.caption, list(boxes))
    first, second = scene.objects
    assert (f"{first.phrase} and {second.phrase}", list(boxes)) in prompts
    assert (first.placed_phrase, [boxes[0]]) in prompts and (second.phrase, [boxes[1]]) in prompts


def test_what_is_hidden_is_not_asked_for():
    scene = sample_scene(random_stream("prompts", 3), num_objects=2)
    box = object_boxes(scene)[1]
    prompts = scene_prompts(scene, [None, box])
    assert all(named == [box] for _, named in prompts)
    assert scene.objects[0].phrase not in [text for text, _ in prompts]


def test_a_thing_is_asked_for_from_its_kind_alone_to_its_size():
    thing = sample_scene(random_stream("prompts", 5), kind="balloon", num_objects=1).objects[0]
    told = thing_prompts(thing)
    assert "a balloon" in told and thing.phrase in told and f"a {thing.size} balloon" in told
    assert len(told) == len(set(told))


def test_captioned_scenes_tell_the_whole_or_a_part_and_equal_seeds_give_equal_files(tmp_path):
    for name in ("first", "second"):
        assert write_captioned_scenes(tmp_path / name, 40, seed=1) == 40
    first, second = ((tmp_path / name / "00000.tar").read_bytes() for name in ("first", "second"))
    assert first == second
    (tmp_path / "second" / "00000.tar").unlink()
    assert write_captioned_scenes(tmp_path / "second", 40, seed=1) == 40
    assert (tmp_path / "second" / "00000.tar").read_bytes() == first
    opened = open_captioned_pictures(tmp_path / "first", tmp_path / "work")
    captions = [opened.caption(number) for number in range(40)]
    whole = [any(word in caption for word in (" in a", " on a", " at ", " in the")) for caption in captions]
    assert 8 < sum(whole) < 36
    assert all(opened.boxes(number) is not None for number in range(40))
    assert opened.picture(0).size == (64, 64)
