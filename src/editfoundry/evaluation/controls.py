"""Controls: what a figure is worth.

An editor is asked again, with the instruction of another item and with none: what it then gets right was not got by
understanding. And pictures that no editor made (grey, noise, the input inverted, ...) are scored like edits, by every
metric, beside the true outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.cases import seed_of
from editfoundry.evaluation.metrics.edited_batch import ItemPictures

ANOTHER_INSTRUCTION = "another-instruction"
NO_INSTRUCTION = "no-instruction"
_BLUR_SHARE = 1 / 16
"""Standard deviation of the blur, as a share of the picture's longer side."""


@dataclass(frozen=True, kw_only=True)
class InstructionControl:
    """The same pictures and the same noise, asked for something else."""

    name: str
    """Names a folder of the run."""
    label: str
    ask: Callable[[Benchmark], Benchmark]
    """Returns the benchmark as the editor is asked for it; items that cannot be asked for so are left out."""


def another_items(items: Sequence[BenchmarkItem]) -> list[BenchmarkItem | None]:
    """Return for each item another one, whose instruction has other words and changes another thing.

    It is the next such item of the benchmark, the first following the last; what an item changes is known of
    tinyworld's alone. None where there is no such item.
    """
    count = len(items)
    found: list[BenchmarkItem | None] = []
    for place, item in enumerate(items):
        others = (items[(place + step) % count] for step in range(1, count))
        found.append(next((other for other in others if _asks_for_another(item, other)), None))
    return found


def _asks_for_another(item: BenchmarkItem, other: BenchmarkItem) -> bool:
    if item.instruction.casefold().strip() == other.instruction.casefold().strip():
        return False
    if item.case is None or other.case is None or not item.case.changes:
        return True
    if item.case.event and item.case.event == other.case.event:
        # In other words it asks for the same.
        return False
    return item.case.changes != other.case.changes


def _with_another_instruction(benchmark: Benchmark) -> Benchmark:
    asked = [
        replace(item, instruction=other.instruction, output_caption=other.output_caption, task=other.task)
        for item, other in zip(benchmark.items, another_items(benchmark.items), strict=True)
        if other is not None
    ]
    return replace(benchmark, items=tuple(asked))


def _without_instruction(benchmark: Benchmark) -> Benchmark:
    asked = [replace(item, instruction="", output_caption=item.input_caption, task=None) for item in benchmark.items]
    return replace(benchmark, items=tuple(asked))


INSTRUCTION_CONTROLS = (
    InstructionControl(name=ANOTHER_INSTRUCTION, label="another item's instruction", ask=_with_another_instruction),
    InstructionControl(name=NO_INSTRUCTION, label="no instruction", ask=_without_instruction),
)


class TrivialPictures:
    """The pictures of editors that know nothing, for the items of one benchmark."""

    def __init__(self, benchmark: Benchmark, seed: int) -> None:
        """``seed`` is of the noise."""
        self._benchmark = benchmark
        self._seed = seed
        others = another_items(benchmark.items)
        self._others = {item.id: other for item, other in zip(benchmark.items, others, strict=True)}

    def of(self, pictures: ItemPictures) -> dict[str, Image.Image | None]:
        """Return trivial editor -> its picture, RGB, of the input's size; None where it has none."""
        size = pictures.input_image.size
        made = {trivial.name: trivial.make(self, pictures) for trivial in TRIVIAL_EDITORS}
        return {name: None if image is None else _of_size(image, size) for name, image in made.items()}

    @cached_property
    def mean_truth(self) -> Image.Image | None:
        """The mean of all true outcomes, at the size of the first."""
        total: np.ndarray | float = 0.0
        size, count = (0, 0), 0
        for item in self._benchmark.items:
            truth = _truth_of(item)
            if truth is not None:
                size = size if count else truth.size
                total = total + np.asarray(_of_size(truth, size), dtype=np.float64)
                count += 1
        return Image.fromarray(np.round(total / count).astype(np.uint8)) if count else None

    def another_truth(self, pictures: ItemPictures) -> Image.Image | None:
        """Return the true outcome of the item whose instruction the item gets as a control."""
        other = self._others[pictures.item.id]
        return None if other is None else _truth_of(other)

    def noise(self, pictures: ItemPictures) -> Image.Image:
        """Return uniform noise that depends on the seed and the item's id alone."""
        random = np.random.default_rng(seed_of(pictures.item.id, self._seed))
        width, height = pictures.input_image.size
        return Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


@dataclass(frozen=True, kw_only=True)
class TrivialEditor:
    """An editor that reads no instruction and knows no world."""

    name: str
    label: str
    make: Callable[[TrivialPictures, ItemPictures], Image.Image | None]


def _grey(_: TrivialPictures, pictures: ItemPictures) -> Image.Image:
    return Image.new("RGB", pictures.input_image.size, (128, 128, 128))


def _blurred(_: TrivialPictures, pictures: ItemPictures) -> Image.Image:
    radius = _BLUR_SHARE * max(pictures.input_image.size)
    return pictures.input_image.filter(ImageFilter.GaussianBlur(radius))


TRIVIAL_EDITORS = (
    TrivialEditor(name="input", label="doing nothing", make=lambda _, pictures: pictures.input_image),
    TrivialEditor(name="grey", label="flat grey", make=_grey),
    TrivialEditor(name="noise", label="noise", make=TrivialPictures.noise),
    TrivialEditor(
        name="inverted", label="input inverted", make=lambda _, pictures: ImageOps.invert(pictures.input_image)
    ),
    TrivialEditor(name="blurred", label="input blurred", make=_blurred),
    TrivialEditor(name="mean-truth", label="mean of all truths", make=lambda known, _: known.mean_truth),
    TrivialEditor(name="another-truth", label="another item's truth", make=TrivialPictures.another_truth),
)
TRUTH = "truth"
REFERENCE_LABELS: Mapping[str, str] = {
    **{trivial.name: trivial.label for trivial in TRIVIAL_EDITORS},
    TRUTH: "the true outcome",
}
"""What is scored beside the editors' own edits -> how reports call it."""


def _truth_of(item: BenchmarkItem) -> Image.Image | None:
    try:
        return item.open_truth()
    except BadInputError:
        # The item itself is recorded as one that cannot be read.
        return None


def _of_size(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
