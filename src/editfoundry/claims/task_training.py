"""Trains an editor on all tasks but one, and teaches it that one from few examples in two ways."""

from __future__ import annotations

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
    """One new task, and the folder of the ledger's checkpoints; what was trained once is taken."""

    bench: Workbench
    task: EditTask

    def without_the_task(self) -> str:
        """Return the folder of an editor that was trained on all other tasks."""
        others = tuple(task for task in MADE_TASKS if task != self.task)
        chosen = self.bench.config
        dataset = self._triplets(f"all-but-{self.task}", others, chosen.num_task_training_triplets)
        start = self.bench.profile.model("editor_base").location
        return self._trained(f"without-{self.task}", start, dataset, chosen.num_task_training_steps, 1.0)

    def tuned(self, num_examples: int) -> str:
        """Return the folder of that editor with all its weights tuned on examples of the task."""
        dataset, steps = self._examples(num_examples), self.bench.config.num_inversion_steps
        return self._trained(f"tuned-{num_examples}", self.without_the_task(), dataset, steps, _TUNING_RATE)

    def inverted(self, num_examples: int) -> str:
        """Return the path of a vector that was learnt from examples of the task for that editor."""
        from editfoundry.editors.families.emu_edit.training_config import TaskInversion
        from editfoundry.editors.train import train_editor

        name, base = f"{self.task}-inverted", self.without_the_task()
        settings = self._settings(
            f"inverted-{num_examples}",
            base,
            self._examples(num_examples),
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

    def _examples(self, count: int) -> Path:
        return self._triplets(f"{self.task}-{count}", (self.task,), count)

    def _triplets(self, name: str, tasks: tuple[EditTask, ...], count: int) -> Path:
        seed = self.bench.config.seed
        folder = self.bench.work_dir / "triplets" / f"tasks-{name}-{seed}"
        write_task_triplets(folder, TaskTripletConfig(num_triplets=count, tasks=tasks, seed=seed))
        return folder
