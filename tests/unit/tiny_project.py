"""A newcomer's clone with parameters so small that the whole lineage takes a minute."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
TINY = {
    "profile": "embedded",
    "device": "cpu",
    "captions": {"num_rows": 24, "rows_per_shard": 12},
    "quadruples": {"writer": "tinyworld"},
    "editworld_text": {"num_input_candidates": 1, "num_output_candidates": 2, "num_inference_steps": 3},
    "clips": {"num_clips": 6, "rows_per_shard": 6},
    "frame_pairs": {"decoding_threads": 1},
    "editworld_video": {"seed": 0},
    "rehearsal": {"num_pairs": 4},
    "dataset": {"thresholds": {"clip_input": -1, "clip_output": -1, "clip_image": -1, "clip_direction": -1}},
    "editworld": {"num_steps": 12, "batch_size": 4, "log_every": 2, "sample_every": 6},
    "editworld_report": {
        "num_world_cases": 7, "num_new_rule_cases": 1, "num_plain_cases": 2, "num_inference_steps": 2,
    },
}  # fmt: skip


def write_project(root: Path) -> None:
    """Write what git would give a newcomer, without tests and documents, as a first commit with `TINY`."""
    listed = git(REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, listed):
        if name.startswith(("tests/", "docs/")) or not (REPOSITORY / name).is_file():
            continue
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, root / name)
    (root / "params.yaml").write_text(yaml.safe_dump(TINY))
    (root / "dvc.lock").unlink(missing_ok=True)
    git(root, "init", "--quiet")
    commit(root, "clone")


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it says."""
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout


def commit(root: Path, message: str) -> None:
    """Commit everything, if there is anything."""
    git(root, "add", ".")
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    git(root, *author, "commit", "--quiet", "--allow-empty", "--message", message)
