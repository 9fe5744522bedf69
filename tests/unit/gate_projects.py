"""Projects with a checkpoint and a report of made-up outcomes, for tests of the gate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

METRICS = {"right": {"label": "Right", "unit": "0 or 1", "higher_is_better": True}}


def outcomes(num_right: int, num_items: int = 60) -> list[bool]:
    """Return so many right outcomes, then wrong ones."""
    return [n < num_right for n in range(num_items)]


def report(editors: dict[str, Sequence[bool]], benchmark: str = "tinyworld-world", seed: int = 1) -> dict[str, Any]:
    """Return what the ``metrics.json`` of a report holds: one benchmark, each editor with these outcomes."""
    items = [
        {
            "editor": editor,
            "id": f"case-{n}",
            "category": "Long-Term",
            "instruction": "Melt it.",
            "seed": seed,
            "asked": f"{benchmark} {seed} {n}",
            "nearest": "truth" if right else "input",
            "scores": {"right": float(right)},
        }
        for editor, found in editors.items()
        for n, right in enumerate(found)
    ]
    run = {
        "benchmark": {"name": benchmark, "num_items": len(items)},
        "metrics": METRICS,
        "editors": {editor: {} for editor in editors},
        "items": items,
    }
    return {"benchmarks": {benchmark: run}}


def write_candidate(root: Path, weights: str, num_right: int, *, num_right_base: int = 2, seed: int = 1) -> None:
    """Write a checkpoint of these weights, and a report in which it gets so many items of 60 right."""
    checkpoint, folder = root / "checkpoints" / "editworld", root / "reports" / "editworld"
    for made in (checkpoint, folder):
        made.mkdir(parents=True, exist_ok=True)
    (checkpoint / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionInstructPix2PixPipeline"}))
    (checkpoint / "weights.safetensors").write_text(weights)
    found = {"base": outcomes(num_right_base), "fine_tuned": outcomes(num_right)}
    (folder / "metrics.json").write_text(json.dumps(report(found, seed=seed)))
    (folder / "summary.json").write_text("{}")
    (folder / "report.html").write_text("<html></html>")
