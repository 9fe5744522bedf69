"""Scenes: what stands where, and how it is drawn, with exact masks, boxes and depth order."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from editfoundry.tinyworld.backgrounds import Background, paint_background
from editfoundry.tinyworld.colours import COLOURS
from editfoundry.tinyworld.kinds import Look
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.pen import SUPERSAMPLING, Pen

IMAGE_SIZE = 64
_MAX_KEPT_SIZE = 2 * IMAGE_SIZE
"""Pixels to a side of the largest pictures whose things are drawn once and kept."""
POSITIONS = {"left": 0.26, "middle": 0.5, "right": 0.74}
SIZES = {"small": 0.32, "large": 0.46}


@dataclass(frozen=True, kw_only=True)
class SceneObject:
    """One object of a scene."""

    kind: str
    state: str
    colour: str
    position: str = "middle"
    size: str = "large"
    dx: float = 0.0
    """Offset of the object's foot to the right, as a share of the image's width."""
    ground: float = 0.16
    """Height of the object's foot above the lower edge, as a share of the image; lower is nearer to the viewer."""

    @property
    def phrase(self) -> str:
        """Noun phrase, for example ``"a small bitten red apple"``."""
        text = KINDS[self.kind].phrase(self.state, self.colour)
        if self.size == "large":
            return text
        return "a small " + text.split(" ", 1)[1]

    @property
    def placed_phrase(self) -> str:
        """The phrase with the side that the object stands on, for example ``"a red apple on the left"``."""
        return self.phrase if self.position == "middle" else f"{self.phrase} on the {self.position}"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A background and one or more objects on it."""

    background: Background
    objects: tuple[SceneObject, ...] = field(default_factory=tuple)

    @property
    def caption(self) -> str:
        """The scene's canonical caption; it names everything in it."""
        what = " and ".join(thing.placed_phrase for thing in self.objects) or "nothing"
        return f"{what} {self.background.phrase}"

    def with_object(self, index: int, **changes: Any) -> Scene:
        """Return the scene with fields of object ``index`` changed."""
        objects = list(self.objects)
        objects[index] = replace(objects[index], **changes)
        return replace(self, objects=tuple(objects))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that ``scene_from_dict`` reads back."""
        return asdict(self)


def scene_from_dict(data: dict[str, Any]) -> Scene:
    """Build a scene from ``Scene.to_dict``'s output."""
    return Scene(background=Background(**data["background"]), objects=tuple(SceneObject(**o) for o in data["objects"]))


@dataclass(frozen=True, kw_only=True)
class Morph:
    """An object on its way from its state in the scene to another one."""

    index: int
    state: str
    progress: float
    """In [0, 1]; 0 is the state in the scene, 1 is ``state``."""


def depth_order(scene: Scene) -> list[int]:
    """Return the objects' indices from the farthest to the nearest."""
    return sorted(range(len(scene.objects)), key=lambda i: -scene.objects[i].ground)


def render(scene: Scene, size: int = IMAGE_SIZE, morph: Morph | None = None) -> np.ndarray:
    """Draw the scene; ``(size, size, 3)`` uint8 RGB. ``morph`` draws one object between two states."""
    return np.asarray(paint(scene, size, morph).convert("RGB").reduce(SUPERSAMPLING))


@lru_cache(maxsize=256)
def picture_of(scene: Scene) -> np.ndarray:
    """Return what ``render`` draws, drawn once; not to be written to."""
    drawn = render(scene)
    drawn.flags.writeable = False
    return drawn


def paint(scene: Scene, size: int = IMAGE_SIZE, morph: Morph | None = None) -> Image.Image:
    """Return what ``render`` averages down: RGBA, hard-edged, ``SUPERSAMPLING`` times ``size`` pixels to a side."""
    canvas = paint_background(scene.background, size).copy()
    for index in depth_order(scene):
        thing = scene.objects[index]
        if morph is not None and morph.index == index:
            look = KINDS[thing.kind].look_between(thing.state, morph.state, morph.progress)
            _draw_thing(canvas, thing, look)
        elif size <= _MAX_KEPT_SIZE and (drawn := _drawn_once(thing, canvas.width)) is not None:
            canvas.paste(drawn.picture, drawn.corner, drawn.picture)
        else:
            _draw_thing(canvas, thing)
    return canvas


class _Drawn(NamedTuple):
    picture: Image.Image
    """RGBA, wholly opaque or wholly transparent at each pixel."""
    corner: tuple[int, int]
    """Where its upper left pixel lies on the canvas."""


@lru_cache(maxsize=256)
def _drawn_once(thing: SceneObject, side: int) -> _Drawn | None:
    """Draw a thing by itself on a canvas of ``side`` pixels; None where something shows through it, or nothing shows.

    Many scenes that are drawn one after another differ in one thing alone, or in where it stands.
    """
    canvas = Image.new("RGBA", (side, side))
    _draw_thing(canvas, thing)
    box = canvas.getbbox()
    if box is None:
        return None
    picture = canvas.crop(box)
    counts = picture.getchannel("A").histogram()
    return _Drawn(picture, box[:2]) if counts[0] + counts[255] == picture.width * picture.height else None


def silhouettes(scene: Scene, size: int = IMAGE_SIZE) -> np.ndarray:
    """Return ``(num_objects, side, side)`` bool: what ``paint`` shows of each object, at its resolution."""
    side = size * SUPERSAMPLING
    covered = np.zeros((side, side), dtype=bool)
    shown = np.zeros((len(scene.objects), side, side), dtype=bool)
    for index in reversed(depth_order(scene)):
        canvas = Image.new("RGBA", (side, side))
        _draw_thing(canvas, scene.objects[index])
        solid = np.asarray(canvas.getchannel("A")) >= 128
        shown[index] = solid & ~covered
        covered |= solid
    return shown


def object_masks(scene: Scene, size: int = IMAGE_SIZE) -> np.ndarray:
    """Return ``(num_objects, size, size)`` bool: each object's visible pixels (at least half covered)."""
    covered = np.zeros((size, size), dtype=bool)
    masks = np.zeros((len(scene.objects), size, size), dtype=bool)
    for index in reversed(depth_order(scene)):
        canvas = Image.new("RGBA", (size * SUPERSAMPLING,) * 2)
        _draw_thing(canvas, scene.objects[index])
        solid = np.asarray(canvas.getchannel("A").reduce(SUPERSAMPLING)) >= 128
        masks[index] = solid & ~covered
        covered |= solid
    return masks


def object_boxes(scene: Scene, size: int = IMAGE_SIZE) -> list[tuple[int, int, int, int] | None]:
    """Return each object's box ``(x0, y0, x1, y1)`` in pixels, upper ends exclusive; None for one wholly hidden."""
    boxes: list[tuple[int, int, int, int] | None] = []
    for mask in object_masks(scene, size):
        ys, xs = np.nonzero(mask)
        boxes.append((int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1) if len(xs) else None)
    return boxes


def _draw_thing(canvas: Image.Image, thing: SceneObject, look: Look | None = None) -> None:
    """Draw a thing as its state looks, or in ``look``."""
    kind, side = KINDS[thing.kind], canvas.width
    foot = ((POSITIONS[thing.position] + thing.dx) * side, (1 - thing.ground) * side)
    pen = Pen(canvas, foot, SIZES[thing.size] * side)
    kind.draw(pen, kind.states[thing.state].look if look is None else look, COLOURS[thing.colour])
