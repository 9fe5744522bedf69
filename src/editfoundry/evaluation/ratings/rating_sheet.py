"""Writes a rating sheet: one HTML page with everything in it, and the key that un-blinds it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from editfoundry.data.atomic import atomic_file
from editfoundry.data.output_folder import require_no_input
from editfoundry.data.record import short_hash
from editfoundry.errors import BadInputError
from editfoundry.evaluation.ratings.rating_key import RatedEditor, RatingKey, RatingTask, key_path, read_key
from editfoundry.evaluation.ratings.rating_questions import QUESTIONS
from editfoundry.evaluation.reports.inlined_pictures import inlined_picture, picture_path
from editfoundry.evaluation.reports.page import render_page
from editfoundry.evaluation.reports.run_results import METRICS_FILE, Run, ScoredItem, read_run

DEFAULT_TITLE = "Rate these edits"


@dataclass(frozen=True, kw_only=True)
class SheetCounts:
    """What a sheet asks."""

    num_items: int
    num_edits: int
    num_pairs: int
    num_left_out: int
    """Edits of the drawn items that failed, so that nobody is asked about them."""


def write_rating_sheet(
    runs: Sequence[Path],
    out: Path,
    *,
    num_items: int | None = None,
    seed: int = 0,
    pairs: bool = True,
    title: str = DEFAULT_TITLE,
) -> SheetCounts:
    """Write the sheet and, beside it, its key.

    Each edit is asked about alone, and each two edits of an item beside each other; what is left and what is right, and
    the order of everything, is drawn by the seed. No name of an editor is in the page.

    Args:
        runs: folders of ``editfoundry evaluate`` on one benchmark.
        out: the page, ``.html``.
        num_items: items that all runs have, drawn by seed; by default all.
        seed: of the draw, the order and the sides.
        pairs: whether to ask about pairs too.
        title: of the page.

    Raises:
        BadInputError: a run cannot be read, runs have no item in common, nothing is left to rate, or the key that lies
            there is of another sheet.
    """
    if out.suffix != ".html":
        raise BadInputError(f"{out}: a rating sheet is an .html file")
    found = [read_run(run) for run in runs]
    require_no_input(out, [run.folder / "report.html" for run in found])
    editors = _editors(found, runs)
    items = _drawn(found, num_items, seed)
    salt = _salt(runs, seed)
    tasks, num_left_out = _tasks(found, editors, items, salt, pairs)
    if not tasks:
        raise BadInputError(f"{runs[0]}: no edit to rate: all {num_left_out} of the drawn items have failed")
    key = RatingKey(sheet=short_hash("sheet", salt), seed=seed, editors=editors, tasks=tasks)
    _require_same_sheet(out, key)
    page = render_page(
        "rating_sheet.html.j2",
        {"title": title, "data": _page_data(key, found), "questions": QUESTIONS},
        package="editfoundry.evaluation.ratings",
    )
    # The page takes its place after the key has taken its own, and where either cannot be written neither does.
    with atomic_file(out) as file:
        file.write(page.encode())
        file.flush()
        key.write(key_path(out))
    kinds = [task.kind for task in tasks.values()]
    return SheetCounts(
        num_items=len(items), num_edits=kinds.count("edit"), num_pairs=kinds.count("pair"), num_left_out=num_left_out
    )


def _require_same_sheet(out: Path, key: RatingKey) -> None:
    """Raise BadInputError where the key beside ``out`` is of a sheet whose answers this key could not read."""
    place = key_path(out)
    if not place.is_file():
        return
    try:
        there = read_key(place)
    except BadInputError:
        # Nothing reads it any more, and what reads it says to write the sheet again.
        return
    if there.sheet != key.sheet or any(key.tasks.get(name) != task for name, task in there.tasks.items()):
        raise BadInputError(
            f"{place}: is the key of another sheet, of other runs, items or seed ({there.seed}): ratings of that sheet "
            "could not be read without it; give another page, or remove the key"
        )


def _editors(runs: Sequence[Run], folders: Sequence[Path]) -> dict[str, RatedEditor]:
    """Return the name of each editor -> where it is; names that several runs have get the run's before them."""
    every = [(run, folder, editor) for run, folder in zip(runs, folders, strict=True) for editor in run.editors]
    names = [editor for _, _, editor in every]
    found: dict[str, RatedEditor] = {}
    for run, folder, editor in every:
        name = editor if names.count(editor) == 1 else f"{run.folder.resolve().name}-{editor}"
        if name in found:
            raise BadInputError(f"{folder}: two editors are called {name}: give each run once, in a folder of its name")
        found[name] = RatedEditor(run=str(folder), editor=editor)
    return found


