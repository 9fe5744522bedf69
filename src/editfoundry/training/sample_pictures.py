"""Where a run's pictures of what the model makes lie."""

from __future__ import annotations

from pathlib import Path

FOLDER = "samples"


def sample_path(output: Path, step: int) -> Path:
    """Return the picture of a step."""
    return output / FOLDER / f"step-{step:08}.png"


def sample_paths(output: Path) -> list[Path]:
    """Return the pictures that are there, the earliest step's first."""
    return sorted((output / FOLDER).glob("step-*.png"))
