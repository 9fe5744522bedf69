"""Projects with a checkpoint and a report of made-up outcomes, for tests of the gate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def rows(
    editor: str, outcomes: Sequence[bool], benchmark: str = "tinyworld-world", seed: int = 1
) -> list[dict[str, Any]]:
    """Return rows as ``metrics.json`` has them, one for each outcome."""
    return [
        {
            "benchmark": benchmark,
            "editor": editor,
            "id": f"case-{n}",
            "seed": seed,
            "correct": outcome,
            "clip_score": 0.5,
        }
        for n, outcome in enumerate(outcomes)
    ]


def outcomes(num_right: int, num_cases: int = 60) -> list[bool]:
    """Return so many right outcomes, then wrong ones."""
    return [n < num_right for n in range(num_cases)]


def write_candidate(root: Path, weights: str, num_right: int, *, num_right_base: int = 2, seed: int = 1) -> None:
    """Write a checkpoint of these weights, and a report in which it gets so many cases of 60 right."""
    checkpoint, report = root / "checkpoints" / "editworld", root / "reports" / "editworld"
    for folder in (checkpoint, report):
        folder.mkdir(parents=True, exist_ok=True)
    (checkpoint / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionInstructPix2PixPipeline"}))
    (checkpoint / "weights.safetensors").write_text(weights)
    metrics = rows("base", outcomes(num_right_base), seed=seed) + rows("fine_tuned", outcomes(num_right), seed=seed)
    (report / "metrics.json").write_text(json.dumps(metrics))
    (report / "summary.json").write_text("{}")
    (report / "report.html").write_text("<html></html>")
