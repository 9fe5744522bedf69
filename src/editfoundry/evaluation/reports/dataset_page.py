"""A data set's statistics as an HTML page and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from editfoundry.evaluation.cases import order_categories
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.reports.dataset_statistics import dataset_statistics
from editfoundry.evaluation.reports.page import render_page, series_css, write_text


def write_dataset_report(folder: Path, output: Path, branches: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Write ``dataset.html`` and ``dataset.json`` of a data set into ``output`` and return what the latter holds.

    Args:
        folder: of a data set with splits, or of shards.
        output: folder of both files.
        branches: as of `dataset_statistics`.

    Raises:
        BadInputError: as of `dataset_statistics`.
    """
    statistics = {"dataset": folder.resolve().name, **dataset_statistics(folder, branches)}
    write_json(output / "dataset.json", statistics)
    write_text(output / "dataset.html", render_dataset(statistics))
    return statistics


def render_dataset(statistics: Mapping[str, Any]) -> str:
    """Return the page; ``statistics`` as ``dataset.json`` holds them."""
    branches = statistics["branches"]
    colours = {branch: series_css(place + 1) for place, branch in enumerate(branches)}
    return render_page(
        "dataset.html.j2",
        {
            "statistics": statistics,
            "colours": colours,
            "whole": _bars(branches, colours),
            "tasks": _bars(statistics["tasks"], colours),
            "splits": {split: _bars(own, colours) for split, own in statistics["by_split"].items()},
            "branch_totals": {branch: sum(counts.values()) for branch, counts in branches.items()},
            "keywords": _keywords(statistics["keywords"]),
        },
    )


def _bars(branches: Mapping[str, Mapping[str, int]], colours: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return one row for each category: its branches' parts as shares of the longest row."""
    categories = order_categories(category for counts in branches.values() for category in counts)
    totals = {c: sum(counts.get(c, 0) for counts in branches.values()) for c in categories}
    longest, whole = max(totals.values(), default=1), sum(totals.values()) or 1
    return [
        {
            "label": category,
            "parts": [
                (colours[branch], 100 * counts[category] / longest, f"{branch}: {counts[category]:,}")
                for branch, counts in branches.items()
                if category in counts
            ],
            "text": f"{totals[category]:,} · {100 * totals[category] / whole:.1f} %",
        }
        for category in categories
    ]


def _keywords(keywords: list[dict[str, Any]]) -> list[dict[str, Any]]:
    most = max((k["n"] for k in keywords), default=1)
    return [
        {
            "label": k["word"],
            "parts": [("s1", 100 * k["n"] / most, f"{k['n']:,}")],
            "text": f"{k['n']:,} · {100 * k['share']:.1f} %",
        }
        for k in keywords
    ]
