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
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.cases import seed_of
from editfoundry.evaluation.contestants import Contestant
from editfoundry.evaluation.edit_folder import EditFolder, open_edit_folder
from editfoundry.evaluation.editing_pass import Failure, edit_benchmark
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.metrics.edits import ItemPictures, open_pictures
from editfoundry.evaluation.metrics.metric import Scores
from editfoundry.evaluation.metrics.models import MetricModels
from editfoundry.evaluation.metrics.scoring import Scorer, batches
from editfoundry.tinyworld.outcome import check_case

STAGE = "evaluation"
METRICS_FILE = "metrics.json"
RESERVED_NAMES = ("benchmark", "title", "num_items", "editors", "metrics", "paired", "failures", "seed")
"""Keys of ``summary.json``, which no editor may be called."""
SHOWN_SIZE = 256
"""Pixels to the longer side of the inputs and truths that are kept for the report."""

Progress = Callable[[int, int], None]


def run_benchmark(
    contestants: Sequence[Contestant],
    benchmark: Benchmark,
    output: Path,
    *,
    models: MetricModels,
    seed: int = 0,
    batch_size: int = 16,
    facts: Mapping[str, object] | None = None,
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
        seed: of the noise and of the captions that CLIP-R-Precision chooses from.
        batch_size: edits made, and scored, at once.
        facts: further entries of ``metrics.json``'s section ``benchmark.facts``.
        progress: called with edits done and edits in all.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        BadInputError: no editor, two of one name, a name that cannot name a folder, a tinyworld case that cannot be
            answered, or ``output`` holds something else.
    """
    check_contestants(contestants)
    for item in benchmark.items:
        if item.case is not None:
            check_case(item.case)
    claim_output(output, STAGE)
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
    scorer = Scorer(models, benchmark, seed)
    rows = _score(scorer, benchmark, output, folders, failures, seed, batch_size)
    metrics = {
        "benchmark": _described(benchmark, seed, facts or {}),
        "metrics": scorer.described(),
        "editors": {c.name: _costs(c, folders[c.name]) for c in contestants},
        "items": [row for name in folders for row in rows[name]],
    }
    write_json(output / METRICS_FILE, metrics)
    return metrics


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


def _score(
    scorer: Scorer, benchmark: Benchmark, output: Path, folders: Mapping[str, EditFolder],
    failures: Mapping[str, dict[str, Failure]], seed: int, batch_size: int,
) -> dict[str, list[dict[str, Any]]]:  # fmt: skip
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in folders}
    for batch in batches(benchmark.items, batch_size):
        readable = _opened(batch, failures)
        for pictures in readable:
            _keep_shown(output, pictures)
        edited = {name: [folder.read(p.item.id) for p in readable] for name, folder in folders.items()}
        scored = scorer.score(readable, edited)
        for name in folders:
            by_id = {p.item.id: scores for p, scores in zip(readable, scored[name], strict=True)}
            rows[name] += [_row(name, item, by_id.get(item.id), failures[name].get(item.id), seed) for item in batch]
    nothing: Scores = dict.fromkeys(metric.name for metric in scorer.metrics)
    for row in (row for found in rows.values() for row in found):
        row["scores"] = row["scores"] or nothing
    return rows


def _opened(batch: Sequence[BenchmarkItem], failures: Mapping[str, dict[str, Failure]]) -> list[ItemPictures]:
    readable = []
    for item in batch:
        try:
            readable.append(open_pictures(item))
        except BadInputError as error:
            for found in failures.values():
                found.setdefault(item.id, Failure("unreadable-input", str(error)))
    return readable


def _row(editor: str, item: BenchmarkItem, scores: Scores | None, failure: Failure | None, seed: int) -> dict[str, Any]:
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
        "scores": {} if scores is None else {name: _plain(value) for name, value in scores.items()},
    }


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
