"""What a detector is asked for."""

import pytest

from editfoundry.editors.caption_training.caption_phrases import MAX_PHRASES, caption_phrases
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene


@pytest.mark.parametrize(
    ("caption", "phrases"),
    [
        ("A red cup and two small dogs on the left of a sofa", ["red cup", "small dogs", "left", "sofa"]),
        ("An egg, an egg; the egg.", ["egg"]),
        ("a man wearing a blue hat is sitting beside his dog", ["man", "blue hat", "dog"]),
        ("", []),
        ("the of and", []),
    ],
)
def test_articles_and_what_joins_things_are_left_out(caption, phrases):
    assert caption_phrases(caption) == phrases


def test_every_thing_of_a_tinyworld_caption_is_asked_for():
    for number in range(50):
        scene = sample_scene(random_stream("phrases", number))
        asked = " ".join(caption_phrases(scene.caption))
        assert all(thing.kind.split()[-1] in asked or thing.state in asked for thing in scene.objects)


def test_a_long_caption_asks_for_the_first_few():
    assert len(caption_phrases(", ".join(f"thing{n}" for n in range(30)))) == MAX_PHRASES
