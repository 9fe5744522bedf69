"""The demo: every stage of the lineage's main line in turn, saying what it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rich.console import Console

from editfoundry.data.stage_result import StageResult
from editfoundry.execution.stage_record import Progress, StageParams
from editfoundry.lineage.report_stage import EDITWORLD_REPORT
from editfoundry.lineage.stages import MAIN_LINE, run_stage

Bar = Callable[[str], AbstractContextManager[Progress | None]]
"""Draws a progress bar with a title, and yields what is told how far the stage is."""


def run_demo(params: StageParams, root: Path, console: Console, bar: Bar | None = None) -> Path:
    """Run the main line's stages under ``root``; each redoes only what is missing or has changed.

    Args:
        params: of all stages; `check_params` looks at all of them beforehand.
        root: the project's folder.
        console: gets a line for each stage.
        bar: shows how far a stage is; by default nothing does.

    Returns:
        The report's folder.

    Raises:
        BadInputError: an input or a parameter cannot be used.
    """
    for number, stage in enumerate(MAIN_LINE, start=1):
        title = f"[{number}/{len(MAIN_LINE)}] {stage.name}: {stage.doing}"
        started = time.monotonic()
        try:
            with nullcontext() if bar is None or stage.draws_progress else bar(title) as progress:
                result = run_stage(stage.name, params, root, progress)
        except KeyboardInterrupt:
            console.print(f"{title}: interrupted", markup=False, soft_wrap=True)
            raise
        console.print(f"{title}: {_outcome(result)} ({time.monotonic() - started:.0f} s)", markup=False, soft_wrap=True)
    return EDITWORLD_REPORT.folder(root)


def _outcome(result: object) -> str:
    if not isinstance(result, StageResult):
        return str(result)
    reasons = ", ".join(f"{reason} {count}" for reason, count in result.rejected.items())
    reused = f", {result.num_shards_reused} of {result.num_shards} shards reused" if result.num_shards_reused else ""
    return f"{result.num_out} of {result.num_in}{f' (dropped: {reasons})' if reasons else ''}{reused}"
