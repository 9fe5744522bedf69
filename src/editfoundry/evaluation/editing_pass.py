"""Lets one editor edit a whole benchmark: batch by batch, turn by turn, going on from what is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from editfoundry.editors.editor import Editor, EditRequest, Turn
from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.cases import seed_of
from editfoundry.evaluation.contestants import Contestant
from editfoundry.evaluation.edit_folder import EditFolder
from editfoundry.evaluation.peak_memory import peak_memory_mb, reset_peak_memory


@dataclass(frozen=True)
class Failure:
    """Why there is no edit of an item."""

    reason: str
    """As of `Edit`; or ``unreadable-input``, or ``no-previous-turn``."""
    detail: str = ""


def edit_benchmark(
    contestant: Contestant,
    benchmark: Benchmark,
    folder: EditFolder,
    *,
    seed: int,
    batch_size: int,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Failure]:
    """Make the edits that ``folder`` lacks and return the failures, by item.

    Items of a session are edited in turns: a turn gets the editor's own edit of the turn before. The noise of an item
    depends on ``seed`` and its id alone. What failed before is tried again.

    Raises:
        OutOfMemoryError: an item alone does not fit into memory; what was edited before it is kept.
    """
    failures: dict[str, Failure] = {}
    anew: set[str] = set()
    open_once = cache(contestant.open)
    sessions = {(item.group, item.turn): item for item in benchmark.items}
    reset_peak_memory()
    for turn in sorted({item.turn for item in benchmark.items}):
        items = [item for item in benchmark.items if item.turn == turn]
        for start in range(0, len(items), batch_size):
            batch = items[start : start + batch_size]
            missing = [item for item in batch if (turn and item.group in anew) or not folder.has(item)]
            folder.forget(missing)
            anew |= {item.group for item in missing}
            inputs = _inputs(missing, sessions, folder, failures)
            for group in _of_one_size(inputs):
                _edit(open_once(), group, sessions, folder, failures, seed)
            if progress is not None:
                progress(len(batch))
    return failures


_Sessions = Mapping[tuple[str, int], BenchmarkItem]
"""(session, turn) -> item."""


def _inputs(
    items: Sequence[BenchmarkItem], sessions: _Sessions, folder: EditFolder, failures: dict[str, Failure]
) -> dict[BenchmarkItem, Image.Image]:
    inputs = {}
    for item in items:
        try:
            image = _input(item, sessions, folder)
        except BadInputError as error:
            failures[item.id] = Failure("unreadable-input", str(error))
            continue
        if image is None:
            failures[item.id] = Failure("no-previous-turn", f"there is no edit of turn {item.turn}")
        else:
            inputs[item] = image
    return inputs


def _input(item: BenchmarkItem, sessions: _Sessions, folder: EditFolder) -> Image.Image | None:
    """Return the picture that an item's editor is given; None where the turn before it has no edit."""
    if not item.turn:
        return item.open_input()
    previous = sessions.get((item.group, item.turn - 1))
    return None if previous is None else folder.read(previous.id)


def _of_one_size(inputs: Mapping[BenchmarkItem, Image.Image]) -> Iterator[dict[BenchmarkItem, Image.Image]]:
    for size in dict.fromkeys(image.size for image in inputs.values()):
        yield {item: image for item, image in inputs.items() if image.size == size}


def _edit(
    editor: Editor,
    inputs: Mapping[BenchmarkItem, Image.Image],
    sessions: _Sessions,
    folder: EditFolder,
    failures: dict[str, Failure],
    seed: int,
) -> None:
    requests = {}
    for item, image in inputs.items():
        try:
            requests[item] = _request(editor, item, image, sessions, folder, seed)
        except BadInputError as error:
            failures[item.id] = Failure("unreadable-input", str(error))
    started = time.perf_counter()
    edits = dict(zip(requests, editor.edit(list(requests.values())), strict=True))
    seconds = time.perf_counter() - started
    made = {item: np.asarray(edit.image) for item, edit in edits.items() if edit.image is not None}
    for item, edit in edits.items():
        if edit.failure is not None:
            failures[item.id] = Failure(edit.failure, edit.detail)
    words = {item.id: edit.words.to_dict() for item, edit in edits.items() if edit.words is not None}
    folder.add(made, seconds if made else 0.0, peak_memory_mb(), words)


def _request(
    editor: Editor, item: BenchmarkItem, image: Image.Image, sessions: _Sessions, folder: EditFolder, seed: int
) -> EditRequest:
    """Return what an item asks for, with those parts alone that the editor reads: none sees the truth by chance."""
    reads = editor.source.family.reads
    return EditRequest(
        image=image,
        instruction=item.instruction,
        seed=seed_of(item.id, seed),
        id=item.id,
        mask=item.open_mask() if "mask" in reads else None,
        input_caption=item.input_caption if "input_caption" in reads else None,
        output_caption=item.output_caption if "output_caption" in reads else None,
        task=item.task if "task" in reads else None,
        history=tuple(_history(item, sessions, folder)) if "history" in reads else (),
        truth=item.open_truth() if "truth" in reads else None,
    )


def _history(item: BenchmarkItem, sessions: _Sessions, folder: EditFolder) -> Iterator[Turn]:
    for turn in range(item.turn):
        earlier = sessions[item.group, turn]
        image = _input(earlier, sessions, folder)
        if image is not None:
            yield Turn(image=image, instruction=earlier.instruction)
