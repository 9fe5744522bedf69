"""Which quadruples are true in tinyworld: what a trained rule of their category makes of their input caption."""

from __future__ import annotations

import numpy as np

from editfoundry.data.record import Quadruple
from editfoundry.tinyworld.captions import keywords_of, scene_from_caption
from editfoundry.tinyworld.edits import world_edit
from editfoundry.tinyworld.rule import Rule
from editfoundry.tinyworld.rules import rules_for, trained_rules
from editfoundry.tinyworld.scene import Scene


def rules_of(category: str) -> tuple[Rule, ...]:
    """Return the trained rules of a category."""
    return tuple(rule for rule in trained_rules() if rule.category == category)


def applicable(scene: Scene, category: str) -> list[tuple[int, Rule]]:
    """Return which objects of the scene a trained rule of the category applies to, each with its rule."""
    found = [(i, rule) for i, thing in enumerate(scene.objects) for rule in rules_for(thing.kind, thing.state)]
    return [(index, rule) for index, rule in found if rule.category == category]


def sample_quadruple(random: np.random.Generator, scene: Scene, category: str) -> Quadruple | None:
    """Draw one of the true quadruples of a scene's caption; None where no rule of the category applies."""
    options = applicable(scene, category)
    if not options:
        return None
    index, rule = options[int(random.integers(len(options)))]
    edit = world_edit(scene, index, rule, rule.wordings[int(random.integers(len(rule.wordings)))])
    return Quadruple(
        input_caption=scene.caption,
        instruction=edit.instruction,
        output_caption=edit.after.caption,
        keywords=keywords_of(scene, index),
        category=category,
        source="tinyworld",
    )


def true_category(input_caption: str, instruction: str, output_caption: str) -> str | None:
    """Return the category of the rule that makes this output of this input; None where there is none."""
    try:
        scene = scene_from_caption(input_caption)
    except ValueError:
        return None
    for index, thing in enumerate(scene.objects):
        for rule in rules_for(thing.kind, thing.state):
            after = scene.with_object(index, state=rule.after)
            if instruction in rule.wordings and after.caption == output_caption:
                return rule.category
    return None


def is_true(quadruple: Quadruple) -> bool:
    """Return whether a rule of the quadruple's category makes its output of its input."""
    found = true_category(quadruple.input_caption, quadruple.instruction, quadruple.output_caption)
    return found == quadruple.category
