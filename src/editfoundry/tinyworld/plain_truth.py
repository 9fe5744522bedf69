"""Which plain edits are true in tinyworld: what an instruction makes of a caption, read by the world's own grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from editfoundry.tinyworld.captions import background_named, object_named, scene_from_caption
from editfoundry.tinyworld.edits import (
    ADD_WORDINGS,
    BACKGROUND_WORDINGS,
    COLOUR_WORDINGS,
    REMOVE_WORDINGS,
    REPLACE_WORDINGS,
    sample_plain_edit,
    shows_colour,
    the_phrase,
)
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.scene import POSITIONS, Scene, SceneObject
from editfoundry.tinyworld.scene_sampling import Split, random_stream


def plain_edit_kind(input_caption: str, instruction: str, output_caption: str) -> str | None:
    """Return which plain edit makes this output of this input; None where the instruction makes another, or none.

    Letter case and a final full stop do not count in captions. What changes nothing is no edit.

    Returns:
        ``add``, ``remove``, ``replace``, ``colour`` or ``background``.
    """
    try:
        scene = scene_from_caption(input_caption)
    except ValueError:
        return None
    wanted = output_caption.strip().rstrip(".").lower()
    for kind, after in _outcomes(scene, instruction.strip()):
        if after.caption.lower() == wanted and after.caption != scene.caption:
            return kind
    return None


def plain_edit_rows(count: int, seed: int = 0, split: Split = "train") -> Iterator[dict[str, str]]:
    """Yield ``count`` plain edits as rows of ``input``, ``edit`` and ``output``, no two the same."""
    known: set[tuple[str, str]] = set()
    number = 0
    while len(known) < count:
        edit = sample_plain_edit(random_stream("plain edit rows", seed, number), split)
        number += 1
        if (edit.before.caption, edit.instruction) not in known:
            known.add((edit.before.caption, edit.instruction))
            yield {"input": edit.before.caption, "edit": edit.instruction, "output": edit.after.caption}


def _outcomes(scene: Scene, instruction: str) -> Iterator[tuple[str, Scene]]:
    """Yield what the instruction can mean in this scene."""
    for read in (_added, _removed, _replaced, _coloured, _moved):
        yield from read(scene, instruction)


def _added(scene: Scene, instruction: str) -> Iterator[tuple[str, Scene]]:
    taken = {thing.position for thing in scene.objects}
    for said in _said(ADD_WORDINGS, instruction):
        thing = object_named(said["phrase"], said["position"]) if said["position"] in POSITIONS else None
        if thing is not None and thing.position not in taken:
            order = list(POSITIONS)
            things = sorted((*scene.objects, thing), key=lambda one: order.index(one.position))
            yield "add", replace(scene, objects=tuple(things))


def _removed(scene: Scene, instruction: str) -> Iterator[tuple[str, Scene]]:
    for said in _said(REMOVE_WORDINGS, instruction):
        for index in _named(scene, said["the"]):
            yield "remove", replace(scene, objects=scene.objects[:index] + scene.objects[index + 1 :])


def _replaced(scene: Scene, instruction: str) -> Iterator[tuple[str, Scene]]:
    for said in _said(REPLACE_WORDINGS, instruction):
        for index in _named(scene, said["the"]):
            thing = object_named(said["phrase"], scene.objects[index].position)
            if thing is not None:
                yield "replace", _with(scene, index, thing)


def _coloured(scene: Scene, instruction: str) -> Iterator[tuple[str, Scene]]:
    for said in _said(COLOUR_WORDINGS, instruction):
        for index in _named(scene, said["the"]):
            thing = scene.objects[index]
            if shows_colour(thing) and said["colour"] in KINDS[thing.kind].colours:
                yield "colour", _with(scene, index, replace(thing, colour=said["colour"]))


def _moved(scene: Scene, instruction: str) -> Iterator[tuple[str, Scene]]:
    for said in _said(BACKGROUND_WORDINGS, instruction):
        background = background_named(said["background"])
        if background is not None:
            yield "background", replace(scene, background=background)


def _with(scene: Scene, index: int, thing: SceneObject) -> Scene:
    return replace(scene, objects=(*scene.objects[:index], thing, *scene.objects[index + 1 :]))


def _named(scene: Scene, phrase: str) -> list[int]:
    """Return which objects are called so; two that are called the same are told apart by nothing."""
    return [index for index, thing in enumerate(scene.objects) if the_phrase(thing) == phrase]


def _said(wordings: tuple[str, ...], instruction: str) -> Iterator[dict[str, str]]:
    """Yield what an instruction puts into a wording's places; a phrase that holds "with" can end early or late."""
    for pattern in (pattern for wording in wordings for pattern in _patterns(wording)):
        match = pattern.fullmatch(instruction)
        if match is not None:
            yield match.groupdict()


@lru_cache(maxsize=64)
def _patterns(wording: str) -> tuple[re.Pattern[str], ...]:
    """Return a wording with its places, ``{the}`` and the like, as named groups: long ones first, and short ones."""
    text = re.escape(wording)
    repeats = (".+", ".+?") if text.count("{") > 1 else (".+",)
    return tuple(re.compile(re.sub(r"\\{(\w+)\\}", rf"(?P<\1>{r})", text), re.IGNORECASE) for r in repeats)
