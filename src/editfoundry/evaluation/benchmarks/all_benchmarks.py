"""All benchmarks; everything that names benchmarks is derived from this list."""

from __future__ import annotations

from editfoundry.evaluation.benchmarks.definition import BenchmarkDefinition
from editfoundry.evaluation.benchmarks.editbench import EDITBENCH
from editfoundry.evaluation.benchmarks.editworld import EDITWORLD
from editfoundry.evaluation.benchmarks.emu_edit import EMU_EDIT, EMU_EDIT_VALIDATION
from editfoundry.evaluation.benchmarks.magicbrush import MAGICBRUSH, MAGICBRUSH_MULTI_TURN
from editfoundry.evaluation.benchmarks.tinyworld import AMBIGUOUS, NEW_RULES, PLAIN, TASKS, TURNS, WORLD
from editfoundry.evaluation.benchmarks.tinyworld_editbench import TINYWORLD_EDITBENCH

BENCHMARKS: tuple[BenchmarkDefinition, ...] = (
    WORLD,
    NEW_RULES,
    PLAIN,
    AMBIGUOUS,
    TASKS,
    TURNS,
    EDITWORLD,
    EMU_EDIT,
    EMU_EDIT_VALIDATION,
    MAGICBRUSH,
    MAGICBRUSH_MULTI_TURN,
    EDITBENCH,
    TINYWORLD_EDITBENCH,
)
