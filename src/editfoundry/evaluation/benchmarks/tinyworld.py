"""The tinyworld benchmarks as items: the world's own ground truth comes with each."""

from __future__ import annotations

from PIL import Image

from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.tinyworld.edit_case import EditCase

TITLES = {
    "tinyworld-world": "tinyworld: world instructions, trained rules in unseen combinations and wordings",
    "tinyworld-new-rules": "tinyworld: rules that no training data shows",
    "tinyworld-plain": "tinyworld: plain add, change and remove edits",
}
NUM_ITEMS = {"tinyworld-world": 196, "tinyworld-new-rules": 50, "tinyworld-plain": 60}
"""As many as the lineage's report has by default."""


def read_tinyworld(name: str, num_items: int | None = None, seed: int = 0) -> Benchmark:
    """Draw a benchmark of tinyworld: one of ``TITLES``.

    Args:
        name: of the benchmark.
        num_items: cases; by default ``NUM_ITEMS``.
        seed: of the draw.

    Raises:
        BadInputError: fewer than one item.
    """
    from editfoundry.tinyworld.benchmark import plain_cases, world_cases

    count = NUM_ITEMS[name] if num_items is None else num_items
    if count < 1:
        raise BadInputError(f"{name}: {count} items; ask for at least one")
    if name == "tinyworld-plain":
        cases = plain_cases(count, seed)
    else:
        cases = world_cases("test" if name == "tinyworld-world" else "test-new-rules", count, seed)
    return Benchmark(name=name, title=TITLES[name], items=tuple(map(item_of_case, cases)), facts={"seed": seed})


def item_of_case(case: EditCase) -> BenchmarkItem:
    """Return a case as an item."""
    return BenchmarkItem(
        id=case.id,
        category=case.category,
        instruction=case.instruction,
        input_image=Image.fromarray(case.input_image),
        input_caption=case.input_caption,
        output_caption=case.output_caption,
        truth=Image.fromarray(case.true_output),
        case=case,
    )
