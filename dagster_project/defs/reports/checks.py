"""The report is whole: every number with its interval, and one file that needs nothing else."""

import json

import dagster as dg

from dagster_project.defs.resources import Foundry
from dagster_project.scores import missing_scores

EXTERNAL = ('src="http', "src='http", '<link rel="stylesheet"')


@dg.asset_check(asset="editworld_report", name="report_is_complete", blocking=True)
def report_is_complete(foundry: Foundry) -> dg.AssetCheckResult:
    """Both files are there, no score is missing, and the page loads nothing from elsewhere."""
    folder = foundry.paths.editworld_report
    absent = [name for name in ("summary.json", "report.html") if not (folder / name).is_file()]
    if absent:
        return dg.AssetCheckResult(passed=False, description=f"not there: {', '.join(absent)}")
    missing = missing_scores(json.loads((folder / "summary.json").read_text()))
    page = (folder / "report.html").read_text()
    external = [mark for mark in EXTERNAL if mark in page]
    return dg.AssetCheckResult(
        passed=not missing and not external and "<html" in page,
        description="; ".join([*missing[:5], *external]) or None,
        metadata={"num_missing": len(missing), "kilobytes": len(page) // 1000},
    )
