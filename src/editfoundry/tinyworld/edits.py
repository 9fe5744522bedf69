"""Edits with known outcomes: world instructions, and plain add, change and remove."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.rule import Rule
from editfoundry.tinyworld.scene import POSITIONS, Scene, SceneObject
from editfoundry.tinyworld.scene_sampling import Split, random_background, random_object, sample_scene

ADD_WORDINGS = (
    "Add {phrase} on the {position}.",
    "Put {phrase} on the {position}.",
    "Place {phrase} on the {position} side.",
)
REMOVE_WORDINGS = ("Remove {the}.", "Take away {the}.", "Erase {the} from the picture.", "Delete {the}.")
REPLACE_WORDINGS = ("Replace {the} with {phrase}.", "Swap {the} for {phrase}.", "Change {the} into {phrase}.")
COLOUR_WORDINGS = ("Make {the} {colour}.", "Paint {the} {colour}.", "Change the colour of {the} to {colour}.")
STATE_WORDINGS = ("Turn {the} into {phrase}.", "Make {the} {phrase}.", "Change {the} into {phrase}.")
BACKGROUND_WORDINGS = (
    "Move everything to where it is {background}.",
    "Set the scene {background}.",
    "Change the background: {background}.",
)


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A scene, what is asked, and the scene as it must become."""

    before: Scene
    after: Scene
    instruction: str
    category: str
    """A world category, or ``add``, ``change``, ``remove``."""
    rule: str = ""
    """The world rule's name; empty for plain edits."""
    index: int | None = None
    """Which object of ``before`` changes; None when something is added or the background changes."""


def sample_world_edit(random: np.random.Generator, split: Split, rule: Rule, held_out_wording: bool = False) -> Edit:
    """Draw a scene of ``split`` to which ``rule`` applies, and one of the rule's wordings."""
    scene = sample_scene(random, split, kind=rule.kind, state=rule.before)
    wordings = rule.held_out_wordings if held_out_wording else rule.wordings
    index = next(i for i, o in enumerate(scene.objects) if (o.kind, o.state) == (rule.kind, rule.before))
    return world_edit(scene, index, rule, wordings[int(random.integers(len(wordings)))])


def world_edit(scene: Scene, index: int, rule: Rule, wording: str) -> Edit:
    """Apply ``rule`` to object ``index`` of ``scene``."""
    return Edit(
        before=scene,
        after=scene.with_object(index, state=rule.after),
        instruction=wording,
        category=rule.category,
        rule=rule.name,
        index=index,
    )


def sample_plain_edit(random: np.random.Generator, split: Split, category: str | None = None) -> Edit:
    """Draw a plain edit; it names what it wants and needs no knowledge of the world's rules."""
    category = category or ("add", "change", "change", "change", "remove")[int(random.integers(5))]
    return {"add": _add, "change": _change, "remove": _remove}[category](random, split)


def sample_state_edit(random: np.random.Generator, split: Split) -> Edit:
    """Draw a plain edit that names an object's kind and its new state alone: its colour, size and place stay."""
    while True:
        scene = sample_scene(random, split)
        index = int(random.integers(len(scene.objects)))
        thing = scene.objects[index]
        states = tuple(state for state in KINDS[thing.kind].states if state != thing.state)
        if states:
            break
    after = scene.with_object(index, state=_pick(random, states))
    text = state_wording(_pick(random, STATE_WORDINGS), thing, after.objects[index])
    return Edit(before=scene, after=after, instruction=text, category="change", index=index)


def state_wording(wording: str, before: SceneObject, after: SceneObject) -> str:
    """Fill one of `STATE_WORDINGS` without size and colour, for example ``"Turn the whole egg into a broken egg."``."""
    bare, changed = (replace(thing, size="large", colour="") for thing in (before, after))
    return wording.format(the=the_phrase(bare), phrase=changed.phrase)


