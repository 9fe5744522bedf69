"""Triplets a second of the whole text branch against the same work done one picture at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from page import machine, write_section  # noqa: E402

NUM_RECORDS = 32
NUM_STEPS = 10
WORKER = Path(__file__).with_name("text_branch_worker.py")
SOURCE = Path(__file__).parents[2] / "src"


def measure(way: str, output: Path, num_records: int = NUM_RECORDS, num_steps: int = NUM_STEPS) -> dict[str, Any]:
    """Run one way in a process of its own, whose peak memory is its own too."""
    command = [sys.executable, str(WORKER), way, str(num_records), str(num_steps), str(output)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**facts, "rate": num_records / facts["seconds"], "pictures": np.load(output)}


def share_alike(first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of pictures that are the same but for rounding: both ways choose among equal candidates."""
    return float((np.abs(first.astype(int) - second.astype(int)).mean((1, 2, 3)) < 1).mean())


def test_the_text_branch_against_one_picture_at_a_time(tmp_path: Path) -> None:
    batched, singly = (measure(way, tmp_path / f"{way}.npy") for way in ("batched", "singly"))
    alike, ratio = share_alike(batched["pictures"], singly["pictures"]), batched["rate"] / singly["rate"]
    steps = [
        "painting",
        "inpainting",
        *(["refinement"] if batched["refined"] else []),
        *(["judge"] if batched["judge"] else []),
    ]
    rows = [
        "| | triplets/s | peak memory, MiB |",
        "|---|---:|---:|",
        *(
            f"| {name} | {facts['rate']:.2f} | {facts['peak_mib']:.0f} |"
            for name, facts in (("batched", batched), ("diffusers, one at a time", singly))
        ),
        f"| ratio | {ratio:.2f} | {batched['peak_mib'] / singly['peak_mib']:.2f} |",
    ]
    table = "\n".join(rows)
    about = (
        f"{machine()}; {NUM_RECORDS} triplets, {NUM_STEPS} steps, {', '.join(steps)}; {alike:.0%} of the pictures alike"
    )
    write_section("EditWorld's text branch", f"{about}.\n\n{table}")
    print(f"\n{about}\n{table}")
    assert alike >= 0.9, "the two ways do not make the same pictures"
