"""Lets an editor edit cases of tinyworld, and judges what it made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from editfoundry.editors.editor import Editor, EditRequest
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.outcome import OutcomeVerdict, judge_outcome


def edit_verdicts(
    editor: Editor,
    cases: Sequence[EditCase],
    instructions: Sequence[str],
    tasks: Sequence[str | None] | None = None,
    batch_size: int = 48,
) -> list[OutcomeVerdict]:
    """Edit the cases by these instructions, and judge the edits by what each case truly becomes.

    Args:
        editor: what edits, each case from noise of its own.
        cases: pictures and true outcomes.
        instructions: of each case: its own or, for a control, another's.
        tasks: of each instruction, for editors that read it; by default none.
        batch_size: edits made at once.
    """
    verdicts: list[OutcomeVerdict] = []
    given = tasks if tasks is not None else [None] * len(cases)
    asked = list(zip(cases, instructions, given, strict=True))
    for start in range(0, len(asked), batch_size):
        batch = asked[start : start + batch_size]
        requests = [
            EditRequest(
                image=Image.fromarray(case.input_image), instruction=text, seed=number, id=case.id, task=task or None
            )
            for number, (case, text, task) in enumerate(batch, start=start)
        ]
        edits = [np.asarray(edit.require()) for edit in editor.edit(requests)]
        verdicts += [judge_outcome(edit, case) for edit, (case, _, _) in zip(edits, batch, strict=True)]
    return verdicts
