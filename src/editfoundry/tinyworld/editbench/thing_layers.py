"""Every thing of tinyworld as a layer that can be laid over any background, at any place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from editfoundry.tinyworld.colours import COLOURS
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.pen import SUPERSAMPLING, Pen
from editfoundry.tinyworld.scene import IMAGE_SIZE, SIZES, SceneObject

FOOT = (IMAGE_SIZE // 2, IMAGE_SIZE - 4)
"""Column and row at which a layer's thing stands."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ThingLayers:
    """N things in every state, colour and size, each alone on a transparent layer of 64 pixels."""

    things: tuple[SceneObject, ...]
    colours: np.ndarray
    """``(N, 64, 64, 3)`` float32 RGB in [0, 255], multiplied by alpha."""
    alphas: np.ndarray
    """``(N, 64, 64, 1)`` float32 in [0, 1]."""

    def laid(self, number: int, foot: tuple[int, int], picture: np.ndarray) -> np.ndarray:
        """Return a picture with a layer's thing standing at ``foot``, a column and a row of it.

        Args:
            number: of the layer.
            foot: may be such that the thing reaches beyond the picture.
            picture: ``(64, 64, 3)`` float32 RGB in [0, 255].
        """
        (rows, own_rows), (columns, own_columns) = (
            _overlap(foot[axis] - FOOT[axis], picture.shape[0]) for axis in (1, 0)
        )
        laid = picture.copy()
        under = laid[rows, columns]
        under *= 1 - self.alphas[number, own_rows, own_columns]
        under += self.colours[number, own_rows, own_columns]
        return laid


def _overlap(shift: int, side: int) -> tuple[slice, slice]:
    """Return the pixels of a picture that a layer moved by ``shift`` lies on, and the layer's own."""
    return slice(max(0, shift), side + min(0, shift)), slice(max(0, -shift), side - max(0, shift))


@cache
def thing_layers() -> ThingLayers:
    """Draw every thing once, which takes about two seconds."""
    things = tuple(_all_things())
    layers = np.stack([_layer(thing) for thing in things])
    return ThingLayers(things=things, colours=layers[..., :3], alphas=layers[..., 3:])


def _all_things() -> Iterator[SceneObject]:
    for kind in KINDS.values():
        for state in kind.states:
            for colour in kind.colours:
                for size in SIZES:
                    yield SceneObject(kind=kind.name, state=state, colour=colour, size=size)


def _layer(thing: SceneObject) -> np.ndarray:
    """Return ``(64, 64, 4)`` float32: RGB multiplied by alpha, and alpha in [0, 1]."""
    side = IMAGE_SIZE * SUPERSAMPLING
    canvas = Image.new("RGBA", (side, side))
    kind = KINDS[thing.kind]
    foot = (FOOT[0] * SUPERSAMPLING, FOOT[1] * SUPERSAMPLING)
    kind.draw(Pen(canvas, foot, SIZES[thing.size] * side), kind.states[thing.state].look, COLOURS[thing.colour])
    pixels = np.asarray(canvas).astype(np.float32)
    pixels[..., 3] /= 255
    pixels[..., :3] *= pixels[..., 3:]
    mean: np.ndarray = pixels.reshape(IMAGE_SIZE, SUPERSAMPLING, IMAGE_SIZE, SUPERSAMPLING, 4).mean(axis=(1, 3))
    return mean
