"""Writes the reports of a run folder, or of several runs behind one cover, beside their metrics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.made_by import MadeBy
from editfoundry.evaluation.reports.content import gather
from editfoundry.evaluation.reports.cover import Cover
from editfoundry.evaluation.reports.grid import grid_png
from editfoundry.evaluation.reports.html import render_html
from editfoundry.evaluation.reports.markdown import render_markdown
from editfoundry.evaluation.reports.page import write_text
from editfoundry.evaluation.reports.run_results import SEVERAL, Run, read_run
from editfoundry.evaluation.reports.shown_samples import draw_items, first_of_each_row


def write_reports(folder: Path, seed: int = 0) -> None:
    """Write ``summary.json``, ``report.md``, ``report.html`` and ``grid.png`` of a run folder, each atomically.

    Args:
        folder: with ``metrics.json``, ``edits/`` and, for the pictures, ``inputs/`` and ``truths/``.
        seed: of the resampling, and of the draw of the items that are shown.

    Raises:
        BadInputError: there are no metrics, or they are malformed.
    """
    run = read_run(folder)
    report = gather(run, seed)
    write_json(folder / "summary.json", report.summary)
    write_text(folder / "report.md", render_markdown(report))
    write_text(folder / "report.html", render_html([report], run.made))
    if shown := first_of_each_row(draw_items(run, seed)):
        grid_png(folder / "grid.png", run, shown)


def write_covered_report(output: Path, runs: Sequence[Run], cover: Cover, made: MadeBy, seed: int = 0) -> None:
    """Write ``summary.json`` and ``report.html`` of several benchmarks into one folder.

    Args:
        output: gets the files; ``summary.json`` holds a run's summary under each benchmark's name.
        runs: the first is the headline.
        cover: what there is to say of the editors besides their scores.
        made: said at the head.
        seed: of the resampling and of the draw.
    """
    reports = [gather(run, seed) for run in runs]
    write_json(output / "summary.json", {SEVERAL: {report.run.name: report.summary for report in reports}})
    write_text(output / "report.html", render_html(reports, made, cover))
