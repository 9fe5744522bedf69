"""A run's report as Markdown: the same tables, pictures by their paths in the run folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from editfoundry.evaluation.bootstrap import NUM_RESAMPLES
from editfoundry.evaluation.reports.content import MAX_LISTED, RunReport
from editfoundry.evaluation.reports.inlined_pictures import picture_path
from editfoundry.evaluation.reports.report_tables import Cell, Table


def render_markdown(report: RunReport) -> str:
    """Return the report's Markdown; equal reports give equal text."""
    run = report.run
    lines = [f"# {plain(report.summary['title'])}", "", *_made(report), _subtitle(report), ""]
    if report.caveats:
        lines += ["**Before reading the figures:**", "", *(f"- {plain(text)}" for text in report.caveats), ""]
    lines += table_lines(report.overview, "##")
    for table in (report.controls, report.attributes, report.trivial):
        lines += [] if table is None else table_lines(table, "##")
    for section in report.metrics:
        lines += table_lines(section.scores, "##")
        if section.differences is not None:
            lines += table_lines(section.differences, "###")
    lines += [*table_lines(report.costs, "##"), *_drawn(report), *_failures(report), *_metrics(run.metrics)]
    for table in report.elsewhere:
        lines += [*table_lines(table, "## On another benchmark, not comparable:")]
    return "\n".join(lines).rstrip() + "\n"


def table_lines(table: Table, heading: str) -> list[str]:
    """Return a table with its heading as lines of Markdown."""
    first_published = len(table.columns) - table.num_published
    columns = [f"{c} (paper)" if i >= first_published else c for i, c in enumerate(table.columns)]
    lines = [f"{heading} {plain(table.title)}", "", _line(["", *map(plain, columns)])]
    lines.append(_line(["---", *["---:"] * len(columns)]))
    for row in table.rows:
        label = plain(f"{row.label} ({row.note})" if row.note else row.label)
        lines.append(_line([f"**{label}**" if row.kind == "all" else label, *map(cell_text, row.cells)]))
    return [*lines, "", *(plain(note) for note in table.notes), *([""] if table.notes else [])]


def cell_text(cell: Cell) -> str:
    """Return a figure, its interval in brackets and its n."""
    if cell.n is None or cell.n == 0:
        return cell.text if cell.n is None else f"{cell.text} (n 0)"
    return f"{cell.text} [{cell.range}] (n {cell.n})" if cell.range else f"{cell.text} (n {cell.n})"


def plain(text: object) -> str:
    """Return one line that Markdown takes as text, also inside a table."""
    cleaned = " ".join(str(text).split())
    for sign in ("\\", "|", "<", ">", "*", "_", "`", "[", "]", "#"):
        cleaned = cleaned.replace(sign, f"\\{sign}")
    return cleaned


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _made(report: RunReport) -> list[str]:
    made = report.run.made
    known = [
        made.date,
        f"editfoundry {made.version}" if made.version else "",
        f"`{made.command}`" if made.command else "",
    ]
    return [", ".join(part for part in known if part), ""] if any(known) else []


def _subtitle(report: RunReport) -> str:
    return (
        f"Benchmark `{report.run.name}`, {report.summary['num_items']} items. "
        f"Means with 95 % percentile bootstrap intervals ({NUM_RESAMPLES:,} resamples, seed {report.summary['seed']}); "
        "n is the number of edits behind a mean. Differences are paired: over the items of both editors."
    )


def _drawn(report: RunReport) -> Iterator[str]:
    run = report.run
    yield from (f"## Drawn by the seed, not picked: {len(report.drawn)} of {report.num_items} shown", "")
    editors = list(run.editors)
    yield _line(["Item", "Instruction", "Input", *map(plain, editors)])
    yield _line(["---"] * (3 + len(editors)))
    for item in report.drawn:
        edits = [_edit(report, item.id, editor) for editor in editors]
        yield _line([plain(item.id), plain(item.instruction), _picture(report, "inputs", item.id), *edits])
    yield ""


def _edit(report: RunReport, item_id: str, editor: str) -> str:
    """Return an edit with the words that it was made by, where its editor says them."""
    item = report.run.items[editor].get(item_id)
    words = f" {plain(item.words)}" if item is not None and item.words else ""
    return _picture(report, "edits", item_id, editor) + words


def _picture(report: RunReport, kind: str, item_id: str, editor: str = "") -> str:
    path = picture_path(report.run.folder, kind, item_id, editor)
    if path.is_file():
        return f"![{kind[:-1]}](<{path.relative_to(report.run.folder).as_posix()}>)"
    item = report.run.items.get(editor, {}).get(item_id)
    return plain(item.failure) if item is not None and item.failure else "–"


def _failures(report: RunReport) -> Iterator[str]:
    missing = report.run.benchmark.get("missing") or ()
    if report.failed:
        yield from (f"## Failed edits ({report.num_failed})", "")
        yield from (f"- {plain(i.editor)}, {plain(i.id)}: {plain(i.failure)} {plain(i.detail)}" for i in report.failed)
        yield ""
    if missing:
        yield from (f"## Entries that could not be asked for ({len(missing)})", "")
        yield from (f"- {plain(m['id'])}: {plain(m['what'])}: {plain(m['reason'])}" for m in missing[:MAX_LISTED])
        yield ""


def _metrics(metrics: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield from ("## Metrics", "", _line(["Name", "Model", "Preprocessing", "Missing"]), _line(["---"] * 4))
    for name, facts in metrics.items():
        yield _line([f"`{name}`", *(plain(facts.get(key) or "–") for key in ("model", "preprocessing", "missing"))])
    yield ""
