"""Where a browser finds the pages of a project's reports."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

FOLDER = "reports"
"""Below the project's folder; what lies there is served."""
PAGE_VARIABLE = "EDITFOUNDRY_REPORTS_URL"
"""Environment: the address under which that folder is served."""


def report_url(page: Path, root: Path) -> str | None:
    """Return the address of a file of the project's reports; None where they are not served, or it is none of them.

    Args:
        page: the file.
        root: the project's folder.
    """
    served, folder = os.environ.get(PAGE_VARIABLE), (root / FOLDER).resolve()
    if not served or not page.resolve().is_relative_to(folder):
        return None
    return f"{served.rstrip('/')}/{quote(page.resolve().relative_to(folder).as_posix())}"
