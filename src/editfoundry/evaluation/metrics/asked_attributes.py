"""Which attributes of what a prompt asks for were painted into tinyworld's holes; needs no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from editfoundry.evaluation.benchmarks.item import BenchmarkItem
from editfoundry.evaluation.metrics.edited_batch import EditedBatch
from editfoundry.evaluation.metrics.metric import Metric
from editfoundry.tinyworld.editbench.hole import ATTRIBUTES
from editfoundry.tinyworld.outcome import RIGHT_ERROR, asked_attributes

_ASKS: dict[str, str] = {
    "object": "what was painted into the hole is the kind of thing that the prompt names",
    "colour": "it has the colour that the prompt names",
    "shape": "it is in the state that the prompt names, such as broken or open",
    "size": "it is as small or large as the prompt says",
    "position": "it stands on the side that the prompt names",
    "count": "the hole shows as many things as the prompt names",
}


def attribute_metric(attribute: str) -> str:
    """Return the name of the metric that measures an attribute."""
    return f"right_{attribute}"


def _found(edits: EditedBatch) -> dict[int, dict[str, bool]]:
    cases = {row: edits.item(row).case for row in edits.made}
    return {row: asked_attributes(np.asarray(edits.edit(row)), case) for row, case in cases.items() if case is not None}


def _share(attribute: str) -> Callable[[EditedBatch, Sequence[int]], list[float]]:
    def compute(edits: EditedBatch, rows: Sequence[int]) -> list[float]:
        found = edits.once("asked attributes", lambda: _found(edits))
        return [float(found[row][attribute]) for row in rows]

    return compute


def _asks_for(attribute: str) -> Callable[[BenchmarkItem], bool]:
    return lambda item: item.case is not None and item.case.hole is not None and attribute in item.case.hole.asked


ASKED_ATTRIBUTES = tuple(
    Metric(
        name=attribute_metric(attribute),
        label=f"Right {attribute}",
        measures=f"1 when {_ASKS[attribute]}, by the things of tinyworld that come nearest (L2) to what was painted; 0 "
        f"where their squared error is not below {RIGHT_ERROR} of the empty hole's. Where the prompt asks for it and "
        "the hole does not give it away.",
        unit="0 or 1",
        higher_is_better=True,
        compute=_share(attribute),
        needs=("case",),
        applies=_asks_for(attribute),
        preprocessing="read at 64 pixels to a side",
        decimals=2,
    )
    for attribute in ATTRIBUTES
)
