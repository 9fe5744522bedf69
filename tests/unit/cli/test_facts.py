"""How commands print what they found."""

from __future__ import annotations

import json

import pytest

from editfoundry.cli.shared import print_facts

FACTS = {
    "right_share": {"value": 0.64646, "low": 0.5, "high": 1.0, "n": 198},
    "ranking": {"clip_image": 0.48694},
    "num_unreadable": 22,
    "nothing": {},
    "by_task": {"add": {"right_share": {"value": None, "low": None, "high": None, "n": 0}, "num_unreadable": 0}},
}


def test_a_fact_is_a_line_and_what_has_parts_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts(FACTS, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "right share: 0.6465 [0.5, 1] (n 198)",
        "ranking: clip image 0.4869",
        "num unreadable: 22",
        "nothing: none",
        "by task:",
        "  add: right share unknown (n 0), num unreadable 0",
    ]


def test_as_json_nothing_is_rounded(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts(FACTS, as_json=True)
    assert json.loads(capsys.readouterr().out) == FACTS
