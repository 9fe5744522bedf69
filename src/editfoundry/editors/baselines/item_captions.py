"""Editors that read an item's captions or its true outcome beside its picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from editfoundry.errors import BadInputError, Rejection
from editfoundry.evaluation.editing import Editor

NO_CAPTION = "no-caption"
NO_TRUTH = "no-truth"

CaptionEdit = Callable[[Sequence[Image.Image], Sequence[str], Sequence[str], Sequence[int]], list[Image.Image]]
"""RGB images, input captions, output captions and seeds in; as many edited RGB images out."""


@dataclass(frozen=True)
class CaptionEditor:
    """An editor that is told what its picture shows and what it must show, not what to do."""

    edit: CaptionEdit
    needs: tuple[str, ...]
    """Which of ``input_caption`` and ``output_caption`` an item must have; one that is not needed may be empty."""

    def for_items(self, items: Sequence[Any]) -> Editor:
        """Return the editor of these items.

        Raises:
            Rejection: ``no-caption``, an item lacks one that is needed.
        """
        for item in items:
            for name in self.needs:
                if not getattr(item, name):
                    raise Rejection(NO_CAPTION, f"{item.id} has no {name}, which this baseline edits by")
        inputs, outputs = [i.input_caption or "" for i in items], [i.output_caption or "" for i in items]
        return lambda images, _, seeds: self.edit(images, inputs, outputs, seeds)

    def __call__(
        self, images: Sequence[Image.Image], instructions: Sequence[str], seeds: Sequence[int]
    ) -> list[Image.Image]:
        """Refuse: without the items there are no captions."""
        raise BadInputError("this baseline edits by captions, not by instructions: give it a benchmark's items")


@dataclass(frozen=True)
class TruthEditor:
    """Returns the true outcome, for the upper bound of every metric."""

    def for_items(self, items: Sequence[Any]) -> Editor:
        """Return the editor of these items.

        Raises:
            Rejection: ``no-truth``, an item's benchmark does not know its true outcome.
        """
        truths = [_truth(item) for item in items]
        return lambda images, instructions, seeds: list(truths)

    def __call__(
        self, images: Sequence[Image.Image], instructions: Sequence[str], seeds: Sequence[int]
    ) -> list[Image.Image]:
        """Refuse: without the items there is no truth."""
        raise BadInputError("the baseline truth returns true outcomes: give it a benchmark's items")


def return_the_input(
    images: Sequence[Image.Image], instructions: Sequence[str], seeds: Sequence[int]
) -> list[Image.Image]:
    """Change nothing: the lower bound of every edit, the upper bound of preservation."""
    return list(images)


def _truth(item: Any) -> Image.Image:
    known = getattr(item, "true_output", None)
    if known is not None:
        return Image.fromarray(known)
    truth = item.open_truth()
    if truth is None:
        raise Rejection(NO_TRUTH, f"{item.id}: its benchmark has no true outcomes; use tinyworld's")
    picture: Image.Image = truth
    return picture
