"""Commits a stage in DVC, and pushes it, in one process: DVC takes as long to load as to do either."""

from __future__ import annotations

import sys

NOT_PUSHED = 75
"""Exit status: the commit is made, the push failed."""


def main(arguments: list[str]) -> int:
    """Record the stage ``arguments[0]``; with ``--push`` after it, push too. DVC says on stderr what went wrong."""
    from dvc.cli import main as dvc

    stage, *options = arguments
    status = dvc(["--wait-for-lock", "commit", "--force", "--quiet", stage])
    if status:
        return int(status)
    return NOT_PUSHED if "--push" in options and dvc(["--wait-for-lock", "push", "--quiet", stage]) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