def _drawn(runs: Sequence[Run], num_items: int | None, seed: int) -> dict[str, ScoredItem]:
    """Return the items that all runs asked for in the same words of the same picture, at most so many.

    Their order is drawn by seed.
    """
    asked = [{item.id: item for items in run.items.values() for item in items.values()} for run in runs]
    common = [
        item
        for item in asked[0].values()
        if all(item.id in others and others[item.id].instruction == item.instruction for others in asked[1:])
        and len({_shown_input(run, item) for run in runs}) == 1
    ]
    if not common:
        raise BadInputError(
            f"{runs[-1].folder}: has no item in common with {runs[0].folder}, of the same words and picture: rate them "
            "apart"
        )
    ranked = sorted(common, key=lambda item: short_hash("rated items", str(seed), item.id))
    return {item.id: item for item in ranked[:num_items]}


def _shown_input(run: Run, item: ScoredItem) -> bytes:
    """Return the file of the picture that an item's edits stand beside; empty where there is none."""
    path = picture_path(run.folder, "inputs", item.id)
    return path.read_bytes() if path.is_file() else b""


def _salt(runs: Sequence[Path], seed: int) -> str:
    """Return what names of tasks are made with, so that nobody can tell from them what they stand for."""
    digest = hashlib.sha256(str(seed).encode())
    for run in runs:
        digest.update((run if run.suffix == ".json" else run / METRICS_FILE).read_bytes())
    return digest.hexdigest()


def _tasks(
    runs: Sequence[Run], editors: Mapping[str, RatedEditor], items: Mapping[str, ScoredItem], salt: str, pairs: bool
) -> tuple[dict[str, RatingTask], int]:
    """Return the tasks by name, edits before pairs, each in an order that the salt draws; and how many edits failed."""
    by_folder = {str(run.folder): run for run in runs}
    made = {
        item.id: [name for name, rated in editors.items() if _is_made(by_folder[_folder(rated)], rated.editor, item)]
        for item in items.values()
    }
    edits = [_task("edit", (name,), items[item]) for item, names in made.items() for name in names]
    beside = [
        _task("pair", _sides(two, salt, item), items[item])
        for item, names in made.items()
        for two in combinations(names, 2)
        if pairs
    ]
    named = [
        {short_hash(salt, task.kind, *task.editors, task.item)[:12]: task for task in tasks}
        for tasks in (edits, beside)
    ]
    ordered = {name: tasks[name] for tasks in named for name in sorted(tasks)}
    return ordered, len(items) * len(editors) - len(edits)


def _folder(rated: RatedEditor) -> str:
    path = Path(rated.run)
    return str(path.parent if path.suffix == ".json" else path)


def _is_made(run: Run, editor: str, item: ScoredItem) -> bool:
    found = run.items[editor].get(item.id)
    return found is not None and not found.failure and picture_path(run.folder, "edits", item.id, editor).is_file()


def _task(kind: Any, editors: tuple[str, ...], item: ScoredItem) -> RatingTask:
    return RatingTask(
        kind=kind,
        editors=editors,
        item=item.id,
        group=item.group or item.id,
        category=item.category,
        parts=dict(item.parts),
        prompt=item.instruction,
    )


def _sides(two: tuple[str, ...], salt: str, item: str) -> tuple[str, ...]:
    return two if int(short_hash(salt, "sides", *two, item), 16) % 2 else two[::-1]


def _page_data(key: RatingKey, runs: Sequence[Run]) -> dict[str, Any]:
    """Return what the page's script reads: no editor's name, and each picture once."""
    by_folder = {str(run.folder): run for run in runs}
    pictures: dict[str, str] = {}

    def add(path: Path) -> str:
        uri = inlined_picture(path)
        if uri is None:
            raise BadInputError(f"{path}: missing or damaged; run editfoundry evaluate on that folder again")
        name = short_hash(key.sheet, uri)[:10]
        pictures[name] = uri
        return name

    def shown(task: RatingTask) -> Iterator[str]:
        for name in task.editors:
            rated = key.editors[name]
            yield add(picture_path(by_folder[_folder(rated)].folder, "edits", task.item, rated.editor))

    tasks = [
        {
            "id": name,
            "kind": task.kind,
            "prompt": task.prompt,
            "input": add(picture_path(runs[0].folder, "inputs", task.item)),
            "shown": list(shown(task)),
        }
        for name, task in key.tasks.items()
    ]
    return {"sheet": key.sheet, "tasks": tasks, "pictures": pictures}
