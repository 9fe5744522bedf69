"""Writes true quadruples for tinyworld's captions: the answer that a perfect language model would give."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.data.record import Caption, Quadruple
from editfoundry.errors import Rejection
from editfoundry.tinyworld.captions import keywords_of, scene_from_caption
from editfoundry.tinyworld.edits import world_edit
from editfoundry.tinyworld.rules import rules_for
from editfoundry.tinyworld.scene_sampling import random_stream


@dataclass(frozen=True)
class TinyworldWriter:
    """Applies a trained rule, drawn by seed, to the scene that a caption names."""

    seed: int = 0

    def __call__(self, caption: Caption) -> Quadruple:
        """Return the caption's quadruple.

        Raises:
            Rejection: the caption is not tinyworld's, or no trained rule applies to its scene.
        """
        try:
            scene = scene_from_caption(caption.caption)
        except ValueError as error:
            raise Rejection("not a tinyworld caption", str(error)) from error
        options = [(i, r) for i, thing in enumerate(scene.objects) for r in rules_for(thing.kind, thing.state)]
        if not options:
            raise Rejection("no rule applies", caption.caption)
        random = random_stream("quadruple", self.seed, caption.id)
        index, rule = options[int(random.integers(len(options)))]
        edit = world_edit(scene, index, rule, rule.wordings[int(random.integers(len(rule.wordings)))])
        return Quadruple(
            input_caption=scene.caption,
            instruction=edit.instruction,
            output_caption=edit.after.caption,
            keywords=keywords_of(scene, index),
            category=rule.category,
            source=f"{caption.id} {caption.url}".strip(),
        )
