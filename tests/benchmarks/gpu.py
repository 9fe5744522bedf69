"""What the full-size models do on this GPU, in one run of at most twelve minutes, written to docs/benchmarks.md.

    python tests/benchmarks/gpu.py                          on a GPU of 24 GB or more
    python tests/benchmarks/gpu.py --size tiny --page FILE  anywhere, to see that it runs

Weights are random and of the published sizes. Each part is written to the page as soon as it is done; at full size a
part that would begin after its time is left out and says so.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "unit")]

import torch  # noqa: E402
from diffusers import UNet2DConditionModel  # noqa: E402
from gpu_models import PUBLISHED, save_models  # noqa: E402
from page import PAGE, write_section  # noqa: E402
from test_pair_painting import SINGLY, plain_pairs, ways_of_painting  # noqa: E402
from text_branch_worker import Singly  # noqa: E402
from timing import alternating_seconds, table_on  # noqa: E402
from tiny_models import tiny_image  # noqa: E402
from tiny_painter import tiny_quadruples  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from editfoundry.data.record import Triplet  # noqa: E402
from editfoundry.data.shards import write_triplets  # noqa: E402
from editfoundry.editors.editor import EditRequest  # noqa: E402
from editfoundry.editors.families.instruct_pix2pix.family import editor_of_pipeline  # noqa: E402
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images  # noqa: E402
from editfoundry.editors.post_edit.post_edit import post_edit_batch  # noqa: E402
from editfoundry.editors.post_edit.post_edit_config import PostEditConfig  # noqa: E402
from editfoundry.editors.post_edit.post_edit_models import load_post_edit_models  # noqa: E402
from editfoundry.pretrained.editor_base import load_editor_base  # noqa: E402
from editfoundry.pretrained.runtime import choose_runtime  # noqa: E402
from editfoundry.profiles import load_profile  # noqa: E402
from editfoundry.synthesis.editworld_text.config import TextBranchConfig  # noqa: E402
from editfoundry.synthesis.editworld_text.models import load_branch  # noqa: E402
from editfoundry.synthesis.editworld_text.triplets import make_triplets  # noqa: E402
from editfoundry.synthesis.instruct_pix2pix.config import PairConfig  # noqa: E402
from editfoundry.synthesis.instruct_pix2pix.models import load_pair_models  # noqa: E402

PEAK_FLOPS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "4090": 165e12}
"""Dense bfloat16, per second, by a part of the device's name."""
KINDS = {
    "script": "step of train_instruct_pix2pix.py",
    "ours": "editfoundry",
    "ours-checkpointing": "editfoundry, gradient checkpointing",
}
INSTRUCTION = "melt it"
SCALES = {"guidance_scale": 7.5, "image_guidance_scale": 1.5}


@dataclass(frozen=True)
class Sizes:
    """How much of everything a run does."""

    side: int
    """Of the edited and trained pictures, pixels."""
    num_training_steps: int
    batch_size: int
    num_pairs: int
    num_records: int
    num_steps: int
    """Sampler steps of a picture."""
    attention_resolution: int
    repeats: int


SIZES = {
    "full": Sizes(512, 20, 16, 64, 4, 10, 32, 3),
    "tiny": Sizes(32, 2, 2, 4, 2, 2, 8, 1),
}


@dataclass(frozen=True)
class Setting:
    """What the parts are given."""

    size: str
    amounts: Sizes
    profile: Path
    folder: Path


