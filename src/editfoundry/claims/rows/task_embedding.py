"""Emu Edit, table 5: an editor that is told its task does better, and the task can be predicted."""

from __future__ import annotations

from dataclasses import replace

from editfoundry.claims.claim import Claim, Detail, Finding
from editfoundry.claims.scores import BY_ANOTHER, ArmScores, gain, gain_by_another
from editfoundry.claims.verdicts import in_doubt, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.evaluation.benchmarks.item import Benchmark
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.reports.run_results import RIGHT, SHARP

MARGIN = 0.02
"""How much lower the share of right edits may be with a predicted task; the paper's CLIP direction loses 0.002."""


def _embedding_helps(bench: Workbench) -> Finding:
    true, none = _arm(bench, "given"), _arm(bench, "none")
    seed = bench.config.seed
    effect = gain(none, true, RIGHT, seed)
    return Finding(
        effect=effect,
        verdict=is_above(effect),
        controls=(
            Detail(label=f"{BY_ANOTHER} and its task", interval=gain_by_another(none, true, RIGHT, seed)),
            Detail(label="Gain of another item's task", interval=gain(none, _wrong_task(bench), RIGHT, seed)),
        ),
        details=(
            Detail(label="Sharp edits, gain", interval=gain(none, true, SHARP, seed)),
            *(
                Detail(label=f"Right edits of {task}, gain", interval=gain(none, true, RIGHT, seed, task))
                for task in dict.fromkeys(true.categories)
            ),
        ),
        note=in_doubt("Right edits", effect),
    )


def _prediction_does(bench: Workbench) -> Finding:
    # Named first: a profile without it is told so before anything is edited.
    bench.profile.model("task_predictor")
    true, predicted = _arm(bench, "given"), _arm(bench, "predicted")
    seed = bench.config.seed
    effect = gain(true, predicted, RIGHT, seed)
    return Finding(
        effect=effect,
        verdict=is_above(effect, -MARGIN),
        controls=(
            Detail(label="Another item's task in its place", interval=gain(true, _wrong_task(bench), RIGHT, seed)),
            Detail(label="No task in its place", interval=gain(true, _arm(bench, "none"), RIGHT, seed)),
        ),
        details=(Detail(label="Sharp edits, gain", interval=gain(true, predicted, SHARP, seed)),),
        note=in_doubt("Right edits", effect, -MARGIN),
    )


def _arm(bench: Workbench, task: str) -> ArmScores:
    return bench.scores(bench.contestant(bench.emu_edit(), {"task": task}, own_guidance=True), _benchmark(bench))


def _wrong_task(bench: Workbench) -> ArmScores:
    contestant = bench.contestant(bench.emu_edit(), {"task": "given"}, own_guidance=True)
    return bench.scores(contestant, with_others_tasks(_benchmark(bench)), with_control=False)


def _benchmark(bench: Workbench) -> Benchmark:
    return read_benchmark("tinyworld-tasks", num_items=bench.config.num_task_items, seed=bench.config.seed)


def with_others_tasks(benchmark: Benchmark) -> Benchmark:
    """Return a benchmark whose items have each the task of the item behind it; the tasks must take turns."""
    following = [*benchmark.items[1:], benchmark.items[0]]
    items = [replace(item, task=other.task) for item, other in zip(benchmark.items, following, strict=True)]
    return replace(benchmark, items=tuple(items))


_LIMITS = (
    "One editor, trained with 5 % of the tasks left out, edits with and without; the paper trains one without. Outcome "
    "accuracy on tinyworld's fifteen tasks, where the paper has CLIP and DINO."
)
TASK_EMBEDDING_HELPS = Claim(
    name="emu-task-embedding",
    paper="Emu Edit",
    sentence="An editor that is told its task by a learned embedding edits better than without it.",
    arms=("Emu Edit's editor without a task", "with the true task"),
    metric="Share of right edits over tinyworld's tasks, unseen combinations and wordings; paired difference.",
    rule="Holds where the interval lies above 0; fails where it lies at or below 0.",
    test=_embedding_helps,
    limits=_LIMITS,
)
PREDICTED_TASK_DOES = Claim(
    name="emu-predicted-task",
    paper="Emu Edit",
    sentence="A task that is predicted from the instruction does as well as the true one.",
    arms=("Emu Edit's editor with the true task", "with the predicted task"),
    metric="Share of right edits over tinyworld's tasks, unseen combinations and wordings; paired difference.",
    rule=f"Holds where the interval lies above -{MARGIN:g}; fails where it lies at or below.",
    test=_prediction_does,
    limits=_LIMITS,
)
