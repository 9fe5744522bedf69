"""Side by side: InstructPix2Pix's candidates all together against one pair at a time, as its release paints them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from editfoundry.evaluation.peak_memory import peak_memory_mb, reset_peak_memory
from editfoundry.pretrained.passes import Passes
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile
from editfoundry.synthesis.instruct_pix2pix.caption_pairs import CaptionPair
from editfoundry.synthesis.instruct_pix2pix.choosing import choose_pairs
from editfoundry.synthesis.instruct_pix2pix.config import PairConfig
from editfoundry.synthesis.instruct_pix2pix.models import PairModels, load_pair_models
from editfoundry.synthesis.instruct_pix2pix.painting import PairPainter
from editfoundry.tinyworld.benchmark import plain_cases

sys.path.insert(0, str(Path(__file__).parent))

from page import machine, write_section  # noqa: E402

CONFIG = PairConfig(num_candidates=8, num_inference_steps=10, min_guidance_scale=1.5, max_guidance_scale=3.5)
NUM_PAIRS = 4
NUM_ROUNDS = 2


TOGETHER, SINGLY = "all together", "one pair at a time"


def ways_of_painting(
    models: PairModels, pairs: Sequence[CaptionPair], config: PairConfig
) -> dict[str, Callable[[], None]]:
    """Return both ways: each paints and scores all candidates of ``pairs``."""
    single = PairPainter(models.painter.painter, Passes(1))

    def together() -> None:
        choose_pairs(models.clip, pairs, models.painter.paint(pairs, config), config)

    def singly() -> None:
        for pair in pairs:
            for number in range(config.num_candidates):
                one = replace(config, num_candidates=1, seed=config.seed + number)
                choose_pairs(models.clip, [pair], single.paint([pair], one), one)

    return {TOGETHER: together, SINGLY: singly}


def plain_pairs(count: int) -> list[CaptionPair]:
    """Return captions of tinyworld's plain edits."""
    return [
        CaptionPair(input_caption=c.input_caption, instruction=c.instruction, output_caption=c.output_caption)
        for c in plain_cases(count, 0)
    ]


def test_all_candidates_against_one_pair_at_a_time() -> None:
    models = load_pair_models(load_profile("embedded"), choose_runtime("cpu"), CONFIG)
    ways = ways_of_painting(models, plain_pairs(NUM_PAIRS), CONFIG)
    # In turns, so that a busy machine is as busy for both; what needs less memory first, for a process keeps its heap.
    rounds = [(_measured(ways[SINGLY]), _measured(ways[TOGETHER])) for _ in range(NUM_ROUNDS)]
    (single_seconds, single_memory), (seconds, memory) = (map(min, *turns) for turns in zip(*rounds, strict=True))
    count = NUM_PAIRS * CONFIG.num_candidates
    write_section(
        "Pairs of InstructPix2Pix",
        f"{NUM_PAIRS} caption pairs with {CONFIG.num_candidates} candidates each, {CONFIG.num_inference_steps} steps, "
        f"CLIP's four similarities included; candidates a second of computing, the better of {NUM_ROUNDS} rounds, and "
        f"the process's peak memory, models included. {machine()}\n\n"
        "| | all together | one pair at a time | factor |\n|---|---|---|---|\n"
        f"| candidates a second | {count / seconds:.2f} | {count / single_seconds:.2f} | "
        f"{single_seconds / seconds:.2f} |\n"
        f"| memory, MB | {memory:.0f} | {single_memory:.0f} | {memory / single_memory:.2f} |\n",
    )


def _measured(run: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds of computing and the peak of memory, in MB."""
    reset_peak_memory()
    started = time.process_time()
    run()
    return time.process_time() - started, peak_memory_mb()
