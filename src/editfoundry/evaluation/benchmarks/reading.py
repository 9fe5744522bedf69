"""Benchmarks by name."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from editfoundry.data.record import short_hash
from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmarks import all_benchmarks
from editfoundry.evaluation.benchmarks.definition import BenchmarkDefinition
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem


def benchmark_definition(name: str) -> BenchmarkDefinition:
    """Return what is known of a benchmark before it is read.

    Raises:
        BadInputError: there is none of that name.
    """
    known = {definition.name: definition for definition in all_benchmarks.BENCHMARKS}
    if name not in known:
        raise BadInputError(f"no benchmark {name!r}: use {', '.join(known)}")
    return known[name]


def read_benchmark(
    name: str, folder: Path | None = None, *, num_items: int | None = None, seed: int = 0, side: int | None = None
) -> Benchmark:
    """Return a benchmark with its pictures checked.

    Args:
        name: of one of ``all_benchmarks.BENCHMARKS``.
        folder: where it lies; one that is drawn needs none.
        num_items: at most so many items, drawn by seed and spread over the categories, sessions whole; default all.
        seed: of the draw.
        side: pixels to a side of pictures that are drawn; default the benchmark's own.

    Raises:
        BadInputError: no such benchmark or folder, a folder of another layout, or no item that can be asked for.
    """
    definition = benchmark_definition(name)
    if definition.draw is not None:
        if folder is not None:
            raise BadInputError(f"{name} is drawn, not read: leave the benchmark folder out")
        return definition.draw(num_items, seed, side)
    if folder is None or not folder.is_dir() or definition.read is None:
        where = "give the folder it lies in" if folder is None else f"there is no folder {folder}"
        raise BadInputError(f"benchmark {name}: {where} (--benchmark-folder)")
    benchmark = definition.read(folder)
    if not benchmark.items:
        reasons = "; ".join(f"{entry.id}: {entry.what}: {entry.reason}" for entry in benchmark.missing[:2])
        raise BadInputError(f"{folder}: no item of {name} can be asked for ({reasons or 'it lists none'})")
    if num_items is None or num_items >= len(benchmark.items):
        return benchmark
    chosen = _spread(benchmark.items, num_items, seed)
    return dataclasses.replace(
        benchmark, items=chosen, facts={**benchmark.facts, "drawn": f"{len(chosen)} of {len(benchmark.items)}"}
    )


def _spread(items: Sequence[BenchmarkItem], count: int, seed: int) -> tuple[BenchmarkItem, ...]:
    """Draw whole groups, the categories taking turns, until ``count`` items are reached; in the benchmark's order."""
    if count < 1:
        raise BadInputError(f"{count} items were asked for; ask for at least one")
    groups: defaultdict[str, list[BenchmarkItem]] = defaultdict(list)
    for item in items:
        groups[item.group].append(item)
    turns: defaultdict[str, int] = defaultdict(int)
    ranked: list[tuple[int, int, str]] = []
    for name in sorted(groups, key=lambda group: short_hash("items", str(seed), group)):
        category = groups[name][0].branch + groups[name][0].category
        ranked.append((turns[category], len(ranked), name))
        turns[category] += 1
    chosen: set[str] = set()
    total = 0
    for _, _, name in sorted(ranked):
        if total and total + len(groups[name]) > count:
            continue
        chosen.add(name)
        total += len(groups[name])
    return tuple(item for item in items if item.group in chosen)
