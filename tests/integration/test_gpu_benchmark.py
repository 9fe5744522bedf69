import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


@pytest.mark.slow
def test_the_gpus_benchmark_runs_anywhere_at_tiny_size(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    command = [sys.executable, str(SCRIPT), "--size", "tiny", "--page", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-4000:]
    text = page.read_text()
    for heading, row in (
        ("training", "| editfoundry, gradient checkpointing |"),
        ("the text branch", "| diffusers, one at a time |"),
        ("edit latency", "| editfoundry, post-edit |"),
        ("pairs of InstructPix2Pix", "| one pair at a time |"),
    ):
        section = text.split(f"## On a GPU: {heading}\n")[1].split("\n## ")[0]
        assert row in section and "Left out" not in section
