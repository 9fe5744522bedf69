"""What a person may ask for where a scene's things stand: the whole caption, the things alone, or one of them."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from editfoundry.tinyworld.edits import shows_colour
from editfoundry.tinyworld.scene import Scene, SceneObject
from editfoundry.tinyworld.tasks.wording import placed, with_adjective, with_article

Box = Sequence[float]
Prompt = tuple[str, list[Box]]
"""A prompt, and the boxes of what it names."""


def scene_prompts(scene: Scene, boxes: Sequence[Box | None]) -> list[Prompt]:
    """Return the prompts, the whole caption first.

    Args:
        scene: drawn.
        boxes: of its things, in their order; None for one that is hidden.
    """
    seen = [(thing, box) for thing, box in zip(scene.objects, boxes, strict=True) if box is not None]
    prompts: list[Prompt] = [(scene.caption, [box for _, box in seen])]
    if len(seen) > 1:
        together = (attrgetter("phrase"), attrgetter("placed_phrase"), _kind)
        prompts += [(" and ".join(said(thing) for thing, _ in seen), [box for _, box in seen]) for said in together]
    for thing, box in seen:
        prompts += [(text, [box]) for text in thing_prompts(thing)]
    return prompts


def thing_prompts(thing: SceneObject) -> list[str]:
    """Return ways to ask for a thing, from its kind alone to all that can be said of it."""
    sized = with_adjective(thing.phrase, "large") if thing.size == "large" else thing.phrase
    told = [thing.phrase, thing.placed_phrase, _kind(thing), placed(thing, _kind(thing)), sized]
    told.append(with_article(f"{thing.size} {thing.kind}"))
    if shows_colour(thing):
        told.append(with_article(f"{thing.colour} {thing.kind}"))
    return list(dict.fromkeys(told))


def _kind(thing: SceneObject) -> str:
    return with_article(thing.kind)
