"""Runs editors on a benchmark: edits, then scores, then ``metrics.json``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from editfoundry.data.atomic import atomic_file
from editfoundry.data.output_folder import claim_output
from editfoundry.data.png import encode_png
from editfoundry.data.untrusted import read_json
from editfoundry.errors import BadInputError
from editfoundry.evaluation.asked_hash import asked_hash
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.cases import seed_of
from editfoundry.evaluation.contestants import Contestant
from editfoundry.evaluation.controls import InstructionControl, TrivialPictures
from editfoundry.evaluation.edit_folder import EditFolder, open_edit_folder
from editfoundry.evaluation.editing_pass import Failure, edit_benchmark
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.made_by import MadeBy, made_now
from editfoundry.evaluation.metrics.edited_batch import ItemPictures, open_pictures
from editfoundry.evaluation.metrics.metric_models import MetricModels
from editfoundry.evaluation.metrics.scoring import ItemScores, MetricScorer, batches
from editfoundry.evaluation.reports.run_results import METRICS_FILE, RESERVED_NAMES
from editfoundry.execution.output_lock import output_lock
from editfoundry.tinyworld.outcome import check_case

STAGE = "evaluation"
SHOWN_SIZE = 256
"""Pixels to the longer side of the inputs and truths that are kept for the report."""

NO_CONTROL = ""
"""Name of what an editor is asked for when it is asked for the benchmark itself."""

Progress = Callable[[int, int], None]


def run_benchmark(
    contestants: Sequence[Contestant],
    benchmark: Benchmark,
    output: Path,
    *,
    models: MetricModels,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    batch_size: int = 16,
    controls: Sequence[InstructionControl] = (),
    facts: Mapping[str, object] | None = None,
    made: MadeBy | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Edit the benchmark with every editor, from the same noise, score the edits and write the run folder.

    An edit that is in the folder is not made again. One that fails is recorded with its reason and scored by nothing;
    a picture of the benchmark that cannot be read fails for that item alone.

    Args:
        contestants: the editors, one after the other, so that one at a time is in memory.
        benchmark: what is asked for.
        output: gets ``edits/<editor>/<item>.png``, ``inputs/``, ``truths/``, ``metrics.json`` and, with controls,
            ``controls/<control>/<editor>/<item>.png``.
        models: of the metrics.
        metrics: names of the metrics to measure; by default all that the benchmark can have.
        seed: of the noise and of the captions that CLIP-R-Precision chooses from.
        batch_size: edits made, and scored, at once.
        controls: what every editor is asked instead, beside the benchmark; with any, trivial pictures are scored too.
        facts: further entries of ``metrics.json``'s section ``benchmark.facts``.
        made: which command makes this; by default the time alone is noted.
        progress: called with edits done and edits in all.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        BadInputError: no editor, two of one name, a name that cannot name a folder, no item, an id twice, no such
            metric, a tinyworld case that cannot be answered, or ``output`` holds something else, as the edits of
            another benchmark.
        UnavailableError: another run is at work on ``output``.
    """
    check_contestants(contestants)
    _check_items(benchmark)
    scorer = MetricScorer(models, benchmark, seed, metrics)
    with output_lock(output, STAGE):
        _claim(output, benchmark.name)
        arms = _edit(contestants, benchmark, output, seed, batch_size, controls, progress)
        trivial = TrivialPictures(benchmark, seed) if controls else None
        with models.remembering(output / METRICS_FILE) as own:
            asked = MetricScorer(own, benchmark, seed, metrics)
            rows, bounds = _score(asked, benchmark, output, arms, trivial, seed, batch_size)
        measured = {
            "made": asdict(made or made_now()),
            "benchmark": _described(benchmark, seed, facts or {}),
            "metrics": scorer.described(),
            "editors": {arm.editor: _costs(c, arm.folder) for c in contestants for arm in arms if arm.is_of(c)},
            "bounds": bounds,
            "items": [row for arm, found in zip(arms, rows, strict=True) if not arm.control for row in found],
        }
        if controls:
            pairs = [(arm, found) for arm, found in zip(arms, rows, strict=True) if arm.control]
            measured["controls"] = [{"control": arm.control, **row} for arm, found in pairs for row in found]
        write_json(output / METRICS_FILE, measured)
    return measured


