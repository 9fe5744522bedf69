"""A rating sheet in a headless browser: rated by keys and by clicks, saved, and aggregated to known figures.

With EDITFOUNDRY_SCREENSHOTS=FOLDER the pictures that it takes are kept.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from chromium import CHROMIUM, needs_browser
from rated_runs import write_pictured_run

HERE = Path(__file__).resolve().parent
NUM_ITEMS = 20
pytestmark = needs_browser


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    """The folder with the sheet, its key and both raters' files, and what the browser saw."""
    folder = tmp_path_factory.mktemp("ratings")
    run = write_pictured_run(folder / "run", NUM_ITEMS)
    editfoundry("ratings", "sheet", run, folder / "sheet.html")
    pictures = Path(os.environ.get("EDITFOUNDRY_SCREENSHOTS") or folder).resolve()
    command = ["node", HERE / "rating_sheet.mjs", CHROMIUM, folder / "sheet.html", pictures, folder]
    done = subprocess.run(list(map(str, command)), cwd=HERE, stdout=subprocess.PIPE, text=True, timeout=600, check=True)
    return folder, json.loads(done.stdout.splitlines()[-1])


def editfoundry(*words):
    command = [sys.executable, "-m", "editfoundry", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_page_needs_nothing_else_and_says_what_is_lacking(rated):
    seen = rated[1]
    assert not seen["errors"] and not seen["requests"]
    assert "name" in seen["nameless"] and seen["unanswered"].startswith("Not answered yet")
    for rater in ("keys", "clicks"):
        assert seen[f"{rater}_told"].startswith("All rated") and not seen[f"{rater}_wider_than_the_page"]


def test_twenty_items_rated_through_the_page_come_to_known_figures(rated):
    folder = rated[0]
    files = [folder / "keys.json", folder / "clicks.csv"]
    told = editfoundry(
        "ratings", "aggregate", *files, "--key", folder / "sheet.key.json", "--out", folder / "found", "--json"
    )
    found = json.loads(told)
    assert sorted(found["raters"]) == ["clicks", "keys"]
    assert found["num_answers"] == 2 * (2 * NUM_ITEMS * 4 + NUM_ITEMS)
    figures = {q: {e: v["overall"]["value"] for e, v in own.items()} for q, own in found["questions"].items()}
    yes_and_no = {"first": 1.0, "second": 0.0}
    assert figures == {
        "object": yes_and_no,
        "attributes": yes_and_no,
        "binding": yes_and_no,
        "quality": {"first": 4.5, "second": 2.0},
    }
    assert found["questions"]["quality"]["first"]["overall"]["n"] == NUM_ITEMS
    preferred = found["preferences"]["first over second"]
    assert preferred["value"] == 0.75 and preferred["counts"] == {"first": NUM_ITEMS, "equal": NUM_ITEMS, "second": 0}
    assert found["agreement"]["object"]["alpha"] == 1.0
    assert 0 < found["agreement"]["quality"]["alpha"] < 1
