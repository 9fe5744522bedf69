"""The items of tinyworld's EditBench as cases whose right answer is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.editbench.hole_sampling import HoleItem, sample_hole
from editfoundry.tinyworld.scene import IMAGE_SIZE, render

NUM_PICTURES = 240
"""Of EditBench; each has three prompts."""
HOLE_GREY = 127
"""Grey level of a hole, as of the official benchmark's reader."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnHole:
    """An item with its pictures."""

    item: HoleItem
    truth: np.ndarray
    """``(H, W, 3)`` uint8 RGB."""
    mask: np.ndarray
    """``(H, W)`` bool, the hole."""

    @property
    def with_hole(self) -> np.ndarray:
        """The picture with its hole grey, ``(H, W, 3)`` uint8 RGB."""
        return np.where(self.mask[..., None], np.uint8(HOLE_GREY), self.truth)

    def cases(self) -> Iterator[tuple[str, EditCase]]:
        """Yield ``simple``, ``rich`` and ``full``, each with its case; wrong is what its prompt does not ask for."""
        item, side = self.item, self.truth.shape[0]
        around = item.hole(())
        shown = [render(around.scene_with(variant.things), side) for variant in item.variants]
        painted = [np.where(self.mask[..., None], picture, self.truth) for picture in shown]
        for kind, (prompt, asked) in item.prompts.items():
            wrong = [picture for picture, v in zip(painted, item.variants, strict=True) if v.wrong in asked]
            yield (
                kind,
                EditCase(
                    id=f"{item.name}-{kind}",
                    category=item.attribute,
                    rule="",
                    instruction=prompt,
                    input_caption=item.around.caption,
                    output_caption=prompt,
                    input_image=self.with_hole,
                    true_output=self.truth,
                    wrong_outputs=np.stack(wrong),
                    changes=" and ".join(thing.kind for thing in item.things),
                    hole=item.hole(asked),
                ),
            )


def draw_hole(number: int, seed: int, side: int = IMAGE_SIZE) -> DrawnHole:
    """Return an item with its pictures of ``side`` pixels, a multiple of 64."""
    item = sample_hole(number, seed)
    mask = Image.fromarray(item.mask).resize((side, side), Image.Resampling.NEAREST)
    return DrawnHole(item=item, truth=render(item.scene, side), mask=np.asarray(mask))
