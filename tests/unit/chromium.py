"""The browser of the end-to-end tests, and why they are skipped without it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), "")
needs_browser = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium here: apt install chromium"),
    pytest.mark.skipif(shutil.which("node") is None, reason="no node here: apt install nodejs"),
    pytest.mark.skipif(
        not (Path(__file__).parents[1] / "e2e" / "node_modules" / "playwright-core").is_dir(),
        reason="no playwright-core here: npm --prefix tests/e2e ci",
    ),
]