@dataclass(frozen=True)
class _Arm:
    """One editor's edits of the benchmark, or of what a control asks instead."""

    editor: str
    control: str
    folder: EditFolder
    failures: dict[str, Failure]

    def is_of(self, contestant: Contestant) -> bool:
        """Whether these are the contestant's edits of the benchmark itself."""
        return self.editor == contestant.name and not self.control


def check_contestants(contestants: Sequence[Contestant]) -> None:
    """Raise BadInputError unless there are editors of different names that can name folders."""
    if not contestants:
        raise BadInputError("there is no editor to evaluate: name at least one")
    names = [contestant.name for contestant in contestants]
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name) or name in RESERVED_NAMES:
            raise BadInputError(f"an editor cannot be called {name!r} in a report: call it otherwise, with NAME=EDITOR")
        if names.count(name) > 1:
            raise BadInputError(f"two editors are called {name!r}: tell them apart with NAME=EDITOR")


def _claim(output: Path, benchmark: str) -> None:
    """Claim a run folder for one benchmark; those of before the mark told it are known by their ``metrics.json``."""
    way_out = "give another folder, or remove this one"
    claim_output(output, STAGE, _measured_benchmark(output), way_out=way_out)
    claim_output(output, STAGE, benchmark, way_out=way_out)


def _measured_benchmark(output: Path) -> str | None:
    """Return the benchmark of a folder's ``metrics.json``; None where there is none, or nobody can read it."""
    try:
        benchmark = read_json(output / METRICS_FILE, dict).get("benchmark")
    except BadInputError:
        return None
    name = benchmark.get("name") if isinstance(benchmark, dict) else None
    return name if isinstance(name, str) else None


def _check_items(benchmark: Benchmark) -> None:
    if not benchmark.items:
        raise BadInputError(f"benchmark {benchmark.name} has no items: ask for at least one")
    ids = [item.id for item in benchmark.items]
    if len(set(ids)) < len(ids):
        first = next(name for place, name in enumerate(ids) if name in ids[:place])
        raise BadInputError(f"benchmark {benchmark.name}: the id {first} occurs more than once: make the ids unique")
    for item in benchmark.items:
        if item.case is not None:
            check_case(item.case)


def _edit(
    contestants: Sequence[Contestant],
    benchmark: Benchmark,
    output: Path,
    seed: int,
    batch_size: int,
    controls: Sequence[InstructionControl],
    progress: Progress | None,
) -> list[_Arm]:
    """Let every editor edit the benchmark, and what the controls ask instead."""
    asked_for = {NO_CONTROL: benchmark} | {control.name: control.ask(benchmark) for control in controls}
    plan = [(c, name) for c in contestants for name in asked_for if not (name and "truth" in c.reads)]
    done, total = 0, sum(len(asked_for[name].items) for _, name in plan)

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    # An editor's models are loaded once, when there is the first edit to make.
    opened = {c.name: replace(c, open=cache(c.open)) for c in contestants}
    arms = []
    for number, (contestant, name) in enumerate(plan):
        path = output / "controls" / name / contestant.name if name else output / "edits" / contestant.name
        folder = open_edit_folder(path, contestant, benchmark.name, seed)
        failures = edit_benchmark(
            opened[contestant.name], asked_for[name], folder, seed=seed, batch_size=batch_size, progress=advance
        )
        arms.append(_Arm(contestant.name, name, folder, failures))
        if all(later is not contestant for later, _ in plan[number + 1 :]):
            # One editor at a time is in memory.
            del opened[contestant.name]
    return arms


