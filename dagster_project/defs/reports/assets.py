"""What the fine-tuned editor is worth against the base it started from."""

import json

import dagster as dg

from dagster_project.defs.resources import Foundry
from dagster_project.metadata import OWNERS
from dagster_project.scores import headline, score_rows
from editfoundry import lineage


@dg.asset(group_name="reports", owners=OWNERS, kinds={"html", "json"}, deps=["dataset", "editworld"])
def editworld_report(foundry: Foundry) -> dg.MaterializeResult:
    """Outcome accuracy, CLIP score and preservation of base and fine-tuned editor, by category, with pictures."""
    folder = lineage.editworld_report(foundry.params, foundry.folder)
    summary = json.loads((folder / "summary.json").read_text())
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.path(folder / "report.html"),
            "folder": dg.MetadataValue.path(folder),
            **headline(summary),
            "scores": dg.MetadataValue.table([dg.TableRecord(row) for row in score_rows(summary)]),
        }
    )