def training(setting: Setting) -> str:
    """Time the training of an SD 1.5-size editor against the step of diffusers' script, both in bfloat16."""
    amounts, folder = setting.amounts, setting.folder
    pairs = ((tiny_image(2 * n + role, (amounts.side,) * 2) for role in (0, 1)) for n in range(amounts.num_pairs))
    triplets = (Triplet(instruction=INSTRUCTION, input_image=next(p), output_image=next(p)) for p in pairs)
    write_triplets(folder / "data" / "00000.tar", triplets)
    flops, peak = 3 * _forward_flops(amounts.side // 8), _peak_flops()
    found = {kind: _run_training(kind, setting) for kind in KINDS}
    slow = found["script"]["samples_per_second"]
    rows = []
    for kind, facts in found.items():
        speed = facts["samples_per_second"]
        share = f"{speed * flops / peak:.2f}" if peak and setting.size == "full" else "unknown"
        seconds = f"{1000 * amounts.batch_size / speed:.0f}"
        rows.append([KINDS[kind], seconds, f"{speed:.1f}", f"{speed / slow:.2f}", share, _gib(facts["peak_bytes"])])
    note = (
        f"An editor of Stable Diffusion 1.5's size, {amounts.side} px, bfloat16, batches of {amounts.batch_size}, "
        f"{amounts.num_training_steps} steps; ours with cached latents and embeddings. MFU counts three times the "
        "UNet's forward pass against the device's dense bfloat16 peak. The goals are 2.0, 0.50 and 24 GiB."
    )
    return table_on(note, ["loop", "ms a step", "samples/s", "of the script's", "MFU", "peak GiB"], rows)


def text_branch(setting: Setting) -> str:
    """Time painting and inpainting with SDXL: all candidates at once, and one at a time with diffusers' pipeline."""
    amounts = setting.amounts
    config = TextBranchConfig(
        num_input_candidates=2,
        num_output_candidates=4,
        num_inference_steps=amounts.num_steps,
        attention_resolution=amounts.attention_resolution,
        records_per_batch=amounts.num_records,
    )
    branch = load_branch(load_profile(setting.profile), choose_runtime("auto"), config)
    singly, records = Singly(branch, config), tiny_quadruples(amounts.num_records)
    ways: dict[str, Callable[[], object]] = {
        "batched": lambda: list(make_triplets(branch, records, config, [])),
        "diffusers, one at a time": lambda: [singly.triplet(record) for record in records],
    }
    singly.triplet(records[0])
    count = amounts.num_records * (config.num_input_candidates + config.num_output_candidates)
    seconds, memory = {}, {}
    for name, way in ways.items():
        seconds[name], memory[name] = _timed(way)
    slow = seconds["diffusers, one at a time"]
    rows = [
        [name, f"{count / taken:.2f}", f"{slow / taken:.2f}", _gib(memory[name])] for name, taken in seconds.items()
    ]
    note = (
        f"Models of SDXL's and CLIP ViT-L's sizes; {amounts.num_records} records with 2 painted and 4 inpainted "
        f"candidates each, {amounts.num_steps} steps, attention maps, decoding and scores included. The goal is 4.0."
    )
    return table_on(note, ["way", "candidates/s", "of one at a time", "peak GiB"], rows)


def edit_latency(setting: Setting) -> str:
    """Time one edit: diffusers' pipeline, ours, and with the post-edit."""
    amounts = setting.amounts
    profile, runtime = load_profile(setting.profile), choose_runtime("auto")
    pipeline, models = load_editor_base(profile, runtime), load_post_edit_models(profile, runtime)
    image, options = tiny_image(0, (amounts.side,) * 2), {"num_inference_steps": amounts.num_steps, **SCALES}
    editor, request = editor_of_pipeline(pipeline, **options), EditRequest(image=image, instruction=INSTRUCTION)
    # Attention of random weights sees little: the region is what lies above the mean.
    config = PostEditConfig(num_inference_steps=amounts.num_steps, tau=1.0)
    runs: dict[str, Callable[[], object]] = {
        "diffusers' pipeline": lambda: pipeline(
            INSTRUCTION, image, generator=torch.Generator().manual_seed(0), **options
        ),
        "editfoundry": lambda: edit_images(pipeline, [image], [INSTRUCTION], seeds=[0], **options),
        "editfoundry, post-edit": lambda: post_edit_batch(editor, models, [request], config),
    }
    seconds = alternating_seconds(list(runs.values()), amounts.repeats)
    plain = seconds[1]
    rows = [[name, f"{1000 * taken:.0f}", f"{taken / plain:.2f}"] for name, taken in zip(runs, seconds, strict=True)]
    note = (
        f"One {amounts.side} x {amounts.side} picture, an editor of InstructPix2Pix's size, {amounts.num_steps} steps; "
        "the post-edit has models of SDXL's, its ControlNet's, its IP-Adapter's and SAM ViT-H's sizes. Medians "
        "of runs in turns."
    )
    return table_on(note, ["edit", "ms", "of editfoundry's plain edit"], rows)


def pairs(setting: Setting) -> str:
    """Time InstructPix2Pix's candidates with SDXL: all together, and one pair at a time as the release paints them."""
    amounts = setting.amounts
    config = PairConfig(num_candidates=4 * amounts.num_records, num_inference_steps=amounts.num_steps)
    models = load_pair_models(load_profile(setting.profile), choose_runtime("auto"), config)
    ways = ways_of_painting(models, plain_pairs(1), config)
    models.painter.paint(plain_pairs(1), replace(config, num_candidates=1))
    found = {name: _timed(way) for name, way in ways.items()}
    slow, least = found[SINGLY]
    rows = [
        [name, f"{config.num_candidates / taken:.2f}", f"{slow / taken:.2f}", _gib(memory), _of(memory, least)]
        for name, (taken, memory) in found.items()
    ]
    note = (
        f"Models of SDXL's and CLIP ViT-L's sizes; one caption pair with {config.num_candidates} candidates, "
        f"{amounts.num_steps} steps, decoding and CLIP's four similarities included. The goals are 4.0 and 1.5."
    )
    return table_on(note, ["way", "candidates/s", "of one at a time", "peak GiB", "of one at a time"], rows)


PARTS: dict[str, tuple[Callable[[Setting], str], int]] = {
    "On a GPU: training": (training, 0),
    "On a GPU: the text branch": (text_branch, 330),
    "On a GPU: edit latency": (edit_latency, 540),
    "On a GPU: pairs of InstructPix2Pix": (pairs, 600),
}
"""Heading on the page -> what to run, and the second after which it is not begun any more, beyond the first."""


def run(size: str, page: Path, folder: Path) -> None:
    """Run all parts and write each to the page.

    Args:
        size: of `SIZES`.
        page: gets a section for each part.
        folder: for models, data and checkpoints, about 30 GB at full size.
    """
    started = time.monotonic()
    setting = Setting(size, SIZES[size], save_models(folder / "models", size), folder)
    print(f"models are made after {time.monotonic() - started:.0f} s", flush=True)
    for title, (part, latest) in PARTS.items():
        if size == "full" and latest and time.monotonic() - started > latest:
            text = f"Left out: {time.monotonic() - started:.0f} s had passed."
        else:
            text = part(setting)
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        write_section(title, text, page)
        print(f"\n{title}, done after {time.monotonic() - started:.0f} s\n\n{text}", flush=True)


def _forward_flops(latent_side: int) -> float:
    """Return the floating-point operations of one sample's forward pass."""
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(json.loads((PUBLISHED / "instruct_pix2pix_unet.json").read_text()))
        inputs = torch.empty(1, 8, latent_side, latent_side), torch.empty(1), torch.empty(1, 77, 768)
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            unet(*inputs)
    return float(counter.get_total_flops())


def _peak_flops() -> float | None:
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return next((value for part, value in PEAK_FLOPS.items() if part in name), None)


def _run_training(kind: str, setting: Setting) -> dict[str, Any]:
    amounts, folder = setting.amounts, setting.folder
    places = [str(setting.profile.parent / "editor"), str(folder / "data"), str(folder)]
    program = str(Path(__file__).with_name("training_loops.py"))
    counts = [str(amounts.num_training_steps), str(amounts.batch_size)]
    done = subprocess.run([sys.executable, program, kind, *places, *counts, "bf16"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{kind} failed:\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _timed(way: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds and the GPU's peak bytes of one run."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    way()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    taken = time.perf_counter() - started
    return taken, float(torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else 0.0


def _of(value: float, other: float) -> str:
    return f"{value / other:.2f}" if other else "unknown"


def _gib(num_bytes: float) -> str:
    return f"{num_bytes / 2**30:.1f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description="Benchmark the full-size models on this machine's GPU.")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--page", type=Path, default=PAGE, help="Markdown page whose sections are replaced")
    parser.add_argument("--folder", type=Path, help="where to put models and data, 30 GB; by default a temporary one")
    told = parser.parse_args(arguments)
    if told.folder is not None:
        run(told.size, told.page, told.folder)
        return
    with tempfile.TemporaryDirectory(prefix="editfoundry-gpu-") as folder:
        run(told.size, told.page, Path(folder))


if __name__ == "__main__":
    main()
