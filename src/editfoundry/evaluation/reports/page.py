"""The templates of reports: pages that need nothing beside themselves, for phones and desks, light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from editfoundry.data.atomic import atomic_file

NUM_COLOURS = 8
"""Series that a page can tell apart by colour; further ones begin again."""


_PACKAGE = "editfoundry.evaluation.reports"


def render_page(template: str, values: Mapping[str, Any], package: str = _PACKAGE) -> str:
    """Return the page: every text escaped; equal values give equal text.

    Args:
        template: its file's name.
        values: what it shows.
        package: whose ``templates`` folder has it; it may extend and import the reports' own.
    """
    loaders = [jinja2.PackageLoader(name) for name in dict.fromkeys((package, _PACKAGE))]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def series_css(position: int) -> str:
    """Return the CSS class of a series' colour."""
    return f"s{position % NUM_COLOURS}"


def write_text(path: Path, text: str) -> None:
    """Write a text file in full or not at all."""
    with atomic_file(path) as file:
        file.write(text.encode())
