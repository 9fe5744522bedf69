"""The gate between the candidate and the champion."""

from typing import TYPE_CHECKING

import dagster as dg

from dagster_project.defs.reports.shown_report import WEEKLY
from dagster_project.defs.resources import DvcRepository, Foundry
from dagster_project.failures import failing_in_one_line
from dagster_project.links import mlflow_run_link, report_link
from dagster_project.metadata import OWNERS, table
from dagster_project.stage_asset import EAGER
from editfoundry.errors import BadInputError

if TYPE_CHECKING:
    from editfoundry.retraining.comparison import EditorComparison
    from editfoundry.retraining.gate import GateDecision

DIFFERENCE_COLUMNS = {
    "benchmark": "On which both were evaluated.",
    "gain": "In the share of right edits, candidate minus opponent, the mean over the cases.",
    "low": "Lower end of its 95 % interval.",
    "high": "Upper end of its 95 % interval.",
    "n": "How many cases.",
}
"""Column of `difference_row` -> what it holds."""


@dg.asset(
    group_name="reports",
    owners=OWNERS,
    kinds={"mlflow"},
    deps=["editworld", "editworld_report"],
    automation_condition=EAGER,
    freshness_policy=WEEKLY,
)
def champion_gate(context: dg.AssetExecutionContext, foundry: Foundry, dvc: DvcRepository) -> dg.MaterializeResult:
    """The editor as a version in MLflow: `candidate`, and `champion` if it is better with 95 % confidence."""
    from editfoundry.retraining.gate import pass_gate
    from editfoundry.tracking.mlflow_client import tracking_uri_of

    with failing_in_one_line(context, foundry):
        decision = pass_gate(foundry.params, foundry.folder)
    verdict = "promoted" if decision.promoted else "not promoted"
    sentence = f"version {decision.candidate.version} is {verdict}: {decision.reason}"
    (context.log.info if decision.promoted else context.log.warning)(sentence)
    rows = [difference_row(comparison) for comparison in decision.comparisons]
    return dg.MaterializeResult(
        metadata={
            "decision": sentence,
            "version": decision.candidate.version,
            "promoted": decision.promoted,
            "reason": decision.reason,
            "opponent": decision.opponent,
            "regressions": [str(comparison) for comparison in decision.regressions],
            "differences": table(rows, DIFFERENCE_COLUMNS),
            "report": report_link(foundry.paths.editworld_report / "report.html", foundry.folder),
            "mlflow_run": mlflow_run_link(decision.run_id, foundry.folder),
            "lock_tag": _commit_lock(context, foundry, dvc, decision),
            "registry": tracking_uri_of(foundry.folder),
            **{name: value for name, value in decision.candidate.tags.items() if name in ("data_hash", "profile")},
        }
    )


def _commit_lock(
    context: dg.AssetExecutionContext, foundry: Foundry, dvc: DvcRepository, decision: "GateDecision"
) -> str:
    """Return the Git tag of the version's ``dvc.lock``, or why there is none; the decision stands in any case."""
    from editfoundry.tracking.model_registry import MODEL_NAME

    version = decision.candidate.version
    message = f"{MODEL_NAME} {version}: {decision.reason}"
    try:
        tag = dvc.commit_lock(foundry.folder, f"{MODEL_NAME}-{version}", message)
    except BadInputError as error:
        context.log.warning(str(error))
        return f"none: {error}"
    return tag or "none: no branch is configured for it"


def difference_row(comparison: "EditorComparison") -> dict[str, str | float | int | None]:
    """Return a benchmark's difference to the opponent as one flat row, with its 95 % interval."""
    gain = comparison.difference
    return {"benchmark": comparison.benchmark, "gain": gain.value, "low": gain.low, "high": gain.high, "n": gain.n}
