"""tinyworld's EditBench: drawn pictures with holes and the official benchmark's three prompts, their truth known."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image

from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmarks.definition import BenchmarkDefinition
from editfoundry.evaluation.benchmarks.editbench import FULL, MASK_RICH, MASK_SIMPLE
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.tinyworld.editbench.hole_cases import HOLE_GREY, NUM_PICTURES, DrawnHole, draw_hole
from editfoundry.tinyworld.scene import IMAGE_SIZE

_CATEGORIES = {"simple": MASK_SIMPLE, "rich": MASK_RICH, "full": FULL}


def _draw(num_items: int | None, seed: int, side: int | None = None) -> Benchmark:
    """Draw pictures with three prompts each; ``num_items`` counts prompts; pictures are whole, and at least one."""
    asked = NUM_PICTURES * len(_CATEGORIES) if num_items is None else num_items
    if asked < 1:
        raise BadInputError(f"{TINYWORLD_EDITBENCH.name}: {asked} items; ask for at least one")
    size = side or IMAGE_SIZE
    num_pictures = max(1, asked // len(_CATEGORIES))
    items = [item for number in range(num_pictures) for item in _items(draw_hole(number, seed, size))]
    return Benchmark(
        name=TINYWORLD_EDITBENCH.name,
        title=TINYWORLD_EDITBENCH.title,
        items=tuple(items),
        facts={
            "seed": seed,
            "pictures": num_pictures,
            "hole": f"the masked region is grey ({HOLE_GREY})",
            **({} if size == IMAGE_SIZE else {"side": size}),
        },
        reference="truth",
    )


def _items(drawn: DrawnHole) -> Iterator[BenchmarkItem]:
    parts = {
        "attribute": drawn.item.attribute,
        "object": drawn.item.object,
        "scene": drawn.item.where,
        "mask": drawn.item.mask_size,
    }
    mask, truth = Image.fromarray(drawn.mask).convert("L"), Image.fromarray(drawn.truth)
    for kind, case in drawn.cases():
        category = _CATEGORIES[kind]
        yield BenchmarkItem(
            id=f"{drawn.item.name}-{category.lower()}",
            category=category,
            instruction=case.instruction,
            input_caption=case.input_caption,
            output_caption=case.output_caption,
            input_image=Image.fromarray(case.input_image),
            mask=mask,
            truth=truth,
            group=drawn.item.name,
            parts=parts,
            compares="picture" if category == FULL else "mask-crop",
            case=case,
        )


TINYWORLD_EDITBENCH = BenchmarkDefinition(
    name="tinyworld-editbench",
    title="tinyworld's EditBench: what is asked into a hole",
    knows_truth=True,
    draw=_draw,
)
