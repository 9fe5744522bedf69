"""Emu Edit, sections 3 and 5: one editor that learns many tasks, tasks of computer vision among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from editfoundry.claims.claim import Claim, Detail, Finding, level
from editfoundry.claims.scores import BY_ANOTHER, SPECIFIC, ArmScores
from editfoundry.claims.task_training import TaskTraining
from editfoundry.claims.verdicts import all_of, in_doubt, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.data.edit_tasks import EditTask, TaskGroup
from editfoundry.evaluation.benchmarks.item import Benchmark
from editfoundry.evaluation.benchmarks.tinyworld import item_of_case
from editfoundry.evaluation.bootstrap import paired_difference
from editfoundry.evaluation.reports.run_results import RIGHT
from editfoundry.tinyworld.tasks.task_benchmark import task_cases
from editfoundry.tinyworld.tasks.task_sampling import MADE_TASKS

EXPERTS = (EditTask.REMOVE, EditTask.BACKGROUND, EditTask.GLOBAL, EditTask.SEGMENT)
"""Tasks that have an expert: of each group, and such as are learned in minutes."""
EDITING_TASKS = tuple(task for task in MADE_TASKS if task.group != TaskGroup.VISION)


def _beats_experts(bench: Workbench) -> Finding:
    training = TaskTraining(bench)
    together = training.trained_on(MADE_TASKS)
    arms = [
        (_arm(bench, training.trained_on((task,)), task, len(EXPERTS)), _arm(bench, together, task, len(EXPERTS)))
        for task in EXPERTS
    ]
    return _compared(arms, EXPERTS, ("experts", "all tasks"), bench.config.seed)


def _vision_helps(bench: Workbench) -> Finding:
    training, count = TaskTraining(bench), len(EDITING_TASKS)
    without, together = training.trained_on(EDITING_TASKS), training.trained_on(MADE_TASKS)
    arms = [(_arm(bench, without, task, count), _arm(bench, together, task, count)) for task in EDITING_TASKS]
    return _compared(arms, EDITING_TASKS, ("editing alone", "all tasks"), bench.config.seed)


def _arm(bench: Workbench, source: str, task: EditTask, num_tasks: int) -> ArmScores:
    """Return the scores of an editor's share of the items, all of one task, which it is told."""
    count = max(1, bench.config.num_multi_task_items // num_tasks)
    cases = task_cases(count, bench.config.seed, tasks=(task,))
    benchmark = Benchmark(name=f"tinyworld-{task}", title=task.description, items=tuple(map(item_of_case, cases)))
    return bench.scores(bench.contestant(source, {"task": "given"}, own_guidance=True), benchmark)


def _compared(
    arms: Sequence[tuple[ArmScores, ArmScores]], tasks: Sequence[EditTask], names: tuple[str, str], seed: int
) -> Finding:
    """Return the gain of the second of two arms over the first, and each task's."""
    own = [[arm.of(RIGHT) for arm in pair] for pair in arms]
    others = [[arm.of_another(RIGHT) for arm in pair] for pair in arms]
    before, after = (np.concatenate(values) for values in zip(*own, strict=True))
    before_by_another, after_by_another = (np.concatenate(values) for values in zip(*others, strict=True))
    effect = paired_difference(before, after, seed=seed)
    specific = paired_difference(before - before_by_another, after - after_by_another, seed=seed)
    by_task = [paired_difference(*pair, seed=seed) for pair in own]
    return Finding(
        effect=effect,
        verdict=all_of([is_above(effect), is_above(specific)]),
        controls=(
            Detail(label=BY_ANOTHER, interval=paired_difference(before_by_another, after_by_another, seed=seed)),
        ),
        details=(
            Detail(label=SPECIFIC, interval=specific),
            *(level(f"Right, {name}", values, seed) for name, values in zip(names, (before, after), strict=True)),
            *(
                Detail(label=f"Right edits of {task}, gain", interval=interval)
                for task, interval in zip(tasks, by_task, strict=True)
            ),
        ),
        note=in_doubt("Right edits", effect),
    )


_METRIC = "Share of right edits of {}, unseen combinations and wordings; paired difference, higher is better."
_RULE = "Holds where the intervals of the gain and of the specific gain lie above 0, fails where one lies below it."
_LIMITS = (
    "Each arm sees each of its tasks as often as the other does, so that the one of all tasks trains longer; minutes "
    "of a core, where the paper's have ten million samples."
)
MULTI_TASK_BEATS_EXPERTS = Claim(
    name="emu-multi-task-beats-experts",
    paper="Emu Edit",
    sentence="One editor that learns all tasks does each better than an expert that learns this task alone.",
    arms=("an expert for each task", "one editor for all fifteen tasks"),
    metric=_METRIC.format(f"{', '.join(EXPERTS[:-1])} and {EXPERTS[-1]}"),
    rule=_RULE,
    test=_beats_experts,
    limits=_LIMITS,
)
VISION_TASKS_HELP = Claim(
    name="emu-vision-tasks-help",
    paper="Emu Edit",
    sentence="Learning tasks of computer vision, too, makes an editor better at editing.",
    arms=("an editor that learns the editing tasks alone", "one that learns all fifteen tasks"),
    metric=_METRIC.format("the editing tasks"),
    rule=_RULE,
    test=_vision_helps,
    limits=_LIMITS,
)
