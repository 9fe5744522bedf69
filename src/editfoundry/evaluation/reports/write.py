"""Writes a run folder's reports beside its metrics."""

from __future__ import annotations

from pathlib import Path

from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.reports.content import gather
from editfoundry.evaluation.reports.html import render_html
from editfoundry.evaluation.reports.markdown import render_markdown
from editfoundry.evaluation.reports.page import write_text
from editfoundry.evaluation.reports.run import read_run


def write_reports(folder: Path, seed: int = 0) -> None:
    """Write ``summary.json``, ``report.md`` and ``report.html`` of a run folder, each atomically.

    Args:
        folder: with ``metrics.json``, ``edits/`` and, for the pictures, ``inputs/`` and ``truths/``.
        seed: of the resampling, and of the draw of the items that are shown.

    Raises:
        BadInputError: there are no metrics, or they are malformed.
    """
    report = gather(read_run(folder), seed)
    write_json(folder / "summary.json", report.summary)
    write_text(folder / "report.md", render_markdown(report))
    write_text(folder / "report.html", render_html(report))
