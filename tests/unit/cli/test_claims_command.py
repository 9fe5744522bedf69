"""The command that tests claims says which it is at, and what came out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The claims of each run of the ledger, which keeps earlier rows, as the real one does."""
    runs: list[tuple[str, ...]] = []

    def run_ledger(out: Path, params: Any, *, only: Sequence[str], progress: Any, **_: Any) -> dict[str, Any]:
        progress(only[0], 1, 2)
        runs.append(tuple(only))
        names = dict.fromkeys(name for run in runs for name in run)
        effect = {"value": 0.25, "low": 0.125, "high": 0.5, "n": 40}
        return {"rows": [{"name": name, "verdict": "holds", "effect": effect} for name in names]}

    monkeypatch.setattr("editfoundry.claims.ledger.run_ledger", run_ledger)
    return runs


def test_each_claim_is_a_line_with_its_place_and_what_came_out(invoke, tested) -> None:
    chosen = ["--only", "ip2p-fine-tuning", "--only", "ip2p-more-data"]
    status, out, err = invoke("claims", "--out", "ledger", *chosen)
    assert status == 0 and tested == [("ip2p-fine-tuning",), ("ip2p-more-data",)]
    lines = err.splitlines()
    assert "[1/2] ip2p-fine-tuning: holds, +0.250 [+0.125, +0.500]" in lines
    assert "[2/2] ip2p-more-data: holds, +0.250 [+0.125, +0.500]" in lines
    assert out.count("holds") == 2 and "ledger/ledger.html" in out


def test_an_unknown_claim_is_refused_before_any_is_tested(invoke, tested) -> None:
    status, _, err = invoke("claims", "--out", "ledger", "--only", "ip2p-fine-tuning", "--only", "nothing")
    assert status == 2 and "no claim 'nothing'" in err and not tested
