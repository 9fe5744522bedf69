"""The command that looks for a benchmark in training data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from editfoundry.cli.app import app
from editfoundry.cli.shared import JsonOption

NUM_SHOWN = 20
"""Leaks that are listed; ``--json`` has all."""


@app.command("check-leaks")
def check_leaks(
    benchmark: Annotated[str, typer.Option(help="Name of the benchmark, as of editfoundry evaluate.")],
    dataset: Annotated[Path, typer.Option(help="Data set whose train split, or folder whose shards, are searched.")],
    benchmark_folder: Annotated[
        Path | None, typer.Option(help="Where the benchmark lies; tinyworld's need none.")
    ] = None,
    num_items: Annotated[int | None, typer.Option(min=1, help="Items, as of editfoundry evaluate.")] = None,
    seed: Annotated[int, typer.Option(help="Of the draw of the items.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Look for a benchmark's pictures and texts in training data; exit 1 where it leaks. Example: editfoundry check-leaks --benchmark tinyworld-world --dataset data/dataset."""  # noqa: E501
    from editfoundry.evaluation.benchmark_leaks import SHARED_TEXTS, find_benchmark_leaks
    from editfoundry.evaluation.benchmarks.reading import read_benchmark

    items = read_benchmark(benchmark, benchmark_folder, num_items=num_items, seed=seed).items
    report = find_benchmark_leaks(items, dataset)
    if as_json:
        print(json.dumps(report.to_dict()))
    else:
        for leak in report.leaks[:NUM_SHOWN]:
            print(f"{leak.kind}: {leak.item_id} is in triplet {leak.triplet_id} ({leak.detail})")
        if len(report.leaks) > NUM_SHOWN:
            print(f"... and {len(report.leaks) - NUM_SHOWN} more; --json lists all")
        counts = {kind: sum(leak.kind == kind for leak in report.shared_texts) for kind in SHARED_TEXTS}
        shared = ", ".join(f"{kind} {count}" for kind, count in counts.items() if count) or "none"
        print(f"items: {report.num_items}, triplets: {report.num_triplets}, leaks: {len(report.leaks)}")
        print(f"items that share a text alone, which is no leak: {shared}")
    if not report.is_clean:
        raise typer.Exit(1)
