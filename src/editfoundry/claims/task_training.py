"""Trains editors on some of Emu Edit's tasks, and teaches one that lacks a task that one from few examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editfoundry.data.edit_tasks import EditTask
from editfoundry.synthesis.tinyworld_tasks.config import TaskTripletConfig
from editfoundry.synthesis.tinyworld_tasks.stage import write_task_triplets
from editfoundry.tinyworld.tasks.task_sampling import MADE_TASKS

if TYPE_CHECKING:
    from editfoundry.claims.workbench import Workbench

_INVERSION_RATE = 10.0
"""Times the usual rate: one vector has no other weights to disturb."""
_TUNING_RATE = 0.25
"""Likewise, of all weights on few examples."""


@dataclass(frozen=True)
class TaskTraining:
    """Trainings that start at the profile's base or at each other; what was trained once is taken."""

    bench: Workbench

    def trained_on(self, tasks: Sequence[EditTask]) -> str:
        """Return the folder of an editor that was trained on some tasks, on each as long as if it were on all."""
        chosen, share = self.bench.config, len(tasks) / len(MADE_TASKS)
        count, steps = (
            max(1, round(share * whole)) for whole in (chosen.num_multi_task_triplets, chosen.num_multi_task_steps)
        )
        name = "all" if set(tasks) == {*MADE_TASKS} else "-".join(tasks)
        return self._trained(f"on-{name}", self._base, self._triplets(name, tuple(tasks), count), steps, 1.0)

    def without(self, task: EditTask) -> str:
        """Return the folder of an editor that was trained on all tasks but one."""
        others = tuple(other for other in MADE_TASKS if other != task)
        chosen = self.bench.config
        dataset = self._triplets(f"all-but-{task}", others, chosen.num_task_training_triplets)
        return self._trained(f"without-{task}", self._base, dataset, chosen.num_task_training_steps, 1.0)

    def tuned(self, task: EditTask, num_examples: int) -> str:
        """Return the folder of the editor without the task with all its weights tuned on examples of it."""
        dataset, steps = self._examples(task, num_examples), self.bench.config.num_inversion_steps
        return self._trained(f"tuned-{task}-{num_examples}", self.without(task), dataset, steps, _TUNING_RATE)

    def inverted(self, task: EditTask, num_examples: int) -> str:
        """Return the path of a vector that was learnt from examples of the task for the editor without it."""
        from editfoundry.editors.families.emu_edit.training_config import TaskInversion
        from editfoundry.editors.train import train_editor

        name, base = f"{task}-inverted", self.without(task)
        settings = self._settings(
            f"inverted-{task}-{num_examples}",
            base,
            self._examples(task, num_examples),
            self.bench.config.num_inversion_steps,
            _INVERSION_RATE,
        )
        config = TaskInversion(invert_task=name, **settings)
        train_editor(config)
        return str(config.output / f"{name}.safetensors")

    def _trained(self, name: str, start: str, dataset: Path, num_steps: int, rate: float) -> str:
        from editfoundry.editors.families.emu_edit.training_config import EmuEditTraining
        from editfoundry.editors.train import train_editor

        config = EmuEditTraining(**self._settings(name, start, dataset, num_steps, rate))
        train_editor(config)
        return str(config.output)

    def _settings(self, name: str, start: str, dataset: Path, num_steps: int, rate: float) -> dict[str, Any]:
        chosen = self.bench.config
        return {
            "editor": start,
            "dataset": dataset,
            "work_dir": self.bench.work_dir / "training",
            "output": self.bench.work_dir / "tasks" / str(chosen.seed) / name,
            "num_steps": num_steps,
            "batch_size": chosen.training_batch_size,
            "learning_rate": rate * chosen.learning_rate,
            "num_warmup_steps": min(20, num_steps // 4),
            "ema_decay": 0.98,
            "change_weight": chosen.change_weight,
            "checkpoint_every": 50,
            "seed": chosen.seed,
        }

    @property
    def _base(self) -> str:
        return self.bench.profile.model("editor_base").location

    def _examples(self, task: EditTask, count: int) -> Path:
        return self._triplets(f"{task}-{count}", (task,), count)

    def _triplets(self, name: str, tasks: tuple[EditTask, ...], count: int) -> Path:
        seed = self.bench.config.seed
        folder = self.bench.work_dir / "triplets" / f"tasks-{name}-{seed}"
        write_task_triplets(folder, TaskTripletConfig(num_triplets=count, tasks=tasks, seed=seed))
        return folder
