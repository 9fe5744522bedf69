"""Which of the papers' claims hold here: a job of its own, for it takes hours on a CPU.

The asset stands in the lineage, but no "Materialize all" makes it.
"""

from typing import Any

import dagster as dg
from pydantic import Field

from dagster_project.defs.resources import Foundry
from dagster_project.failures import failing_in_one_line
from dagster_project.links import report_link
from dagster_project.metadata import OWNERS, table
from dagster_project.progress import log_progress
from dagster_project.stage_asset import GPU_POOL

VERDICT_COLUMNS = {
    "claim": "Its name, as `editfoundry claims --only` takes it.",
    "verdict": "Whether it holds here.",
    "effect": "What was measured.",
    "low": "Lower end of its 95 % interval.",
    "high": "Upper end of its 95 % interval.",
}

claims_report = dg.AssetSpec(
    "claims_report",
    group_name="reports",
    description="Each claim of the papers, tested anew: effect, interval, verdict. Made by the job `claims`, in "
    "hours on a CPU.",
    owners=OWNERS,
    kinds={"html", "json"},
    deps=["editworld"],
)


class ClaimsConfig(dg.Config):
    """Which claims to test."""

    only: list[str] = Field(default=[], description="Names of claims, as `editfoundry claims --list` has them; all.")


@dg.op(pool=GPU_POOL, out=dg.Out(dg.Nothing))
def work_on_claims(context: dg.OpExecutionContext, config: ClaimsConfig, foundry: Foundry) -> None:
    """Test the claims and write their ledger."""
    from editfoundry.claims.ledger import run_ledger

    output = foundry.folder / "reports" / "claims"
    progress = log_progress(context.log.info)
    with failing_in_one_line(context, foundry):
        ledger = run_ledger(
            output,
            foundry.params,
            only=config.only,
            work_dir=foundry.folder / ".cache" / "claims",
            editor=foundry.paths.editworld,
            progress=lambda claim, done, total: progress(done, total),
        )
    metadata = {
        "report": report_link(output / "ledger.html", foundry.folder),
        "profile": ledger["profile"],
        "num_claims": len(ledger["rows"]),
        "verdicts": table(map(_verdict, ledger["rows"]), VERDICT_COLUMNS),
    }
    context.log_event(dg.AssetMaterialization(claims_report.key, metadata=metadata))


@dg.job(description="The papers' claims, tested anew; hours on a CPU.")
def claims() -> None:
    """Test the papers' claims."""
    work_on_claims()


def _verdict(row: dict[str, Any]) -> dict[str, Any]:
    effect = row["effect"]
    return {
        "claim": row["name"],
        "verdict": row["verdict"],
        "effect": effect["value"],
        "low": effect["low"],
        "high": effect["high"],
    }
