"""When, by which version and by which command a report was made; reports say it at their head."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version


@dataclass(frozen=True)
class MadeBy:
    """Facts of a report's making; empty where they are not known."""

    date: str = ""
    """UTC, to the minute: ``2026-01-31 12:00 UTC``."""
    version: str = ""
    """Of editfoundry."""
    command: str = ""
    """What a person types to make it again."""


def made_now(command: str = "") -> MadeBy:
    """Return the facts of a report that is being made; ``command`` is what makes it again, if it is known."""
    return MadeBy(date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", version=package_version(), command=command)


def package_version() -> str:
    """Return editfoundry's version; ``unknown`` where it runs without being installed."""
    try:
        return version("editfoundry")
    except PackageNotFoundError:
        return "unknown"


def typed_command() -> str:
    """Return the command line of this process as a person typed it; empty unless it is editfoundry's own."""
    program, *arguments = sys.argv
    if not program.rstrip("/").endswith(("editfoundry", "editfoundry/__main__.py")):
        return ""
    return shlex.join(["editfoundry", *arguments])
