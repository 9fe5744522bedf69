"""Which of the papers' claims hold here."""

from typing import Any

import dagster as dg
from pydantic import Field

from dagster_project.defs.resources import Foundry
from dagster_project.failures import failing_in_one_line
from dagster_project.metadata import OWNERS
from dagster_project.progress import log_progress
from dagster_project.stage_asset import GPU_POOL


class ClaimsConfig(dg.Config):
    """Which claims to test."""

    only: list[str] = Field(default=[], description="Names of claims, as `editfoundry claims --list` has them; all.")


@dg.asset(group_name="reports", owners=OWNERS, kinds={"html", "json"}, pool=GPU_POOL, deps=["editworld"])
def claims_report(context: dg.AssetExecutionContext, config: ClaimsConfig, foundry: Foundry) -> dg.MaterializeResult:
    """Each claim of the papers, tested anew: effect, interval, verdict. Takes about an hour; not part of retraining."""
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
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.url((output / "ledger.html").as_uri()),
            "profile": ledger["profile"],
            "num_claims": len(ledger["rows"]),
            "verdicts": dg.MetadataValue.table([dg.TableRecord(_verdict(row)) for row in ledger["rows"]]),
        }
    )


def _verdict(row: dict[str, Any]) -> dict[str, Any]:
    effect = {f"effect_{end}": row["effect"][end] for end in ("value", "low", "high")}
    return {"claim": row["name"], "paper": row["paper"], "verdict": row["verdict"], **effect}
