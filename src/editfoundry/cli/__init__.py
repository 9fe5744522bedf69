"""The command ``editfoundry``: one command a stage, plus ``edit``, ``demo`` and ``ui``."""

from __future__ import annotations

import sys
import traceback

from editfoundry.cli import (  # noqa: F401
    claims,
    dataset,
    doctor,
    editors,
    evaluate,
    exchange,
    init,
    inpaint,
    instructions,
    leaks,
    lineage,
    project,
    ratings,
    reports,
    sources,
    synthesize,
    tinyworld,
    tinyworld_measures,
    tinyworld_pretrain,
)
from editfoundry.cli.app import app
from editfoundry.cli.freed_memory import keep_freed_memory
from editfoundry.cli.progress import heartbeat_of_command
from editfoundry.errors import BadInputError, NoSpaceError, UnavailableError, one_line, problems_of


def main() -> None:
    """Run the command line: exit 0 done, 2 wrong usage or bad input, 130 interrupted, 1 anything else."""
    keep_freed_memory()
    try:
        with heartbeat_of_command(sys.argv[1:]):
            app()
    except BadInputError as error:
        for problem in problems_of(error):
            print(f"error: {one_line(problem)}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        from editfoundry.data.atomic import is_out_of_space
        from editfoundry.training.failures import TrainingError

        is_full = is_out_of_space(error)
        if not is_full and not isinstance(error, TrainingError | UnavailableError):
            traceback.print_exc()
        is_told = isinstance(error, NoSpaceError) or not is_full
        hint = "" if is_told else "; the disk is full: make room, then run the same command again"
        print(f"error: {one_line(error)}{hint}", file=sys.stderr)
        sys.exit(1)
