"""Measures the embedded Emu Edit editor on held-out edits of tinyworld's tasks."""

from __future__ import annotations

from typing import Any

import numpy as np

from editfoundry.editors.open_editor import open_editor
from editfoundry.evaluation.benchmarks.tinyworld import item_of_case
from editfoundry.evaluation.controls import another_items
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretraining.edit_verdicts import edit_verdicts
from editfoundry.profiles import Profile
from editfoundry.tinyworld.tasks.task_benchmark import task_cases

NUM_EDITS = 300
TOLD: dict[str, str] = {"true_task": "given", "predicted_task": "predicted", "no_task": "none"}
"""Name of a measure -> what the option ``task`` is."""


def measure_emu_edit(
    profile: Profile, runtime: Runtime, source: str = "package:emu_edit", num_edits: int = NUM_EDITS, **sampling: Any
) -> dict[str, float]:
    """Return the shares of right edits with the true, the predicted and no task, and each task's with the true one.

    Beside them what another item's instruction, with its task, gets: the control.

    Args:
        profile: names the ``task_predictor``.
        runtime: device and precision.
        source: the editor, as `open_editor` takes it.
        num_edits: cases; the tasks take turns.
        sampling: options of the editor.
    """
    editor = open_editor(source, runtime, profile, **sampling)
    cases = task_cases(num_edits, seed=1)
    texts, tasks = [case.instruction for case in cases], [case.task for case in cases]
    verdicts = {
        name: edit_verdicts(editor.with_options(task=option), cases, texts, tasks) for name, option in TOLD.items()
    }
    measures = {
        f"{quality}_with_{name}": np.mean([getattr(verdict, quality) for verdict in found])
        for name, found in verdicts.items()
        for quality in ("right", "sharp")
    }
    others = [other for other in another_items([item_of_case(case) for case in cases]) if other is not None]
    if len(others) == len(cases):
        controls = edit_verdicts(
            editor, cases, [other.instruction for other in others], [other.task for other in others]
        )
        measures["right_by_another"] = np.mean([verdict.right for verdict in controls])
    for task in dict.fromkeys(tasks):
        own = [v.right for v, named in zip(verdicts["true_task"], tasks, strict=True) if named == task]
        measures[f"right_{task}"] = np.mean(own)
    return {name: float(share) for name, share in measures.items()}
