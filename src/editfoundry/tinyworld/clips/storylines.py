"""What happens in a clip: rules of the categories that EditWorld's video branch yields, on scenes that show them."""

from __future__ import annotations

import numpy as np

from editfoundry.tinyworld.edits import Edit, sample_world_edit, world_edit
from editfoundry.tinyworld.outcome import changed_region
from editfoundry.tinyworld.rule import Rule
from editfoundry.tinyworld.rules import trained_rules
from editfoundry.tinyworld.scene import render
from editfoundry.tinyworld.scene_sampling import Split, sample_scene

VIDEO_CATEGORIES = ("Physical-Trans", "Spatial-Trans", "Story-Type", "Exaggeration")
"""What EditWorld's video branch yields (section 3.2)."""
MIN_CHANGED_SHARE = 0.02
"""Share of a picture's pixels that an action must change to count as a storyline."""


def video_rules() -> tuple[Rule, ...]:
    """Return every trained rule of the video categories."""
    return tuple(rule for rule in trained_rules() if rule.category in VIDEO_CATEGORIES)


def sample_visible_edit(random: np.random.Generator, split: Split, rule: Rule) -> Edit:
    """Draw a scene in which ``rule`` visibly changes something."""
    while True:
        edit = sample_world_edit(random, split, rule)
        if _shows(edit):
            return edit


def sample_pair_of_edits(random: np.random.Generator, split: Split, rule: Rule) -> tuple[Edit, Edit]:
    """Draw a scene with two objects in which ``rule`` works on one and then another rule on the other."""
    others = [other for other in video_rules() if other.kind != rule.kind]
    while True:
        scene = sample_scene(random, split, kind=rule.kind, state=rule.before, num_objects=2)
        index = next(i for i, o in enumerate(scene.objects) if (o.kind, o.state) == (rule.kind, rule.before))
        other = scene.objects[1 - index]
        fitting = [r for r in others if (r.kind, r.before) == (other.kind, other.state)]
        if not fitting:
            continue
        first = world_edit(scene, index, rule, rule.wordings[0])
        second = world_edit(first.after, 1 - index, fitting[0], fitting[0].wordings[0])
        if _shows(first) and _shows(second):
            return first, second


def _shows(edit: Edit) -> bool:
    return float(changed_region(render(edit.before), render(edit.after)).mean()) >= MIN_CHANGED_SHARE
