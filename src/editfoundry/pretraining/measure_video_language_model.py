"""How truly the video-language model describes storylines of scenes that training never showed."""

from __future__ import annotations

import re

import numpy as np
from PIL import Image

from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.video_language_model import load_video_language_model
from editfoundry.pretraining.recipes.video_language_model import NUM_FRAMES
from editfoundry.pretraining.storyline_tokens import PROMPTS
from editfoundry.profiles import Profile
from editfoundry.synthesis.editworld_video.storyline_prompts import load_storyline_prompts
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.clips.camera import MOVES, sample_camera
from editfoundry.tinyworld.clips.film import FRAME_SIZE, film_picture
from editfoundry.tinyworld.clips.storylines import sample_visible_edit, video_rules
from editfoundry.tinyworld.edits import Edit
from editfoundry.tinyworld.scene import Scene, render
from editfoundry.tinyworld.scene_sampling import random_stream
from editfoundry.tinyworld.storyline_text import NOTHING, describe_storyline

NUM_STORYLINES = 270
SECONDS = 4.0
"""Of the camera's motion between the two frames."""


def measure_video_language_model(
    profile: Profile, runtime: Runtime, num_storylines: int = NUM_STORYLINES
) -> dict[str, float]:
    """Return shares of storylines of the test split that are described rightly.

    ``description_exact``: word for word; ``change_right``: the kind of the object that changes, and both its states;
    ``input_caption_exact``: all that is there at first; ``unchanged_seen``: pairs in which nothing happens.

    Raises:
        MissingModelError: the model is not there.
    """
    model = load_video_language_model(profile, runtime)
    edits = [_edit(number) for number in range(num_storylines)]
    prompt = load_storyline_prompts(PROMPTS).describe
    clips = [_frames(edit.before, edit.after, number) for number, edit in enumerate(edits)]
    still = [_frames(edit.before, edit.before, number) for number, edit in enumerate(edits)]
    said = model.generate(clips, [prompt] * len(clips))
    said_still = model.generate(still, [prompt] * len(still))
    return {
        "description_exact": _mean([_is_exact(text, e) for text, e in zip(said, edits, strict=True)]),
        "change_right": _mean([is_change_right(text, e) for text, e in zip(said, edits, strict=True)]),
        "input_caption_exact": _mean([t.split(".")[0] == e.before.caption for t, e in zip(said, edits, strict=True)]),
        "unchanged_seen": _mean([text.endswith(f" Then {NOTHING}.") for text in said_still]),
        "num_storylines": float(num_storylines),
    }


def is_change_right(description: str, edit: Edit) -> bool:
    """Return whether a description names the kind of the object that changes and both its states."""
    assert edit.index is not None
    parts = re.fullmatch(r"(.+)\. Then (.+)\.", description)
    old, new = edit.before.objects[edit.index], edit.after.objects[edit.index]
    if parts is None:
        return False
    try:
        before = scene_from_caption(parts[1])
        after = scene_from_caption(f"{parts[2]} {edit.before.background.phrase}")
    except ValueError:
        return False
    was_there = (old.kind, old.state) in [(thing.kind, thing.state) for thing in before.objects]
    return was_there and [(new.kind, new.state)] == [(thing.kind, thing.state) for thing in after.objects]


def _edit(number: int) -> Edit:
    rules = video_rules()
    return sample_visible_edit(random_stream("measure storyline", number), "test", rules[number % len(rules)])


def _frames(before: Scene, after: Scene, number: int) -> list[Image.Image]:
    random = random_stream("measure storyline frames", number)
    camera = sample_camera(random, MOVES[number % len(MOVES)], SECONDS, strength=0.7)
    scenes = (before, *[after] * (NUM_FRAMES - 1))
    return [
        Image.fromarray(film_picture(render(scene, FRAME_SIZE), camera, place * SECONDS))
        for place, scene in zip(np.linspace(0, 1, NUM_FRAMES), scenes, strict=True)
    ]


def _is_exact(description: str, edit: Edit) -> bool:
    return description == describe_storyline(edit.before, edit.after)


def _mean(hits: list[bool]) -> float:
    return float(np.mean(hits))
