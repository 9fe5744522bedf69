"""Runs editors on a benchmark: edits, then scores, then ``metrics.json``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from editfoundry.data.atomic import atomic_file
from editfoundry.data.output_folder import claim_output
from editfoundry.data.png import encode_png
from editfoundry.errors import BadInputError
from editfoundry.evaluation.asked_hash import asked_hash
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.cases import seed_of
from editfoundry.evaluation.contestants import Contestant
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
        output: gets ``edits/<editor>/<item>.png``, ``inputs/``, ``truths/`` and ``metrics.json``.
        models: of the metrics.
        metrics: names of the metrics to measure; by default all that the benchmark can have.
        seed: of the noise and of the captions that CLIP-R-Precision chooses from.
        batch_size: edits made, and scored, at once.
        facts: further entries of ``metrics.json``'s section ``benchmark.facts``.
        made: which command makes this; by default the time alone is noted.
        progress: called with edits done and edits in all.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        BadInputError: no editor, two of one name, a name that cannot name a folder, no item, an id twice, no such
            metric, a tinyworld case that cannot be answered, or ``output`` holds something else.
        UnavailableError: another run is at work on ``output``.
    """
    check_contestants(contestants)
    _check_items(benchmark)
    scorer = MetricScorer(models, benchmark, seed, metrics)
    with output_lock(output, STAGE):
        claim_output(output, STAGE)
        folders, failures = _edit(contestants, benchmark, output, seed, batch_size, progress)
        rows, bounds = _score(scorer, benchmark, output, folders, failures, seed, batch_size)
        measured = {
            "made": asdict(made or made_now()),
            "benchmark": _described(benchmark, seed, facts or {}),
            "metrics": scorer.described(),
            "editors": {c.name: _costs(c, folders[c.name]) for c in contestants},
            "bounds": bounds,
            "items": [row for name in folders for row in rows[name]],
        }
        write_json(output / METRICS_FILE, measured)
    return measured


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
    progress: Progress | None,
) -> tuple[dict[str, EditFolder], dict[str, dict[str, Failure]]]:
    """Let one editor after the other edit; return each one's folder, and what failed of which item."""
    folders: dict[str, EditFolder] = {}
    failures: dict[str, dict[str, Failure]] = {}
    done, total = 0, len(contestants) * len(benchmark.items)

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    for contestant in contestants:
        folder = open_edit_folder(output / "edits" / contestant.name, contestant, benchmark.name, seed)
        failures[contestant.name] = edit_benchmark(
            contestant, benchmark, folder, seed=seed, batch_size=batch_size, progress=advance
        )
        folders[contestant.name] = folder
    return folders, failures


def _score(
    scorer: MetricScorer,
    benchmark: Benchmark,
    output: Path,
    folders: Mapping[str, EditFolder],
    failures: Mapping[str, dict[str, Failure]],
    seed: int,
    batch_size: int,
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """Return each editor's rows, and of each item what doing nothing and the true outcome score."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in folders}
    bounds: dict[str, Any] = {}
    nothing = ItemScores(values=dict.fromkeys(metric.name for metric in scorer.metrics))
    for batch in batches(benchmark.items, batch_size):
        readable = _opened(batch, failures)
        for pictures in readable:
            _keep_shown(output, pictures)
        edited = {name: [folder.read(p.item.id) for p in readable] for name, folder in folders.items()}
        scored, own_bounds = scorer.score(readable, edited)
        asked = {p.item.id: asked_hash(p, seed_of(p.item.id, seed)) for p in readable}
        for pictures, bound in zip(readable, own_bounds, strict=True):
            if any(bound.values()):
                bounds[pictures.item.id] = {name: _plain_scores(values) for name, values in bound.items()}
        for name in folders:
            by_id = {p.item.id: scores for p, scores in zip(readable, scored[name], strict=True)}
            for item in batch:
                failure = failures[name].get(item.id)
                row = _row(name, item, by_id.get(item.id, nothing), failure, seed)
                rows[name].append({**row, "asked": asked.get(item.id)})
    return rows, bounds


def _opened(batch: Sequence[BenchmarkItem], failures: Mapping[str, dict[str, Failure]]) -> list[ItemPictures]:
    readable = []
    for item in batch:
        try:
            readable.append(open_pictures(item))
        except BadInputError as error:
            for found in failures.values():
                found.setdefault(item.id, Failure("unreadable-input", str(error)))
    return readable


def _row(editor: str, item: BenchmarkItem, scores: ItemScores, failure: Failure | None, seed: int) -> dict[str, Any]:
    truth = {} if item.case is None else {"rule": item.case.rule, "nearest": scores.nearest}
    return {
        "editor": editor,
        "id": item.id,
        "group": item.group,
        "turn": item.turn,
        "category": item.category,
        "branch": item.branch,
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
        if picture is None or path.is_file():
            continue
        shown = picture.copy()
        shown.thumbnail((SHOWN_SIZE, SHOWN_SIZE), Image.Resampling.LANCZOS)
        with atomic_file(path) as file:
            file.write(encode_png(shown))
