"""Small run folders, as a benchmark run writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

METRICS = {
    "right": {"label": "Right", "model": None, "preprocessing": "", "unit": "0 or 1",
                "higher_is_better": True, "missing": None},
    "clip_score": {"label": "CLIP score", "model": "clip-tiny@0", "preprocessing": "64 px", "unit": "",
                   "higher_is_better": True, "missing": None},
    "l1": {"label": "L1", "model": None, "preprocessing": "", "unit": "", "higher_is_better": False, "missing": None},
    "preservation_psnr": {"label": "Preservation", "model": None, "preprocessing": "", "unit": "dB",
                          "higher_is_better": True, "missing": None},
    "lpips": {"label": "LPIPS", "model": None, "preprocessing": "", "unit": "", "higher_is_better": False,
              "missing": "the profile names no lpips weights"},
}  # fmt: skip


def item(editor: str, item_id: str, scores: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Return one row of ``metrics.json``."""
    plain = {
        "group": item_id,
        "turn": 0,
        "category": "Long-Term",
        "branch": "",
        "instruction": f"Do {item_id}.",
        "seed": 1,
        "failure": None,
        "detail": "",
    }
    return {"editor": editor, "id": item_id, **plain, **fields, "scores": dict(scores)}


def write_run(
    folder: Path,
    items: Sequence[Mapping[str, Any]],
    *,
    name: str = "made-up",
    num_items: int | None = None,
    metrics: Mapping[str, Any] = METRICS,
    **benchmark: Any,
) -> Path:
    """Write ``metrics.json`` and a picture for every edit that did not fail."""
    editors = list(dict.fromkeys(row["editor"] for row in items))
    ids = list(dict.fromkeys(row["id"] for row in items))
    facts = {"description": "an editor", "seconds_per_edit": 1.5, "peak_memory_mb": None, "settings": {"steps": 8}}
    data = {
        "benchmark": {
            "name": name,
            "title": f"The {name} <test>",
            "num_items": num_items or len(ids),
            "missing": [],
            "extra": [],
            **benchmark,
        },
        "metrics": metrics,
        "editors": {editor: facts for editor in editors},
        "items": list(items),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps(data))
    for place, item_id in enumerate(ids):
        _picture(folder / "inputs" / f"{item_id}.png", place)
    for place, row in enumerate(items):
        if row["failure"] is None:
            _picture(folder / "edits" / row["editor"] / f"{row['id']}.png", place + 7)
    return folder


def _picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((64, 64)).save(path)
