"""One learnt task as a file of a few kilobytes, tied to the editor that it was learnt for (task inversion)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from editfoundry.editors.families.emu_edit.task_choice import FOLDER
from editfoundry.editors.families.emu_edit.task_table import TaskTable
from editfoundry.editors.triplet_training.content_hashes import editor_hash
from editfoundry.errors import BadInputError

SUFFIX = ".safetensors"
_KEY = "vector"


@dataclass(frozen=True)
class InvertedTask:
    """What a file of one task holds."""

    name: str
    vector: Tensor
    """``(D,)`` float32."""
    editor: str
    """`frozen_hash` of the editor that it was learnt for."""


def frozen_hash(editor: str, revision: str = "main") -> str:
    """Hash the parts of an editor that a learnt task depends on."""
    return editor_hash(editor, ("unet", "text_encoder", "tokenizer", "vae"), revision)


def write_task(folder: Path, task: InvertedTask) -> Path:
    """Write ``folder/NAME.safetensors`` and return its path."""
    path = folder / f"{task.name}{SUFFIX}"
    told = {"task": task.name, "editor": task.editor}
    save_file({_KEY: task.vector.detach().float().cpu().contiguous()}, path, metadata=told)
    return path


def required_task(name: str, editor: Path, table: TaskTable) -> Path | None:
    """Return the file of a learnt task, see `find_task`; None for a task of the editor's own table.

    Raises:
        BadInputError: there is no such task, or its folder holds several.
    """
    if name in table.names:
        return None
    found = find_task(name, editor)
    if found is None:
        table.rows([name])
    return found


def find_task(name: str, editor: Path) -> Path | None:
    """Return the file that ``name`` means, or None: a path; the folder that a task inversion wrote; or a name of a file
    that lies in the editor's folder ``task_embeddings``.

    Raises:
        BadInputError: the folder holds several learnt tasks.
    """
    path = Path(name)
    # Unlike Path's own, these know of a name that is too long that there is no such file.
    learnt = [file for file in sorted(path.glob(f"*{SUFFIX}")) if _is_learnt(file)] if os.path.isdir(path) else []
    if len(learnt) > 1:
        raise BadInputError(
            f"{path}: holds the learnt tasks {', '.join(file.stem for file in learnt)}: name one's file"
        )
    named = path.name + SUFFIX
    candidates = (*learnt, path, path.parent / named, editor / FOLDER / named)
    return next((one for one in candidates if one.suffix == SUFFIX and os.path.isfile(one)), None)


def _is_learnt(path: Path) -> bool:
    try:
        with safe_open(path, framework="pt") as file:
            return _KEY in file.keys() and "editor" in (file.metadata() or {})  # noqa: SIM118
    except (OSError, SafetensorError):
        return False


def read_task(path: Path, editor: Path, width: int, own_hash: str | None = None) -> InvertedTask:
    """Read a task that was learnt for an editor.

    Args:
        path: the file.
        editor: folder of the editor.
        width: of its cross-attention.
        own_hash: its `frozen_hash`, where it is known; by default it is taken, which reads all weights.

    Raises:
        BadInputError: the file is none of ours, holds no finite numbers, or was learnt for another editor.
    """
    try:
        with safe_open(path, framework="pt") as file:
            told, vector = file.metadata() or {}, file.get_tensor(_KEY)
    except (OSError, SafetensorError) as error:
        raise BadInputError(f"{path}: not a learnt task; make it with editfoundry train --invert-task") from error
    if not vector.is_floating_point() or not bool(vector.isfinite().all()):
        raise BadInputError(f"{path}: its vector is not all finite floats; learn the task again")
    if told.get("editor") != (own_hash or frozen_hash(str(editor))) or vector.shape != (width,):
        raise BadInputError(f"{path}: was learnt for another editor than {editor}; learn it again for this one")
    return InvertedTask(told.get("task", path.stem), vector.to(torch.float32), told["editor"])
