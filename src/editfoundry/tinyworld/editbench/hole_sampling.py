"""Draws holes: an attribute to ask for, a scene, what stands in the hole, and what one might paint there instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from PIL import Image, ImageFilter

from editfoundry.tinyworld.backgrounds import is_indoors
from editfoundry.tinyworld.editbench.hole import COUNT, Hole, Variant
from editfoundry.tinyworld.editbench.hole_prompts import named_by_its_kind, prompts_of, says_shape
from editfoundry.tinyworld.editbench.hole_reading import read_hole
from editfoundry.tinyworld.edits import shows_colour
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.outcome import changed_region
from editfoundry.tinyworld.scene import IMAGE_SIZE, POSITIONS, SIZES, Scene, SceneObject, render
from editfoundry.tinyworld.scene_sampling import Split, random_stream, sample_scene
from editfoundry.tinyworld.tasks.drawn_scenes import pick
from editfoundry.tinyworld.wrong_outcomes import MIN_CHANGED_SHARE

TESTED = ("colour", "shape", "size", "position", COUNT)
"""The attributes that items are drawn for, in turns."""
NUM_OTHER_KINDS = 12
"""Other kinds of things that stand in a hole instead."""
NUM_SHAPING_KINDS = 4
"""Those of them that a hole is cut around too, so that its outline does not tell what stood there."""
MAX_MASK_SHARE = 0.6
"""Of a picture; what is left around a larger hole says too little."""
SMALL_MASK, LARGE_MASK = 0.29, 0.42
"""Shares of a picture below and above which a hole is small and large."""
_NAMABLE = tuple(
    (kind.name, state) for kind in KINDS.values() for state in kind.states if named_by_its_kind(kind, state)
)


@dataclass(frozen=True, kw_only=True, eq=False)
class HoleItem:
    """One picture with a hole, and its three prompts."""

    number: int
    attribute: str
    """One of ``TESTED``."""
    split: Split
    """``train``: things as training shows them; ``test``: in a combination that it never shows."""
    scene: Scene
    things: tuple[SceneObject, ...]
    """Those of the scene that stand in the hole."""
    variants: tuple[Variant, ...]
    """What might stand there instead."""
    mask: np.ndarray
    """``(64, 64)`` bool: wherever what stands there, or any of some variants, shows; or the box of that."""

    @property
    def name(self) -> str:
        """Its ``aos``: number, attribute, object and scene, for example ``"017_colour_common_indoor"``."""
        return f"{self.number:03d}_{self.attribute}_{self.object}_{self.where}"

    @property
    def object(self) -> str:
        """``common`` or ``rare``: whether training shows such things, there and in that colour at that position."""
        return "rare" if self.split == "test" else "common"

    @property
    def where(self) -> str:
        """``indoor`` or ``outdoor``."""
        return "indoor" if is_indoors(self.scene.background) else "outdoor"

    @property
    def mask_size(self) -> str:
        """``small``, ``medium`` or ``large``."""
        share = float(self.mask.mean())
        return "small" if share < SMALL_MASK else "large" if share > LARGE_MASK else "medium"

    @property
    def around(self) -> Scene:
        """The scene without what stands in the hole."""
        return replace(self.scene, objects=tuple(thing for thing in self.scene.objects if thing not in self.things))

    @cached_property
    def prompts(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """``simple``, ``rich`` and ``full`` -> the prompt, and which attributes it asks for; see `prompts_of`."""
        return prompts_of(self.scene, self.things, self.attribute)

    def hole(self, asked: tuple[str, ...]) -> Hole:
        """Return the hole as a prompt asks for it."""
        return Hole(around=self.around, things=self.things, asked=asked, mask=self.mask)


def sample_hole(number: int, seed: int) -> HoleItem:
    """Draw an item; the attributes take turns, and so do things that training shows and combinations that it does not.

    What is drawn can be told: what stands in the hole is read rightly from the picture itself.
    """
    random = random_stream("editbench", seed, number)
    attribute = TESTED[number % len(TESTED)]
    split: Split = "test" if number // len(TESTED) % 2 else "train"
    while True:
        scene = _scene(random, attribute, split, num_things=1 + number // (2 * len(TESTED)) % 2)
        if scene is None:
            continue
        things = scene.objects if attribute == COUNT else (pick(random, _askable(scene, attribute)),)
        item = _with_hole(random, number, attribute, split, scene, things)
        if _is_telling(item):
            return item


def _scene(random: np.random.Generator, attribute: str, split: Split, num_things: int) -> Scene | None:
    """Draw a scene in which the attribute can be asked for; None where the draw has failed."""
    kind, state = pick(random, _NAMABLE)
    count = {COUNT: num_things, "position": 1}.get(attribute)
    scene = sample_scene(random, split, kind=kind, state=state, num_objects=count)
    able = _askable(scene, attribute)
    return scene if able and (attribute != COUNT or len(able) == len(scene.objects)) else None


def _askable(scene: Scene, attribute: str) -> list[SceneObject]:
    """Return the things of a scene of which a prompt can name the attribute."""
    can_be_named = {
        "colour": shows_colour,
        "shape": says_shape,
        "position": lambda thing: thing.position != "middle",
    }.get(attribute, lambda thing: True)
    return [t for t in scene.objects if named_by_its_kind(KINDS[t.kind], t.state) and can_be_named(t)]


def _with_hole(
    random: np.random.Generator,
    number: int,
    attribute: str,
    split: Split,
    scene: Scene,
    things: tuple[SceneObject, ...],
) -> HoleItem:
    variants = tuple(_variants(random, things, attribute))
    whole = Hole(
        around=replace(scene, objects=tuple(thing for thing in scene.objects if thing not in things)),
        things=things,
        asked=(attribute,),
        mask=np.ones((IMAGE_SIZE, IMAGE_SIZE), dtype=bool),
    )
    shown = [things, *(variant.things for variant in variants[NUM_OTHER_KINDS - NUM_SHAPING_KINDS :])]
    if whole.is_wide:
        # A hole that leaves open where things stand must not tell it either.
        around = shown[: 1 + NUM_SHAPING_KINDS]
        shown += [(replace(thing, position=place),) for (thing, *_) in around for place in POSITIONS]
    return HoleItem(
        number=number,
        attribute=attribute,
        split=split,
        scene=scene,
        things=things,
        variants=variants,
        mask=_mask(whole, shown, is_box=random.random() < 0.5 and not whole.is_wide),
    )


def _variants(random: np.random.Generator, things: tuple[SceneObject, ...], attribute: str) -> Iterator[Variant]:
    """Yield other kinds, colours, states and, where the hole leaves them open, sizes, positions and numbers."""
    first, rest = things[0], things[1:]
    others = [(kind, state) for kind, state in _NAMABLE if kind != first.kind]
    for place in random.permutation(len(others))[:NUM_OTHER_KINDS]:
        kind, state = others[int(place)]
        colour = pick(random, KINDS[kind].colours)
        yield Variant(things=(replace(first, kind=kind, state=state, colour=colour), *rest), wrong="object")
    own = KINDS[first.kind]
    for colour in own.colours if shows_colour(first) else ():
        if colour != first.colour:
            yield Variant(things=(replace(first, colour=colour), *rest), wrong="colour")
    for state in own.states:
        if state != first.state:
            yield Variant(things=(replace(first, state=state), *rest), wrong="shape")
    if attribute == "size":
        yield from (Variant(things=(replace(first, size=s),), wrong="size") for s in SIZES if s != first.size)
    if attribute == "position":
        places = (place for place in POSITIONS if place != first.position)
        yield from (Variant(things=(replace(first, position=place),), wrong="position") for place in places)
    if attribute == COUNT:
        yield from _other_counts(random, things)


def _other_counts(random: np.random.Generator, things: tuple[SceneObject, ...]) -> Iterator[Variant]:
    if len(things) == 2:
        yield from (Variant(things=(thing,), wrong=COUNT) for thing in things)
        return
    thing = replace(things[0], position="left" if things[0].position != "left" else "right")
    left_and_right = replace(things[0], position="right" if thing.position == "left" else "left")
    yield Variant(things=(left_and_right, thing), wrong=COUNT)


def _mask(hole: Hole, shown: list[tuple[SceneObject, ...]], *, is_box: bool) -> np.ndarray:
    """Return ``(64, 64)`` bool: wherever any of what is shown does, and a pixel around it; or the box of that."""
    empty = render(hole.around)
    covered = np.zeros(empty.shape[:2], dtype=bool)
    for things in dict.fromkeys(shown):
        covered |= changed_region(empty, render(hole.scene_with(things)))
    grown = Image.fromarray(covered.astype(np.uint8) * 255).filter(ImageFilter.MaxFilter(3))
    box = grown.getbbox()
    if is_box and box is not None:
        grown.paste(255, box)
    return np.asarray(grown) > 0


def _is_telling(item: HoleItem) -> bool:
    """Whether what stands in the hole shows and is read rightly from the picture, and the hole is not too large."""
    picture = render(item.scene)
    if item.mask.mean() > MAX_MASK_SHARE:
        return False
    if changed_region(render(item.around), picture).mean() < MIN_CHANGED_SHARE:
        return False
    named = tuple(dict.fromkeys(name for _, asked in item.prompts.values() for name in asked))
    hole = item.hole(named)
    return all(hole.rights(read_hole(picture, hole).things).values())
