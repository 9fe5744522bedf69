"""The report is whole, one file that needs nothing else; and the candidate is nowhere worse than the champion."""

import dagster as dg

from dagster_project.counts_check import recorded_counts
from dagster_project.defs.resources import Foundry
from dagster_project.scores import missing_scores
from editfoundry.lineage.stages import STAGES

COMPLETE = "Both files are there, no score is missing, and the page loads nothing from elsewhere."
EXTERNAL = ('src="http', "src='http", '<link rel="stylesheet"')


def report_is_complete(asset: str) -> dg.AssetChecksDefinition:
    """Return the blocking check of a report that it is whole, and needs nothing from elsewhere."""

    @dg.asset_check(asset=asset, name="report_is_complete", description=COMPLETE, blocking=True)
    def check(foundry: Foundry) -> dg.AssetCheckResult:
        from editfoundry.evaluation.lineage_report import headline_summary

        folder = getattr(foundry.paths, asset)
        absent = [name for name in ("summary.json", "report.html") if not (folder / name).is_file()]
        if absent:
            return dg.AssetCheckResult(passed=False, description=f"not there: {', '.join(absent)}")
        missing = missing_scores(headline_summary(folder))
        page = (folder / "report.html").read_text()
        external = [mark for mark in EXTERNAL if mark in page]
        return dg.AssetCheckResult(
            passed=not missing and not external and "<html" in page,
            description="; ".join([*missing[:5], *external]) or None,
            metadata={"num_missing": len(missing), "kilobytes": len(page) // 1000},
        )

    return check


@dg.asset_check(asset="champion_gate", name="no_regression", blocking=False)
def no_regression(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """On no benchmark is the candidate worse than the champion (without one: than the base), with 95 % confidence.

    A refused candidate is no fault of the run: the champion stays, and the check warns with the gate's sentence.
    """
    recorded = recorded_counts(context.instance, "champion_gate")
    regressions = list(recorded.get("regressions", ["never materialized here"]))
    return dg.AssetCheckResult(
        passed=not regressions,
        severity=dg.AssetCheckSeverity.WARN,
        description=str(recorded.get("decision", "")) or "; ".join(regressions) or None,
    )


@dg.definitions
def report_checks() -> dg.Definitions:
    """Make the check of every line's report, and the gate's."""
    names = [stage.name for stage in STAGES if stage.group == "reports"]
    return dg.Definitions(asset_checks=[*(report_is_complete(name) for name in names), no_regression])
