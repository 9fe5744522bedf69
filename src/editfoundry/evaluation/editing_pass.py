"""Lets one editor edit a whole benchmark: batch by batch, turn by turn, going on from what is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image

from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.cases import seed_of
from editfoundry.evaluation.contestants import Contestant
from editfoundry.evaluation.edit_folder import EditFolder
from editfoundry.evaluation.editing import Edit, Editor, run_on_images
from editfoundry.evaluation.peak_memory import peak_memory_mb, reset_peak_memory


@dataclass(frozen=True)
class Failure:
    """Why there is no edit of an item."""

    reason: str
    """As of `Edit`; or ``unreadable-input``, or ``no-previous-turn``."""
    detail: str = ""


def edit_benchmark(
    contestant: Contestant, benchmark: Benchmark, folder: EditFolder, *, seed: int, batch_size: int,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Failure]:  # fmt: skip
    """Make the edits that ``folder`` lacks and return the failures, by item.

    Items of a session are edited in turns: a turn gets the editor's own edit of the turn before. The noise of an item
    depends on ``seed`` and its id alone. What failed before is tried again.
    """
    failures: dict[str, Failure] = {}
    anew: set[str] = set()
    open_once = cache(contestant.open)
    reset_peak_memory()
    for turn in sorted({item.turn for item in benchmark.items}):
        items = [item for item in benchmark.items if item.turn == turn]
        previous = {item.group: item.id for item in benchmark.items if item.turn == turn - 1}
        for start in range(0, len(items), batch_size):
            batch = items[start : start + batch_size]
            missing = [item for item in batch if item.group in anew or not folder.has(item)]
            for item in missing:
                folder.forget(item)
                anew.add(item.group)
            inputs = _inputs(missing, previous, folder, failures)
            for group in _of_one_size(inputs):
                _edit(open_once, group, folder, failures, seed)
            if progress is not None:
                progress(len(batch))
    return failures


def _inputs(
    items: Sequence[BenchmarkItem], previous: Mapping[str, str], folder: EditFolder, failures: dict[str, Failure]
) -> dict[BenchmarkItem, Image.Image]:
    inputs = {}
    for item in items:
        try:
            image = folder.read(previous.get(item.group, "")) if item.turn else item.open_input()
        except BadInputError as error:
            failures[item.id] = Failure("unreadable-input", str(error))
            continue
        if image is None:
            failures[item.id] = Failure("no-previous-turn", f"there is no edit of turn {item.turn}")
        else:
            inputs[item] = image
    return inputs


def _of_one_size(inputs: Mapping[BenchmarkItem, Image.Image]) -> Iterator[dict[BenchmarkItem, Image.Image]]:
    for size in dict.fromkeys(image.size for image in inputs.values()):
        yield {item: image for item, image in inputs.items() if image.size == size}


def _edit(
    open_editor: Callable[[], Editor], inputs: Mapping[BenchmarkItem, Image.Image], folder: EditFolder,
    failures: dict[str, Failure], seed: int,
) -> None:  # fmt: skip
    editor, items = open_editor(), list(inputs)
    started = time.perf_counter()
    edits: list[Edit] = run_on_images(editor, items, list(inputs.values()), [seed_of(i.id, seed) for i in items])
    seconds = time.perf_counter() - started
    made = {item: edit.image for item, edit in zip(items, edits, strict=True) if edit.image is not None}
    for item, edit in zip(items, edits, strict=True):
        if edit.failure is not None:
            failures[item.id] = Failure(edit.failure, edit.detail)
    folder.add(made, seconds if made else 0.0, peak_memory_mb())
