"""A run folder as it was written: the benchmark, its metrics, the editors, and one row for each edit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from editfoundry.data.untrusted import read_json
from editfoundry.errors import BadInputError
from editfoundry.evaluation.cases import order_categories
from editfoundry.evaluation.made_by import MadeBy
from editfoundry.evaluation.reports.run_layout import check_item, check_run

METRICS_FILE = "metrics.json"
SEVERAL = "benchmarks"
"""Key of both JSON files of a report of several benchmarks: benchmark's name -> what the file of a run holds."""
RESERVED_NAMES = (
    "benchmark", "title", "num_items", "editors", "metrics", "paired", "failures", "seed", "bounds",
    "preservation_cap_db", "controls", SEVERAL,
)  # fmt: skip
"""Keys of summary.json that no editor may be called by."""
RIGHT = "right"
"""Name of the metric that says whether an edit is what tinyworld makes of the instruction."""
SHARP = "sharp"
OUTCOMES = ("right", "unclear", "wrong", "input", "failed")
"""What an edit may have become: nearest to the truth but not near enough is unclear."""
_BRANCHES = ("text", "video")


@dataclass(frozen=True, kw_only=True)
class ScoredItem:
    """One edit and its scores."""

    editor: str
    id: str
    category: str
    group: str = ""
    """Session of a multi-turn item, else the item's own id."""
    turn: int = 0
    branch: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Further ways in which the benchmark is divided -> the item's part."""
    instruction: str = ""
    words: str = ""
    """What an editor that explains itself said the edit would look like."""
    failure: str | None = None
    """Why there is no edit."""
    detail: str = ""
    asked: str | None = None
    """Hash of what was asked for: pictures, texts and seed; None in reports of before it was noted."""
    seed: int | None = None
    """Of the noise."""
    rule: str = ""
    """The rule of tinyworld that the instruction sets off."""
    nearest: str | None = None
    """What the edit is nearest to, where the truth is known: ``truth``, ``input`` or ``wrong``."""
    error: float | None = None
    """Squared error against the truth where things truly change, as a share of the input's; known where that is."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Metric -> score; infinite where a PSNR is, absent where it could not be computed."""
    undefined: Mapping[str, str] = field(default_factory=dict)
    """Metric -> why it has no score, where nothing that it needs is absent."""

    @property
    def outcome(self) -> str:
        """What the edit became: one of `OUTCOMES`; empty where that is not known."""
        if self.failure:
            return "failed"
        if self.nearest == "truth":
            return "right" if self.scores.get(RIGHT) else "unclear"
        return self.nearest or ""

    @property
    def row(self) -> str:
        """The row of EditWorld's Table 2 that the item counts in: ``text: Long-Term``, or the category alone."""
        return f"{self.branch}: {self.category}" if self.branch else self.category


@dataclass(frozen=True, kw_only=True)
class Run:
    """Editors on one benchmark."""

    folder: Path
    benchmark: Mapping[str, Any]
    """``name``, ``title``, ``num_items``, ``missing``, ``extra``."""
    metrics: Mapping[str, Mapping[str, Any]]
    """Name -> label, model, preprocessing, unit, higher_is_better, missing."""
    editors: Mapping[str, Mapping[str, Any]]
    """Name -> description, seconds_per_edit, peak_memory_mb, settings."""
    items: Mapping[str, Mapping[str, ScoredItem]]
    """Editor -> item id -> the edit, both in the run's order."""
    bounds: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    """Item id -> a name of `controls.REFERENCE_LABELS` -> metric -> what that picture scores."""
    controls: Mapping[str, Mapping[str, Mapping[str, ScoredItem]]] = field(default_factory=dict)
    """Control -> editor -> item id -> the edit that was asked for by way of control, scored as if asked rightly."""
    made: MadeBy = field(default_factory=MadeBy)

    @property
    def name(self) -> str:
        """The benchmark's name."""
        return str(self.benchmark["name"])


def read_run(folder: Path) -> Run:
    """Read a run folder, or the ``metrics.json`` of one.

    Raises:
        BadInputError: there is none, it is malformed, names an editor twice over one item, or has a score that is
            no number; or it holds several benchmarks.
    """
    runs = read_runs(folder)
    if len(runs) != 1:
        raise BadInputError(f"{folder}: a report of {len(runs)} benchmarks; give the folder of one run")
    return runs[0]


def read_runs(folder: Path) -> list[Run]:
    """Read a run folder, or a report of several benchmarks, whose runs' pictures lie in a folder of each one's name.

    Raises:
        BadInputError: as of `read_run`.
    """
    path = folder if folder.suffix == ".json" else folder / METRICS_FILE
    data = read_report_json(path)
    if SEVERAL not in data:
        return [parse_run(data, path.parent, str(path))]
    several = data[SEVERAL]
    if not isinstance(several, dict) or not several or any(Path(name).name != name for name in several):
        raise BadInputError(f"{path}: {SEVERAL!r} does not name benchmarks; write it with editfoundry evaluate")
    return [parse_run(run, path.parent / name, f"{path}: {name}") for name, run in several.items()]


