"""What a training step waits for on the host: as it was done in line, and as it is done now. No GPU is needed.

Batches are those of 512 px and 1,024 samples over 8 processes; the data set has ten million triplets. A GPU is stood
in for by a pause of half a second a step.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from timing import alternating_seconds, record

from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining
from editfoundry.editors.triplet_training.draws import EpochOrder
from editfoundry.editors.triplet_training.pair_batches import Draws, draw_step
from editfoundry.training.prefetch import made_ahead

NUM_TRIPLETS, BATCH_SIZE, NUM_PROCESSES, LATENT_SHAPE = 10_000_000, 1024, 8, (4, 64, 64)
NUM_STEPS, SECONDS_PER_STEP = 4, 0.5
PART = slice(BATCH_SIZE // 2, BATCH_SIZE // 2 + BATCH_SIZE // NUM_PROCESSES)
CONFIG = InstructPix2PixTraining(
    editor="none", dataset=Path("none"), output=Path("none"), num_steps=NUM_STEPS, batch_size=BATCH_SIZE
)
Pairs = dict[str, tuple[Callable[[], object], Callable[[], object]]]


def drawn(step: int, part: slice, order: EpochOrder) -> Draws:
    return draw_step(
        CONFIG,
        step,
        part,
        order=order,
        first=step * BATCH_SIZE,
        num_timesteps=1000,
        latent_shape=LATENT_SHAPE,
        num_tokens=77,
    )


def waiting(batches: Iterator[object]) -> float:
    """Return the median seconds that a step waits for its batch, while a device would work the rest of the time."""
    waited = []
    for _ in range(NUM_STEPS):
        started = time.perf_counter()
        next(batches)
        waited.append(time.perf_counter() - started)
        time.sleep(SECONDS_PER_STEP)
    return statistics.median(waited)


def test_what_a_step_waits_for() -> None:
    kept = EpochOrder(0, NUM_TRIPLETS)
    pairs: Pairs = {
        "which samples, of 10 million": (
            lambda: EpochOrder(0, NUM_TRIPLETS).indices(5_000, BATCH_SIZE),
            lambda: kept.indices(5_000, BATCH_SIZE),
        ),
        "drawing: all of a batch, one of 8 parts": (
            lambda: drawn(3, slice(None), kept),
            lambda: drawn(3, PART, kept),
        ),
    }
    seconds = {name: alternating_seconds(both, repeats=3) for name, both in pairs.items()}
    in_line = (drawn(step, slice(None), EpochOrder(0, NUM_TRIPLETS)) for step in range(NUM_STEPS))
    with made_ahead(lambda step: drawn(step, PART, kept), range(NUM_STEPS)) as ahead:
        seconds["a step's wait for its batch, in all"] = [waiting(in_line), waiting(ahead)]
    rows = [
        [name, f"{1000 * first:.1f}", f"{1000 * second:.1f}", f"{first / second:.1f}"]
        for name, (first, second) in seconds.items()
    ]
    note = (
        f"A batch of {BATCH_SIZE} at 512 px over {NUM_PROCESSES} processes; "
        f"a pause of {SECONDS_PER_STEP} s stands in for a GPU's step."
    )
    record("Training's hot loop", note, ["what the host does in a step", "before, ms", "now, ms", "ratio"], rows)