def sample_edit_of(random: np.random.Generator, scene: Scene) -> Edit:
    """Draw a plain edit of a scene that is given; what it adds stands where there is room."""
    room = [position for position in POSITIONS if position not in [thing.position for thing in scene.objects]]
    drawn = random.random()
    if scene.objects and drawn < 0.6:
        return _change_scene(random, scene)
    if scene.objects and (drawn < 0.8 or len(scene.objects) > 1):
        return _remove_from(random, scene)
    return _add_to(random, scene, _pick(random, tuple(room)))


def _add_to(random: np.random.Generator, scene: Scene, position: str) -> Edit:
    added = random_object(random, position)
    objects = sorted((*scene.objects, added), key=lambda thing: list(POSITIONS).index(thing.position))
    text = _pick(random, ADD_WORDINGS).format(phrase=added.phrase, position=added.position)
    return Edit(before=scene, after=replace(scene, objects=tuple(objects)), instruction=text, category="add")


def _add(random: np.random.Generator, split: Split) -> Edit:
    edit = _remove(random, split, num_objects=2)
    assert edit.index is not None
    added = edit.before.objects[edit.index]
    text = _pick(random, ADD_WORDINGS).format(phrase=added.phrase, position=added.position)
    return Edit(before=edit.after, after=edit.before, instruction=text, category="add")


def _remove(random: np.random.Generator, split: Split, num_objects: int | None = None) -> Edit:
    return _remove_from(random, sample_scene(random, split, num_objects=num_objects))


def _remove_from(random: np.random.Generator, scene: Scene) -> Edit:
    index = int(random.integers(len(scene.objects)))
    after = replace(scene, objects=scene.objects[:index] + scene.objects[index + 1 :])
    text = _pick(random, REMOVE_WORDINGS).format(the=the_phrase(scene.objects[index]))
    return Edit(before=scene, after=after, instruction=text, category="remove", index=index)


def _change(random: np.random.Generator, split: Split) -> Edit:
    return _change_scene(random, sample_scene(random, split))


def _change_scene(random: np.random.Generator, scene: Scene) -> Edit:
    index = int(random.integers(len(scene.objects)))
    drawn = random.random()
    if drawn < 0.2:
        return _change_background(random, scene)
    if drawn < 0.45 and shows_colour(scene.objects[index]):
        return _change_colour(random, scene, index)
    return _replace(random, scene, index)


def _change_background(random: np.random.Generator, scene: Scene) -> Edit:
    background = scene.background
    while background == scene.background:
        background = random_background(random)
    text = _pick(random, BACKGROUND_WORDINGS).format(background=background.phrase)
    return Edit(before=scene, after=replace(scene, background=background), instruction=text, category="change")


def _change_colour(random: np.random.Generator, scene: Scene, index: int) -> Edit:
    thing = scene.objects[index]
    colour = _pick(random, tuple(c for c in KINDS[thing.kind].colours if c != thing.colour))
    text = _pick(random, COLOUR_WORDINGS).format(the=the_phrase(thing), colour=colour)
    after = scene.with_object(index, colour=colour)
    return Edit(before=scene, after=after, instruction=text, category="change", index=index)


def _replace(random: np.random.Generator, scene: Scene, index: int) -> Edit:
    thing = scene.objects[index]
    new = thing
    while new.phrase == thing.phrase:
        drawn = random_object(random, thing.position)
        new = replace(drawn, size=thing.size, dx=thing.dx, ground=thing.ground)
    text = _pick(random, REPLACE_WORDINGS).format(the=the_phrase(thing), phrase=new.phrase)
    objects = (*scene.objects[:index], new, *scene.objects[index + 1 :])
    return Edit(before=scene, after=replace(scene, objects=objects), instruction=text, category="change", index=index)


def the_phrase(thing: SceneObject) -> str:
    """Return what an instruction calls an object, for example ``"the small red apple"``."""
    return "the " + thing.phrase.split(" ", 1)[1]


def shows_colour(thing: SceneObject) -> bool:
    """Return whether the object's phrase names its colour."""
    kind = KINDS[thing.kind]
    return len(kind.colours) > 1 and "{colour}" in kind.states[thing.state].phrase


def _pick(random: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(random.integers(len(options)))]