def parse_run(data: Mapping[str, Any], folder: Path, where: str) -> Run:
    """Return the run that a ``metrics.json`` holds; raises BadInputError, beginning with ``where``, if it cannot be."""
    check_run(data, where)
    taken = sorted(set(data["editors"]) & set(RESERVED_NAMES))
    if taken:
        raise BadInputError(
            f"{where}: an editor is called {taken[0]!r}, which summary.json needs; give it another name"
        )
    items = [parse_item(row, f"{where}: item {number}") for number, row in enumerate(data["items"], start=1)]
    bounds = _bounds(data.get("bounds") or {}, f"{where}: bounds")
    controls = _controls(data.get("controls") or (), list(data["editors"]), where)
    scores = [
        *(item.scores for item in items),
        *(item.scores for by_editor in controls.values() for found in by_editor.values() for item in found.values()),
        *(found for by_name in bounds.values() for found in by_name.values()),
    ]
    undeclared: dict[str, Any] = {name: {} for found in scores for name in found if name not in data["metrics"]}
    made = data.get("made") or {}
    return Run(
        folder=folder,
        benchmark=data["benchmark"],
        metrics=data["metrics"] | undeclared,
        editors=data["editors"],
        items=_by_editor(items, list(data["editors"]), where),
        bounds=bounds,
        controls=controls,
        made=MadeBy(**{name: str(made.get(name) or "") for name in ("date", "version", "command")}),
    )


def read_report_json(path: Path) -> dict[str, Any]:
    """Return what a report's JSON file holds; raises BadInputError when it is not there, or not one."""
    if not path.exists():
        raise BadInputError(f"{path}: no such file; give a folder that editfoundry evaluate wrote")
    found: dict[str, Any] = read_json(path, dict)
    return found


def _bounds(found: Mapping[str, Mapping[str, Mapping[str, Any]]], where: str) -> dict[str, dict[str, dict[str, float]]]:
    try:
        return {
            item_id: {name: parse_scores(scores, f"{where}: {item_id}: {name}") for name, scores in bounds.items()}
            for item_id, bounds in found.items()
        }
    except AttributeError as error:
        raise BadInputError(f"{where} have another layout than a run's: {error}") from error


def parse_scores(scores: Mapping[str, object], where: str) -> dict[str, float]:
    """Return the scores that there are; raises BadInputError, beginning with ``where``, as of `parse_score`."""
    parsed = {name: parse_score(value, f"{where}: {name}") for name, value in scores.items()}
    return {name: value for name, value in parsed.items() if value is not None}


def _controls(
    rows: Sequence[Mapping[str, Any]], editors: Sequence[str], where: str
) -> dict[str, dict[str, dict[str, ScoredItem]]]:
    by_control: dict[str, list[ScoredItem]] = {}
    for number, row in enumerate(rows, start=1):
        item = parse_item(row, f"{where}: control {number}")
        by_control.setdefault(str(row.get("control")), []).append(item)
    return {control: _by_editor(items, editors, where) for control, items in by_control.items()}


def _by_editor(items: Sequence[ScoredItem], editors: Sequence[str], where: str) -> dict[str, dict[str, ScoredItem]]:
    sorted_out: dict[str, dict[str, ScoredItem]] = {editor: {} for editor in editors}
    for item in items:
        if item.editor not in sorted_out:
            raise BadInputError(f"{where}: item {item.id} is by {item.editor!r}, which is none of its editors")
        if item.id in sorted_out[item.editor]:
            raise BadInputError(f"{where}: item {item.id} of {item.editor} is there twice")
        sorted_out[item.editor][item.id] = item
    return sorted_out


def parse_item(row: Mapping[str, Any], where: str) -> ScoredItem:
    """Return one row of ``metrics.json``; raises BadInputError where it is not whole or safe."""
    check_item(row, where)
    for name in (row["editor"], row["id"]):
        # Both name files of the run folder, and what is read from a file must not lead out of it.
        if Path(name).name != name:
            raise BadInputError(f"{where}: {name!r} cannot name a file")
    return ScoredItem(
        editor=row["editor"],
        id=row["id"],
        category=row.get("category") or "",
        group=row.get("group") or row["id"],
        turn=row.get("turn") or 0,
        branch=row.get("branch") or "",
        parts=dict(row.get("parts") or {}),
        instruction=row.get("instruction") or "",
        words=str((row.get("words") or {}).get("text") or ""),
        failure=row.get("failure"),
        detail=row.get("detail") or "",
        asked=row.get("asked"),
        seed=row.get("seed"),
        rule=row.get("rule") or "",
        nearest=row.get("nearest"),
        error=row.get("error"),
        scores=parse_scores(row["scores"], where),
        undefined=dict(row.get("undefined") or {}),
    )


def parse_score(value: object, where: str) -> float | None:
    """Return a score as a float, a PSNR's ``"inf"`` as infinity, null as None; raises BadInputError on all else."""
    if value is None:
        return None
    if value == "inf" and where.endswith("psnr"):
        return math.inf
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return float(value)
    raise BadInputError(f"{where} is {value!r}, which is neither a finite number nor null, nor 'inf' of a PSNR")


def row_order(items: Sequence[ScoredItem]) -> list[str]:
    """Return the rows of Table 2 that the items fill: the text branch first, categories in the paper's order."""
    categories = order_categories(item.category for item in items)
    branches = sorted({item.branch for item in items}, key=lambda b: (b not in _BRANCHES, b))
    found = Counter(item.row for item in items)
    rows = [f"{branch}: {category}" if branch else category for branch in branches for category in categories]
    return [row for row in rows if found[row]]


def part_order(items: Sequence[ScoredItem]) -> list[tuple[str, str]]:
    """Return the further parts that the items fill, as (way, part): ways as the benchmark has them, parts by name."""
    ways = list(dict.fromkeys(way for item in items for way in item.parts))
    found = {way: sorted({item.parts[way] for item in items if way in item.parts}) for way in ways}
    return [(way, part) for way in ways for part in found[way]]


def available_metrics(run: Run) -> list[str]:
    """Return the metrics that have at least one score, in the run's order."""
    scored = {name for items in run.items.values() for item in items.values() for name in item.scores}
    return [name for name in run.metrics if name in scored]
