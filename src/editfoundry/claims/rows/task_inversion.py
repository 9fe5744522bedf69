"""Emu Edit, section 4.4: one new vector, learnt from few examples, comes close to an editor trained on the task."""

from __future__ import annotations

import numpy as np

from editfoundry.claims.claim import Claim, Finding, level
from editfoundry.claims.scores import ArmScores
from editfoundry.claims.task_training import TaskTraining
from editfoundry.claims.verdicts import in_doubt, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.data.edit_tasks import EditTask
from editfoundry.evaluation.benchmarks.item import Benchmark
from editfoundry.evaluation.benchmarks.tinyworld import item_of_case
from editfoundry.evaluation.bootstrap import bootstrap_interval
from editfoundry.evaluation.reports.run_results import RIGHT
from editfoundry.tinyworld.tasks.task_benchmark import task_cases

HELD_OUT = EditTask.SEGMENT
"""New, but of what the other tasks teach: finding a thing by its name, and painting in a colour."""
NEAREST = EditTask.LOCAL
NUM_EXAMPLES = (10, 30, 100)
SHARE = 0.8
"""Of the expert's right edits that the vector has to reach."""


def _comes_close(bench: Workbench) -> Finding:
    training, seed = TaskTraining(bench), bench.config.seed
    benchmark = _benchmark(bench)
    base = training.without(HELD_OUT)

    def arm(source: str, task: str) -> np.ndarray:
        contestant = bench.contestant(source, {"task": task}, own_guidance=True)
        scores: ArmScores = bench.scores(contestant, benchmark, with_control=False)
        return scores.of(RIGHT)

    inverted = {count: arm(base, training.inverted(HELD_OUT, count)) for count in NUM_EXAMPLES}
    tuned = {count: arm(training.tuned(HELD_OUT, count), "given") for count in NUM_EXAMPLES}
    most = NUM_EXAMPLES[-1]
    effect = bootstrap_interval(inverted[most] - SHARE * tuned[most], seed=seed)
    return Finding(
        effect=effect,
        verdict=is_above(effect),
        controls=(
            level("Right edits of the editor that never saw the task", arm(base, "none"), seed),
            level(f"Right edits of it by the task {NEAREST}, which it knows", arm(base, NEAREST), seed),
        ),
        details=tuple(
            level(f"Right edits, {label} {count} examples", found[count], seed)
            for label, found in (("a vector of", inverted), ("everything tuned on", tuned))
            for count in NUM_EXAMPLES
        ),
        note=in_doubt("Right edits beyond the share", effect),
    )


def _benchmark(bench: Workbench) -> Benchmark:
    cases = task_cases(bench.config.num_inverted_items, bench.config.seed, tasks=(HELD_OUT,))
    return Benchmark(name=f"tinyworld-{HELD_OUT}", title=HELD_OUT.description, items=tuple(map(item_of_case, cases)))


TASK_INVERSION_COMES_CLOSE = Claim(
    name="emu-task-inversion",
    paper="Emu Edit",
    sentence="A task's vector that is learnt from a hundred examples comes close to an editor that is trained on them.",
    arms=(
        f"an editor that never saw {HELD_OUT}, all of it tuned on {NUM_EXAMPLES[-1]} examples",
        f"the same editor, frozen, with a vector learnt from {NUM_EXAMPLES[-1]} examples",
    ),
    metric=(
        f"Share of right edits of the task {HELD_OUT}, minus {SHARE:g} times the tuned editor's; paired difference."
    ),
    rule="Holds where the interval lies above 0; fails where it lies at or below 0.",
    test=_comes_close,
    limits="The paper's expert has 100,000 examples, its new tasks are others, and it measures CLIP and L1.",
)
