"""The page of benchmarks: each benchmark has a section, and replaces its own alone."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_HEAD = (
    "# Benchmarks\n\n"
    "`make bench` writes this page, each benchmark its own section; what is compared ran in turns or one after the "
    "other on the same machine.\n"
)
_MARK = "\n## "


def write_section(title: str, text: str, page: Path = PAGE) -> None:
    """Put ``text`` under the heading ``title``; the other sections stay."""
    old = page.read_text().split(_MARK)[1:] if page.is_file() else []
    sections = dict(part.split("\n", 1) for part in old)
    sections[title] = f"\n{text.strip()}\n"
    page.parent.mkdir(exist_ok=True)
    page.write_text(_HEAD + "".join(f"{_MARK}{name}\n{body}" for name, body in sorted(sections.items())))


def machine() -> str:
    """Say on what the figures were taken."""
    threads = torch.get_num_threads()
    return f"{threads} CPU thread{'s' if threads != 1 else ''}, {platform.machine()}, torch {torch.__version__}"
