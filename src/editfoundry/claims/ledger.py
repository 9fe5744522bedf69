"""Tests claims and writes the ledger: ``ledger.json``, ``ledger.md`` and ``ledger.html``."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from editfoundry.claims.claim import Claim, Finding
from editfoundry.claims.pages import ledger_html, ledger_markdown
from editfoundry.claims.register import CLAIMS
from editfoundry.claims.shown_arms import PICTURES, keep_pictures
from editfoundry.claims.workbench import Workbench
from editfoundry.data.output_folder import claim_output
from editfoundry.data.untrusted import read_json
from editfoundry.errors import BadInputError, MissingModelError, one_line
from editfoundry.evaluation.bootstrap import Interval
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.made_by import MadeBy, made_now
from editfoundry.evaluation.reports.page import write_text
from editfoundry.execution.output_lock import output_lock
from editfoundry.lineage.params import Params
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile

STAGE = "claims"
WORK_DIR = Path(".cache/claims")
LEDGER_FILE = "ledger.json"
_ROW_KEYS = frozenset(
    ("name", "paper", "claim", "arms", "metric", "rule", "effect", "verdict", "controls", "details", "note", "limits")
    + ("profile", "command")
)

Report = Callable[[str, int, int], None]
"""Called with the claim at hand, and edits done and edits in all of its arm."""


def run_ledger(
    output: Path,
    params: Params,
    *,
    only: Sequence[str] = (),
    work_dir: Path = WORK_DIR,
    editor: Path | None = None,
    mgie: Path | None = None,
    progress: Report | None = None,
) -> dict[str, Any]:
    """Test claims and write the ledger; rows of claims that are not tested now stay as they were.

    The ledger is written anew after each claim, and arms are kept in ``work_dir`` by the hash of what they are made
    of, so a run that is interrupted goes on where it stopped.

    Args:
        output: gets ``ledger.json``, ``ledger.md``, ``ledger.html`` and a few pictures of each claim's arms.
        params: profile, device and the section ``claims``.
        only: names of claims; none, all.
        work_dir: keeps the arms.
        editor: EditWorld's editor; by default the shipped one, or one that is trained here.
        mgie: folder of MGIE's arms, see `Workbench`; by default they are trained here.
        progress: see `Report`.

    Returns:
        What ``ledger.json`` holds: ``{"profile", "machine", "rows": [...]}``.

    Raises:
        BadInputError: no claim of that name, ``output`` or ``work_dir`` holds something else, or the ledger there is
            damaged or of another profile.
    """
    chosen = chosen_claims(only)
    with output_lock(output, STAGE), output_lock(work_dir, f"{STAGE} arms"):
        claim_output(output, STAGE)
        claim_output(work_dir, f"{STAGE} arms")
        profile = load_profile(params.profile)
        runtime = choose_runtime(params.device)
        rows = _earlier_rows(output / LEDGER_FILE, profile.name)
        ledger: dict[str, Any] = {}
        for claim in chosen:
            told = _of_claim(progress, claim)
            bench = Workbench(profile, runtime, params.claims, work_dir, editor, mgie, told, params.emu_edit_pairs)
            finding = _tested(claim, bench)
            pictures = keep_pictures(output, claim.name, bench.arms, params.claims.seed)
            rows[claim.name] = {**_row(claim, finding, profile.name), PICTURES: pictures}
            ledger = {
                "profile": profile.name,
                "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} CPU cores",
                "rows": [rows[name] for name in CLAIMS if name in rows],
            }
            _write(output, ledger, made_now(f"editfoundry claims --out {output}"))
    return ledger


def chosen_claims(only: Sequence[str]) -> list[Claim]:
    """Return the claims of these names, all of them where there is none, in the register's order.

    Raises:
        BadInputError: no claim of that name.
    """
    for name in only:
        if name not in CLAIMS:
            raise BadInputError(f"no claim {name!r}: use {', '.join(CLAIMS)}")
    return [claim for name, claim in CLAIMS.items() if not only or name in only]


def _tested(claim: Claim, bench: Workbench) -> Finding:
    try:
        return claim.test(bench)
    except MissingModelError as error:
        return Finding(
            effect=Interval(None, None, None, 0),
            verdict="undecided",
            controls=(),
            note=f"Not tested: {one_line(error)}",
        )


def _row(claim: Claim, finding: Finding, profile: str) -> dict[str, Any]:
    return {
        "name": claim.name,
        "paper": claim.paper,
        "claim": claim.sentence,
        "arms": list(claim.arms),
        "metric": claim.metric,
        "rule": claim.rule,
        "effect": finding.effect.to_dict(),
        "verdict": finding.verdict,
        "controls": [detail.to_dict() for detail in finding.controls],
        "details": [detail.to_dict() for detail in finding.details],
        "note": finding.note,
        "limits": claim.limits,
        "profile": profile,
        "command": claim.command,
    }


def _earlier_rows(path: Path, profile: str) -> dict[str, dict[str, Any]]:
    """Return the rows of an earlier run by their claims' names; those of another profile are not mixed with today's."""
    if not path.exists():
        return {}
    rows = read_json(path, dict).get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.keys() >= _ROW_KEYS for row in rows):
        raise BadInputError(f"{path}: no ledger; delete it, and its claims can be tested anew")
    other = next((row["profile"] for row in rows if row["profile"] != profile), None)
    if other is not None:
        raise BadInputError(f"{path}: has rows of the profile {other!r}; give those of {profile!r} another folder")
    return {row["name"]: row for row in rows}


def _of_claim(progress: Report | None, claim: Claim) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(claim.name, done, total)


def _write(output: Path, ledger: Mapping[str, Any], made: MadeBy) -> None:
    write_json(output / LEDGER_FILE, dict(ledger))
    write_text(output / "ledger.md", ledger_markdown(ledger))
    write_text(output / "ledger.html", ledger_html(ledger, output, made))
