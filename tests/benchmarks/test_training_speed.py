"""Side by side: training here against the step of diffusers' train_instruct_pix2pix.py.

The stand-in (`training_loops.script_steps`) does, in the script's order, what the script does in each step with its
defaults: two passes through the VAE, the text encoder for the instructions and for the null prompt, dropout from one
draw, the UNet, clipping, AdamW that is not fused, float32, one process, no EMA. What it leaves out would only slow it
down (Accelerate's wrappers, the progress bar, random crops, checkpoints). Model, data, batch, precision and optimizer
settings are the same for both; each runs in a process of its own. Memory is what a process has at most while it
trains beyond what it had before it loaded anything, or the GPU's. What the cache takes to fill is measured apart.

``EDITFOUNDRY_BENCH_STEPS`` and ``EDITFOUNDRY_BENCH_BATCH`` set steps and batch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from PIL import Image
from timing import record

from editfoundry.data.record import Triplet
from editfoundry.data.shards import write_triplets
from editfoundry.profiles import load_profile
from editfoundry.tinyworld.benchmark import plain_cases

NUM_STEPS = int(os.environ.get("EDITFOUNDRY_BENCH_STEPS", "30"))
BATCH_SIZE = int(os.environ.get("EDITFOUNDRY_BENCH_BATCH", "32"))
NUM_PAIRS = 4 * BATCH_SIZE
KINDS = {
    "script": "step of train_instruct_pix2pix.py",
    "ours": "editfoundry",
    "ours-compiled": "editfoundry, torch.compile",
    "ours-in-parts": "editfoundry, the batch in 4 parts",
    "ours-checkpointing": "editfoundry, gradient checkpointing",
}


def test_training_speed_and_memory(tmp_path: Path) -> None:
    triplets = [
        Triplet(
            instruction=case.instruction,
            input_image=Image.fromarray(case.input_image),
            output_image=Image.fromarray(case.true_output),
        )
        for case in plain_cases(NUM_PAIRS, seed=0)
    ]
    write_triplets(tmp_path / "data" / "00000.tar", triplets)
    base = load_profile("embedded").model("editor_base").location
    measured = {kind: _run(kind, base, tmp_path) for kind in KINDS}
    slow = measured["script"]
    rows = [
        [
            KINDS[kind],
            f"{found['samples_per_second']:.1f}",
            f"{found['samples_per_second'] / slow['samples_per_second']:.2f}",
            f"{found['peak_bytes'] / 2**20:.0f}",
            f"{found['peak_bytes'] / slow['peak_bytes']:.2f}",
        ]
        for kind, found in measured.items()
    ]
    record(
        "Training",
        f"The embedded editor, 64 x 64 pixels, batches of {BATCH_SIZE}, {NUM_STEPS} steps, float32.",
        ["loop", "samples/s", "of the script's", "peak MiB", "of the script's"],
        rows,
    )


def _run(kind: str, base: str, folder: Path) -> dict[str, float]:
    program = Path(__file__).with_name("training_loops.py")
    command = [
        sys.executable,
        str(program),
        kind,
        base,
        str(folder / "data"),
        str(folder),
        str(NUM_STEPS),
        str(BATCH_SIZE),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
