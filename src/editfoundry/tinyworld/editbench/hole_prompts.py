"""What is asked into a hole: EditBench's three prompts, in the words of tinyworld's captions."""

from __future__ import annotations

from collections.abc import Sequence

from editfoundry.tinyworld.editbench.hole import COUNT
from editfoundry.tinyworld.edits import shows_colour
from editfoundry.tinyworld.kinds import Kind
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.scene import Scene, SceneObject
from editfoundry.tinyworld.tasks.wording import placed, with_adjective, with_article

_WIDE = ("position", COUNT)
"""Attributes whose holes leave open where things stand."""


def prompts_of(scene: Scene, things: Sequence[SceneObject], attribute: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return ``simple``, ``rich`` and ``full`` -> the prompt, and the attributes that can be measured by it.

    Mask-Simple names the things and the attribute alone, Mask-Rich everything about them, Full the whole scene.
    Captions never say "large"; prompts do where size is what is asked for.

    Args:
        scene: whole.
        things: of the scene, those in the hole.
        attribute: what the item is drawn for.
    """
    simple = " and ".join(_simple(thing, attribute) for thing in things)
    rich = " and ".join(_rich(thing, attribute) for thing in things)
    others = (_full(thing, attribute if thing in things else "") for thing in scene.objects)
    full = f"{' and '.join(others)} {scene.background.phrase}"
    all_named = _named(things, attribute)
    return {
        "simple": (simple, ("object", attribute)),
        "rich": (rich, all_named),
        "full": (full, all_named),
    }


def named_by_its_kind(kind: Kind, state: str) -> bool:
    """Whether a thing in that state is called by its kind: a caterpillar that became a butterfly is not."""
    return kind.name in kind.states[state].phrase


def says_shape(thing: SceneObject) -> bool:
    """Whether a thing's phrase says which state it is in, as "a broken egg" does."""
    return KINDS[thing.kind].phrase(thing.state, "") != with_article(thing.kind)


def _named(things: Sequence[SceneObject], attribute: str) -> tuple[str, ...]:
    """Return what a full description names of all the things and the hole leaves open."""
    is_wide = attribute in _WIDE
    names = {
        "object": True,
        "colour": all(map(shows_colour, things)),
        "shape": all(map(says_shape, things)),
        # Other holes have the size of what stood there, and where they are tells the position.
        "size": attribute == "size",
        "position": is_wide and all(thing.position != "middle" for thing in things),
        COUNT: attribute == COUNT,
    }
    return tuple(name for name, is_named in names.items() if is_named)


def _simple(thing: SceneObject, attribute: str) -> str:
    if attribute == "colour":
        return with_article(f"{thing.colour} {thing.kind}")
    if attribute == "shape":
        return KINDS[thing.kind].phrase(thing.state, "")
    if attribute == "size":
        return with_article(f"{thing.size} {thing.kind}")
    return placed(thing, with_article(thing.kind)) if attribute == "position" else with_article(thing.kind)


def _rich(thing: SceneObject, attribute: str) -> str:
    return _full(thing, attribute) if attribute in _WIDE else _phrase(thing, attribute)


def _full(thing: SceneObject, attribute: str) -> str:
    return placed(thing, _phrase(thing, attribute))


def _phrase(thing: SceneObject, attribute: str) -> str:
    says_large = attribute == "size" and thing.size == "large"
    return with_adjective(thing.phrase, "large") if says_large else thing.phrase
