"""The demo: every stage of the lineage in turn, saying what it does."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from editfoundry.data.stage import StageResult
from editfoundry.lineage.stages import STAGES, Params, Paths

DESCRIPTIONS = {
    "captions": "cleaning a LAION-schema table",
    "quadruples": "writing instructions and output captions",
    "editworld_text": "painting, masking and inpainting triplets",
    "clips": "filming tinyworld, cleaning an InternVid-schema table",
    "frame_pairs": "choosing before and after in each clip",
    "editworld_video": "describing clips, writing their instructions",
    "dataset": "filtering, deduplicating, splitting",
    "editworld": "fine-tuning the editor",
    "editworld_report": "editing the benchmarks, writing the report",
}


def run_demo(params: Params, root: Path, console: Console) -> Path:
    """Run all stages under ``root``; each redoes only what is missing or has changed.

    Returns:
        The report's folder.
    """
    for number, (name, stage) in enumerate(STAGES.items(), start=1):
        title = f"[{number}/{len(STAGES)}] {name}: {DESCRIPTIONS[name]}"
        started = time.monotonic()
        columns = (TextColumn(title, markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        # The trainer draws a progress bar of its own.
        with Progress(*columns, console=console, transient=True, disable=name == "editworld") as bar:
            result = stage(params, root, partial(_advance, bar, bar.add_task(name, total=None)))
        console.print(f"{title}: {_outcome(result)} ({time.monotonic() - started:.0f} s)", markup=False, soft_wrap=True)
    return Paths(root).editworld_report


def _advance(bar: Progress, task: TaskID, done: int, total: int) -> None:
    bar.update(task, completed=done, total=total)


def _outcome(result: object) -> str:
    if not isinstance(result, StageResult):
        return str(result)
    reasons = ", ".join(f"{reason} {count}" for reason, count in result.rejected.items())
    reused = f", {result.num_shards_reused} of {result.num_shards} shards reused" if result.num_shards_reused else ""
    return f"{result.num_out} of {result.num_in}{f' (dropped: {reasons})' if reasons else ''}{reused}"
