"""A candidate: two pictures that were made for an edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from editfoundry.errors import Rejection
from editfoundry.synthesis.emu_edit.first_pictures import EditDraw, FirstPictures
from editfoundry.synthesis.emu_edit.masks import FoundThing

NOT_FOUND, NO_OUTLINE, NOTHING_KEPT = "object not found", "no outline of the object", "nothing before the background"


@dataclass(frozen=True, kw_only=True)
class MadePair:
    """One candidate, or why there is none."""

    draw: EditDraw
    before: Image.Image
    """RGB."""
    after: Image.Image
    """RGB, the same size."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What was drawn for it, beside its seed."""
    mask: np.ndarray | None = None
    """``(H, W)`` float32 in [0, 1]: how far the picture might change; None where all of it might."""
    thing: FoundThing | None = None
    """What the edit is about, in the picture that was painted first."""
    is_finite: bool = True
    """Whether the painter gave numbers."""
    rejection: Rejection | None = None

    @property
    def second(self) -> Image.Image:
        """The picture that was made of the one that was painted first."""
        return self.before if self.draw.edit.begins_with_output else self.after


def pair_of(first: FirstPictures, row: int, second: Image.Image, **known: Any) -> MadePair:
    """Return the candidate of a draw and its second picture, which is the input where the output was painted first."""
    draw, painted = first.draws[row], first.images[row]
    pictures = (second, painted) if draw.edit.begins_with_output else (painted, second)
    known["is_finite"] = known.get("is_finite", True) and first.is_finite[row]
    return MadePair(draw=draw, before=pictures[0], after=pictures[1], **known)


def no_pair(first: FirstPictures, row: int, rejection: Rejection) -> MadePair:
    """Return that a draw has no candidate."""
    return pair_of(first, row, first.images[row], rejection=rejection)
