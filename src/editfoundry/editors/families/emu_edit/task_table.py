"""The learned embedding ``v_i`` of each task, and its folder beside a checkpoint's UNet (Emu Edit, section 3.3)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from editfoundry.data.edit_tasks import TASK_NAMES
from editfoundry.data.untrusted import read_json
from editfoundry.editors.families.emu_edit.task_choice import FOLDER, RESERVED
from editfoundry.errors import BadInputError

NO_TASK = -1
"""Row of an edit whose task is not known or was dropped."""
_WEIGHTS, _CONFIG = "task_embeddings.safetensors", "config.json"
_INITIAL_SPREAD = 0.02


class TaskTable(nn.Module):
    """One vector a task, as wide as the UNet's cross-attention."""

    def __init__(self, vectors: Tensor, names: Sequence[str] = TASK_NAMES) -> None:
        """``vectors`` is ``(N, D)`` float32, one row for each of ``names``."""
        super().__init__()
        self.vectors = nn.Parameter(vectors)
        self.names = tuple(names)

    @classmethod
    def at_random(cls, width: int, seed: int) -> TaskTable:
        """Return a table to train: small numbers, so that the UNet is hardly disturbed at first."""
        generator = torch.Generator().manual_seed(seed)
        return cls(torch.randn(len(TASK_NAMES), width, generator=generator) * _INITIAL_SPREAD)

    def rows(self, tasks: Sequence[str]) -> Tensor:
        """Return ``(B,)`` int64 rows of tasks by name; ``NO_TASK`` for an empty name.

        Raises:
            BadInputError: there is no such task; the one line lists the names.
        """
        unknown = next((task for task in tasks if task and task not in self.names), None)
        if unknown is not None:
            raise BadInputError(f"unknown task {unknown!r}: use {', '.join(self.names)}")
        return torch.tensor([self.names.index(task) if task else NO_TASK for task in tasks], dtype=torch.int64)

    def forward(self, rows: Tensor) -> Tensor:
        """Return ``(B, D)`` vectors of ``(B,)`` rows, zeros where a row is ``NO_TASK``."""
        known = (rows != NO_TASK).to(self.vectors).unsqueeze(1)
        return self.vectors[rows.clamp(min=0)] * known

    def save(self, folder: Path) -> None:
        """Write the table beside the UNet of the checkpoint in ``folder``."""
        place = folder / FOLDER
        place.mkdir()
        save_file({"vectors": self.vectors.detach().float().cpu().contiguous()}, place / _WEIGHTS)
        (place / _CONFIG).write_text(json.dumps({"tasks": list(self.names)}, indent=2) + "\n")


def read_task_table(folder: Path) -> TaskTable:
    """Read the table of the checkpoint in ``folder``.

    Raises:
        BadInputError: a file is missing or broken, the two do not fit each other, two tasks have one name, or one has
            a name of `RESERVED`.
    """
    place = folder / FOLDER
    names = read_json(place / _CONFIG, dict).get("tasks")
    try:
        vectors = load_file(place / _WEIGHTS)["vectors"]
    except (OSError, SafetensorError, KeyError) as error:
        raise BadInputError(f"{place / _WEIGHTS}: not a table of task embeddings; get the checkpoint again") from error
    are_names = isinstance(names, list) and names and all(isinstance(name, str) for name in names)
    if not are_names or vectors.ndim != 2 or len(vectors) != len(names or ()):
        raise BadInputError(f"{place}: {_CONFIG} does not name the rows of {_WEIGHTS}; get the checkpoint again")
    _check_names(place / _CONFIG, names or [])
    if not vectors.is_floating_point() or not bool(vectors.isfinite().all()):
        raise BadInputError(f"{place / _WEIGHTS}: vectors are not all finite floats; get the checkpoint again")
    return TaskTable(vectors.float(), names or ())


def _check_names(path: Path, names: Sequence[str]) -> None:
    for place, name in enumerate(names):
        if name in names[:place]:
            raise BadInputError(f"{path}: names the task {name!r} twice; get the checkpoint again")
        if not name or name in RESERVED:
            raise BadInputError(f"{path}: a task is called {name!r}, which no task can be; get the checkpoint again")
