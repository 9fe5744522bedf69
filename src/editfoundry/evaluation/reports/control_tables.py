"""The controls as tables: what editors get by another instruction, and what pictures get that no editor made.

Beside them, attribute by attribute, what was painted into holes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from editfoundry.evaluation.controls import INSTRUCTION_CONTROLS, REFERENCE_LABELS
from editfoundry.evaluation.metrics.asked_attributes import ASKED_ATTRIBUTES
from editfoundry.evaluation.reports.metric_text import column_title, value_text
from editfoundry.evaluation.reports.report_tables import Cell, Row, Table, difference_cell, mean_cell
from editfoundry.evaluation.reports.run_results import RIGHT
from editfoundry.evaluation.reports.run_summary import no_interval


def instruction_table(summary: Mapping[str, Any]) -> Table | None:
    """Return each editor's share of right edits by its own instruction, by the controls, and what is specific.

    None where no control was measured, or the truth is not known.
    """
    controls, facts = summary.get("controls"), summary["metrics"].get(RIGHT)
    if not controls or facts is None:
        return None
    editors = summary["editors"]
    own = tuple(mean_cell(facts, summary[editor]["overall"][RIGHT]) for editor in editors)
    rows = [Row(label="its own instruction", cells=own)]
    for control in INSTRUCTION_CONTROLS:
        measured = [controls["editors"][editor].get(control.name, {}).get(RIGHT, no_interval()) for editor in editors]
        rows.append(Row(label=control.label, cells=tuple(mean_cell(facts, interval) for interval in measured)))
    specific = [controls["specific"].get(editor, no_interval()) for editor in editors]
    rows.append(
        Row(
            label="specific: its own minus another's",
            kind="all",
            cells=tuple(difference_cell(facts, interval) for interval in specific),
        )
    )
    return Table(title="Right edits, asked for by", columns=tuple(editors), rows=tuple(rows))


def attribute_table(summary: Mapping[str, Any]) -> Table | None:
    """Return how often what was painted has each attribute that was asked for: by the own prompt, and by the controls.

    None where the benchmark asks for no attributes.
    """
    metrics = [metric.name for metric in ASKED_ATTRIBUTES if metric.name in summary["metrics"]]
    if not metrics:
        return None
    editors, controls = summary["editors"], (summary.get("controls") or {}).get("editors", {})
    columns: dict[str, Mapping[str, Any]] = {}
    for editor in editors:
        columns[editor] = summary[editor]["overall"]
        for control in INSTRUCTION_CONTROLS:
            if control.name in controls.get(editor, {}):
                columns[f"{editor}, {control.label}"] = controls[editor][control.name]
    rows = [
        Row(
            label=column_title(metric, summary["metrics"][metric]),
            cells=tuple(mean_cell(summary["metrics"][metric], m.get(metric, no_interval())) for m in columns.values()),
        )
        for metric in metrics
    ]
    return Table(title="What was painted, by attribute", columns=tuple(columns), rows=tuple(rows))


def trivial_table(summary: Mapping[str, Any]) -> Table | None:
    """Return what pictures score that no editor made, metric by metric, beside the editors and the truth.

    None where no control was measured.
    """
    bounds = summary["bounds"]
    names = [name for name in REFERENCE_LABELS if name in bounds]
    if "controls" not in summary or not names:
        return None
    rows = [
        Row(label=column_title(metric, facts), cells=_cells(facts, metric, names, bounds, summary))
        for metric, facts in summary["metrics"].items()
        if any(metric in bounds[name] for name in names)
    ]
    columns = (*(REFERENCE_LABELS[name] for name in names), *summary["editors"])
    return Table(title="What every metric gives to pictures that no editor made", columns=columns, rows=tuple(rows))


def _cells(
    facts: Mapping[str, Any],
    metric: str,
    names: Sequence[str],
    bounds: Mapping[str, Mapping[str, float]],
    summary: Mapping[str, Any],
) -> tuple[Cell, ...]:
    trivial = [Cell(text=value_text(facts, bounds[name].get(metric))) for name in names]
    own = [summary[editor]["overall"].get(metric, no_interval())["value"] for editor in summary["editors"]]
    return (*trivial, *(Cell(text=value_text(facts, value)) for value in own))
