"""The examples of docs/extending.md, as they are printed there."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
_FILE = re.compile(r"`([\w/]+\.py)`:\n\n```python\n(.*?)```", re.DOTALL)


def section(title: str) -> str:
    """Return the text under a heading of the page."""
    return PAGE.read_text().split(f"## {title}\n")[1].split("\n## ")[0]


def example_files(title: str) -> dict[str, str]:
    """Return path -> code of a section's files."""
    return dict(_FILE.findall(section(title)))


def example_names(title: str) -> dict[str, Any]:
    """Return what the one Python block of a section defines."""
    [code] = re.findall(r"```python\n(.*?)```", section(title), re.DOTALL)
    # A module, since classes and what is pickled are looked up by theirs.
    module = ModuleType("example_" + re.sub(r"\W", "_", title))
    sys.modules[module.__name__] = module
    exec(compile(code, str(PAGE), "exec", dont_inherit=True), vars(module))
    return vars(module)