def _score(
    scorer: MetricScorer,
    benchmark: Benchmark,
    output: Path,
    arms: Sequence[_Arm],
    trivial: TrivialPictures | None,
    seed: int,
    batch_size: int,
) -> tuple[list[list[dict[str, Any]]], dict[str, Any]]:
    """Return each arm's rows, and of each item what doing nothing, the truth and trivial pictures score."""
    rows: list[list[dict[str, Any]]] = [[] for _ in arms]
    bounds: dict[str, Any] = {}
    nothing = ItemScores(values=dict.fromkeys(metric.name for metric in scorer.metrics))
    for batch in batches(benchmark.items, batch_size):
        readable = _opened(batch, [arm.failures for arm in arms])
        for pictures in readable:
            _keep_shown(output, pictures)
        edited = {str(number): [arm.folder.read(p.item.id) for p in readable] for number, arm in enumerate(arms)}
        scored, own_bounds = scorer.score(
            readable,
            edited,
            [trivial.of(p) for p in readable] if trivial else None,
            [str(number) for number, arm in enumerate(arms) if arm.control],
        )
        asked = {p.item.id: asked_hash(p, seed_of(p.item.id, seed)) for p in readable}
        for pictures, bound in zip(readable, own_bounds, strict=True):
            if any(bound.values()):
                bounds[pictures.item.id] = {name: _plain_scores(values) for name, values in bound.items()}
        for number, arm in enumerate(arms):
            by_id = {p.item.id: scores for p, scores in zip(readable, scored[str(number)], strict=True)}
            for item in batch:
                row = _row(arm.editor, item, by_id.get(item.id, nothing), arm.failures.get(item.id), seed)
                words = arm.folder.words.get(item.id)
                rows[number].append({**row, "asked": asked.get(item.id), **({"words": words} if words else {})})
    return rows, bounds


def _opened(batch: Sequence[BenchmarkItem], failures: Sequence[dict[str, Failure]]) -> list[ItemPictures]:
    readable = []
    for item in batch:
        try:
            readable.append(open_pictures(item))
        except BadInputError as error:
            for found in failures:
                found.setdefault(item.id, Failure("unreadable-input", str(error)))
    return readable


def _row(editor: str, item: BenchmarkItem, scores: ItemScores, failure: Failure | None, seed: int) -> dict[str, Any]:
    verdict = scores.verdict
    truth: dict[str, Any] = {} if item.case is None else {"rule": item.case.rule}
    if verdict is not None:
        truth |= {"nearest": verdict.nearest, "error": round(verdict.error, 4)}
    return {
        "editor": editor,
        "id": item.id,
        "group": item.group,
        "turn": item.turn,
        "category": item.category,
        "branch": item.branch,
        **({"parts": dict(item.parts)} if item.parts else {}),
        "instruction": item.instruction,
        "seed": seed_of(item.id, seed),
        "failure": None if failure is None else failure.reason,
        "detail": "" if failure is None else failure.detail,
        **truth,
        "scores": _plain_scores(scores.values),
        **({"undefined": scores.undefined} if scores.undefined else {}),
    }


def _plain_scores(scores: Mapping[str, float | None]) -> dict[str, float | str | None]:
    return {name: _plain(value) for name, value in scores.items()}


def _plain(value: float | None) -> float | str | None:
    """Return a score as JSON has it: an infinite PSNR is ``"inf"``, what is no number is None."""
    if value is None or math.isnan(value):
        return None
    return "inf" if math.isinf(value) else round(value, 8)


def _described(benchmark: Benchmark, seed: int, facts: Mapping[str, object]) -> dict[str, Any]:
    return {
        "name": benchmark.name,
        "title": benchmark.title,
        "num_items": len(benchmark.items),
        "missing": [asdict(entry) for entry in benchmark.missing],
        "extra": list(benchmark.extra),
        "reference": benchmark.reference,
        "facts": {**benchmark.facts, **facts},
        "seed": seed,
    }


def _costs(contestant: Contestant, folder: EditFolder) -> dict[str, Any]:
    return {
        "description": contestant.description,
        "reads": [part.replace("_", " ") for part in contestant.reads if part.endswith("caption")],
        "seconds_per_edit": folder.seconds / folder.num_timed if folder.num_timed else None,
        "peak_memory_mb": folder.peak_memory_mb or None,
        "settings": dict(contestant.settings),
    }


def _keep_shown(output: Path, pictures: ItemPictures) -> None:
    for room, picture in (("inputs", pictures.input_image), ("truths", pictures.truth)):
        path = output / room / f"{pictures.item.id}.png"
        if picture is None:
            path.unlink(missing_ok=True)
            continue
        shown = picture.copy()
        shown.thumbnail((SHOWN_SIZE, SHOWN_SIZE), Image.Resampling.LANCZOS)
        data = encode_png(shown)
        # What the benchmark's folder had when it was asked before may have been mended.
        if not (path.is_file() and path.read_bytes() == data):
            with atomic_file(path) as file:
                file.write(data)
