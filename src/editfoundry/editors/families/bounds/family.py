"""The lower and the upper bound as editors."""

from __future__ import annotations

from editfoundry.editors.editor_family import EditorFamily

INPUT = EditorFamily(
    name="input",
    names={"input": "Returns the input: the lower bound of every edit and the upper bound of preservation."},
    edit=lambda editor, requests: [request.image for request in requests],
)
TRUTH = EditorFamily(
    name="truth",
    names={"truth": "Returns the true outcome, where the benchmark knows it: the upper bound."},
    needs=("truth",),
    edit=lambda editor, requests: [request.truth for request in requests if request.truth is not None],
)
